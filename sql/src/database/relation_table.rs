//! `RelationTable`: a stream, table or materialized view in a query. Its rows are read before the query runs, all relations
//! of a statement at one txid, and wait in a [`RowHolder`].

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::{DataSourceExec, MemorySourceConfig};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;
use futures::stream::BoxStream;
use monsoon_batch::Rows;
use monsoon_circuit::RelationId;
use parking_lot::Mutex;

use super::engine_error;
use super::key_lookup::key_values;
use crate::catalog::Relation;

/// Begins to read a log.
type OpenLog = Arc<dyn Fn() -> BoxStream<'static, monsoon_batch::Result<RecordBatch>> + Send + Sync>;

/// The rows of a statement's relations.
#[derive(Default)]
pub(crate) struct RowHolder {
    rows: Mutex<HashMap<RelationId, Held>>,
}

#[derive(Clone)]
enum Held {
    Batches(Vec<RecordBatch>),
    Log(OpenLog),
}

impl RowHolder {
    /// Puts the rows of a relation there.
    pub(crate) fn put(&self, id: RelationId, rows: Rows) {
        let held = match rows {
            Rows::Batches(batches) => Held::Batches(batches),
            Rows::Log(open) => Held::Log(open),
        };
        self.rows.lock().insert(id, held);
    }

    fn get(&self, id: RelationId) -> Option<Held> {
        self.rows.lock().get(&id).cloned()
    }
}

impl fmt::Debug for RowHolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RowHolder")
    }
}

/// A relation in a query.
#[derive(Debug)]
pub(crate) struct RelationTable {
    relation: Arc<Relation>,
    rows: Arc<RowHolder>,
}

impl RelationTable {
    pub(super) fn new(relation: Arc<Relation>, rows: Arc<RowHolder>) -> RelationTable {
        RelationTable { relation, rows }
    }

    /// Which relation.
    pub(crate) fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }
}

#[async_trait]
impl TableProvider for RelationTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.relation.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match key_values(&self.relation, filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.schema();
        match self.rows.get(self.relation.id) {
            None => {
                Err(DataFusionError::Internal(format!("relation {} was not read before the query", self.relation.name)))
            }
            Some(Held::Batches(batches)) => {
                let batches: Result<Vec<RecordBatch>> =
                    batches.into_iter().map(|batch| with_schema(batch, &schema)).collect();
                let source = MemorySourceConfig::try_new(&[batches?], schema, projection.cloned())?.with_limit(limit);
                Ok(DataSourceExec::from_data_source(source))
            }
            Some(Held::Log(open)) => {
                let partition: Arc<dyn PartitionStream> = Arc::new(LogPartition { schema: Arc::clone(&schema), open });
                Ok(Arc::new(StreamingTableExec::try_new(schema, vec![partition], projection, [], false, limit)?))
            }
        }
    }
}

/// The batch under the catalog's names and metadata.
fn with_schema(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), batch.columns().to_vec(), &options)?)
}

/// A log as a partition of a scan.
struct LogPartition {
    schema: SchemaRef,
    open: OpenLog,
}

impl fmt::Debug for LogPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LogPartition")
    }
}

impl PartitionStream for LogPartition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let rows = (self.open)().map(move |batch| match batch {
            Ok(batch) => with_schema(batch, &schema),
            Err(error) => Err(DataFusionError::External(Box::new(engine_error(error)))),
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows))
    }
}
