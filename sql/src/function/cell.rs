//! `Cell`: one value, for functions that are called on few rows and are written row by row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListBuilder, StringArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result;

use crate::pg_text::value_text;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Texts(Vec<String>),
}

impl Cell {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Cell::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn bool(&self) -> Option<bool> {
        match self {
            Cell::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Cell {
        text.map_or(Cell::Null, Cell::Text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

/// The kind of a parameter or result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Bool,
    /// Any integer; an object's number among them.
    Int,
    /// Result only: int4.
    Int4,
    Text,
    /// Result only: text[].
    Texts,
    /// A number or a name.
    IntOrText,
    /// Anything; comes as its text. A list comes as its elements' texts.
    Any,
}

impl Kind {
    /// The Arrow type that an argument of type `given` is cast to.
    pub(super) fn argument_type(self, given: &DataType) -> DataType {
        match self {
            Kind::Bool => DataType::Boolean,
            Kind::Int | Kind::Int4 => DataType::Int64,
            Kind::Text | Kind::Texts => DataType::Utf8,
            Kind::IntOrText if given.is_integer() => DataType::Int64,
            Kind::IntOrText => DataType::Utf8,
            Kind::Any => given.clone(),
        }
    }

    /// The Arrow type of a result.
    pub(super) fn result_type(self) -> DataType {
        match self {
            Kind::Bool => DataType::Boolean,
            Kind::Int | Kind::IntOrText => DataType::Int64,
            Kind::Int4 => DataType::Int32,
            Kind::Text | Kind::Any => DataType::Utf8,
            Kind::Texts => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
        }
    }
}

/// The cell at a row.
pub(super) fn cell_at(array: &ArrayRef, row: usize) -> Result<Cell> {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        return Ok(Cell::Null);
    }
    let cell = match array.data_type() {
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::List(_) => Cell::Texts(list_texts(array, row)?),
        data_type if data_type.is_integer() => {
            Cell::Int(cast(&array.slice(row, 1), &DataType::Int64)?.as_primitive::<Int64Type>().value(0))
        }
        data_type => Cell::from(value_text(array, &Field::new("", data_type.clone(), true), row)?),
    };
    Ok(cell)
}

fn list_texts(array: &ArrayRef, row: usize) -> Result<Vec<String>> {
    let elements = array.as_list::<i32>().value(row);
    let field = Field::new("", elements.data_type().clone(), true);
    let texts = (0..elements.len()).map(|n| Ok(value_text(&elements, &field, n)?.unwrap_or_default()));
    texts.collect()
}

/// An array of results of one kind; cells of another kind become NULL.
pub(super) fn to_array(cells: Vec<Cell>, kind: Kind) -> ArrayRef {
    match kind {
        Kind::Bool => Arc::new(cells.iter().map(Cell::bool).collect::<BooleanArray>()),
        Kind::Int | Kind::IntOrText => Arc::new(cells.iter().map(Cell::int).collect::<Int64Array>()),
        Kind::Int4 => {
            let narrow = |cell: &Cell| cell.int().and_then(|value| i32::try_from(value).ok());
            Arc::new(cells.iter().map(narrow).collect::<Int32Array>())
        }
        Kind::Text | Kind::Any => Arc::new(cells.iter().map(Cell::text).collect::<StringArray>()),
        Kind::Texts => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for cell in &cells {
                let is_list = matches!(cell, Cell::Texts(_));
                if let Cell::Texts(texts) = cell {
                    texts.iter().for_each(|text| builder.values().append_value(text));
                }
                builder.append(is_list);
            }
            Arc::new(builder.finish())
        }
    }
}
