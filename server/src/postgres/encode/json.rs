//! Structs and maps as JSON text: Postgres has no anonymous record type that clients could read.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use bytes::{BufMut, BytesMut};

use super::super::backend::WireType;
use super::{CellWriter, Result, plain, text};

/// A writer of values that may be NULL.
struct Json {
    nulls: Option<NullBuffer>,
    write: CellWriter,
}

impl Json {
    fn new(array: &ArrayRef) -> Result<Json> {
        let array = plain(array)?;
        Ok(Json { nulls: array.logical_nulls(), write: writer(&array)? })
    }

    fn write(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.put_slice(b"null");
            return Ok(());
        }
        (self.write)(row, out)
    }
}

/// A writer of a value as JSON.
pub(super) fn writer(array: &ArrayRef) -> Result<CellWriter> {
    let array = &plain(array)?;
    match array.data_type() {
        DataType::Struct(_) => object(array),
        DataType::Map(_, _) => map(array),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => list(array),
        DataType::Boolean => {
            let array = array.as_boolean().clone();
            Ok(text::infallible(move |row, out| out.put_slice(if array.value(row) { b"true" } else { b"false" })))
        }
        data_type => scalar(array, data_type.is_numeric()),
    }
}

/// Numbers stand as they are, but for NaN and infinities; everything else is a string.
fn scalar(array: &ArrayRef, is_numeric: bool) -> Result<CellWriter> {
    let any = WireType { oid: 0, size: -1, typmod: -1, array_element: None };
    let write = text::writer(array, &any)?;
    Ok(Box::new(move |row, out| {
        let mut piece = BytesMut::new();
        write(row, &mut piece)?;
        if is_numeric && !piece.ends_with(b"y") && !piece.ends_with(b"N") {
            out.put_slice(&piece);
        } else {
            write_string(&piece, out);
        }
        Ok(())
    }))
}

fn object(array: &ArrayRef) -> Result<CellWriter> {
    let array = array.as_struct();
    let fields = array.fields().iter().zip(array.columns());
    let fields = fields.map(|(field, column)| Ok((field.name().clone(), Json::new(column)?)));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    Ok(Box::new(move |row, out| {
        out.put_u8(b'{');
        for (index, (name, value)) in fields.iter().enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            write_string(name.as_bytes(), out);
            out.put_u8(b':');
            value.write(row, out)?;
        }
        out.put_u8(b'}');
        Ok(())
    }))
}

fn map(array: &ArrayRef) -> Result<CellWriter> {
    let array = array.as_map().clone();
    let any = WireType { oid: 0, size: -1, typmod: -1, array_element: None };
    let keys = text::writer(array.keys(), &any)?;
    let values = Json::new(array.values())?;
    let offsets = array.offsets().clone();
    Ok(Box::new(move |row, out| {
        out.put_u8(b'{');
        let range = offsets[row] as usize..offsets[row + 1] as usize;
        for (index, entry) in range.enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            let mut key = BytesMut::new();
            keys(entry, &mut key)?;
            write_string(&key, out);
            out.put_u8(b':');
            values.write(entry, out)?;
        }
        out.put_u8(b'}');
        Ok(())
    }))
}

fn list(array: &ArrayRef) -> Result<CellWriter> {
    let as_list = match array.data_type() {
        DataType::List(_) => array.clone(),
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            arrow::compute::cast(array, &DataType::List(field.clone()))
                .map_err(|error| monsoon_sql::SqlError::internal(format!("casting a list: {error}")))?
        }
        other => return Err(super::unsupported(other)),
    };
    let lists = as_list.as_list::<i32>();
    let values = Json::new(lists.values())?;
    let offsets = lists.offsets().clone();
    Ok(Box::new(move |row, out| {
        out.put_u8(b'[');
        let range = offsets[row] as usize..offsets[row + 1] as usize;
        for (index, element) in range.enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            values.write(element, out)?;
        }
        out.put_u8(b']');
        Ok(())
    }))
}

/// A JSON string (RFC 8259, section 7).
fn write_string(value: &[u8], out: &mut BytesMut) {
    out.put_u8(b'"');
    for &byte in value {
        match byte {
            b'"' | b'\\' => out.put_slice(&[b'\\', byte]),
            b'\n' => out.put_slice(b"\\n"),
            b'\r' => out.put_slice(b"\\r"),
            b'\t' => out.put_slice(b"\\t"),
            0..=0x1f => out.put_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.put_u8(byte),
        }
    }
    out.put_u8(b'"');
}
