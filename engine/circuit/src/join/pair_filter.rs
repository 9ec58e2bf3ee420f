//! `PairFilter`: the condition of a join beside its equal keys, over only the columns it reads.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;

use super::shape::{LEFT, RIGHT};
use crate::expression::evaluate_predicate;
use crate::row_store::batch_of;
use crate::{Result, RowError};

/// A predicate over pairs of rows.
#[derive(Debug)]
pub(super) struct PairFilter {
    predicate: Arc<dyn PhysicalExpr>,
    /// The columns read, by side.
    pub(super) columns: [Vec<usize>; 2],
    schema: SchemaRef,
}

impl PairFilter {
    /// `predicate` is over all left columns, then all right columns.
    pub(super) fn new(predicate: &Arc<dyn PhysicalExpr>, left: &SchemaRef, right: &SchemaRef) -> Result<PairFilter> {
        let mut read: Vec<usize> = collect_columns(predicate).iter().map(Column::index).collect();
        read.sort_unstable();
        read.dedup();
        let width = left.fields().len();
        let of_left = read.iter().copied().filter(|&column| column < width).collect();
        let of_right = read.iter().copied().filter(|&column| column >= width).map(|column| column - width).collect();
        let field = |&column: &usize| if column < width { left.field(column) } else { right.field(column - width) };
        let fields: Vec<_> = read.iter().map(|column| field(column).clone()).collect();
        let place: HashMap<usize, usize> = read.iter().enumerate().map(|(place, &column)| (column, place)).collect();
        let moved = Arc::clone(predicate).transform(|node| {
            let moved = node.downcast_ref::<Column>().and_then(|column| {
                place
                    .get(&column.index())
                    .map(|&place| Arc::new(Column::new(column.name(), place)) as Arc<dyn PhysicalExpr>)
            });
            Ok(moved.map_or(Transformed::no(node), Transformed::yes))
        })?;
        Ok(PairFilter { predicate: moved.data, columns: [of_left, of_right], schema: Arc::new(Schema::new(fields)) })
    }

    /// Which pairs pass, given the columns read of each side. NULL doesn't pass.
    pub(super) fn passes(
        &self,
        mut columns: [Vec<ArrayRef>; 2],
        rows: usize,
        errors: &mut Vec<RowError>,
    ) -> Result<BooleanArray> {
        let mut all = std::mem::take(&mut columns[LEFT]);
        all.append(&mut columns[RIGHT]);
        evaluate_predicate(&self.predicate, &batch_of(&self.schema, all, rows)?, errors)
    }
}
