//! `Dialect`: how engine and child speak once the child has answered the handshake.
//!
//! The handshake is Storm's JSON always. In it the engine offers dialects by name, and the child's answer names one of them or none; none is
//! Storm's JSON. A dialect is what messages look like as bytes: everything above [`Outbox`](super::Outbox) and below the child's handler is
//! the same in all of them.

use std::io::BufRead;

use super::arrow::{self, Row};
use super::frame::FrameReader;
use super::{Error, FromChild, Result, ToChild};

/// The name under which the Arrow dialect is offered.
pub(crate) const ARROW: &str = "arrow-1";

/// How engine and child speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Storm's: one JSON value a message.
    Json,
    /// A message is a JSON header and a batch of tuples.
    Arrow,
}

/// A tuple that waits for its child.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// As the child will get it.
    Frame(Vec<u8>),
    /// To be gathered with others.
    Row(Row),
}

impl Dialect {
    /// What a child has chosen of what it was offered.
    fn chosen(name: &str, offered: &[String]) -> Result<Dialect> {
        if name == ARROW && offered.iter().any(|offered| offered == name) {
            return Ok(Dialect::Arrow);
        }
        let reason = format!("the child has chosen the dialect {name:?}, which isn't among those offered: {offered:?}");
        Err(Error::Protocol(reason))
    }

    /// Appends a reply or a command.
    pub fn append(self, message: ToChild<'_>, out: &mut Vec<u8>) {
        match self {
            Dialect::Json => message.append_frame(out),
            Dialect::Arrow => arrow::append_command(message, out),
        }
    }

    /// A tuple as it is to wait. [`Error::Protocol`] if this dialect can't say it.
    pub fn waiting(self, message: ToChild<'_>) -> Result<Waiting> {
        if let (Dialect::Arrow, ToChild::Tuple { id, comp, stream, task, values }) = (self, message) {
            return Row::new(id, comp, stream, task, values).map(Waiting::Row);
        }
        let mut frame = Vec::new();
        self.append(message, &mut frame);
        Ok(Waiting::Frame(frame))
    }

    /// How many fates of a spout's tuples one message may tell.
    pub fn fates_max(self) -> usize {
        match self {
            Dialect::Json => 1,
            Dialect::Arrow => 1024,
        }
    }
}

/// What a child says, cut into messages of the dialect it speaks.
pub(crate) struct Ear<R> {
    frames: FrameReader<R>,
    bytes_max: usize,
    offered: Vec<String>,
    dialect: Dialect,
    /// It has said something that was not its greeting.
    has_spoken: bool,
}

impl<R: BufRead> Ear<R> {
    /// Of frames of at most `bytes_max` bytes, by a child that has been offered these dialects.
    pub fn new(input: R, bytes_max: usize, offered: Vec<String>) -> Ear<R> {
        Ear {
            frames: FrameReader::new(input, bytes_max),
            bytes_max,
            offered,
            dialect: Dialect::Json,
            has_spoken: false,
        }
    }

    /// Waits for the next frame and appends its messages. False at the end of the stream.
    pub fn next(&mut self, said: &mut Vec<FromChild>) -> Result<bool> {
        match self.dialect {
            Dialect::Json => {
                let Some(text) = self.frames.next_frame()? else { return Ok(false) };
                said.push(FromChild::parse(text)?);
            }
            Dialect::Arrow => {
                let Some((header, body)) = arrow::frame::read(self.frames.input(), self.bytes_max)? else {
                    return Ok(false);
                };
                arrow::parse(&header, body, said)?;
            }
        }
        self.has_spoken |= !matches!(said.last(), Some(FromChild::Pid { .. }));
        Ok(true)
    }

    /// The child has sent its pid, and named a dialect or none: how it speaks from now on.
    pub fn greeted(&mut self, dialect: Option<&str>) -> Result<Dialect> {
        if let Some(name) = dialect {
            if self.has_spoken || self.dialect != Dialect::Json {
                let reason = format!("the child has chosen the dialect {name:?} after it has said something else");
                return Err(Error::Protocol(reason));
            }
            self.dialect = Dialect::chosen(name, &self.offered)?;
        }
        Ok(self.dialect)
    }
}
