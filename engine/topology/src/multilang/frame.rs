//! Frames: one JSON value, a newline, `end`, a newline.
//!
//! The value may stretch over several lines, and blank lines around it are skipped. A line `end` can't be part of a JSON
//! value, because a newline inside a text is escaped.

use std::io::{BufRead, Read};

use super::error::beginning;
use super::{Error, Result};

/// How long a frame may be, unless told otherwise.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// What the reader keeps of its memory between frames.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Appends a frame whose value `write_value` appends.
pub fn append(out: &mut Vec<u8>, write_value: impl FnOnce(&mut Vec<u8>)) {
    write_value(out);
    out.extend_from_slice(b"\nend\n");
}

/// Cuts frames out of a stream of bytes.
pub struct FrameReader<R> {
    input: R,
    bytes_max: usize,
    frame: Vec<u8>,
}

impl<R: BufRead> FrameReader<R> {
    /// Of frames of at most `bytes_max` bytes.
    pub fn new(input: R, bytes_max: usize) -> FrameReader<R> {
        FrameReader { input, bytes_max, frame: Vec::new() }
    }

    /// For frames of another kind, after those that have been cut out.
    pub(crate) fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// The text of the next frame, without its `end`; none at the end of the stream. An error when the stream ends within a
    /// frame, or a frame is empty or too long.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>> {
        self.frame.clear();
        self.frame.shrink_to(KEPT_BYTES_MAX);
        loop {
            let start = self.frame.len();
            if self.read_line()? == 0 {
                return self.end_of_stream();
            }
            let line = self.frame[start..].trim_ascii_end();
            if line == b"end" {
                self.frame.truncate(start);
                break;
            }
            if line.is_empty() && start == 0 {
                self.frame.clear();
            }
        }
        if self.frame.is_empty() {
            return Err(Error::Protocol("a frame without a message: `end` alone".into()));
        }
        Ok(Some(self.frame.trim_ascii_end()))
    }

    /// Appends a line to the frame, as far as the limit allows.
    fn read_line(&mut self) -> Result<usize> {
        let room = self.bytes_max + b"\nend\n".len() - self.frame.len();
        // One byte above the limit tells a frame that is too long from one that fits exactly.
        let read = (&mut self.input).take(room as u64 + 1).read_until(b'\n', &mut self.frame);
        let read = read.map_err(|error| Error::io("reading from the child", &error))?;
        if read > room {
            return Err(Error::Protocol(format!(
                "a message of more than {} bytes: {:?}",
                self.bytes_max,
                beginning(&self.frame)
            )));
        }
        Ok(read)
    }

    fn end_of_stream(&self) -> Result<Option<&[u8]>> {
        if self.frame.trim_ascii().is_empty() {
            return Ok(None);
        }
        Err(Error::Truncated(beginning(&self.frame)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(input: &str) -> Vec<std::result::Result<String, String>> {
        let mut reader = FrameReader::new(input.as_bytes(), 20);
        let mut frames = Vec::new();
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => frames.push(Ok(String::from_utf8(frame.to_vec()).unwrap())),
                Ok(None) => return frames,
                Err(error) => {
                    frames.push(Err(error.to_string()));
                    return frames;
                }
            }
        }
    }

    fn check(input: &str, expected: &[&str]) {
        let expected: Vec<_> = expected.iter().map(|frame| Ok((*frame).to_owned())).collect();
        assert_eq!(frames(input), expected);
    }

    #[test]
    fn a_frame_ends_with_a_line_end() {
        check("", &[]);
        check("{}\nend\n", &["{}"]);
        check("{}\nend\n[1]\nend\n\"end\"\nend\n", &["{}", "[1]", "\"end\""]);
    }

    #[test]
    fn json_over_several_lines_and_blank_lines_are_taken() {
        check("{\n \"a\": 1\n}\nend\n", &["{\n \"a\": 1\n}"]);
        check("\n\n{}\n\nend\n\n", &["{}"]);
        check("{}\r\nend\r\n", &["{}"]);
    }

    #[test]
    fn the_last_newline_may_be_missing() {
        check("{}\nend", &["{}"]);
    }

    #[test]
    fn the_end_of_the_stream_within_a_frame_is_an_error() {
        assert_eq!(
            frames("{}\nend\n{\"com"),
            vec![Ok("{}".into()), Err("the child's output ended within a message: \"{\\\"com\"".into())]
        );
    }

    #[test]
    fn a_frame_as_long_as_the_limit_passes_and_a_longer_one_does_not() {
        let exact = "1".repeat(20);
        check(&format!("{exact}\nend\n"), &[&exact]);
        let long = format!("{}\nend\n", "1".repeat(26));
        assert_eq!(frames(&long), vec![Err(format!("a message of more than 20 bytes: {:?}", &long[..26]))]);
        let many_lines = "1\n".repeat(20);
        assert!(frames(&many_lines)[0].as_ref().is_err_and(|error| error.contains("more than 20 bytes")));
    }

    #[test]
    fn an_end_alone_is_an_error() {
        assert!(frames("end\n")[0].is_err());
    }

    #[test]
    fn an_appended_frame_is_read_back() {
        let mut out = Vec::new();
        append(&mut out, |out| out.extend_from_slice(b"[1]"));
        assert_eq!(out, b"[1]\nend\n");
    }
}
