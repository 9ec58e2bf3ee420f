//! `FileSink`: the changes of each txid as one file, exactly once.
//!
//! Txid 42 becomes `part-00000000000000000042.<format>`. The file is written under a temporary name in the same
//! directory, synced, renamed, and the directory is synced: a reader sees the whole file or none, and a txid that is
//! published again replaces the file by an equal one. The directory belongs to one sink.
//!
//! A relation whose rows only come has its own columns. Any other has `monsoon_weight` first: +n rows came, -n went.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::format::{Encoder, Format};
use crate::{Change, Error, Guarantee, Options, Result, Sink};

const OPTIONS: [&str; 6] = ["connector", "path", "format", "header", "delimiter", "null"];
const WEIGHT_COLUMN: &str = "monsoon_weight";

/// Writes files into a directory.
pub struct FileSink {
    directory: PathBuf,
    format: Format,
    /// The columns of the files.
    schema: SchemaRef,
    append_only: bool,
}

impl FileSink {
    /// A sink into the directory `path`, which is made if it isn't there. What an earlier process left half-written is
    /// removed.
    pub fn new(options: &Options, schema: SchemaRef, append_only: bool) -> Result<FileSink> {
        options.reject_unknown("a file sink", &OPTIONS)?;
        let directory = PathBuf::from(options.require("path", "a directory")?);
        let format = Format::from_options(options)?;
        let schema = if append_only { schema } else { with_weight_column(&schema)? };
        format.check_schema(&schema)?;
        fs::create_dir_all(&directory).map_err(|error| {
            Error::option("path", format!("directory {} can't be made: {error}", directory.display()))
        })?;
        remove_leftovers(&directory).map_err(|error| failed(&directory, &error))?;
        Ok(FileSink { directory, format, schema, append_only })
    }

    fn write(&self, path: &Path, changes: &[Change]) -> Result<()> {
        let file = File::create(path).map_err(|error| failed(path, &error))?;
        let mut encoder = Encoder::new(&self.format, self.schema.clone(), BufWriter::new(file))?;
        for change in changes {
            let rows = if self.append_only { repeated(change)? } else { self.weighted(change)? };
            encoder.write(&rows)?;
        }
        let mut out = encoder.finish()?;
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(|error| failed(path, &error))
    }

    fn weighted(&self, change: &Change) -> Result<RecordBatch> {
        let weights = match &change.weights {
            Some(weights) => weights.clone(),
            None => Int64Array::from(vec![1; change.rows.num_rows()]),
        };
        let mut columns: Vec<ArrayRef> = vec![Arc::new(weights)];
        columns.extend(change.rows.columns().iter().cloned());
        RecordBatch::try_new(self.schema.clone(), columns).map_err(|error| mismatch(&error))
    }
}

impl Sink for FileSink {
    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }

    fn needs_replay(&self) -> bool {
        true
    }

    fn publish(&mut self, txid: u64, changes: &[Change]) -> Result<()> {
        if changes.iter().all(|change| change.rows.num_rows() == 0) {
            return Ok(());
        }
        let name = format!("part-{txid:020}.{}", self.format.extension());
        let temporary = self.directory.join(format!(".{name}.tmp"));
        let path = self.directory.join(name);
        self.write(&temporary, changes)?;
        fs::rename(&temporary, &path)
            .and_then(|()| File::open(&self.directory)?.sync_all())
            .map_err(|error| failed(&path, &error))
    }
}

fn with_weight_column(schema: &Schema) -> Result<SchemaRef> {
    if schema.column_with_name(WEIGHT_COLUMN).is_some() {
        return Err(Error::option(
            "connector",
            format!("a file sink adds a column \"{WEIGHT_COLUMN}\"; the relation has one already: rename it"),
        ));
    }
    let mut fields = vec![Arc::new(Field::new(WEIGHT_COLUMN, DataType::Int64, false))];
    fields.extend(schema.fields().iter().cloned());
    Ok(Arc::new(Schema::new(fields)))
}

/// Without a weight column a row of weight 3 is written three times.
fn repeated(change: &Change) -> Result<RecordBatch> {
    let Some(weights) = &change.weights else { return Ok(change.rows.clone()) };
    if weights.values().iter().all(|&weight| weight == 1) {
        return Ok(change.rows.clone());
    }
    let mut rows = Vec::new();
    for (row, &weight) in weights.values().iter().enumerate() {
        let times = usize::try_from(weight).map_err(|_| {
            Error::NotReplayable("a row was deleted from a relation that was said to be append-only".to_string())
        })?;
        rows.extend(std::iter::repeat_n(row as u64, times));
    }
    take_record_batch(&change.rows, &UInt64Array::from(rows)).map_err(|error| mismatch(&error))
}

fn remove_leftovers(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(".part-") && name.ends_with(".tmp") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::Retry(format!("{} can't be written: {error}", path.display()))
}

fn mismatch(error: &arrow::error::ArrowError) -> Error {
    Error::NotReplayable(format!("the changes don't fit the sink's columns: {error}"))
}
