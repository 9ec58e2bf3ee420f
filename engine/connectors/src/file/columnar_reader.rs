//! `ColumnarReader`: parquet and arrow files as rows.
//!
//! Position: `{"file", "row"}`, the number of rows of that file that were read. Null is the start.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_ipc::reader::{FileReader, StreamReader};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::{Deserialize, Serialize};

use super::listing::Listing;
use super::text_file::open_failed;
use super::{BAD_RAW_BYTES_MAX, IDLE};
use crate::format::{Format, assemble, convert_column};
use crate::{BadRecord, Error, Position, Read, Result};

/// Rows decoded from parquet at a time.
const PARQUET_BATCH_ROWS: usize = 8_192;
/// What an arrow file starts with; an arrow stream doesn't.
const ARROW_MAGIC: &[u8; 6] = b"ARROW1";

type Batches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send>;

/// Reads the files of a listing, one after the other.
pub(super) struct ColumnarReader {
    listing: Listing,
    format: Format,
    follow: bool,
    schema: SchemaRef,
    current: Option<ColumnarFile>,
}

struct ColumnarFile {
    name: String,
    batches: Batches,
    /// Rows that were decoded but not handed out.
    pending: Option<RecordBatch>,
    next_row: u64,
}

#[derive(Serialize, Deserialize)]
struct Place {
    file: String,
    row: u64,
}

impl ColumnarReader {
    pub(super) fn new(listing: Listing, format: Format, follow: bool, schema: SchemaRef) -> ColumnarReader {
        ColumnarReader { listing, format, follow, schema, current: None }
    }

    pub(super) fn position(&self) -> Position {
        let Some(file) = &self.current else { return Position::default() };
        Position(serde_json::json!({ "file": file.name, "row": file.next_row }))
    }

    pub(super) fn seek(&mut self, position: &Position) -> Result<()> {
        self.current = None;
        if position.0.is_null() {
            return Ok(());
        }
        let place: Place = serde_json::from_value(position.0.clone()).map_err(|error| {
            Error::NotReplayable(format!("{} is not a position of a columnar file source: {error}", position.0))
        })?;
        self.current = Some(self.open(place.file, place.row)?);
        Ok(())
    }

    pub(super) fn read(&mut self, rows_max: usize) -> Result<Read> {
        loop {
            if let Some(file) = &mut self.current
                && let Some(rows) = file.next_rows(rows_max)?
            {
                return self.conform(rows);
            }
            let name = self.current.as_ref().map(|file| file.name.clone());
            match self.listing.after(name.as_deref())? {
                Some(next) => self.current = Some(self.open(next, 0)?),
                None => return Ok(if self.follow { Read::Idle(IDLE) } else { Read::End }),
            }
        }
    }

    /// Looks for the columns in the first file, so that a wrong one is refused with the statement.
    pub(super) fn check_first_file(&mut self) -> Result<()> {
        let Some(name) = self.listing.after(None)? else { return Ok(()) };
        let path = self.listing.path(&name);
        let in_file = file_schema(&path, &self.format)?;
        for field in self.schema.fields() {
            let column = place_of(&in_file, field.name()).map_err(|reason| at_fault(&name, reason))?;
            let empty = arrow::array::new_empty_array(in_file.field(column).data_type());
            convert_column(field.name(), &empty, field.data_type()).map_err(|reason| at_fault(&name, reason))?;
        }
        Ok(())
    }

    fn open(&self, name: String, row: u64) -> Result<ColumnarFile> {
        let path = self.listing.path(&name);
        let (batches, skipped) = guarded(&name, || match self.format {
            Format::Parquet => open_parquet(&path, &self.schema, row),
            _ => Ok((open_arrow(&path)?.1, 0)),
        })?;
        let mut file = ColumnarFile { name, batches, pending: None, next_row: skipped };
        file.skip_to(row, &path)?;
        Ok(file)
    }

    /// Picks the declared columns and gives them their types.
    fn conform(&mut self, (first_row, rows): (u64, RecordBatch)) -> Result<Read> {
        let name = self.current.as_ref().map(|file| file.name.clone()).unwrap_or_default();
        let in_file = rows.schema();
        let mut typed = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            let changed = |reason: String| Error::NotReplayable(format!("file {name}: {reason}"));
            let column = rows.column(place_of(&in_file, field.name()).map_err(changed)?);
            typed.push(convert_column(field.name(), column, field.data_type()).map_err(changed)?);
        }
        let (good, bad) = assemble(&self.schema, typed.into_iter(), rows.num_rows())?;
        let bad = bad
            .into_iter()
            .map(|(row, reason)| BadRecord {
                place: format!("{name}, row {}", first_row + row as u64 + 1),
                reason,
                raw: raw_text(&rows, row),
            })
            .collect();
        Ok(Read::Rows { rows: good, next: self.position(), bad })
    }
}

impl ColumnarFile {
    /// The next rows and the number of the first of them.
    fn next_rows(&mut self, rows_max: usize) -> Result<Option<(u64, RecordBatch)>> {
        while self.pending.as_ref().is_none_or(|pending| pending.num_rows() == 0) {
            let batches = &mut self.batches;
            match guarded(&self.name, || batches.next().transpose().map_err(|error| broken(&self.name, &error))) {
                Ok(None) => return Ok(None),
                Ok(batch) => self.pending = batch,
                Err(error) => {
                    // Going on after the damage would leave rows out.
                    let again = || Err(ArrowError::ParseError("it could not be decoded before".to_string()));
                    self.batches = Box::new(std::iter::repeat_with(again));
                    return Err(error);
                }
            }
        }
        let Some(pending) = self.pending.take() else { return Ok(None) };
        let count = pending.num_rows().min(rows_max.max(1));
        let first_row = self.next_row;
        self.next_row += count as u64;
        self.pending = Some(pending.slice(count, pending.num_rows() - count));
        Ok(Some((first_row, pending.slice(0, count))))
    }

    fn skip_to(&mut self, row: u64, path: &Path) -> Result<()> {
        while self.next_row < row {
            let missing = usize::try_from(row - self.next_row).unwrap_or(usize::MAX);
            if self.next_rows(missing)?.is_none() {
                return Err(Error::NotReplayable(format!(
                    "file {} has {} rows, but {row} were read before: it was replaced",
                    path.display(),
                    self.next_row
                )));
            }
        }
        Ok(())
    }
}

/// The columns of a file.
pub(super) fn file_schema(path: &Path, format: &Format) -> Result<SchemaRef> {
    guarded(&path.display().to_string(), || match format {
        Format::Parquet => Ok(parquet_builder(path)?.schema().clone()),
        _ => Ok(open_arrow(path)?.0),
    })
}

/// The libraries that decode these formats panic on some damaged files; that must stop this source, not the process.
fn guarded<T>(file: &str, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    // What the closure leaves half-done is not used again: after the error the file is opened anew or not at all.
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(broken(file, &"the file is damaged")))
}

fn parquet_builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|error| open_failed(path, &error))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| broken(&path.display().to_string(), &error))
}

/// Opens at the row group that holds the row; returns how many rows come before it.
fn open_parquet(path: &Path, schema: &Schema, row: u64) -> Result<(Batches, u64)> {
    let builder = parquet_builder(path)?;
    let mut skipped = 0;
    let mut first_group = 0;
    for group in builder.metadata().row_groups() {
        let rows = group.num_rows().max(0) as u64;
        if skipped + rows > row {
            break;
        }
        skipped += rows;
        first_group += 1;
    }
    let groups: Vec<usize> = (first_group..builder.metadata().num_row_groups()).collect();
    let wanted = |name: &str| schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(name));
    let columns: Vec<usize> = builder
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| wanted(field.name()))
        .map(|(index, _)| index)
        .collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
    let reader = builder
        .with_row_groups(groups)
        .with_projection(mask)
        .with_batch_size(PARQUET_BATCH_ROWS)
        .build()
        .map_err(|error| broken(&path.display().to_string(), &error))?;
    Ok((Box::new(reader), skipped))
}

/// Opens an arrow file, or a stream of one.
fn open_arrow(path: &Path) -> Result<(SchemaRef, Batches)> {
    let mut file = File::open(path).map_err(|error| open_failed(path, &error))?;
    let mut magic = Vec::new();
    (&mut file)
        .take(ARROW_MAGIC.len() as u64)
        .read_to_end(&mut magic)
        .and_then(|_| file.rewind())
        .map_err(|error| open_failed(path, &error))?;
    let failed = |error: ArrowError| broken(&path.display().to_string(), &error);
    let file = BufReader::new(file);
    if magic == ARROW_MAGIC {
        let reader = FileReader::try_new(file, None).map_err(failed)?;
        Ok((reader.schema(), Box::new(reader)))
    } else {
        let reader = StreamReader::try_new(file, None).map_err(failed)?;
        Ok((reader.schema(), Box::new(reader)))
    }
}

/// The column of this name; without case if there is none with it.
fn place_of(schema: &Schema, name: &str) -> std::result::Result<usize, String> {
    let fields = schema.fields();
    let exact = fields.iter().position(|field| field.name() == name);
    exact.or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name))).ok_or_else(|| {
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        format!("column \"{name}\" is not in the file ({})", names.join(", "))
    })
}

fn at_fault(file: &str, reason: String) -> Error {
    Error::option("path", format!("file {file}: {reason}"))
}

/// A file that can't be decoded stays so.
fn broken(file: &str, error: &dyn std::fmt::Display) -> Error {
    Error::NotReplayable(format!("file {file} can't be decoded: {error}"))
}

fn raw_text(rows: &RecordBatch, row: usize) -> String {
    let value = |column: &arrow::array::ArrayRef| match column.is_null(row) {
        true => "NULL".to_string(),
        false => arrow::util::display::array_value_to_string(column, row).unwrap_or_default(),
    };
    let mut text = rows.columns().iter().map(value).collect::<Vec<_>>().join(", ");
    text.truncate(text.floor_char_boundary(BAD_RAW_BYTES_MAX));
    text
}
