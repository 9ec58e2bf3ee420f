//! SUBSCRIBE and SELECT STREAM: the changes of a relation or a query, as they are committed.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::ast::{GroupByExpr, Query, SelectItem, SetExpr, TableFactor};
use futures::StreamExt;
use monsoon_batch::{Committed, Engine, RelationKind, RelationSpec, SubscribeOptions};
use monsoon_circuit::RelationId;

use super::Session;
use super::resolve::{folded, simple_name};
use crate::catalog::{Kind, Relation};
use crate::database::engine_error;
use crate::error::{Result, SqlError};
use crate::response::RowStream;
use crate::statement::{Statement, Subscribe};

/// Rows that may wait for a slow reader.
const BUFFER_ROWS_MAX: usize = 1_000_000;

/// The columns of a subscription: which commit, how often, and the relation's.
pub(super) fn change_schema(columns: &Schema) -> SchemaRef {
    let own =
        [Field::new("monsoon_txid", DataType::Int64, false), Field::new("monsoon_weight", DataType::Int64, false)];
    let others = columns.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(own.into_iter().chain(others).collect::<Vec<_>>()))
}

impl Session {
    pub(super) async fn subscribe(&mut self, statement: &Statement, subscribe: &Subscribe) -> Result<RowStream> {
        let options = SubscribeOptions {
            snapshot: subscribe.snapshot,
            progress: subscribe.progress,
            buffer_rows_max: BUFFER_ROWS_MAX,
        };
        let (id, columns, view) = match self.whole_relation(statement, &subscribe.query) {
            Some(relation) => (relation.id, Arc::clone(&relation.schema), None),
            None => {
                let (view, columns) = self.ephemeral_view(statement, &subscribe.query).await?;
                (view.id, columns, Some(view))
            }
        };
        let subscription = self.database.engine.subscribe(id, options).await.map_err(engine_error)?;
        let schema = change_schema(&columns);
        let output = Arc::clone(&schema);
        let batches = subscription.changes.flat_map(move |committed| {
            // Lives as long as the stream: the view goes with it.
            let _view = &view;
            let batches = match committed {
                Ok(committed) => change_batches(&output, &committed),
                Err(error) => vec![Err(engine_error(error))],
            };
            futures::stream::iter(batches)
        });
        Ok(RowStream { schema, batches: batches.boxed(), tag: "SUBSCRIBE", live: true })
    }

    /// The relation, if the query is `SELECT * FROM relation` and nothing more.
    fn whole_relation(&self, statement: &Statement, query: &Query) -> Option<Arc<Relation>> {
        let is_plain =
            query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let is_whole = select.selection.is_none()
            && select.distinct.is_none()
            && select.having.is_none()
            && select.qualify.is_none()
            && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
            && matches!(select.projection.as_slice(), [SelectItem::Wildcard(_)]);
        let [table] = select.from.as_slice() else { return None };
        let TableFactor::Table { name, args: None, alias: None, .. } = &table.relation else { return None };
        if !is_plain || !is_whole || !table.joins.is_empty() {
            return None;
        }
        let name = folded(simple_name(statement, name).ok()?);
        let relation = self.snapshot().by_name(&name).cloned()?;
        (!matches!(relation.kind, Kind::View | Kind::Sink)).then_some(relation)
    }

    async fn ephemeral_view(&mut self, statement: &Statement, query: &Query) -> Result<(EphemeralView, SchemaRef)> {
        let snapshot = self.snapshot();
        let view = self.plan_view(statement, &snapshot, query, &[], false).await?;
        let id = self.database.take_ephemeral_id();
        let schema = Arc::clone(&view.schema);
        let kind = RelationKind::View { plan: view.plan, ephemeral: true };
        let spec = RelationSpec { id, name: "subscription".to_owned(), schema: Arc::clone(&schema), kind };
        let engine = self.database.engine.clone();
        // Created in a task of its own: if the client goes away meanwhile, the guard still drops it.
        let created = tokio::spawn(async move {
            engine.create(spec, Vec::new()).await?;
            Ok::<_, monsoon_batch::Error>(EphemeralView { engine, id })
        });
        let view = created.await.map_err(|error| SqlError::internal(error.to_string()))?.map_err(engine_error)?;
        Ok((view, schema))
    }
}

/// A view that is dropped with its subscription.
struct EphemeralView {
    engine: Engine,
    id: RelationId,
}

impl Drop for EphemeralView {
    fn drop(&mut self) {
        let (engine, id) = (self.engine.clone(), self.id);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = engine.drop_relations(vec![id], Vec::new()).await {
                tracing::warn!(%error, "the view of a subscription was not dropped");
            }
        });
    }
}

fn change_batches(schema: &SchemaRef, committed: &Committed) -> Vec<Result<RecordBatch>> {
    let txid = i64::try_from(committed.txid.0).unwrap_or(i64::MAX);
    let batch = |columns: Vec<ArrayRef>| {
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| SqlError::internal(error.to_string()))
    };
    if committed.batches.is_empty() {
        // Progress: the commit changed nothing here.
        let one = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
        let nulls = schema.fields().iter().skip(2).map(|field| new_null_array(field.data_type(), 1));
        return vec![batch([one(txid), one(0)].into_iter().chain(nulls).collect())];
    }
    let piece = |piece: &monsoon_circuit::WeightedBatch| {
        let rows = piece.len();
        let weights = piece.weights.clone().unwrap_or_else(|| Int64Array::from_value(1, rows));
        let own: [ArrayRef; 2] = [Arc::new(Int64Array::from_value(txid, rows)), Arc::new(weights)];
        batch(own.into_iter().chain(piece.rows.columns().iter().cloned()).collect())
    };
    committed.batches.iter().map(piece).collect()
}
