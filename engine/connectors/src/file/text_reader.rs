//! `TextReader`: the records of json and csv files as rows.
//!
//! Position: `{"file", "offset", "line", "mark"}` and `"skipping"` within a line that is too long. `offset` is the byte
//! after the last record, `mark` a checksum of the bytes before it. Null is the start.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use memchr::{memchr, memchr_iter};
use serde::{Deserialize, Serialize};

use super::listing::Listing;
use super::text_file::TextFile;
use super::{BAD_RAW_BYTES_MAX, IDLE};
use crate::format::{Format, Split, TOO_LONG, TextDecoder, TextSplitter};
use crate::{BadRecord, Error, Position, Read, Result};

/// Records of one read.
const RECORDS_PER_READ_MAX: usize = 8_192;
/// How much is read from a file at a time, and about how much one read decodes.
const CHUNK_BYTES: usize = 4 << 20;

/// Reads the files of a listing, one after the other.
pub(super) struct TextReader {
    listing: Listing,
    follow: bool,
    has_header: bool,
    decoder: TextDecoder,
    splitter: TextSplitter,
    chunk_bytes: usize,
    /// The file being read; it stays here after its end until there is a next one.
    current: Option<TextFile>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    file: String,
    offset: u64,
    line: u64,
    mark: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    skipping: bool,
}

/// The records found in the buffer of a file.
#[derive(Default)]
struct Found {
    records: Vec<Range<usize>>,
    /// The line on which each record starts.
    lines: Vec<u64>,
    bad: Vec<(u64, BadRecord)>,
    bytes: usize,
    lines_passed: u64,
    endless: bool,
}

/// What came of the records in the buffer.
enum Piece {
    Nothing,
    BlankLines,
    Rows(RecordBatch, Vec<BadRecord>),
}

/// What to do when the buffer holds no whole record.
enum AtEnd {
    /// There were more bytes: look again.
    More,
    /// This is all there will ever be of the file.
    Final,
    /// The file may grow.
    Growing,
}

impl TextReader {
    pub(super) fn new(listing: Listing, format: &Format, follow: bool, schema: SchemaRef) -> Result<TextReader> {
        let has_header = matches!(format, Format::Csv(style) if style.header);
        Ok(TextReader {
            listing,
            follow,
            has_header,
            decoder: TextDecoder::new(format, schema)?,
            splitter: TextSplitter::new(format),
            chunk_bytes: CHUNK_BYTES,
            current: None,
        })
    }

    /// Smaller pieces and records, so that tests reach the limits.
    #[cfg(test)]
    pub(super) fn with_limits(mut self, chunk_bytes: usize, record_bytes_max: usize) -> TextReader {
        self.chunk_bytes = chunk_bytes;
        self.splitter = self.splitter.with_record_bytes_max(record_bytes_max);
        self
    }

    pub(super) fn position(&self) -> Position {
        let Some(file) = &self.current else { return Position::default() };
        let place = Place {
            file: file.name.clone(),
            offset: file.offset(),
            line: file.line,
            mark: file.mark(),
            skipping: file.skipping,
        };
        Position(serde_json::to_value(place).unwrap_or_default())
    }

    pub(super) fn seek(&mut self, position: &Position) -> Result<()> {
        self.current = None;
        if position.0.is_null() {
            return Ok(());
        }
        let place: Place = serde_json::from_value(position.0.clone()).map_err(|error| {
            Error::NotReplayable(format!("{} is not a position of a text file source: {error}", position.0))
        })?;
        let mut file = self.open(place.file, place.offset)?;
        if file.mark() != place.mark {
            return Err(Error::NotReplayable(format!(
                "file {} has other content before byte {} than when it was read: it was replaced",
                file.name, place.offset
            )));
        }
        file.line = place.line;
        file.skipping = place.skipping;
        self.current = Some(file);
        Ok(())
    }

    pub(super) fn read(&mut self, rows_max: usize) -> Result<Read> {
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(self.nothing());
            }
            if !self.pass_header()? {
                return Ok(Read::Idle(IDLE));
            }
            if let Some(rows) = self.read_buffered(rows_max, false)? {
                return Ok(rows);
            }
            match self.fill()? {
                AtEnd::More => continue,
                AtEnd::Growing => return Ok(Read::Idle(IDLE)),
                AtEnd::Final => {}
            }
            if let Some(rows) = self.read_buffered(rows_max, true)? {
                return Ok(rows);
            }
            if !self.open_next()? {
                return Ok(self.nothing());
            }
        }
    }

    /// Learns the columns of a csv file at once, so that a wrong header is refused with the statement.
    pub(super) fn check_first_header(&mut self) -> Result<()> {
        if self.has_header && self.open_next()? {
            self.pass_header()?;
        }
        self.current = None;
        Ok(())
    }

    fn nothing(&self) -> Read {
        if self.follow { Read::Idle(IDLE) } else { Read::End }
    }

    /// Goes on to the next file, if there is one.
    fn open_next(&mut self) -> Result<bool> {
        let name = self.current.as_ref().map(|file| file.name.clone());
        let Some(next) = self.listing.after(name.as_deref())? else { return Ok(false) };
        self.current = Some(self.open(next, 0)?);
        Ok(true)
    }

    fn open(&mut self, name: String, offset: u64) -> Result<TextFile> {
        let path = self.listing.path(&name);
        let mut file = TextFile::open(name.clone(), path.clone(), offset)?;
        file.header_pending = self.has_header;
        if self.has_header && offset > 0 {
            // The columns are named at the start, whatever the position.
            let mut start = TextFile::open(name, path, 0)?;
            if let Some((_, header)) = self.header_of(&mut start)? {
                self.decoder.set_header(&header)?;
                file.header_pending = false;
            }
        }
        Ok(file)
    }

    /// Reads the header if it is still to be read; false if it isn't there yet.
    fn pass_header(&mut self) -> Result<bool> {
        let Some(mut file) = self.current.take() else { return Ok(true) };
        if file.header_pending {
            if let Some((length, header)) = self.header_of(&mut file)? {
                self.decoder.set_header(&header)?;
                file.line += memchr_iter(b'\n', &file.bytes()[..length]).count() as u64;
                file.consume(length);
                file.header_pending = false;
            } else if !self.is_final(&file.name)? {
                self.current = Some(file);
                return Ok(false);
            } else {
                // An empty file has no header and no rows.
                file.header_pending = false;
            }
        }
        self.current = Some(file);
        Ok(true)
    }

    /// The first record of the file and its length with the line end, once it is complete.
    fn header_of(&mut self, file: &mut TextFile) -> Result<Option<(usize, Vec<u8>)>> {
        loop {
            match self.splitter.next(file.bytes(), false) {
                Split::Record { text_end, next } => return Ok(Some((next, file.bytes()[..text_end].to_vec()))),
                Split::Bad { reason, .. } => return Err(header_failed(&file.name, reason)),
                Split::Endless => return Err(header_failed(&file.name, TOO_LONG)),
                Split::Incomplete => {}
            }
            if file.fill(self.chunk_bytes)? > 0 {
                continue;
            }
            let is_final = self.is_final(&file.name)?;
            return Ok(match self.splitter.next(file.bytes(), is_final) {
                Split::Record { text_end, next } => Some((next, file.bytes()[..text_end].to_vec())),
                _ => None,
            });
        }
    }

    /// Whether a file at its end will get no more bytes: nobody follows it, or its writer went on to the next one.
    fn is_final(&mut self, name: &str) -> Result<bool> {
        Ok(!self.follow || self.listing.after(Some(name))?.is_some())
    }

    fn fill(&mut self) -> Result<AtEnd> {
        let chunk_bytes = self.chunk_bytes;
        let Some(name) = self.current.as_ref().map(|file| file.name.clone()) else { return Ok(AtEnd::Final) };
        let more = |reader: &mut TextReader| match &mut reader.current {
            Some(file) => file.fill(chunk_bytes).map(|added| added > 0),
            None => Ok(false),
        };
        if more(self)? {
            return Ok(AtEnd::More);
        }
        if !self.is_final(&name)? {
            return Ok(AtEnd::Growing);
        }
        // The file may have grown between the look at its end and the look at its successor.
        Ok(if self.follow && more(self)? { AtEnd::More } else { AtEnd::Final })
    }

    /// Decodes the whole records of the buffer; `None` if there are none.
    fn read_buffered(&mut self, rows_max: usize, at_end: bool) -> Result<Option<Read>> {
        loop {
            match self.read_piece(rows_max, at_end)? {
                Piece::Nothing => return Ok(None),
                // They are passed, so they are not found again.
                Piece::BlankLines => continue,
                Piece::Rows(rows, bad) => {
                    return Ok(Some(Read::Rows { rows, next: self.position(), bad }));
                }
            }
        }
    }

    fn read_piece(&mut self, rows_max: usize, at_end: bool) -> Result<Piece> {
        let Some(file) = &mut self.current else { return Ok(Piece::Nothing) };
        if file.skipping && !skip_line(file, at_end) {
            return Ok(Piece::Nothing);
        }
        let records_max = rows_max.clamp(1, RECORDS_PER_READ_MAX);
        let mut found = find_records(&self.splitter, file, records_max, self.chunk_bytes, at_end);
        if found.bytes == 0 {
            return Ok(Piece::Nothing);
        }
        let bytes = file.bytes();
        let records: Vec<&[u8]> = found.records.iter().map(|range| &bytes[range.clone()]).collect();
        let decoded = self.decoder.decode(&records)?;
        for rejected in decoded.rejected {
            let line = found.lines[rejected.index];
            found.bad.push((line, bad_record(&file.name, line, records[rejected.index], rejected.reason)));
        }
        found.bad.sort_by_key(|(line, _)| *line);
        file.consume(found.bytes);
        file.line += found.lines_passed;
        file.skipping = found.endless;
        let bad: Vec<BadRecord> = found.bad.into_iter().map(|(_, bad)| bad).collect();
        if decoded.rows.num_rows() == 0 && bad.is_empty() {
            return Ok(Piece::BlankLines);
        }
        Ok(Piece::Rows(decoded.rows, bad))
    }
}
/// Drops the rest of a line that is too long; true once its end was found.
fn skip_line(file: &mut TextFile, at_end: bool) -> bool {
    match memchr(b'\n', file.bytes()) {
        Some(end) => {
            file.consume(end + 1);
            file.line += 1;
            file.skipping = false;
        }
        None => {
            file.consume(file.bytes().len());
            file.skipping = !at_end;
        }
    }
    !file.skipping
}

fn find_records(splitter: &TextSplitter, file: &TextFile, records_max: usize, bytes_max: usize, at_end: bool) -> Found {
    let bytes = file.bytes();
    let mut found = Found::default();
    while found.records.len() + found.bad.len() < records_max && found.bytes < bytes_max {
        let start = found.bytes;
        let line = file.line + found.lines_passed;
        let next = match splitter.next(&bytes[start..], at_end) {
            Split::Record { text_end, next } => {
                found.records.push(start..start + text_end);
                found.lines.push(line);
                next
            }
            Split::Bad { text_end, next, reason } => {
                let raw = &bytes[start..start + text_end];
                found.bad.push((line, bad_record(&file.name, line, raw, reason.to_string())));
                next
            }
            Split::Endless => {
                found.bad.push((line, bad_record(&file.name, line, &bytes[start..], TOO_LONG.to_string())));
                found.bytes = bytes.len();
                found.endless = true;
                break;
            }
            Split::Incomplete => break,
        };
        found.lines_passed += memchr_iter(b'\n', &bytes[start..start + next]).count() as u64;
        found.bytes += next;
    }
    found
}

fn bad_record(file: &str, line: u64, raw: &[u8], reason: String) -> BadRecord {
    BadRecord { place: format!("{file}, line {line}"), reason, raw: cut_text(raw) }
}

/// The text, cut to 1 KiB at a character's end.
fn cut_text(raw: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&raw[..raw.len().min(BAD_RAW_BYTES_MAX)]).into_owned();
    text.truncate(text.floor_char_boundary(BAD_RAW_BYTES_MAX));
    text
}

fn header_failed(file: &str, reason: &str) -> Error {
    Error::option("header", format!("the header of file {file} can't be read: {reason}"))
}
