//! COPY in both directions. The bytes are the session's business; here they are framed, flushed and bounded.

use futures::StreamExt;
use monsoon_sql::SqlError;
use monsoon_sql::response::{CopyIn, CopyOut};

use super::backend::Backend;
use super::connection::Connection;
use super::failure::{Failure, Flow};
use super::guard::Guard;
use super::message::{self, Message};
use super::reply;

impl<B: Backend> Connection<B> {
    /// COPY ... TO STDOUT.
    pub(super) async fn copy_out(&mut self, copy: CopyOut, guard: &mut Guard) -> Flow<()> {
        guard.endless = copy.live;
        reply::copy_out(self.writer.buffer(), copy.columns, copy.binary);
        let mut data = copy.data;
        let mut rows = 0;
        loop {
            if copy.live || self.writer.is_full() {
                guard.run(&mut self.frames, self.writer.flush()).await??;
            }
            let Some(piece) = guard.run(&mut self.frames, data.next()).await? else { break };
            let (bytes, lines) = piece?;
            rows += lines;
            reply::copy_data(self.writer.buffer(), &bytes);
        }
        reply::copy_done(self.writer.buffer());
        reply::command_complete(self.writer.buffer(), &format!("COPY {rows}"));
        Ok(())
    }

    /// COPY ... FROM STDIN.
    pub(super) async fn copy_in(&mut self, mut copy: Box<dyn CopyIn>, guard: &mut Guard) -> Flow<()> {
        reply::copy_in(self.writer.buffer(), copy.columns(), false);
        self.writer.flush().await?;
        loop {
            let frame = guard.run_reading(self.frames.next()).await??;
            match message::decode(frame.kind, frame.body).map_err(|error| Failure::protocol(error.0))? {
                Message::CopyData(data) => guard.run(&mut self.frames, copy.write(data)).await??,
                Message::CopyDone => break,
                Message::CopyFail(reason) => {
                    return Err(SqlError::new("57014", format!("COPY from stdin failed: {reason}")).into());
                }
                Message::Flush | Message::Sync => {}
                Message::Terminate => return Err(Failure::Gone),
                // The client and we no longer agree on where we are: only closing is safe.
                _ => return Err(Failure::protocol("unexpected message during COPY from stdin")),
            }
        }
        let rows = guard.run(&mut self.frames, copy.finish()).await??;
        self.send_notices();
        reply::command_complete(self.writer.buffer(), &format!("COPY {rows}"));
        Ok(())
    }
}
