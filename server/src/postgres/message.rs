//! Messages from the client, decoded from exactly one frame.
//!
//! Every read is bounds-checked and returns an error, so no input can panic, and a frame that isn't consumed to its last
//! byte is an error: a message can't read beyond its frame, nor hide another one in it. Counts are checked against the
//! bytes that are there before anything is allocated.

use bytes::Bytes;

/// A message that breaks the protocol; the text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

type Result<T> = std::result::Result<T, Malformed>;

/// Statement or portal, in Describe and Close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

/// What a client sends after the startup packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Simple query.
    Query(String),
    /// Parse.
    Parse {
        /// Statement name, empty for the unnamed one.
        name: String,
        /// The text.
        sql: String,
        /// Declared parameter types, 0 = not given.
        parameter_oids: Vec<u32>,
    },
    /// Bind.
    Bind(Bind),
    /// Describe.
    Describe(Target, String),
    /// Execute.
    Execute {
        /// Portal name.
        portal: String,
        /// 0 = all.
        rows_max: u32,
    },
    /// Close.
    Close(Target, String),
    /// Flush.
    Flush,
    /// Sync.
    Sync,
    /// CopyData.
    CopyData(Bytes),
    /// CopyDone.
    CopyDone,
    /// CopyFail, with the client's reason.
    CopyFail(String),
    /// Terminate.
    Terminate,
    /// FunctionCall, which is refused.
    FunctionCall,
}

/// Bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Portal name, empty for the unnamed one.
    pub portal: String,
    /// Statement name.
    pub statement: String,
    /// None, one for all, or one per parameter: 0 text, 1 binary.
    pub parameter_formats: Vec<i16>,
    /// `None` is NULL.
    pub parameters: Vec<Option<Bytes>>,
    /// None, one for all, or one per column.
    pub result_formats: Vec<i16>,
}

/// Decodes one frame: its type byte, and its body without the length.
pub fn decode(kind: u8, body: Bytes) -> Result<Message> {
    let mut reader = Reader { body };
    let message = match kind {
        b'Q' => Message::Query(reader.text()?),
        b'P' => parse(&mut reader)?,
        b'B' => Message::Bind(bind(&mut reader)?),
        b'D' => Message::Describe(reader.target()?, reader.text()?),
        b'E' => Message::Execute { portal: reader.text()?, rows_max: rows_max(reader.i32()?) },
        b'C' => Message::Close(reader.target()?, reader.text()?),
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'd' => Message::CopyData(reader.rest()),
        b'c' => Message::CopyDone,
        b'f' => Message::CopyFail(reader.text()?),
        b'X' => Message::Terminate,
        b'F' => {
            reader.rest();
            Message::FunctionCall
        }
        other => return Err(Malformed(format!("invalid frontend message type {other}"))),
    };
    if !reader.body.is_empty() {
        return Err(Malformed(format!("invalid message format: {} bytes left over", reader.body.len())));
    }
    Ok(message)
}

/// Whether a byte may open a frame.
pub fn is_message_type(kind: u8) -> bool {
    b"QPBDECHSdcfXF".contains(&kind)
}

fn parse(reader: &mut Reader) -> Result<Message> {
    let name = reader.text()?;
    let sql = reader.text()?;
    let count = reader.count(4)?;
    let parameter_oids = (0..count).map(|_| reader.i32().map(i32::cast_unsigned)).collect::<Result<_>>()?;
    Ok(Message::Parse { name, sql, parameter_oids })
}

fn bind(reader: &mut Reader) -> Result<Bind> {
    let portal = reader.text()?;
    let statement = reader.text()?;
    let parameter_formats = reader.formats()?;
    let count = reader.count(4)?;
    let parameters = (0..count).map(|_| reader.value()).collect::<Result<_>>()?;
    let result_formats = reader.formats()?;
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
}

/// A negative limit means all, as in Postgres.
fn rows_max(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// Reads from the front of a body.
pub(super) struct Reader {
    body: Bytes,
}

impl Reader {
    pub(super) fn new(body: Bytes) -> Reader {
        Reader { body }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    fn take(&mut self, length: usize) -> Result<Bytes> {
        if length > self.body.len() {
            return Err(Malformed("insufficient data left in message".to_owned()));
        }
        Ok(self.body.split_to(length))
    }

    fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.take(N)?;
        bytes.as_ref().try_into().map_err(|_| Malformed("insufficient data left in message".to_owned()))
    }

    pub(super) fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A zero-terminated UTF-8 string.
    pub(super) fn text(&mut self) -> Result<String> {
        let Some(length) = self.body.iter().position(|&byte| byte == 0) else {
            return Err(Malformed("invalid string in message".to_owned()));
        };
        let bytes = self.take(length + 1)?;
        match std::str::from_utf8(&bytes[..length]) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Malformed("invalid byte sequence for encoding \"UTF8\" in message".to_owned())),
        }
    }

    fn target(&mut self) -> Result<Target> {
        match self.array::<1>()? {
            [b'S'] => Ok(Target::Statement),
            [b'P'] => Ok(Target::Portal),
            [other] => Err(Malformed(format!("invalid describe or close target {other}"))),
        }
    }

    /// A count of elements of at least `element_bytes` each; unsigned, as a statement may have 65,535 parameters.
    fn count(&mut self, element_bytes: usize) -> Result<usize> {
        let count = usize::from(self.i16()?.cast_unsigned());
        if count * element_bytes > self.body.len() {
            return Err(Malformed("insufficient data left in message".to_owned()));
        }
        Ok(count)
    }

    fn formats(&mut self) -> Result<Vec<i16>> {
        let count = self.count(2)?;
        (0..count).map(|_| self.format()).collect()
    }

    fn format(&mut self) -> Result<i16> {
        match self.i16()? {
            format @ (0 | 1) => Ok(format),
            other => Err(Malformed(format!("unsupported format code: {other}"))),
        }
    }

    fn value(&mut self) -> Result<Option<Bytes>> {
        match self.i32()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(Malformed(format!("invalid parameter length {length}"))),
            },
        }
    }
}

#[cfg(test)]
mod tests;
