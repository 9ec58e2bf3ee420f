//! Rows as the columns of a batch, and the batch as the bytes of an Arrow IPC stream.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, Field, Schema};
use smol_str::SmolStr;

use super::{ENCODING, exact};
use crate::Value;
use crate::multilang::mailbox;
use crate::multilang::{Error, Result};

/// Where a tuple comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub comp: SmolStr,
    pub stream: SmolStr,
    pub task: i32,
}

/// A tuple for a child.
#[derive(Debug)]
pub(crate) struct Row {
    pub id: i64,
    pub source: Source,
    pub values: Box<[Value]>,
    /// About how much it takes.
    pub bytes: usize,
}

impl Row {
    /// Refused if the id isn't an integer, or the values are so large that Arrow's 31-bit offsets might not reach over them.
    pub fn new(id: &str, comp: &str, stream: &str, task: i32, values: &[Value]) -> Result<Row> {
        /// As JSON text a value can be six times as long as in memory.
        const ROW_BYTES_MAX: usize = 256 << 20;
        let refused = |reason: String| Error::Protocol(format!("the tuple {id:?} can't be said in Arrow: {reason}"));
        let bytes = values.iter().map(mailbox::bytes).sum();
        if bytes > ROW_BYTES_MAX {
            return Err(refused(format!("its {bytes} bytes are more than {ROW_BYTES_MAX}")));
        }
        let number = id.parse().map_err(|_| refused("its id is no integer".into()))?;
        let source = Source { comp: comp.into(), stream: stream.into(), task };
        Ok(Row { id: number, source, values: values.into(), bytes })
    }
}

/// Appends a batch of rows, all of the same number of values, at least one, as an Arrow IPC stream: schema, batch, end.
pub fn append(rows: &[Row], out: &mut Vec<u8>) {
    encode(rows, out)
        .expect("the columns are as long as the batch and of their fields' types, and memory takes the bytes");
}

fn encode(rows: &[Row], out: &mut Vec<u8>) -> std::result::Result<(), ArrowError> {
    let arity = rows.first().map_or(0, |row| row.values.len());
    let (fields, columns): (Vec<Field>, Vec<ArrayRef>) = (0..arity).map(|place| column(rows, place)).unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let mut writer = StreamWriter::try_new(out, batch.schema_ref())?;
    writer.write(&batch)?;
    writer.finish()
}

/// What the values of a column are that aren't null.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    Text,
    Bytes,
    /// Lists, maps, or values of several kinds.
    Mixed,
}

impl Kind {
    fn of(value: &Value) -> Kind {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) => Kind::Int,
            Value::Float(_) => Kind::Float,
            Value::Timestamp(_) => Kind::Timestamp,
            Value::Text(_) => Kind::Text,
            Value::Bytes(_) => Kind::Bytes,
            Value::List(_) | Value::Map(_) => Kind::Mixed,
        }
    }

    fn and(self, other: Kind) -> Kind {
        match (self, other) {
            (kind, Kind::Null) | (Kind::Null, kind) => kind,
            (one, other) if one == other => one,
            _ => Kind::Mixed,
        }
    }
}

fn column(rows: &[Row], place: usize) -> (Field, ArrayRef) {
    let values = || rows.iter().map(|row| &row.values[place]);
    let kind = values().map(Kind::of).fold(Kind::Null, Kind::and);
    let array: ArrayRef = match kind {
        Kind::Null => Arc::new(NullArray::new(rows.len())),
        Kind::Bool => Arc::new(values().map(Value::as_bool).collect::<BooleanArray>()),
        Kind::Int => Arc::new(values().map(Value::as_int).collect::<Int64Array>()),
        Kind::Float => Arc::new(values().map(Value::as_float).collect::<Float64Array>()),
        Kind::Timestamp => {
            let micros = |value: &Value| if let Value::Timestamp(micros) = value { Some(*micros) } else { None };
            Arc::new(values().map(micros).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        Kind::Text => Arc::new(values().map(Value::as_str).collect::<StringArray>()),
        Kind::Bytes => Arc::new(values().map(Value::as_bytes).collect::<BinaryArray>()),
        Kind::Mixed => {
            let text = |value: &Value| (!value.is_null()).then(|| exact::to_text(value));
            Arc::new(values().map(text).collect::<StringArray>())
        }
    };
    let field = Field::new(place.to_string(), array.data_type().clone(), true);
    let (key, encoding) = ENCODING;
    let metadata = (kind == Kind::Mixed).then(|| (key.to_owned(), encoding.to_owned()));
    (field.with_metadata(metadata.into_iter().collect()), array)
}
