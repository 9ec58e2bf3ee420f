//! `RowCursor`: rows on their way to a client. Pulls a batch, encodes row by row, and sends what has gathered, so that an
//! endless or enormous result needs no more memory than a batch.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use futures::StreamExt;
use futures::stream::BoxStream;
use monsoon_sql::SqlError;
use monsoon_sql::response::RowStream;
use tokio::io::{AsyncRead, AsyncWrite};

use super::backend::Backend;
use super::encode::BatchEncoder;
use super::failure::Flow;
use super::frame::FrameReader;
use super::guard::Guard;
use super::reply::Column;
use super::writer::Writer;

/// The columns of a schema, in the given formats (one per column).
pub(super) fn columns<B: Backend>(schema: &Schema, formats: &[i16]) -> Vec<Column> {
    let fields = schema.fields().iter().enumerate();
    let column = |(index, field): (usize, &std::sync::Arc<arrow::datatypes::Field>)| Column {
        name: field.name().clone(),
        wire_type: B::wire_type(field),
        format: formats.get(index).copied().unwrap_or(0),
    };
    fields.map(column).collect()
}

/// Rows that are being sent, perhaps in several pieces.
pub(super) struct RowCursor {
    batches: BoxStream<'static, Result<RecordBatch, SqlError>>,
    columns: Vec<Column>,
    live: bool,
    tag: &'static str,
    /// The batch at hand, and its next row.
    current: Option<(BatchEncoder, usize)>,
}

/// How a piece ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) rows: u64,
    /// There are no more.
    pub(super) finished: bool,
}

impl RowCursor {
    pub(super) fn new(rows: RowStream, columns: Vec<Column>) -> RowCursor {
        RowCursor { batches: rows.batches, columns, live: rows.live, tag: rows.tag, current: None }
    }

    /// Endless, or slow.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// The word of the command tag.
    pub(super) fn tag(&self) -> &'static str {
        self.tag
    }

    /// Sends up to `rows_max` rows.
    pub(super) async fn send<R, W>(
        &mut self,
        rows_max: Option<u64>,
        guard: &Guard,
        frames: &mut FrameReader<R>,
        writer: &mut Writer<W>,
    ) -> Flow<Sent>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut rows = 0;
        while rows_max.is_none_or(|max| rows < max) {
            if writer.is_full() {
                guard.run(frames, writer.flush()).await??;
            }
            if let Some((encoder, next)) = &mut self.current {
                if *next < encoder.rows() {
                    encoder.write_row(*next, writer.buffer())?;
                    *next += 1;
                    rows += 1;
                    continue;
                }
                self.current = None;
            }
            if self.live {
                guard.run(frames, writer.flush()).await??;
            }
            match guard.run(frames, self.batches.next()).await? {
                Some(batch) => self.current = Some((BatchEncoder::new(&batch?, &self.columns)?, 0)),
                None => return Ok(Sent { rows, finished: true }),
            }
        }
        Ok(Sent { rows, finished: false })
    }
}
