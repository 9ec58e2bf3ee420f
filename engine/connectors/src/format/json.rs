//! JSON lines to columns, by arrow's reader.
//!
//! Scalars are asked for as text and turned into their types afterwards, the same way as those of csv: so one bad value
//! costs one row without a second pass, and a number that doesn't fit is refused where arrow would cut it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder;

use super::decode::{Found, RejectedRecord};
use super::json_object::{object_entries, object_key};

/// A decoder is kept for reuse up to this many records; it reserves memory by their number.
const RECORDS_KEPT_MAX: usize = 16_384;

/// Turns lines into columns: texts for scalars, lists as they are.
pub(super) struct JsonDecoder {
    /// The schema that arrow's reader is given.
    texts: SchemaRef,
    decoder: Option<Decoder>,
    /// Whether a text column was once found to hold an object or a list, which arrow's reader refuses: then lines are
    /// prepared before they are read. A line yields the same either way; this only saves the failed attempt.
    prepares: bool,
}

impl JsonDecoder {
    pub(super) fn new(schema: &Schema) -> JsonDecoder {
        let text_field = |field: &Arc<Field>| match field.data_type() {
            DataType::List(_) => Field::new(field.name(), field.data_type().clone(), true),
            _ => Field::new(field.name(), DataType::Utf8, true),
        };
        let fields: Vec<Field> = schema.fields().iter().map(text_field).collect();
        JsonDecoder { texts: Arc::new(Schema::new(fields)), decoder: None, prepares: false }
    }

    pub(super) fn decode(&mut self, records: &[&[u8]]) -> Found {
        let is_blank = |record: &[u8]| record.iter().all(u8::is_ascii_whitespace);
        let kept: Vec<usize> = (0..records.len()).filter(|&index| !is_blank(records[index])).collect();
        let mut lines: Vec<Cow<[u8]>> = kept.iter().map(|&index| Cow::Borrowed(records[index])).collect();
        if self.prepares {
            self.prepare(&mut lines);
        }
        let mut whole = self.attempt(&lines);
        if whole.is_err() && !self.prepares && self.prepare(&mut lines) {
            self.prepares = true;
            whole = self.attempt(&lines);
        }
        match whole {
            Ok(columns) => Found { columns, kept, rejected: Vec::new() },
            Err(_) => self.bisect(&lines, kept),
        }
    }

    /// Reads all lines at once, or none.
    fn attempt(&mut self, lines: &[Cow<[u8]>]) -> Result<Vec<ArrayRef>, ArrowError> {
        if lines.is_empty() {
            return Ok(RecordBatch::new_empty(self.texts.clone()).columns().to_vec());
        }
        // A decoder that has failed is left in the middle of a record, so it is put back only after a success.
        let mut decoder = match self.decoder.take() {
            Some(decoder) if lines.len() < RECORDS_KEPT_MAX => decoder,
            _ => ReaderBuilder::new(self.texts.clone())
                .with_coerce_primitive(true)
                .with_batch_size(lines.len().max(RECORDS_KEPT_MAX) + 1)
                .build_decoder()?,
        };
        for (index, line) in lines.iter().enumerate() {
            decoder.decode(line)?;
            decoder.decode(b"\n")?;
            if decoder.has_partial_record() || decoder.len() != index + 1 {
                return Err(ArrowError::JsonError("the line is not one JSON object".to_string()));
            }
        }
        let batch = decoder.flush()?.ok_or_else(|| ArrowError::JsonError("no record was found".to_string()))?;
        self.decoder = Some(decoder);
        Ok(batch.columns().to_vec())
    }

    /// Drops exactly the lines that fail on their own, by halving the runs that fail.
    fn bisect(&mut self, lines: &[Cow<[u8]>], kept: Vec<usize>) -> Found {
        let mut found = Found::default();
        let mut pieces: Vec<Vec<ArrayRef>> = Vec::new();
        let mut runs: Vec<Range<usize>> = Vec::new();
        runs.push(0..lines.len());
        while let Some(run) = runs.pop() {
            match self.attempt(&lines[run.clone()]) {
                Ok(columns) => {
                    found.kept.extend_from_slice(&kept[run]);
                    pieces.push(columns);
                }
                Err(error) if run.len() == 1 => {
                    let reason = reason(&lines[run.start], &error);
                    found.rejected.push(RejectedRecord { index: kept[run.start], reason });
                }
                Err(_) => {
                    let middle = run.start + run.len() / 2;
                    runs.push(middle..run.end);
                    runs.push(run.start..middle);
                }
            }
        }
        found.columns = concat_pieces(&self.texts, &pieces);
        found
    }

    /// Makes a string of each object or list that stands where a text is wanted; says whether there was any.
    fn prepare(&self, lines: &mut [Cow<[u8]>]) -> bool {
        let mut changed = false;
        for line in lines {
            if let Some(prepared) = self.with_nested_as_text(line) {
                *line = Cow::Owned(prepared);
                changed = true;
            }
        }
        changed
    }

    fn with_nested_as_text(&self, line: &[u8]) -> Option<Vec<u8>> {
        let mut prepared = Vec::new();
        let mut copied = 0;
        for entry in object_entries(line)? {
            if !matches!(line[entry.value.start], b'{' | b'[') || !self.wants_text(&object_key(line, &entry)?) {
                continue;
            }
            let nested = std::str::from_utf8(&line[entry.value.clone()]).ok()?;
            prepared.extend_from_slice(&line[copied..entry.value.start]);
            serde_json::to_writer(&mut prepared, nested).ok()?;
            copied = entry.value.end;
        }
        if copied == 0 {
            return None;
        }
        prepared.extend_from_slice(&line[copied..]);
        Some(prepared)
    }

    fn wants_text(&self, key: &str) -> bool {
        self.texts.column_with_name(key).is_some_and(|(_, field)| *field.data_type() == DataType::Utf8)
    }
}

fn concat_pieces(schema: &Schema, pieces: &[Vec<ArrayRef>]) -> Vec<ArrayRef> {
    let column = |index: usize, field: &Field| {
        let parts: Vec<&dyn Array> = pieces.iter().map(|columns| columns[index].as_ref()).collect();
        match concat(&parts) {
            Ok(array) => array,
            Err(_) => arrow::array::new_empty_array(field.data_type()),
        }
    };
    schema.fields().iter().enumerate().map(|(index, field)| column(index, field)).collect()
}

/// A syntax error is explained by a parser that knows where it is; any other by the reader.
fn reason(line: &[u8], error: &ArrowError) -> String {
    match serde_json::from_slice::<serde::de::IgnoredAny>(line) {
        Err(syntax) => format!("the line is no JSON: {syntax}"),
        Ok(_) => match error {
            ArrowError::JsonError(text) => text.clone(),
            other => other.to_string(),
        },
    }
}
