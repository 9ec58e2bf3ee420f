//! `TextDecoder`: from records of a text format to rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::Format;
use super::cell::{ParsedColumn, as_texts, parse_column};
use super::csv::CsvDecoder;
use super::json::JsonDecoder;
use crate::{Error, Result};

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRecord {
    /// Which of the records it was.
    pub index: usize,
    /// Why, in words for the user.
    pub reason: String,
}

/// What came of some records.
#[derive(Debug)]
pub struct DecodedRows {
    /// The good records, in their order. A blank line is no record.
    pub rows: RecordBatch,
    /// The others, in their order.
    pub rejected: Vec<RejectedRecord>,
}

/// Decodes the records of json lines or csv into rows of a schema.
pub struct TextDecoder {
    schema: SchemaRef,
    form: Form,
}

enum Form {
    Json(JsonDecoder),
    Csv(CsvDecoder),
}

/// Columns as a form finds them: scalars as text still, for the records in `kept`.
#[derive(Default)]
pub(super) struct Found {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) kept: Vec<usize>,
    pub(super) rejected: Vec<RejectedRecord>,
}

impl TextDecoder {
    /// A decoder for a text format.
    pub fn new(format: &Format, schema: SchemaRef) -> Result<TextDecoder> {
        format.check_schema(&schema)?;
        let form = match format {
            Format::Json => Form::Json(JsonDecoder::new(&schema)),
            Format::Csv(style) => Form::Csv(CsvDecoder::new(style.clone(), schema.clone())),
            Format::Parquet | Format::Arrow => {
                return Err(Error::option("format", format!("format {} is not a text format", format.extension())));
            }
        };
        Ok(TextDecoder { schema, form })
    }

    /// Finds the columns by the names in a csv header; without one they are taken in order.
    pub fn set_header(&mut self, header: &[u8]) -> Result<()> {
        match &mut self.form {
            Form::Csv(decoder) => decoder.set_header(header),
            Form::Json(_) => Ok(()),
        }
    }

    /// Decodes records (each without its line end). Keep one call below 1 GiB of text.
    pub fn decode(&mut self, records: &[&[u8]]) -> Result<DecodedRows> {
        let found = match &mut self.form {
            Form::Json(decoder) => decoder.decode(records),
            Form::Csv(decoder) => decoder.decode(records),
        };
        settle(&self.schema, found)
    }
}

/// Gives every column its type, and drops the rows of which a value has none.
fn settle(schema: &SchemaRef, found: Found) -> Result<DecodedRows> {
    let typed = schema.fields().iter().zip(&found.columns).map(|(field, column)| typed_column(field, column));
    let (rows, bad) = assemble(schema, typed, found.kept.len())?;
    let mut rejected = found.rejected;
    rejected.extend(bad.into_iter().map(|(row, reason)| RejectedRecord { index: found.kept[row], reason }));
    rejected.sort_by_key(|record| record.index);
    Ok(DecodedRows { rows, rejected })
}

/// Rows out of columns; those with a value that could not be read, or NULL where none may be, are left out and listed.
pub(crate) fn assemble(
    schema: &SchemaRef,
    typed: impl Iterator<Item = ParsedColumn>,
    row_count: usize,
) -> Result<(RecordBatch, BTreeMap<usize, String>)> {
    let mut bad: BTreeMap<usize, String> = BTreeMap::new();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (field, (array, failed)) in schema.fields().iter().zip(typed) {
        for (row, reason) in failed {
            bad.entry(row).or_insert(reason);
        }
        if !field.is_nullable() && array.null_count() > 0 {
            for row in (0..row_count).filter(|&row| array.is_null(row)) {
                bad.entry(row).or_insert_with(|| format!("column \"{}\" is NULL", field.name()));
            }
        }
        columns.push(array);
    }
    let rows = good_rows(schema, columns, row_count, &bad)?;
    Ok((rows, bad))
}

fn good_rows(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    row_count: usize,
    bad: &BTreeMap<usize, String>,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(row_count));
    let internal = |error| Error::NotReplayable(format!("decoded rows don't fit their columns: {error}"));
    if bad.is_empty() {
        return RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(internal);
    }
    let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let nullable = Arc::new(Schema::new(fields));
    let all = RecordBatch::try_new_with_options(nullable, columns, &options).map_err(internal)?;
    let mask = BooleanArray::from_iter((0..row_count).map(|row| Some(!bad.contains_key(&row))));
    let good = filter_record_batch(&all, &mask).map_err(internal)?;
    RecordBatch::try_new(schema.clone(), good.columns().to_vec()).map_err(internal)
}

fn typed_column(field: &Field, column: &ArrayRef) -> ParsedColumn {
    if column.data_type() == field.data_type() && !matches!(field.data_type(), DataType::Utf8) {
        return (column.clone(), Vec::new());
    }
    match field.data_type() {
        DataType::List(_) => parse_lists(field, column),
        kind => parse_column(field.name(), as_texts(column), kind),
    }
}

/// A list within csv is written as JSON; so it is read as the only value of a JSON object.
fn parse_lists(field: &Field, column: &ArrayRef) -> ParsedColumn {
    let texts = as_texts(column);
    let lines: Vec<Vec<u8>> =
        texts.iter().map(|text| format!("{{\"v\":{}}}", text.unwrap_or("null")).into_bytes()).collect();
    let records: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    let schema = Schema::new(vec![Field::new("v", field.data_type().clone(), true)]);
    let found = JsonDecoder::new(&schema).decode(&records);
    let mut places: Vec<Option<u32>> = vec![None; texts.len()];
    for (place, &row) in found.kept.iter().enumerate() {
        places[row] = Some(place as u32);
    }
    let failed = found
        .rejected
        .into_iter()
        .map(|record| (record.index, format!("column \"{}\": {}", field.name(), record.reason)))
        .collect();
    match take(&found.columns[0], &UInt32Array::from(places), None) {
        Ok(array) => (array, failed),
        Err(error) => {
            let reasons = (0..texts.len()).map(|row| (row, error.to_string())).collect();
            (arrow::array::new_null_array(field.data_type(), texts.len()), reasons)
        }
    }
}
