//! Joins.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, JoinType, NullEquality, ScalarValue};
use datafusion::logical_expr::{Expr, Join};
use datafusion::physical_expr::PhysicalExpr;
use monsoon_circuit::{JoinPlan, Operator, WindowBound};

use super::builder::{Builder, with_nullability};
use super::event_time::EventTime;
use super::expression::as_column;
use super::relation::{Facts, Relation};
use super::unique::{self, Side};
use super::window_bound::settled_end;
use crate::error::SqlError;

type Pair = (Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>);

impl Builder<'_> {
    /// Lowers a join of any type, with or without equal pairs.
    pub fn join(&mut self, join: &Join) -> Result<Relation, SqlError> {
        let left = self.relation(&join.left)?;
        let right = self.relation(&join.right)?;
        let on = self.pairs(join, &left, &right)?;
        let filter = self.join_filter(join, &left, &right)?;
        let facts = self.join_facts(join, &left, &right, &on);
        let window = self.join_window(join, &left, &right);
        let nullable = self.join_nullability(join.join_type, &left, &right);
        let schema = with_nullability(&join.schema, nullable);
        let plan = JoinPlan {
            join_type: join.join_type,
            on,
            filter,
            null_equals_null: join.null_equality == NullEquality::NullEqualsNull,
            null_aware: join.null_aware,
            window,
        };
        let node = self.push(Operator::Join(plan), vec![left.node, right.node], schema);
        Ok(Relation { node, schema: Arc::clone(&join.schema), facts })
    }

    /// When what is joined on is over. Not of NOT IN: a NULL concerns rows of any key.
    fn join_window(&self, join: &Join, left: &Relation, right: &Relation) -> Option<WindowBound> {
        let time = |(l, r): &(Expr, Expr)| self.key_time(l, left)?.both(&self.key_time(r, right)?);
        let times: Vec<Option<EventTime>> = join.on.iter().map(time).collect();
        settled_end(&times).filter(|_| !join.null_aware)
    }

    fn pairs(&self, join: &Join, left: &Relation, right: &Relation) -> Result<Vec<Pair>, SqlError> {
        let pair = |(l, r): &(Expr, Expr)| {
            let pair = (self.physical(l, &left.schema)?, self.physical(r, &right.schema)?);
            let types = (self.type_of(&pair.0, &left.schema)?, self.type_of(&pair.1, &right.schema)?);
            if types.0 != types.1 {
                let text = format!("a join of {} with {} can't be kept up to date: cast one side", types.0, types.1);
                return Err(self.refusals.at(text, [l, r]));
            }
            Ok(pair)
        };
        join.on.iter().map(pair).collect()
    }

    fn type_of(&self, expression: &Arc<dyn PhysicalExpr>, schema: &DFSchema) -> Result<DataType, SqlError> {
        expression.data_type(schema.as_arrow()).map_err(|error| self.refusals.datafusion(error))
    }

    /// The condition over all left columns, then all right columns.
    fn join_filter(
        &self,
        join: &Join,
        left: &Relation,
        right: &Relation,
    ) -> Result<Option<Arc<dyn PhysicalExpr>>, SqlError> {
        let Some(filter) = join.filter.as_ref().filter(|filter| !is_true(filter)) else {
            return Ok(None);
        };
        let fields = left
            .schema
            .iter()
            .chain(right.schema.iter())
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)));
        let both = DFSchema::new_with_metadata(fields.collect(), Default::default())
            .map_err(|error| self.refusals.datafusion(error))?;
        self.physical(filter, &both).map(Some)
    }

    fn join_facts(&self, join: &Join, left: &Relation, right: &Relation, on: &[Pair]) -> Facts {
        let columns: Vec<(usize, usize)> =
            on.iter().filter_map(|(l, r)| Some((as_column(l)?, as_column(r)?))).collect();
        let side = |relation: &Relation| Arc::clone(&self.nodes[relation.node].schema);
        let (left_schema, right_schema) = (side(left), side(right));
        // -0.0 and 0.0 are one value to a join and two to an index, so floating-point columns say nothing about keys.
        let exact: Vec<(usize, usize)> =
            columns.iter().copied().filter(|&(l, _)| !left_schema.field(l).data_type().is_floating()).collect();
        let key = unique::joined(
            join.join_type,
            Side { key: left.facts.key.as_deref(), schema: &left_schema },
            Side { key: right.facts.key.as_deref(), schema: &right_schema },
            &exact,
        );
        let grows = matches!(join.join_type, JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi);
        Facts {
            key,
            append_only: grows && left.facts.append_only && right.facts.append_only,
            emitted: left.facts.emitted || right.facts.emitted,
            times: joined_times(join, &left.facts.times, &right.facts.times, &columns),
        }
    }

    fn join_nullability(&self, join_type: JoinType, left: &Relation, right: &Relation) -> Vec<bool> {
        let of = |relation: &Relation, padded: bool| -> Vec<bool> {
            self.nodes[relation.node].schema.fields().iter().map(|field| padded || field.is_nullable()).collect()
        };
        match join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => of(left, false),
            JoinType::RightSemi | JoinType::RightAnti => of(right, false),
            // The mark itself is as the logical schema says.
            JoinType::LeftMark => [of(left, false), vec![false]].concat(),
            JoinType::RightMark => [of(right, false), vec![false]].concat(),
            JoinType::Inner => [of(left, false), of(right, false)].concat(),
            JoinType::Left => [of(left, false), of(right, true)].concat(),
            JoinType::Right => [of(left, true), of(right, false)].concat(),
            JoinType::Full => [of(left, true), of(right, true)].concat(),
        }
    }
}

/// Event time survives a join only in columns that are joined on. A row of one side may wait for its match as long as it
/// likes, and then make a row whose other columns are old; but a column equal to one that follows the other side's
/// watermark can't be older than both watermarks, since one of the two rows is new.
fn joined_times(
    join: &Join,
    left: &[Option<EventTime>],
    right: &[Option<EventTime>],
    on: &[(usize, usize)],
) -> Vec<Option<EventTime>> {
    let mut times = vec![None; join.schema.fields().len()];
    let (has_left, has_right) = match join.join_type {
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => (true, false),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (false, true),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => (true, true),
    };
    let right_start = if has_left { left.len() } else { 0 };
    for &(l, r) in on {
        let both = match (&left[l], &right[r]) {
            // A NULL on the right of NOT IN takes rows of any time away.
            (Some(left), Some(right)) if join.null_aware => left.both(right).map(|time| time.unsettled()),
            (Some(left), Some(right)) => left.both(right),
            _ => None,
        };
        if has_left {
            times[l].clone_from(&both);
        }
        if has_right {
            times[right_start + r] = both;
        }
    }
    times
}

fn is_true(filter: &Expr) -> bool {
    matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _))
}
