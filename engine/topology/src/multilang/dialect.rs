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
    /// It has said something: the dialect stays.
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
            if self.has_spoken {
                let reason = format!("the child has chosen the dialect {name:?} after it has said something else");
                return Err(Error::Protocol(reason));
            }
            self.dialect = Dialect::chosen(name, &self.offered)?;
        }
        self.has_spoken = true;
        Ok(self.dialect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard, and in the end why there is no more.
    fn heard(input: &[u8]) -> (Vec<FromChild>, String) {
        let mut ear = Ear::new(input, 1000, vec![ARROW.into()]);
        let (mut all, mut said) = (Vec::new(), Vec::new());
        loop {
            let dialect = match ear.next(&mut said) {
                Ok(true) => said.iter().find_map(|message| match message {
                    FromChild::Pid { dialect, .. } => Some(dialect.clone()),
                    _ => None,
                }),
                Ok(false) => return (all, String::new()),
                Err(error) => return (all, error.to_string()),
            };
            all.append(&mut said);
            if let Some(Err(error)) = dialect.map(|dialect| ear.greeted(dialect.as_deref())) {
                return (all, error.to_string());
            }
        }
    }

    const ARROW_PID: &str = "{\"pid\":1,\"dialect\":\"arrow-1\"}\nend\n";

    #[test]
    fn frames_follow_the_answer_that_chooses_them() {
        let frame = b"\x12\0\0\0\0\0\0\0{\"command\":\"more\"}";
        let (said, error) = heard(&[ARROW_PID.as_bytes(), frame, frame].concat());
        assert_eq!((said.len(), &said[2], error.as_str()), (3, &FromChild::More, ""));
        let (said, error) = heard(b"{\"pid\":1}\nend\n{\"command\":\"sync\"}\nend\n");
        assert_eq!((said.len(), &said[1], error.as_str()), (2, &FromChild::Sync, ""));
    }

    #[test]
    fn a_dialect_is_chosen_first_and_once() {
        let late = "after it has said something else";
        for before in ["{\"pid\":1}", "{\"command\":\"sync\"}"] {
            let (_, error) = heard(format!("{before}\nend\n{ARROW_PID}").as_bytes());
            assert!(error.contains(late), "{error}");
        }
        let (_, error) = heard(b"{\"pid\":1,\"dialect\":\"arrow-2\"}\nend\n");
        assert!(error.contains("isn't among those offered"), "{error}");
    }
}
