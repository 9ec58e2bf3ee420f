//! ORDER BY, LIMIT, and `row_number()`: all of them the first rows of partitions.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Expr, FetchType, Limit, LogicalPlan, SkipType, Sort, SortExpr, Window, WindowFunctionDefinition,
};
use monsoon_circuit::{Operator, TopNPlan};

use super::builder::Builder;
use super::event_time::EventTime;
use super::expression::as_column;
use super::relation::{Facts, Relation};
use super::window_bound::settled_end;
use crate::error::SqlError;

/// Row numbers a filter lets pass, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowRange {
    /// The first.
    pub first: i128,
    /// The last, inclusive.
    pub last: i128,
}

impl RowRange {
    /// No bounds.
    pub const ALL: RowRange = RowRange { first: 1, last: i128::MAX };

    /// What both let pass.
    pub fn intersect(self, other: RowRange) -> RowRange {
        RowRange { first: self.first.max(other.first), last: self.last.min(other.last) }
    }

    /// As offset and limit; `offset + limit` doesn't overflow.
    fn offset_limit(self) -> (usize, usize) {
        let first = self.first.max(1);
        let offset = usize::try_from(first - 1).unwrap_or(usize::MAX);
        let limit = usize::try_from(self.last.saturating_sub(first).saturating_add(1).max(0)).unwrap_or(usize::MAX);
        (offset, limit.min(usize::MAX - offset))
    }
}

impl Builder<'_> {
    /// ORDER BY: nothing by itself, since a view is a set of rows; with `limit` (offset, count) the first rows in that order.
    pub fn sort(&mut self, sort: &Sort, limit: Option<(usize, usize)>) -> Result<Relation, SqlError> {
        let input = self.relation(&sort.input)?;
        match within(limit, sort.fetch) {
            Some((offset, count)) => self.first_rows(input, &sort.expr, offset, count),
            None => {
                self.notice("ORDER BY without LIMIT has no effect in a view: order the rows where you read them");
                Ok(input)
            }
        }
    }

    /// LIMIT and OFFSET.
    pub fn limit(&mut self, limit: &Limit) -> Result<Relation, SqlError> {
        let range = self.limit_range(limit)?;
        self.limited(&limit.input, range)
    }

    /// Offset and count; `offset + count` doesn't overflow.
    fn limit_range(&self, limit: &Limit) -> Result<(usize, usize), SqlError> {
        let skip = limit.get_skip_type().map_err(|error| self.refusals.datafusion(error))?;
        let fetch = limit.get_fetch_type().map_err(|error| self.refusals.datafusion(error))?;
        let (SkipType::Literal(offset), FetchType::Literal(count)) = (skip, fetch) else {
            let expressions: Vec<Expr> =
                limit.skip.iter().chain(&limit.fetch).map(|expression| expression.as_ref().clone()).collect();
            return Err(self.refusals.at("LIMIT and OFFSET of a view must be constants", &expressions));
        };
        Ok((offset, count.unwrap_or(usize::MAX).min(usize::MAX - offset)))
    }

    /// The first rows of a plan: in the order of the Sort below it, looking through what keeps order and number of rows.
    fn limited(&mut self, plan: &LogicalPlan, limit: (usize, usize)) -> Result<Relation, SqlError> {
        match plan {
            LogicalPlan::Sort(sort) => self.sort(sort, Some(limit)),
            LogicalPlan::Limit(below) => {
                let range = self.limit_range(below)?;
                self.limited(&below.input, limit_of_limit(range, limit))
            }
            LogicalPlan::Projection(projection) if is_sorted(&projection.input) => {
                let input = self.limited(&projection.input, limit)?;
                self.project(input, &projection.expr, &projection.schema)
            }
            LogicalPlan::SubqueryAlias(alias) if is_sorted(&alias.input) => {
                let input = self.limited(&alias.input, limit)?;
                Ok(Relation { schema: Arc::clone(&alias.schema), ..input })
            }
            other => {
                let input = self.relation(other)?;
                self.first_rows(input, &[], limit.0, limit.1)
            }
        }
    }

    /// A top-n of one partition.
    pub fn first_rows(
        &mut self,
        input: Relation,
        order: &[SortExpr],
        offset: usize,
        limit: usize,
    ) -> Result<Relation, SqlError> {
        if limit == 0 {
            return self.empty(&input.schema, false);
        }
        let key = if limit == 1 { Some(Vec::new()) } else { input.facts.key.clone() };
        let order = self.physical_order(order, &input.schema)?;
        let schema = Arc::clone(&self.nodes[input.node].schema);
        let plan = TopNPlan { partition: Vec::new(), order, offset, limit, with_rank: false, window: None };
        let node = self.push(Operator::TopN(plan), vec![input.node], schema);
        let times = unsettled_but(&[], &input.facts.times);
        Ok(Relation { node, schema: input.schema, facts: Facts { key, append_only: false, times, ..input.facts } })
    }

    /// `row_number()`, of which a filter above keeps the rows in `range`.
    pub fn window(&mut self, window: &Window, range: Option<RowRange>) -> Result<Relation, SqlError> {
        let [expression] = window.window_expr.as_slice() else {
            return Err(self
                .refusals
                .at("a view can number rows in only one way at a time", &window.window_expr)
                .with_hint("number them in nested subqueries"));
        };
        let function = self.row_number(expression)?;
        let range = range.unwrap_or(RowRange::ALL);
        if range.last == i128::MAX {
            self.notice("row_number() without an upper bound: each change renumbers the rest of its partition");
        }
        let (offset, limit) = range.offset_limit();
        if limit == 0 {
            return self.empty(&window.schema, false);
        }
        let input = self.relation(&window.input)?;
        let ends: Vec<_> = function.params.partition_by.iter().map(|key| self.key_time(key, &input)).collect();
        let partition = self.physical_all(&function.params.partition_by, &input.schema)?;
        let order = self.physical_order(&function.params.order_by, &input.schema)?;
        let below = Arc::clone(&self.nodes[input.node].schema);
        let number = below.fields().len();
        let columns: Option<Vec<usize>> = partition.iter().map(as_column).collect();
        let key = number_key(columns, input.facts.key.clone(), limit, number);
        let schema = with_number(&below, window.schema.field(number))?;
        let of_partition: Vec<usize> = partition.iter().filter_map(as_column).collect();
        let plan = TopNPlan { partition, order, offset, limit, with_rank: true, window: settled_end(&ends) };
        let node = self.push(Operator::TopN(plan), vec![input.node], schema);
        let mut times = unsettled_but(&of_partition, &input.facts.times);
        times.push(None);
        let facts = Facts { key, append_only: false, emitted: input.facts.emitted, times };
        Ok(Relation { node, schema: Arc::clone(&window.schema), facts })
    }

    fn row_number<'e>(&self, expression: &'e Expr) -> Result<&'e WindowFunction, SqlError> {
        let function = match expression {
            Expr::WindowFunction(function) => function.as_ref(),
            Expr::Alias(alias) => return self.row_number(&alias.expr),
            other => return Err(self.refusals.at("this window expression can't be kept up to date", [other])),
        };
        let name = function.fun.name();
        let is_row_number = matches!(&function.fun, WindowFunctionDefinition::WindowUDF(_)) && name == "row_number";
        if !is_row_number || function.params.filter.is_some() || function.params.distinct {
            let why = match name {
                "rank" | "dense_rank" => "ties share a rank, so a bound on it doesn't bound the rows",
                _ => "only row_number() has an incremental form yet",
            };
            let parts = function
                .params
                .args
                .iter()
                .chain(&function.params.partition_by)
                .chain(function.params.order_by.iter().map(|order| &order.expr));
            return Err(self
                .refusals
                .at(format!("a view can't have the window function {name}() OVER (...): {why}"), parts));
        }
        Ok(function)
    }
}

/// Event times of rows that give way to others with the same values in some columns only.
fn unsettled_but(same: &[usize], times: &[Option<EventTime>]) -> Vec<Option<EventTime>> {
    let time = |(place, time): (usize, &Option<EventTime>)| {
        let time = time.as_ref()?;
        Some(if same.contains(&place) { time.clone() } else { time.unsettled() })
    };
    times.iter().enumerate().map(time).collect()
}

fn is_sorted(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(projection) => is_sorted(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => is_sorted(&alias.input),
        LogicalPlan::Limit(limit) => is_sorted(&limit.input),
        _ => false,
    }
}

/// Some of the first rows of some of the first rows, each as offset and count.
fn limit_of_limit(below: (usize, usize), above: (usize, usize)) -> (usize, usize) {
    let offset = below.0.saturating_add(above.0);
    let count = above.1.min(below.1.saturating_sub(above.0));
    (offset, count.min(usize::MAX - offset))
}

/// A limit of a sort that has one itself.
fn within(limit: Option<(usize, usize)>, fetch: Option<usize>) -> Option<(usize, usize)> {
    match (limit, fetch) {
        (Some((offset, count)), Some(fetch)) => Some((offset, count.min(fetch.saturating_sub(offset)))),
        (None, Some(fetch)) => Some((0, fetch)),
        (limit, None) => limit,
    }
}

/// One row per partition is known by its partition; otherwise the input's key still holds; otherwise the number tells the
/// rows of a partition apart.
fn number_key(
    partition: Option<Vec<usize>>,
    key: Option<Vec<usize>>,
    limit: usize,
    number: usize,
) -> Option<Vec<usize>> {
    let partition = partition.map(|mut columns| {
        columns.sort_unstable();
        columns.dedup();
        columns
    });
    match partition {
        Some(columns) if limit == 1 => Some(columns),
        partition => key.or_else(|| partition.map(|columns| [columns, vec![number]].concat())),
    }
}

fn with_number(below: &SchemaRef, number: &Field) -> Result<SchemaRef, SqlError> {
    if number.data_type() != &DataType::UInt64 {
        return Err(SqlError::internal(format!("row_number() has type {}", number.data_type())));
    }
    let mut fields: Vec<Arc<Field>> = below.fields().iter().cloned().collect();
    fields.push(Arc::new(number.clone().with_nullable(false)));
    Ok(Arc::new(Schema::new(fields)))
}
