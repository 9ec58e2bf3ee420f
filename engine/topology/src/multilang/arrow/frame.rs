//! Frames: two lengths, a header, a body.
//!
//! ```text
//! 0        4        8            8 + H              8 + H + B
//! | H: u32 | B: u32 | H bytes    | B bytes          |
//!   little endian    JSON object   Arrow IPC stream, or nothing
//! ```

use std::io::{BufRead, Read};

use serde::Serialize;

use crate::multilang::error::beginning;
use crate::multilang::{Error, Result};

const PREFIX_BYTES: usize = 8;

/// Appends a frame whose body `write_body` appends. A body has less than 4 GiB: see `Row::new`.
pub fn append(header: &impl Serialize, write_body: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    serde_json::to_writer(&mut *out, header).expect("headers have text keys alone, and memory takes them");
    let header_end = out.len();
    write_body(out);
    let length = |bytes: usize| u32::try_from(bytes).expect("rows are bounded").to_le_bytes();
    let (header_length, body_length) = (length(header_end - start - PREFIX_BYTES), length(out.len() - header_end));
    out[start..start + 4].copy_from_slice(&header_length);
    out[start + 4..start + PREFIX_BYTES].copy_from_slice(&body_length);
}

/// The header and the body of the next frame; none at the end of the stream. An error when the stream ends within a frame, or a frame has no
/// header or is longer than `bytes_max`.
pub fn read(input: &mut impl BufRead, bytes_max: usize) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let prefix = read_up_to(input, PREFIX_BYTES)?;
    if prefix.is_empty() {
        return Ok(None);
    }
    let &[h0, h1, h2, h3, b0, b1, b2, b3] = prefix.as_slice() else {
        return Err(Error::Truncated(beginning(&prefix)));
    };
    let header_bytes = u32::from_le_bytes([h0, h1, h2, h3]) as usize;
    let body_bytes = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
    if header_bytes == 0 || header_bytes.saturating_add(body_bytes) > bytes_max {
        return Err(Error::Protocol(format!(
            "a frame with a header of {header_bytes} bytes and a body of {body_bytes}, together at most {bytes_max} and \
             the header at least 1; it begins with {:?}: does the component print to its standard output?",
            beginning(&prefix)
        )));
    }
    let header = read_up_to(input, header_bytes)?;
    let body = read_up_to(input, body_bytes)?;
    if header.len() < header_bytes || body.len() < body_bytes {
        return Err(Error::Truncated(beginning(&header)));
    }
    Ok(Some((header, body)))
}

/// Less at the end of the stream. Memory grows with what has come, not with what was announced.
fn read_up_to(input: &mut impl BufRead, bytes: usize) -> Result<Vec<u8>> {
    const AT_ONCE_MAX: usize = 1 << 20;
    let mut read = Vec::with_capacity(bytes.min(AT_ONCE_MAX));
    input.take(bytes as u64).read_to_end(&mut read).map_err(|error| Error::io("reading from the child", &error))?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: &str, body: &[u8]) -> Vec<u8> {
        let header: serde_json::Value = serde_json::from_str(header).unwrap();
        let mut out = Vec::new();
        append(&header, |out| out.extend_from_slice(body), &mut out);
        out
    }

    #[test]
    fn a_frame_is_two_lengths_and_what_they_measure() {
        assert_eq!(frame("{\"a\":1}", b"xyz"), b"\x07\0\0\0\x03\0\0\0{\"a\":1}xyz");
    }

    #[test]
    fn frames_are_read_back() {
        let bytes = [frame("{}", b"xyz"), frame("[1]", b"")].concat();
        let mut input = bytes.as_slice();
        assert_eq!(read(&mut input, 5), Ok(Some((b"{}".to_vec(), b"xyz".to_vec()))));
        assert_eq!(read(&mut input, 5), Ok(Some((b"[1]".to_vec(), Vec::new()))));
        assert_eq!(read(&mut input, 5), Ok(None));
    }

    #[test]
    fn every_cut_within_a_frame_is_an_error() {
        let bytes = frame("{\"command\":\"sync\"}", b"xyz");
        for end in 1..bytes.len() {
            let read = read(&mut &bytes[..end], 100);
            assert!(matches!(read, Err(Error::Truncated(_))), "{end}: {read:?}");
        }
    }

    #[test]
    fn a_frame_that_is_too_long_or_has_no_header_is_an_error() {
        let refused = |bytes: &[u8]| read(&mut &*bytes, 100).unwrap_err().to_string();
        assert!(refused(b"debug: hello\n").contains("does the component print to its standard output?"));
        assert!(refused(&[255; 8]).contains("a header of 4294967295 bytes and a body of 4294967295"));
        assert!(refused(&[0; 8]).contains("a header of 0 bytes"));
    }
}
