//! CSV records to texts, column by column.

use std::borrow::Cow;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, SchemaRef};
use memchr::memchr;
use std::sync::Arc;

use super::CsvStyle;
use super::decode::{Found, RejectedRecord};
use super::split::memchr_closing_quote;
use crate::{Error, Result};

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvField<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) quoted: bool,
}

/// Splits a record (without its line end) into fields, appended to `fields`.
pub(crate) fn record_fields<'a>(
    record: &'a [u8],
    delimiter: u8,
    fields: &mut Vec<CsvField<'a>>,
) -> std::result::Result<(), &'static str> {
    let text = std::str::from_utf8(record).map_err(|_| "the record is not UTF-8")?;
    let mut rest = text;
    loop {
        let (field, after) = match rest.as_bytes().first() {
            Some(b'"') => quoted_field(rest)?,
            _ => {
                let end = memchr(delimiter, rest.as_bytes()).unwrap_or(rest.len());
                (CsvField { text: Cow::Borrowed(&rest[..end]), quoted: false }, &rest[end..])
            }
        };
        fields.push(field);
        match after.as_bytes().first() {
            None => return Ok(()),
            Some(next) if *next == delimiter => rest = &after[1..],
            Some(_) => return Err("there is text after a closing quote"),
        }
    }
}

/// The field that opens with a quote, and what follows it.
fn quoted_field(text: &str) -> std::result::Result<(CsvField<'_>, &str), &'static str> {
    let inner = &text[1..];
    let end = memchr_closing_quote(inner.as_bytes()).ok_or("a quoted field is not closed")?;
    let raw = &inner[..end];
    let text = if raw.contains('"') { Cow::Owned(raw.replace("\"\"", "\"")) } else { Cow::Borrowed(raw) };
    Ok((CsvField { text, quoted: true }, &inner[end + 1..]))
}

/// Turns records into columns of text.
pub(super) struct CsvDecoder {
    style: CsvStyle,
    schema: SchemaRef,
    /// For each column of the schema its place in a record.
    places: Vec<usize>,
    fields_per_record: usize,
}

impl CsvDecoder {
    /// Until a header says otherwise, the fields of a record are the columns in their order.
    pub(super) fn new(style: CsvStyle, schema: SchemaRef) -> CsvDecoder {
        let fields_per_record = schema.fields().len();
        CsvDecoder { style, schema, places: (0..fields_per_record).collect(), fields_per_record }
    }

    /// Finds the columns in a header record; further columns of the file are left out.
    pub(super) fn set_header(&mut self, header: &[u8]) -> Result<()> {
        let mut fields = Vec::new();
        record_fields(without_mark(header), self.style.delimiter, &mut fields)
            .map_err(|reason| Error::option("header", format!("the header can't be read: {reason}")))?;
        let names: Vec<String> = fields.iter().map(|field| field.text.trim().to_lowercase()).collect();
        let place = |column: &str| {
            names.iter().position(|name| *name == column.to_lowercase()).ok_or_else(|| {
                Error::option(
                    "header",
                    format!(
                        "column \"{column}\" is not in the header ({}); for a file without header set header = 'false'",
                        names.join(", ")
                    ),
                )
            })
        };
        self.places = self.schema.fields().iter().map(|field| place(field.name())).collect::<Result<_>>()?;
        self.fields_per_record = names.len();
        Ok(())
    }

    pub(super) fn decode(&self, records: &[&[u8]]) -> Found {
        let mut builders: Vec<StringBuilder> =
            self.places.iter().map(|_| StringBuilder::with_capacity(records.len(), records.len() * 8)).collect();
        let mut found = Found::default();
        let mut fields = Vec::with_capacity(self.fields_per_record);
        for (index, record) in records.iter().enumerate() {
            if record.is_empty() && self.fields_per_record > 1 {
                continue;
            }
            fields.clear();
            match self.split(record, &mut fields) {
                Ok(()) => {
                    found.kept.push(index);
                    self.append(&fields, &mut builders);
                }
                Err(reason) => found.rejected.push(RejectedRecord { index, reason }),
            }
        }
        found.columns = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        found
    }

    fn split<'a>(&self, record: &'a [u8], fields: &mut Vec<CsvField<'a>>) -> std::result::Result<(), String> {
        record_fields(record, self.style.delimiter, fields)?;
        if fields.len() == self.fields_per_record {
            return Ok(());
        }
        Err(format!("the record has {} fields instead of {}", fields.len(), self.fields_per_record))
    }

    fn append(&self, fields: &[CsvField<'_>], builders: &mut [StringBuilder]) {
        for ((builder, &place), column) in builders.iter_mut().zip(&self.places).zip(self.schema.fields()) {
            let field = &fields[place];
            if !field.quoted && field.text == self.style.null.as_str() {
                builder.append_null();
            } else if *column.data_type() == DataType::Utf8 {
                builder.append_value(&field.text);
            } else {
                // Spaces around a number mean nothing; in a text they are part of it.
                builder.append_value(field.text.trim());
            }
        }
    }
}

/// Without the byte order mark that some editors put first.
fn without_mark(record: &[u8]) -> &[u8] {
    record.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(record: &str) -> std::result::Result<Vec<(String, bool)>, &'static str> {
        let mut fields = Vec::new();
        record_fields(record.as_bytes(), b',', &mut fields)?;
        Ok(fields.into_iter().map(|field| (field.text.into_owned(), field.quoted)).collect())
    }

    #[test]
    fn fields_of_a_record() {
        let plain = |text: &str| (text.to_string(), false);
        let quoted = |text: &str| (text.to_string(), true);
        assert_eq!(fields("a,,c").unwrap(), [plain("a"), plain(""), plain("c")]);
        assert_eq!(fields("").unwrap(), [plain("")]);
        assert_eq!(fields("a,").unwrap(), [plain("a"), plain("")]);
        assert_eq!(fields("\"a,\"\"b\"\"\n\",5\"").unwrap(), [quoted("a,\"b\"\n"), plain("5\"")]);
        assert_eq!(fields("\"a\"b"), Err("there is text after a closing quote"));
        assert_eq!(fields("x,\"a"), Err("a quoted field is not closed"));
    }
}
