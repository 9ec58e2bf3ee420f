//! Lowering: DataFusion's optimised logical plan of a view's query -> the incremental circuit that keeps the view.
//!
//! The only place that knows both sides. What can't be kept up to date is refused here, at CREATE, with SQLSTATE 0A000 and,
//! where DataFusion knows it, the place in the statement; a circuit never meets something it can't do.
//!
//! Invariants of the plans it makes:
//! - a node reads only nodes before it, the last node is the output, and no node is useless;
//! - a node's schema has the column types that its operator yields; a column that is not nullable can't become NULL, not
//!   even by an expression that fails on a row;
//! - the key is truly unique in the output, or empty.
//!
//! A node may have several readers: equal parts of a query are kept once.

mod aggregate;
mod builder;
mod check;
mod distinct_on;
mod event_time;
mod explain;
mod expression;
mod filter;
mod fingerprint;
mod grouping_set;
mod join;
mod leaf;
mod project;
mod propagate_empty;
mod refusal;
mod relation;
mod session;
mod share;
mod top_n;
mod unique;
mod window_bound;

#[cfg(test)]
mod tests;

use arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use monsoon_circuit::{CircuitPlan, RelationId};

use crate::error::SqlError;
use crate::response::Notice;

pub use explain::{RelationLabel, explain};
pub use fingerprint::fingerprint;
pub use session::{optimizer_rules, view_session_state};

use builder::Builder;
use refusal::Refusals;

/// What lowering has to know of a relation that a query reads.
#[derive(Debug, Clone)]
pub struct RelationInfo {
    /// Its number.
    pub id: RelationId,
    /// Its columns.
    pub schema: SchemaRef,
    /// Whether rows are only ever inserted.
    pub append_only: bool,
    /// Place of the column that carries event time, for a stream with a watermark.
    pub watermark: Option<usize>,
    /// Places of the columns that identify a row; empty when nothing less than the whole row does.
    pub key: Vec<usize>,
}

/// Finds relations by the names that stand in table scans.
pub trait RelationLookup {
    /// The stream, table or view of this name; `None` for anything else (a system view, a table function).
    fn relation(&self, name: &TableReference) -> Option<RelationInfo>;
}

/// What lowering is given beside the plan.
pub struct LoweringContext<'a> {
    /// The relations.
    pub relations: &'a dyn RelationLookup,
    /// EMIT ON WINDOW CLOSE was said.
    pub emit_on_window_close: bool,
    /// The text the plan's spans point into, for error positions.
    pub sql: Option<&'a str>,
}

/// A lowered query.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// The circuit.
    pub plan: CircuitPlan,
    /// What the user should know: parts of the query that have no effect, or a cost.
    pub notices: Vec<Notice>,
}

/// From DataFusion's unoptimised plan of a view's query to its circuit: refuses what has no place in a view, optimises with
/// `state`, which must come from [`view_session_state`], and lowers.
pub fn plan_view(
    state: &SessionState,
    query: &LogicalPlan,
    context: &LoweringContext<'_>,
) -> Result<Lowered, SqlError> {
    let refusals = Refusals::new(context.sql);
    check::check_query(query, &refusals)?;
    let optimised = state.optimize(query).map_err(|error| refusals.datafusion(error))?;
    lower(&optimised, context)
}

/// Lowers an optimised logical plan. Most callers want [`plan_view`]: some of what a view can't have (`now()`, a scalar
/// subquery of several rows) can only be seen before the optimiser has run.
pub fn lower(plan: &LogicalPlan, context: &LoweringContext<'_>) -> Result<Lowered, SqlError> {
    let refusals = Refusals::new(context.sql);
    check::check_optimised(plan, &refusals)?;
    Builder::new(context, refusals).build(plan)
}
