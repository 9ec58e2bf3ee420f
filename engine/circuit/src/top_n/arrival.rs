//! `Arrival`: the rows of a delta with what ranks them: partition ids and order keys.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};

use crate::expression::evaluate_all;
use crate::row_store::Blocks;
use crate::{Delta, KeyIndex, Result, RowError};

/// Rows of a delta, numbered across its pieces.
pub(super) struct Arrival {
    pub(super) rows: Blocks,
    /// Partition of each row.
    pub(super) partitions: Vec<u32>,
    /// Weight of each row; never zero.
    pub(super) weights: Vec<i64>,
    /// Order key of each row; `None` when there is no order.
    order: Option<Rows>,
}

impl Arrival {
    /// The order key of a row: smaller bytes come first.
    pub(super) fn order_key(&self, row: usize) -> &[u8] {
        self.order.as_ref().map_or(&[], |order| order.row(row).data())
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.partitions.len()
    }
}

/// What evaluates the rank of rows.
pub(super) struct Ranking {
    partition: Vec<Arc<dyn PhysicalExpr>>,
    order: Vec<Arc<dyn PhysicalExpr>>,
    /// `None` when there is no order.
    converter: Option<RowConverter>,
    /// The partitions.
    pub(super) index: KeyIndex,
}

impl Ranking {
    pub(super) fn new(
        partition: &[Arc<dyn PhysicalExpr>],
        order: &[PhysicalSortExpr],
        schema: &SchemaRef,
    ) -> Result<Ranking> {
        let types = partition.iter().map(|key| key.data_type(schema)).collect::<std::result::Result<Vec<_>, _>>()?;
        let mut fields = Vec::with_capacity(order.len());
        for key in order {
            fields.push(SortField::new_with_options(key.expr.data_type(schema)?, key.options));
        }
        let converter = if fields.is_empty() { None } else { Some(RowConverter::new(fields)?) };
        Ok(Ranking {
            partition: partition.to_vec(),
            order: order.iter().map(|key| Arc::clone(&key.expr)).collect(),
            converter,
            index: KeyIndex::new(&types)?,
        })
    }

    /// The partition expressions.
    pub(super) fn partition(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.partition
    }

    /// Evaluates the rank of the rows of a delta. Rows of weight zero must have been left out.
    pub(super) fn arrive(&mut self, delta: Delta, schema: &SchemaRef, errors: &mut Vec<RowError>) -> Result<Arrival> {
        let mut arrival = Arrival {
            rows: Blocks::new(schema.clone()),
            partitions: Vec::with_capacity(delta.len()),
            weights: Vec::with_capacity(delta.len()),
            order: self.converter.as_ref().map(|converter| converter.empty_rows(delta.len(), 0)),
        };
        let mut ids = Vec::new();
        for batch in delta.batches {
            let keys: Vec<ArrayRef> = evaluate_all(&self.partition, &batch.rows, errors)?;
            self.index.intern(&keys, batch.len(), &mut ids)?;
            arrival.partitions.extend_from_slice(&ids);
            if let (Some(converter), Some(order)) = (&self.converter, &mut arrival.order) {
                converter.append(order, &evaluate_all(&self.order, &batch.rows, errors)?)?;
            }
            match &batch.weights {
                Some(weights) => arrival.weights.extend_from_slice(weights.values()),
                None => arrival.weights.resize(arrival.partitions.len(), 1),
            }
            arrival.rows.push_as_is(batch.rows)?;
        }
        Ok(arrival)
    }
}
