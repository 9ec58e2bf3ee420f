//! COPY in both directions.
//!
//! COPY FROM is one commit, at its end: its rows are held in memory until then, and a COPY that is larger than what a
//! commit may hold is refused, not cut into several.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Query};
use futures::StreamExt;
use monsoon_batch::Change;
use monsoon_circuit::WeightedBatch;

use super::assign::assemble;
use super::commit_budget::CommitBudget;
use super::lock::share;
use super::notices::Notices;
use super::transaction::Buffer;
use super::{Prepared, Session};
use crate::catalog::{Relation, Snapshot};
use crate::copy::{CopyDecoder, CopyEncoder};
use crate::database::{Database, Planner, Scope, engine_error};
use crate::error::Result;
use crate::response::{CopyIn, CopyOut, Response, RowStream};
use crate::statement::{CopyFormat, Statement, Subscribe};

/// Rows per decoded batch.
const BATCH_ROWS: usize = 8_192;

impl Session {
    pub(super) async fn copy_in(
        &mut self,
        statement: &Statement,
        name: &ObjectName,
        columns: &[Ident],
        format: &CopyFormat,
    ) -> Result<Response> {
        self.check_writable("COPY FROM")?;
        let relation = self.insertable(statement, name)?;
        let places = self.column_places(statement, &relation, columns)?;
        let fields: Vec<_> = places.iter().map(|place| relation.schema.field(*place).clone()).collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let decoder = CopyDecoder::new(&relation.name, schema, format.clone(), BATCH_ROWS)?;
        Ok(Response::CopyIn(Box::new(RowsIn {
            scope: self.scope()?,
            snapshot: self.snapshot(),
            database: Arc::clone(&self.database),
            notices: self.notices.clone(),
            buffer: self.transaction.as_ref().map(|transaction| Arc::clone(transaction.buffer())),
            relation,
            places,
            decoder,
            batches: Vec::new(),
            rows: 0,
            budget: self.commit_budget("COPY"),
        })))
    }

    pub(super) async fn copy_out(
        &mut self,
        prepared: &Prepared,
        query: &Query,
        format: &CopyFormat,
    ) -> Result<Response> {
        let encoder = CopyEncoder::new(format.clone())?;
        let rows = self.select(prepared, query, &[]).await?;
        Ok(Response::CopyOut(encoded(rows, encoder)))
    }

    pub(super) async fn copy_subscription(
        &mut self,
        statement: &Statement,
        subscribe: &Subscribe,
        format: &CopyFormat,
    ) -> Result<Response> {
        let encoder = CopyEncoder::new(format.clone())?;
        let rows = self.subscribe(statement, subscribe).await?;
        Ok(Response::CopyOut(encoded(rows, encoder)))
    }
}

fn encoded(rows: RowStream, encoder: CopyEncoder) -> CopyOut {
    let columns = rows.schema.fields().len();
    let header = encoder.header(&rows.schema).map(|header| Ok((header, 0)));
    let lines = rows.batches.map(move |batch| {
        let batch = batch?;
        Ok((encoder.encode(&batch)?, batch.num_rows() as u64))
    });
    CopyOut { columns, binary: false, data: futures::stream::iter(header).chain(lines).boxed(), live: rows.live }
}

/// A running COPY FROM STDIN.
struct RowsIn {
    scope: Arc<Scope>,
    snapshot: Arc<Snapshot>,
    database: Arc<Database>,
    notices: Notices,
    /// Of the transaction it runs in.
    buffer: Option<Buffer>,
    relation: Arc<Relation>,
    places: Vec<usize>,
    decoder: CopyDecoder,
    batches: Vec<WeightedBatch>,
    rows: u64,
    budget: CommitBudget,
}

impl RowsIn {
    fn take(&mut self, batch: &RecordBatch) -> Result<()> {
        let planner = || Ok(Planner::new(&self.scope, &self.snapshot));
        let whole = assemble(&self.relation, &self.places, batch.columns().to_vec(), batch.num_rows(), planner)?;
        self.rows += whole.num_rows() as u64;
        self.budget.add(&whole)?;
        self.batches.push(WeightedBatch::inserted(whole));
        Ok(())
    }

    async fn commit(&self, change: Change) -> Result<()> {
        let shared = share(&self.database, BTreeSet::from([change.relation])).await;
        let written = self.database.engine.write(vec![change]).await.map_err(engine_error)?;
        self.notices.warn_of_late_rows(&written);
        drop(shared);
        Ok(())
    }
}

#[async_trait]
impl CopyIn for RowsIn {
    fn columns(&self) -> usize {
        self.places.len()
    }

    async fn write(&mut self, data: Bytes) -> Result<()> {
        for batch in self.decoder.push(&data)? {
            self.take(&batch)?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<u64> {
        if let Some(batch) = self.decoder.finish()? {
            self.take(&batch)?;
        }
        if self.batches.is_empty() {
            return Ok(0);
        }
        let change = Change { relation: self.relation.id, batches: std::mem::take(&mut self.batches) };
        match &self.buffer {
            Some(buffer) => buffer.lock().push(change)?,
            None => self.commit(change).await?,
        }
        Ok(self.rows)
    }
}
