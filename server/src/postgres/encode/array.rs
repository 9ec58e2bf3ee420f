//! Lists as Postgres arrays. A list of lists is an array of more dimensions.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use bytes::{BufMut, BytesMut};
use monsoon_sql::SqlError;

use super::super::backend::WireType;
use super::super::oid;
use super::{CellWriter, Result, binary, plain, text, unsupported, write_sized};

/// Lists of one nesting level, and what is in them.
struct Lists {
    range: Box<dyn Fn(usize) -> Range<usize> + Send + Sync>,
    nulls: Option<NullBuffer>,
    elements: Elements,
}

enum Elements {
    Values(CellWriter),
    Lists(Box<Lists>),
}

/// How to make a writer of the innermost values.
type MakeWriter<'a> = &'a dyn Fn(&ArrayRef) -> Result<CellWriter>;

impl Lists {
    fn new(array: &ArrayRef, make: MakeWriter) -> Result<Lists> {
        let (range, values): (Box<dyn Fn(usize) -> Range<usize> + Send + Sync>, _) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>().clone();
                let values = list.values().clone();
                let offsets = list.offsets().clone();
                (Box::new(move |row| offsets[row] as usize..offsets[row + 1] as usize), values)
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>().clone();
                let values = list.values().clone();
                let offsets = list.offsets().clone();
                (Box::new(move |row| offsets[row] as usize..offsets[row + 1] as usize), values)
            }
            DataType::FixedSizeList(_, _) => {
                let list = array.as_fixed_size_list().clone();
                let values = list.values().clone();
                let length = list.value_length() as usize;
                (
                    Box::new(move |row| {
                        let start = list.value_offset(row) as usize;
                        start..start + length
                    }),
                    values,
                )
            }
            other => return Err(unsupported(other)),
        };
        let values = plain(&values)?;
        let nulls = values.logical_nulls();
        let elements = match values.data_type() {
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {
                Elements::Lists(Box::new(Lists::new(&values, make)?))
            }
            _ => Elements::Values(make(&values)?),
        };
        Ok(Lists { range, nulls, elements })
    }

    fn is_null(&self, element: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(element))
    }

    /// `{1,NULL,"a b"}`
    fn write_text(&self, row: usize, piece: &mut BytesMut, out: &mut BytesMut) -> Result<()> {
        out.put_u8(b'{');
        for (index, element) in (self.range)(row).enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            match &self.elements {
                _ if self.is_null(element) => out.put_slice(b"NULL"),
                Elements::Lists(lists) => lists.write_text(element, piece, out)?,
                Elements::Values(write) => {
                    piece.clear();
                    write(element, piece)?;
                    write_quoted(piece, out);
                }
            }
        }
        out.put_u8(b'}');
        Ok(())
    }

    /// The length of each dimension; an error unless all lists of a dimension have the same.
    fn measure(&self, row: usize, depth: usize, dimensions: &mut Vec<usize>) -> Result<()> {
        let range = (self.range)(row);
        match dimensions.get(depth) {
            None => dimensions.push(range.len()),
            Some(&length) if length == range.len() => {}
            Some(_) => return Err(ragged()),
        }
        if let Elements::Lists(lists) = &self.elements {
            for element in range {
                if self.is_null(element) {
                    return Err(ragged());
                }
                lists.measure(element, depth + 1, dimensions)?;
            }
        }
        Ok(())
    }

    fn has_null_value(&self, row: usize) -> bool {
        (self.range)(row).any(|element| match &self.elements {
            Elements::Values(_) => self.is_null(element),
            Elements::Lists(lists) => lists.has_null_value(element),
        })
    }

    fn write_values(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        (self.range)(row).try_for_each(|element| match &self.elements {
            Elements::Lists(lists) => lists.write_values(element, out),
            Elements::Values(_) if self.is_null(element) => {
                out.put_i32(-1);
                Ok(())
            }
            Elements::Values(write) => write_sized(out, |out| write(element, out)),
        })
    }

    /// `1 2 3`, as int2vector and oidvector are written.
    fn write_vector(&self, row: usize, out: &mut BytesMut) -> Result<()> {
        let Elements::Values(write) = &self.elements else {
            return Err(SqlError::internal("a vector of lists"));
        };
        for (index, element) in (self.range)(row).enumerate() {
            if index > 0 {
                out.put_u8(b' ');
            }
            write(element, out)?;
        }
        Ok(())
    }

    fn write_binary(&self, row: usize, element_oid: u32, first_index: i32, out: &mut BytesMut) -> Result<()> {
        let mut dimensions = Vec::new();
        self.measure(row, 0, &mut dimensions)?;
        let is_empty = dimensions.contains(&0);
        if is_empty {
            dimensions.clear();
        }
        out.put_u32(dimensions.len() as u32);
        out.put_u32(u32::from(!is_empty && self.has_null_value(row)));
        out.put_u32(element_oid);
        for &length in &dimensions {
            out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
            out.put_i32(first_index);
        }
        if is_empty { Ok(()) } else { self.write_values(row, out) }
    }
}

fn ragged() -> SqlError {
    let error = SqlError::new("2202E", "arrays of arrays of different lengths have no binary form");
    error.with_hint("ask for text results, or cast the column to text")
}

/// A text writer of lists.
pub(super) fn text_writer(array: &ArrayRef, wire_type: &WireType) -> Result<CellWriter> {
    let any = WireType { oid: 0, size: -1, typmod: -1, array_element: None };
    let lists = Lists::new(array, &|values| text::writer(values, &any))?;
    if is_vector(wire_type) {
        return Ok(Box::new(move |row, out| lists.write_vector(row, out)));
    }
    Ok(Box::new(move |row, out| lists.write_text(row, &mut BytesMut::new(), out)))
}

/// A binary writer of lists.
pub(super) fn binary_writer(array: &ArrayRef, wire_type: &WireType) -> Result<CellWriter> {
    let element_oid = wire_type.array_element.unwrap_or(oid::TEXT);
    let element = WireType { oid: element_oid, size: -1, typmod: -1, array_element: None };
    let lists = Lists::new(array, &|values| binary::writer(values, &element))?;
    let first_index = i32::from(!is_vector(wire_type));
    Ok(Box::new(move |row, out| lists.write_binary(row, element_oid, first_index, out)))
}

/// Vectors are arrays that count from 0 and are written without braces.
fn is_vector(wire_type: &WireType) -> bool {
    matches!(wire_type.oid, oid::INT2VECTOR | oid::OIDVECTOR)
}

/// Quotes an element where an array's parser would trip over it.
fn write_quoted(value: &[u8], out: &mut BytesMut) {
    let special = |byte: &u8| matches!(byte, b'{' | b'}' | b',' | b'"' | b'\\' | b' ' | 9..=13);
    if !value.is_empty() && !value.eq_ignore_ascii_case(b"NULL") && !value.iter().any(special) {
        return out.put_slice(value);
    }
    out.put_u8(b'"');
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.put_u8(b'\\');
        }
        out.put_u8(byte);
    }
    out.put_u8(b'"');
}
