//! `Writer`: what is to be sent, in a buffer that stays small, and a client that stops reading is given up on.
//!
//! Invariant: dropping a flush loses and repeats no byte, so a cancelled statement can still be followed by its error.

use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Rows are sent when this much has gathered.
const FLUSH_BYTES: usize = 32 << 10;
/// What an idle connection may keep.
const IDLE_BYTES_MAX: usize = 4 << 10;

/// A buffered output with a limit on how long it may make no progress.
pub struct Writer<W> {
    output: W,
    buffer: BytesMut,
    stall_max: Duration,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Writes to `output`, which may block for `stall_max`.
    pub fn new(output: W, stall_max: Duration) -> Writer<W> {
        Writer { output, buffer: BytesMut::new(), stall_max }
    }

    /// Where messages are written.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Enough has gathered.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= FLUSH_BYTES
    }

    /// Sends everything.
    pub async fn flush(&mut self) -> io::Result<()> {
        while !self.buffer.is_empty() {
            let written = match tokio::time::timeout(self.stall_max, self.output.write(&self.buffer)).await {
                Ok(result) => result?,
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the client has stopped reading")),
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.buffer.advance(written);
        }
        Ok(())
    }

    /// Sends everything, and keeps no large buffer: the connection is about to be idle.
    pub async fn flush_and_rest(&mut self) -> io::Result<()> {
        self.flush().await?;
        if self.buffer.capacity() > IDLE_BYTES_MAX {
            self.buffer = BytesMut::new();
        } else {
            self.buffer.clear();
        }
        Ok(())
    }

    /// Sends what is left and closes, in a short time or not at all: the connection is over either way.
    pub async fn close(&mut self) {
        let last = async {
            self.flush().await?;
            self.output.shutdown().await
        };
        if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(2), last).await {
            tracing::debug!(%error, "closing a connection");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_stops_reading_is_given_up_on() {
        let (_client, server) = tokio::io::duplex(1024);
        let mut writer = Writer::new(server, Duration::from_millis(20));
        writer.buffer().resize(4096, 1);
        assert_eq!(writer.flush().await.expect_err("nobody reads").kind(), io::ErrorKind::TimedOut);
        assert_eq!(writer.buffer().len(), 4096 - 1024, "what was not sent is still there");
    }
}
