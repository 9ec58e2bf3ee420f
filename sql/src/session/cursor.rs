//! DECLARE, FETCH, CLOSE.

use std::collections::VecDeque;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{FutureExt, StreamExt};

use super::Session;
use super::text_rows::{batches_rows, complete};
use crate::error::{Result, SqlError};
use crate::response::{Response, RowStream};
use crate::statement::{Body, Declare};

/// An open cursor.
pub(super) struct Cursor {
    rows: RowStream,
    /// Rows that came and were not fetched yet.
    waiting: VecDeque<RecordBatch>,
    is_held: bool,
    has_ended: bool,
}

impl Cursor {
    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    pub(super) fn schema(&self) -> SchemaRef {
        self.rows.schema.clone()
    }

    /// Takes at most `wanted` rows of what has come.
    fn take(&mut self, wanted: &mut u64, taken: &mut Vec<RecordBatch>) {
        while *wanted > 0 {
            let Some(batch) = self.waiting.pop_front() else { return };
            let rows = batch.num_rows() as u64;
            if rows <= *wanted {
                *wanted -= rows;
                taken.push(batch);
            } else {
                let cut = usize::try_from(*wanted).unwrap_or(usize::MAX);
                self.waiting.push_front(batch.slice(cut, batch.num_rows() - cut));
                taken.push(batch.slice(0, cut));
                *wanted = 0;
            }
        }
    }

    async fn pull(&mut self) -> Result<()> {
        match self.rows.batches.next().await {
            Some(batch) => {
                let batch = batch?;
                if batch.num_rows() > 0 {
                    self.waiting.push_back(batch);
                }
            }
            None => self.has_ended = true,
        }
        Ok(())
    }

    /// All that is wanted of a query; of a subscription what is there, after waiting for the first of it.
    async fn fetch(&mut self, mut wanted: u64, timeout: Option<Duration>) -> Result<Vec<RecordBatch>> {
        let mut taken = Vec::new();
        self.take(&mut wanted, &mut taken);
        while wanted > 0 && !self.has_ended {
            if !self.rows.live {
                self.pull().await?;
            } else if taken.is_empty() {
                match timeout {
                    None => self.pull().await?,
                    Some(timeout) => match tokio::time::timeout(timeout, self.pull()).await {
                        Ok(pulled) => pulled?,
                        Err(_) => return Ok(taken),
                    },
                }
            } else {
                match self.pull().now_or_never() {
                    Some(pulled) => pulled?,
                    None => return Ok(taken),
                }
            }
            self.take(&mut wanted, &mut taken);
        }
        Ok(taken)
    }
}

impl Session {
    pub(super) async fn declare(&mut self, declare: &Declare) -> Result<Response> {
        if self.cursors.contains_key(&declare.name) {
            return Err(SqlError::new("42P03", format!("cursor \"{}\" already exists", declare.name)));
        }
        let statement = declare.statement.as_ref();
        let rows = match &statement.body {
            Body::Subscribe(subscribe) => self.subscribe(statement, subscribe).await?,
            Body::Query(query) => {
                if self.transaction.is_none() && !declare.hold {
                    return Err(SqlError::new("25P01", "DECLARE CURSOR can only be used in transaction blocks")
                        .with_hint("BEGIN first, or DECLARE ... CURSOR WITH HOLD"));
                }
                let prepared = self.prepare_statement(statement, &[]).await?;
                self.select(&prepared, query, &[]).await?
            }
            _ => return Err(SqlError::syntax("a cursor is declared for a query or a SUBSCRIBE")),
        };
        let is_held = declare.hold || self.transaction.is_none();
        let cursor = Cursor { rows, waiting: VecDeque::new(), is_held, has_ended: false };
        self.cursors.insert(declare.name.clone(), cursor);
        complete("DECLARE CURSOR")
    }

    pub(super) async fn fetch(&mut self, name: &str, count: Option<u64>, timeout_ms: Option<u64>) -> Result<RowStream> {
        let cursor = self.cursors.get_mut(name).ok_or_else(|| no_cursor(name))?;
        let wanted = count.unwrap_or(u64::MAX);
        let rows = cursor.fetch(wanted, timeout_ms.map(Duration::from_millis)).await?;
        Ok(batches_rows("FETCH", cursor.schema(), rows))
    }

    pub(super) fn close(&mut self, name: Option<&str>) -> Result<Response> {
        match name {
            None => {
                self.cursors.clear();
                complete("CLOSE CURSOR ALL")
            }
            Some(name) => match self.cursors.remove(name) {
                Some(_) => complete("CLOSE CURSOR"),
                None => Err(no_cursor(name)),
            },
        }
    }
}

fn no_cursor(name: &str) -> SqlError {
    SqlError::new("34000", format!("cursor \"{name}\" does not exist"))
}
