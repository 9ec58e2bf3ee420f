//! A batch as rows: of the bytes of an Arrow IPC stream that holds a schema and one record batch.
//!
//! The columns are read here and not by Arrow's own reader: that one panics when the numbers in a batch contradict each other, and nothing
//! that a child sends may do that. Eleven types don't need more than this.

use arrow_ipc::{Endianness, Message, Precision, TimeUnit, Type};

use super::{ENCODING, ROWS_MAX, VALUES_MAX, exact};
use crate::Value;

/// Why a batch can't be taken.
type Result<T> = std::result::Result<T, String>;

/// The rows of a body, of which there must be so many, at most [`ROWS_MAX`]. An empty body is rows without columns.
pub fn rows(body: &[u8], count: usize) -> Result<Vec<Vec<Value>>> {
    if count > ROWS_MAX {
        return Err(format!("{count} rows, of at most {ROWS_MAX}"));
    }
    if body.is_empty() {
        return Ok(vec![Vec::new(); count]);
    }
    let mut rest = body;
    let (schema, _) = next_message(&mut rest)?;
    let schema = schema.header_as_schema().ok_or("the Arrow stream does not begin with a schema")?;
    if schema.endianness() != Endianness::Little {
        return Err("the batch is not little endian".into());
    }
    let fields: Result<Vec<_>> = schema.fields().into_iter().flatten().map(named).collect();
    let fields = fields?;
    let (batch, content) = next_message(&mut rest)?;
    let batch = batch.header_as_record_batch().ok_or("there is no record batch behind the schema")?;
    if batch.compression().is_some() {
        return Err("the batch is compressed".into());
    }
    if usize::try_from(batch.length()) != Ok(count) {
        return Err(format!("a batch of {} rows where the header says {count}", batch.length()));
    }
    let (mut nodes, mut buffers) = (batch.nodes().into_iter().flatten(), batch.buffers().into_iter().flatten());
    if count.saturating_mul(fields.len()) > VALUES_MAX {
        return Err(format!("{count} rows of {} columns, of at most {VALUES_MAX} values", fields.len()));
    }
    let mut rows: Vec<Vec<Value>> = (0..count).map(|_| Vec::with_capacity(fields.len())).collect();
    for (name, kind) in fields {
        let in_column = |reason| format!("column {name:?}: {reason}");
        let node = nodes.next().ok_or("a column without a node")?;
        let mut next_buffer = || slice(content, buffers.next()?);
        let column = Column::new(kind, count, node.null_count(), &mut next_buffer).map_err(in_column)?;
        for (place, row) in rows.iter_mut().enumerate() {
            row.push(column.value(place).map_err(in_column)?);
        }
    }
    Ok(rows)
}

/// A column's name, and its type if that is one that is taken.
fn named<'a>(field: arrow_ipc::Field<'a>) -> Result<(&'a str, Kind)> {
    let name = field.name().unwrap_or_default();
    let kind = Kind::of(&field).map_err(|reason| format!("column {name:?}: {reason}"))?;
    Ok((name, kind))
}

/// Takes a message and its body off the stream.
fn next_message<'a>(stream: &mut &'a [u8]) -> Result<(Message<'a>, &'a [u8])> {
    const CONTINUATION: [u8; 4] = [0xff; 4];
    const CUT: &str = "the Arrow stream is cut off";
    let (marker, rest) = stream.split_first_chunk().ok_or(CUT)?;
    let (length, rest) = rest.split_first_chunk().ok_or(CUT)?;
    if *marker != CONTINUATION {
        return Err("the body is no Arrow IPC stream".into());
    }
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 {
        return Err("the Arrow stream ends without a record batch".into());
    }
    let (metadata, rest) = rest.split_at_checked(length).ok_or(CUT)?;
    let message = arrow_ipc::root_as_message(metadata).map_err(|error| format!("not Arrow metadata: {error}"))?;
    let length = usize::try_from(message.bodyLength()).map_err(|_| CUT)?;
    let (body, rest) = rest.split_at_checked(length).ok_or(CUT)?;
    *stream = rest;
    Ok((message, body))
}

/// A buffer's bytes, if they lie within the body.
fn slice<'a>(body: &'a [u8], buffer: &arrow_ipc::Buffer) -> Option<&'a [u8]> {
    let (offset, length) = (usize::try_from(buffer.offset()).ok()?, usize::try_from(buffer.length()).ok()?);
    body.get(offset..offset.checked_add(length)?)
}

/// A type that is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null,
    Bool,
    /// With this many bytes.
    Signed(usize),
    Unsigned(usize),
    Float32,
    Float64,
    Time(TimeUnit),
    /// With offsets of this many bytes.
    Text(usize),
    Bytes(usize),
    /// Text that stands for a value.
    Exact(usize),
}

impl Kind {
    fn of(field: &arrow_ipc::Field<'_>) -> Result<Kind> {
        if field.dictionary().is_some() {
            return Err("it has a dictionary: cast it to plain values".into());
        }
        let kind = Kind::of_type(field).ok_or_else(|| {
            let name = field.type_type().variant_name().unwrap_or("unknown");
            format!("its type, {name}, isn't one that is taken; cast it to another")
        })?;
        let (key, encoding) = ENCODING;
        let mut metadata = field.custom_metadata().into_iter().flatten();
        match (metadata.find(|entry| entry.key() == Some(key)).and_then(|entry| entry.value()), kind) {
            (None, kind) => Ok(kind),
            (Some(given), Kind::Text(width)) if given == encoding => Ok(Kind::Exact(width)),
            (Some(given), Kind::Null) if given == encoding => Ok(Kind::Null),
            (Some(given), _) => Err(format!("its encoding {given:?} is unknown, or its type isn't text")),
        }
    }

    fn of_type(field: &arrow_ipc::Field<'_>) -> Option<Kind> {
        Some(match field.type_type() {
            Type::Null => Kind::Null,
            Type::Bool => Kind::Bool,
            Type::Utf8 => Kind::Text(4),
            Type::LargeUtf8 => Kind::Text(8),
            Type::Binary => Kind::Bytes(4),
            Type::LargeBinary => Kind::Bytes(8),
            Type::Timestamp => Kind::Time(field.type_as_timestamp()?.unit()),
            Type::Int => {
                let int = field.type_as_int()?;
                let bytes = match int.bitWidth() {
                    8 => 1,
                    16 => 2,
                    32 => 4,
                    64 => 8,
                    _ => return None,
                };
                if int.is_signed() { Kind::Signed(bytes) } else { Kind::Unsigned(bytes) }
            }
            Type::FloatingPoint => match field.type_as_floating_point()?.precision() {
                Precision::SINGLE => Kind::Float32,
                Precision::DOUBLE => Kind::Float64,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Bytes of a value; of an offset, if values are of any length; none if they are less than bytes.
    fn width(self) -> Option<usize> {
        match self {
            Kind::Null | Kind::Bool => None,
            Kind::Float32 => Some(4),
            Kind::Float64 | Kind::Time(_) => Some(8),
            Kind::Signed(bytes) | Kind::Unsigned(bytes) => Some(bytes),
            Kind::Text(bytes) | Kind::Bytes(bytes) | Kind::Exact(bytes) => Some(bytes),
        }
    }

    fn has_offsets(self) -> bool {
        matches!(self, Kind::Text(_) | Kind::Bytes(_) | Kind::Exact(_))
    }
}

/// The bytes of a column. Those of `values` reach over all rows; so do those of `validity`, if there are any.
struct Column<'a> {
    kind: Kind,
    /// A bit a row, set if there is a value; none if there is one everywhere.
    validity: Option<&'a [u8]>,
    /// Values, or the offsets at which they begin and the last one ends.
    values: &'a [u8],
    /// What offsets lead to.
    content: &'a [u8],
}

impl<'a> Column<'a> {
    /// Takes as many buffers as the type has.
    fn new(
        kind: Kind,
        rows: usize,
        nulls: i64,
        next_buffer: &mut impl FnMut() -> Option<&'a [u8]>,
    ) -> Result<Column<'a>> {
        if kind == Kind::Null {
            return Ok(Column { kind, validity: None, values: &[], content: &[] });
        }
        let mut next_buffer = || next_buffer().ok_or("it has a buffer too few, or one that lies outside the batch");
        let validity = Some(next_buffer()?).filter(|_| nulls != 0);
        let values = next_buffer()?;
        let content = if kind.has_offsets() { next_buffer()? } else { &[] };
        let needed = match kind.width() {
            None => rows.div_ceil(8),
            Some(_) if rows == 0 => 0,
            Some(bytes) => bytes * (rows + usize::from(kind.has_offsets())),
        };
        if values.len() < needed || validity.is_some_and(|validity| validity.len() < rows.div_ceil(8)) {
            return Err(format!("its buffers are too short for {rows} rows"));
        }
        Ok(Column { kind, validity, values, content })
    }

    /// The value of a row there is.
    fn value(&self, row: usize) -> Result<Value> {
        if self.kind == Kind::Null || self.validity.is_some_and(|validity| !bit(validity, row)) {
            return Ok(Value::Null);
        }
        match self.kind {
            Kind::Null => Ok(Value::Null),
            Kind::Bool => Ok(Value::Bool(bit(self.values, row))),
            Kind::Signed(bytes) => Ok(Value::Int(self.signed(row, bytes))),
            Kind::Unsigned(bytes) => {
                let value = self.unsigned(row, bytes);
                i64::try_from(value).map(Value::Int).map_err(|_| format!("{value} is more than 63 bits hold"))
            }
            Kind::Float32 => Ok(Value::Float(f32::from_bits(self.unsigned(row, 4) as u32).into())),
            Kind::Float64 => Ok(Value::Float(f64::from_bits(self.unsigned(row, 8)))),
            Kind::Time(unit) => micros(self.signed(row, 8), unit).map(Value::Timestamp),
            Kind::Text(bytes) => self.text(row, bytes).map(Value::from),
            Kind::Bytes(bytes) => self.content(row, bytes).map(Value::from),
            Kind::Exact(bytes) => self.text(row, bytes).and_then(exact::parse),
        }
    }

    /// A little-endian number of up to 8 bytes.
    fn unsigned(&self, place: usize, bytes: usize) -> u64 {
        let mut number = [0; 8];
        number[..bytes].copy_from_slice(&self.values[place * bytes..(place + 1) * bytes]);
        u64::from_le_bytes(number)
    }

    fn signed(&self, place: usize, bytes: usize) -> i64 {
        let unused_bits = 64 - 8 * bytes as u32;
        ((self.unsigned(place, bytes) << unused_bits) as i64) >> unused_bits
    }

    fn content(&self, row: usize, bytes: usize) -> Result<&'a [u8]> {
        let offset = |place| usize::try_from(self.unsigned(place, bytes)).ok();
        let content = offset(row).zip(offset(row + 1)).and_then(|(start, end)| self.content.get(start..end));
        content.ok_or_else(|| format!("the offsets of row {row} lead outside its values"))
    }

    fn text(&self, row: usize, bytes: usize) -> Result<&'a str> {
        std::str::from_utf8(self.content(row, bytes)?).map_err(|error| format!("row {row} is no UTF-8: {error}"))
    }
}

fn bit(bits: &[u8], place: usize) -> bool {
    bits[place / 8] & (1 << (place % 8)) != 0
}

/// Nanoseconds are rounded down.
fn micros(time: i64, unit: TimeUnit) -> Result<i64> {
    let micros = match unit {
        TimeUnit::SECOND => time.checked_mul(1_000_000),
        TimeUnit::MILLISECOND => time.checked_mul(1000),
        TimeUnit::MICROSECOND => Some(time),
        TimeUnit::NANOSECOND => Some(time.div_euclid(1000)),
        _ => return Err("its unit of time is unknown".into()),
    };
    micros.ok_or_else(|| format!("the time {time} is outside the range of microseconds"))
}
