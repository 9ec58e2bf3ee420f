//! `TextFile`: a file of text records, read in pieces, that may still be growing.

use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::PathBuf;

use crate::{Error, Result};

/// How many bytes before the position are remembered, to see that the file is still the same after a restart.
const TAIL_BYTES: usize = 64;

/// An open file and the part of it that was read but not consumed.
pub(super) struct TextFile {
    pub(super) name: String,
    path: PathBuf,
    file: File,
    /// Bytes read from the file; those before `consumed` are done with.
    buffer: Vec<u8>,
    consumed: usize,
    /// Where in the file the first byte that isn't consumed is.
    offset: u64,
    /// The bytes before `offset`.
    tail: Vec<u8>,
    /// The number of the line at `offset`, from 1.
    pub(super) line: u64,
    /// Within a line that is too long: everything up to the next line end is to be dropped.
    pub(super) skipping: bool,
    /// Whether the columns are still to be learnt from the first record.
    pub(super) header_pending: bool,
}

impl TextFile {
    /// Opens a file at an offset. One that is too short for it has changed.
    pub(super) fn open(name: String, path: PathBuf, offset: u64) -> Result<TextFile> {
        let mut file = File::open(&path).map_err(|error| open_failed(&path, &error))?;
        let length = file.metadata().map_err(|error| read_failed(&path, &error))?.len();
        if length < offset {
            return Err(Error::NotReplayable(format!(
                "file {} has {length} bytes, but {offset} were read before: it was cut or replaced",
                path.display()
            )));
        }
        let tail_start = offset.saturating_sub(TAIL_BYTES as u64);
        let mut tail = vec![0; (offset - tail_start) as usize];
        file.seek(SeekFrom::Start(tail_start))
            .and_then(|_| file.read_exact(&mut tail))
            .map_err(|error| read_failed(&path, &error))?;
        Ok(TextFile {
            name,
            path,
            file,
            buffer: Vec::new(),
            consumed: 0,
            offset,
            tail,
            line: 1,
            skipping: false,
            header_pending: false,
        })
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// A checksum of the bytes before the position.
    pub(super) fn mark(&self) -> u64 {
        let mut hasher = Fnv::default();
        hasher.write(&self.tail);
        hasher.finish()
    }

    /// What was read and isn't consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.consumed..]
    }

    /// Marks the next `count` bytes as done.
    pub(super) fn consume(&mut self, count: usize) {
        let end = self.consumed + count;
        let done = &self.buffer[self.consumed..end];
        let fresh = &done[done.len().saturating_sub(TAIL_BYTES)..];
        let kept = TAIL_BYTES - fresh.len();
        let surplus = self.tail.len().saturating_sub(kept);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(fresh);
        self.consumed = end;
        self.offset += count as u64;
    }

    /// Reads up to `count` more bytes; says how many there were. At the end of the file it makes sure that the file is
    /// still the one that was opened, and no shorter.
    pub(super) fn fill(&mut self, count: usize) -> Result<usize> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        let before = self.buffer.len();
        let limited = (&mut self.file).take(count as u64).read_to_end(&mut self.buffer);
        limited.map_err(|error| read_failed(&self.path, &error))?;
        let added = self.buffer.len() - before;
        if added == 0 {
            self.check_same()?;
        }
        Ok(added)
    }

    fn check_same(&self) -> Result<()> {
        let there = fs::metadata(&self.path).map_err(|error| open_failed(&self.path, &error))?;
        let opened = self.file.metadata().map_err(|error| read_failed(&self.path, &error))?;
        let read = self.offset + self.bytes().len() as u64;
        if there.len() < read || !is_same_file(&there, &opened) {
            return Err(Error::NotReplayable(format!(
                "file {} was cut or replaced after {read} bytes of it were read",
                self.path.display()
            )));
        }
        Ok(())
    }
}

#[cfg(unix)]
fn is_same_file(left: &fs::Metadata, right: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (left.dev(), left.ino()) == (right.dev(), right.ino())
}

#[cfg(not(unix))]
fn is_same_file(_left: &fs::Metadata, _right: &fs::Metadata) -> bool {
    true
}

/// A file that is gone can't be replayed; anything else may pass.
pub(super) fn open_failed(path: &std::path::Path, error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NotReplayable(format!("file {} is gone", path.display())),
        _ => read_failed(path, error),
    }
}

fn read_failed(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::Retry(format!("file {} can't be read: {error}", path.display()))
}

/// FNV-1a with 64 bits: no dependency, and the same on every machine and in every version.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
