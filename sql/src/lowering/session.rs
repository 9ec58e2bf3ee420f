//! How DataFusion must be set up to plan a view's query, so that its optimised plan is what lowering wants.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::execution::context::ExecutionProps;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_group_by_constant::EliminateGroupByConstant;
use datafusion::optimizer::eliminate_join::EliminateJoin;
use datafusion::optimizer::eliminate_limit::EliminateLimit;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::prelude::SessionConfig;

use super::distinct_on::DistinctOnToRowNumber;
use super::propagate_empty::PropagateEmpty;

/// A planning session for one view, made from the user's: same catalog and functions, fixed settings. A view must mean the
/// same to everyone and after every restart, so nothing the user can SET may reach its plan. Make a new one per view: the
/// names it generates count from 1, and [`super::fingerprint`] wants them equal from run to run.
pub fn view_session_state(base: &SessionState) -> SessionState {
    let config = view_config(base.config().clone());
    SessionStateBuilder::new_from_existing(base.clone())
        .with_config(config)
        // Without a start time the optimiser leaves now() alone.
        .with_execution_props(ExecutionProps::new())
        .with_optimizer_rules(optimizer_rules())
        .build()
}

fn view_config(config: SessionConfig) -> SessionConfig {
    // The catalog exists already; building the state must not put a fresh one in its place.
    let mut config = config.with_create_default_catalog_and_schema(false).with_target_partitions(1);
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".to_owned());
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.collect_spans = true;
    // A circuit has no scalar subquery operator: uncorrelated ones become joins too.
    options.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    // Joins skip NULL keys by themselves.
    options.optimizer.filter_null_join_keys = false;
    options.optimizer.enable_unions_to_filter = false;
    options.optimizer.enable_leaf_expression_pushdown = false;
    // A rule that fails (some do, on nested set operations) leaves the plan as it was.
    options.optimizer.skip_failed_rules = true;
    config
}

/// The optimiser rules for views, in order. Against DataFusion's own list are left out: `UnionsToFilter` (off by default),
/// `ReplaceDistinctWithAggregate` (DISTINCT is an aggregate to lowering, DISTINCT ON becomes `row_number() = 1`),
/// `FilterNullJoinKeys` (needless filters), `PushDownLimit` (every copy of a limit is another top-n with state),
/// `SingleDistinctToGroupBy` (aggregates take DISTINCT natively; two levels of groups cost twice), `ExtractLeafExpressions`
/// and `PushDownLeafProjections` (they serve file formats).
pub fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        // Before PushDownFilter, which moves filters below DISTINCT ON, where they don't belong.
        Arc::new(DistinctOnToRowNumber),
        Arc::new(RewriteSetComparison::new()),
        Arc::new(OptimizeUnions::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(EliminateJoin::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateLimit::new()),
        Arc::new(PropagateEmpty::default()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(EliminateGroupByConstant::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ]
}
