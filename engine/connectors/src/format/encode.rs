//! `Encoder`: rows to bytes, in any format.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::WriterBuilder;
use arrow::json::writer::LineDelimited;
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::Format;
use super::csv_writer::CsvWriter;
use crate::{Error, Result};

/// Writes rows of one schema. The same rows in the same batches give the same bytes.
pub struct Encoder<W: Write + Send> {
    form: Form<W>,
}

enum Form<W: Write + Send> {
    Json(arrow::json::Writer<W, LineDelimited>),
    Csv(CsvWriter<W>),
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
}

impl<W: Write + Send> Encoder<W> {
    /// Starts writing; a csv header or a file's magic goes out at once.
    pub fn new(format: &Format, schema: SchemaRef, out: W) -> Result<Encoder<W>> {
        format.check_schema(&schema)?;
        let form = match format {
            Format::Json => Form::Json(WriterBuilder::new().with_explicit_nulls(true).build(out)),
            Format::Csv(style) => Form::Csv(CsvWriter::new(style.clone(), &schema, out).map_err(failed)?),
            Format::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
                let writer = ArrowWriter::try_new(out, schema, Some(properties)).map_err(failed)?;
                Form::Parquet(Box::new(writer))
            }
            Format::Arrow => Form::Arrow(Box::new(FileWriter::try_new(out, &schema).map_err(failed)?)),
        };
        Ok(Encoder { form })
    }

    /// Writes some rows.
    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        match &mut self.form {
            Form::Json(writer) => writer.write(rows).map_err(failed),
            Form::Csv(writer) => writer.write(rows).map_err(failed),
            Form::Parquet(writer) => writer.write(rows).map_err(failed),
            Form::Arrow(writer) => writer.write(rows).map_err(failed),
        }
    }

    /// Writes what a format puts last, and hands back what was written to.
    pub fn finish(self) -> Result<W> {
        match self.form {
            Form::Json(mut writer) => {
                writer.finish().map_err(failed)?;
                Ok(writer.into_inner())
            }
            Form::Csv(writer) => Ok(writer.into_inner()),
            Form::Parquet(writer) => writer.into_inner().map_err(failed),
            Form::Arrow(writer) => writer.into_inner().map_err(failed),
        }
    }
}

/// The columns were checked before, so what fails is the writing.
fn failed(error: impl Into<EncodeFailure>) -> Error {
    Error::Retry(format!("writing failed: {}", error.into().0))
}

struct EncodeFailure(String);

impl From<ArrowError> for EncodeFailure {
    fn from(error: ArrowError) -> EncodeFailure {
        EncodeFailure(error.to_string())
    }
}

impl From<parquet::errors::ParquetError> for EncodeFailure {
    fn from(error: parquet::errors::ParquetError) -> EncodeFailure {
        EncodeFailure(error.to_string())
    }
}
