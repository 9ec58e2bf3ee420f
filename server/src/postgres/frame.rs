//! `FrameReader`: cuts the bytes of a logged-in client into exact frames.
//!
//! Invariants: nothing is allocated for bytes that have not arrived; a frame longer than `frame_bytes_max` is refused at its
//! header; a frame is handed out only whole, and exactly; dropping a future of this type loses no byte.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::budget::{Budget, Charge};
use super::message::is_message_type;

/// Bytes of a frame's type and length.
const HEADER_BYTES: usize = 5;
/// Room made for one read while little is expected; also what an idle connection keeps.
const READ_BYTES_MIN: usize = 4 << 10;
/// Room made for one read of a large frame.
const READ_BYTES_MAX: usize = 64 << 10;
/// A connection may hold this much without asking the shared budget.
const FREE_BYTES: usize = 16 << 10;
/// How far to read ahead while a statement runs.
const READ_AHEAD_BYTES_MAX: usize = 64 << 10;
/// A frame that has begun must go on arriving.
const STALL_MAX: Duration = Duration::from_secs(60);

/// One message, still encoded.
#[derive(Debug)]
pub struct Frame {
    /// The type byte.
    pub kind: u8,
    /// What follows the length.
    pub body: Bytes,
}

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The client has closed the connection (between two frames, or within one).
    #[error("the client has closed the connection")]
    Closed,
    /// The first byte opens no message.
    #[error("invalid frontend message type {0}")]
    UnknownType(u8),
    /// The length can't be.
    #[error("invalid message length {0}")]
    BadLength(i32),
    /// The announced length is over the limit.
    #[error("message of {length} bytes is over the limit of {bytes_max} bytes (setting max-message-bytes)")]
    TooLong {
        /// Announced.
        length: usize,
        /// Allowed.
        bytes_max: usize,
    },
    /// All connections together hold too much.
    #[error("too many bytes of unfinished messages are being held for all connections")]
    OverBudget,
    /// A frame has begun and does not go on.
    #[error("a message was begun and nothing more of it came for {} s", STALL_MAX.as_secs())]
    Stalled,
    /// The socket failed.
    #[error("reading from the client: {0}")]
    Io(#[from] std::io::Error),
}

/// Cuts frames. See the module.
pub struct FrameReader<R> {
    input: R,
    buffer: BytesMut,
    charge: Charge,
    frame_bytes_max: usize,
    /// Bytes of the frame that was handed out last, which is being worked on.
    handed_out: usize,
    /// The buffer has grown beyond what an idle connection may keep.
    grown: bool,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Frames of `input`, none longer than `frame_bytes_max`.
    pub fn new(input: R, frame_bytes_max: usize, budget: &Budget) -> FrameReader<R> {
        FrameReader {
            input,
            buffer: BytesMut::new(),
            charge: budget.charge(),
            frame_bytes_max,
            handed_out: 0,
            grown: false,
        }
    }

    /// A frame has begun to arrive.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame. The previous one counts as done.
    pub async fn next(&mut self) -> Result<Frame, FrameError> {
        self.handed_out = 0;
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(frame);
            }
            if self.buffer.is_empty() && self.grown {
                // A fresh buffer, as `reserve` would find and keep the large allocation.
                self.buffer = BytesMut::new();
                self.grown = false;
            }
            let read = if self.is_mid_frame() {
                tokio::time::timeout(STALL_MAX, self.fill()).await.map_err(|_| FrameError::Stalled)??
            } else {
                self.fill().await?
            };
            if read == 0 {
                return Err(FrameError::Closed);
            }
        }
    }

    /// Returns when the client has gone. Reads ahead a little, which is the only way to notice; past that it waits for ever.
    pub async fn gone(&mut self) {
        while self.buffer.len() < READ_AHEAD_BYTES_MAX {
            match self.fill().await {
                Ok(0) | Err(FrameError::Io(_)) => return,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        std::future::pending::<()>().await;
    }

    /// Takes a whole frame off the buffer, if there is one.
    fn cut(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(length) = self.announced_bytes()? else { return Ok(None) };
        let whole = length + 1;
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let mut bytes = self.buffer.split_to(whole);
        let body = bytes.split_off(HEADER_BYTES).freeze();
        self.handed_out = whole;
        self.settle()?;
        Ok(Some(Frame { kind: bytes[0], body }))
    }

    /// The length field of the frame at the front, checked.
    fn announced_bytes(&self) -> Result<Option<usize>, FrameError> {
        let Some(&kind) = self.buffer.first() else { return Ok(None) };
        if !is_message_type(kind) {
            return Err(FrameError::UnknownType(kind));
        }
        let Some(field) = self.buffer.get(1..HEADER_BYTES) else { return Ok(None) };
        let value = field.iter().fold(0u32, |sum, &byte| (sum << 8) | u32::from(byte)).cast_signed();
        let length = usize::try_from(value).ok().filter(|&length| length >= 4).ok_or(FrameError::BadLength(value))?;
        if length > self.frame_bytes_max {
            return Err(FrameError::TooLong { length, bytes_max: self.frame_bytes_max });
        }
        Ok(Some(length))
    }

    /// Reads once.
    async fn fill(&mut self) -> Result<usize, FrameError> {
        let missing = match self.announced_bytes() {
            Ok(Some(length)) => (length + 1).saturating_sub(self.buffer.len()),
            _ => 0,
        };
        let room = missing.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        if self.buffer.capacity() - self.buffer.len() < room {
            self.buffer.reserve(room);
        }
        self.grown |= self.buffer.capacity() > FREE_BYTES;
        let read = self.input.read_buf(&mut self.buffer).await?;
        self.settle()?;
        Ok(read)
    }

    /// Tells the shared budget what this connection holds now.
    fn settle(&mut self) -> Result<(), FrameError> {
        let held = self.buffer.len() + self.handed_out;
        let charged = if held > FREE_BYTES { held } else { 0 };
        if self.charge.set(charged) { Ok(()) } else { Err(FrameError::OverBudget) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(bytes: &[u8], frame_bytes_max: usize) -> FrameReader<&[u8]> {
        FrameReader::new(bytes, frame_bytes_max, &Budget::new(1 << 20))
    }

    #[tokio::test]
    async fn frames_are_cut_exactly() {
        let mut reader = reader(b"Q\0\0\0\x06a\0S\0\0\0\x04", 100);
        let first = reader.next().await.expect("a frame");
        assert_eq!((first.kind, &first.body[..]), (b'Q', &b"a\0"[..]));
        let second = reader.next().await.expect("a frame");
        assert_eq!((second.kind, second.body.len()), (b'S', 0));
        assert!(matches!(reader.next().await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn bad_headers_are_refused_before_their_bodies() {
        assert!(matches!(reader(b"Q\0\0\0\x01", 100).next().await, Err(FrameError::BadLength(1))));
        assert!(matches!(reader(b"Q\xff\xff\xff\xff", 100).next().await, Err(FrameError::BadLength(-1))));
        assert!(matches!(reader(b"Q\x40\0\0\0", 100).next().await, Err(FrameError::TooLong { .. })));
        assert!(matches!(reader(b"G", 100).next().await, Err(FrameError::UnknownType(b'G'))));
        assert!(matches!(reader(b"Q\0\0\0\x09ab", 100).next().await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn held_bytes_are_charged_and_given_back() {
        let budget = Budget::new(100_000);
        let mut bytes = vec![b'd', 0, 0, 0x80, 4];
        bytes.resize(5 + 0x8000, 7);
        bytes.extend_from_slice(b"S\0\0\0\x04");
        let mut reader = FrameReader::new(&bytes[..], 1 << 20, &budget);
        reader.next().await.expect("the data frame");
        assert!(budget.used() > 0x8000, "the frame is being worked on");
        reader.next().await.expect("the sync frame");
        assert!(reader.next().await.is_err());
        assert_eq!(budget.used(), 0);

        let small = Budget::new(20_000);
        assert!(matches!(FrameReader::new(&bytes[..], 1 << 20, &small).next().await, Err(FrameError::OverBudget)));
        assert_eq!(small.used(), 0);
    }
}
