//! `TextSplitter`: where a record of a text format ends.

use memchr::{memchr, memchr2};

use super::Format;

const QUOTE: u8 = b'"';

/// Why a line above the limit is bad.
pub(crate) const TOO_LONG: &str = "the line is longer than a record may be";

/// What the next record of some bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// A record: its text is `..text_end` (no line end), the next one starts at `next`.
    Record {
        /// Where its text ends.
        text_end: usize,
        /// Where the next record starts.
        next: usize,
    },
    /// A record that can't be used; the next one starts at `next`.
    Bad {
        /// Where the bad text ends.
        text_end: usize,
        /// Where the next record starts.
        next: usize,
        /// Why, in words for the user.
        reason: &'static str,
    },
    /// A line above the limit whose end isn't in sight: everything up to the next line end is bad.
    Endless,
    /// More bytes are needed.
    Incomplete,
}

/// Finds the records of a text format.
#[derive(Debug, Clone)]
pub struct TextSplitter {
    /// The delimiter of a format in which a quoted field may hold line ends.
    quoted: Option<u8>,
    record_bytes_max: usize,
}

impl TextSplitter {
    /// A record may be this long.
    pub const RECORD_BYTES_MAX: usize = 16 << 20;

    /// A splitter for json or csv; other formats have no records in this sense.
    pub fn new(format: &Format) -> TextSplitter {
        let quoted = match format {
            Format::Csv(style) => Some(style.delimiter),
            _ => None,
        };
        TextSplitter { quoted, record_bytes_max: Self::RECORD_BYTES_MAX }
    }

    /// With another limit for a record; replays must use the same one.
    pub fn with_record_bytes_max(self, record_bytes_max: usize) -> TextSplitter {
        TextSplitter { record_bytes_max, ..self }
    }

    /// The longest record.
    pub fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// The first record of `bytes`; `at_end` says that no more bytes will follow.
    ///
    /// The answer depends on the record's own bytes only, not on how many follow: a quoted field that isn't closed
    /// within the limit (or by the end) costs its first line and no more.
    pub fn next(&self, bytes: &[u8], at_end: bool) -> Split {
        if bytes.is_empty() {
            return Split::Incomplete;
        }
        let line_end = memchr(b'\n', bytes);
        let line = &bytes[..line_end.unwrap_or(bytes.len())];
        if let Some(delimiter) = self.quoted
            && memchr(QUOTE, line).is_some()
        {
            return self.next_quoted(bytes, delimiter, line_end, at_end);
        }
        self.whole_line(bytes, line_end, at_end)
    }

    fn whole_line(&self, bytes: &[u8], line_end: Option<usize>, at_end: bool) -> Split {
        let end = match line_end {
            Some(end) => end,
            None if bytes.len() > self.record_bytes_max => return Split::Endless,
            None if at_end => bytes.len(),
            None => return Split::Incomplete,
        };
        let next = (end + 1).min(bytes.len());
        if end > self.record_bytes_max {
            return Split::Bad { text_end: end, next, reason: TOO_LONG };
        }
        Split::Record { text_end: without_return(bytes, end), next }
    }

    fn next_quoted(&self, bytes: &[u8], delimiter: u8, line_end: Option<usize>, at_end: bool) -> Split {
        let searched = &bytes[..bytes.len().min(self.record_bytes_max + 1)];
        match end_of_quoted(searched, delimiter) {
            QuotedEnd::LineEnd(end) => Split::Record { text_end: without_return(bytes, end), next: end + 1 },
            QuotedEnd::Closed if at_end && bytes.len() <= self.record_bytes_max => {
                Split::Record { text_end: without_return(bytes, bytes.len()), next: bytes.len() }
            }
            _ if bytes.len() <= self.record_bytes_max && !at_end => Split::Incomplete,
            _ => match line_end {
                None if bytes.len() > self.record_bytes_max => Split::Endless,
                _ => {
                    let end = line_end.unwrap_or(bytes.len());
                    let next = (end + 1).min(bytes.len());
                    Split::Bad { text_end: end, next, reason: "a quoted field is not closed" }
                }
            },
        }
    }
}

enum QuotedEnd {
    /// The record ends at this line end.
    LineEnd(usize),
    /// No line end outside quotes, and no quote is open.
    Closed,
    /// A quote is open at the end.
    Open,
}

/// Follows the quotes from field to field. A quote opens only at the start of a field; elsewhere it is a character.
fn end_of_quoted(bytes: &[u8], delimiter: u8) -> QuotedEnd {
    let mut at = 0;
    loop {
        if bytes.get(at) == Some(&QUOTE) {
            match memchr_closing_quote(&bytes[at + 1..]) {
                Some(length) => at += length + 2,
                None => return QuotedEnd::Open,
            }
        }
        match memchr2(delimiter, b'\n', &bytes[at.min(bytes.len())..]) {
            None => return QuotedEnd::Closed,
            Some(length) if bytes[at + length] == b'\n' => return QuotedEnd::LineEnd(at + length),
            Some(length) => at += length + 1,
        }
    }
}

/// The quote that closes a field; a doubled quote does not.
pub(super) fn memchr_closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let quote = at + memchr(QUOTE, bytes.get(at..)?)?;
        if bytes.get(quote + 1) != Some(&QUOTE) {
            return Some(quote);
        }
        at = quote + 2;
    }
}

fn without_return(bytes: &[u8], end: usize) -> usize {
    if end > 0 && bytes[end - 1] == b'\r' { end - 1 } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CsvStyle;

    fn json(limit: usize) -> TextSplitter {
        TextSplitter::new(&Format::Json).with_record_bytes_max(limit)
    }

    fn csv(limit: usize) -> TextSplitter {
        TextSplitter::new(&Format::Csv(CsvStyle::default())).with_record_bytes_max(limit)
    }

    fn record(text_end: usize, next: usize) -> Split {
        Split::Record { text_end, next }
    }

    #[test]
    fn lines() {
        assert_eq!(json(9).next(b"ab\ncd", false), record(2, 3));
        assert_eq!(json(9).next(b"ab\r\ncd", false), record(2, 4));
        assert_eq!(json(9).next(b"cd", false), Split::Incomplete);
        assert_eq!(json(9).next(b"cd", true), record(2, 2));
        assert_eq!(json(9).next(b"", true), Split::Incomplete);
    }

    #[test]
    fn long_lines_are_bad_whether_or_not_their_end_is_in_sight() {
        assert!(matches!(json(3).next(b"abcd\n", false), Split::Bad { text_end: 4, next: 5, .. }));
        assert_eq!(json(3).next(b"abcd", false), Split::Endless);
        assert_eq!(json(3).next(b"abc\n", false), record(3, 4));
    }

    #[test]
    fn quoted_fields_hold_line_ends() {
        assert_eq!(csv(20).next(b"a,\"b\nc\",d\ne", false), record(9, 10));
        assert_eq!(csv(20).next(b"a,\"b\"\"\nc\"\r\ne", false), record(9, 11));
        assert_eq!(csv(20).next(b"a,\"b\nc\"", false), Split::Incomplete);
        assert_eq!(csv(20).next(b"a,\"b\nc\"", true), record(7, 7));
        // A quote within a field opens nothing.
        assert_eq!(csv(20).next(b"a,5\"\nb", false), record(4, 5));
    }

    #[test]
    fn an_unclosed_quote_costs_one_line() {
        assert_eq!(csv(20).next(b"a,\"b\nc,d\n", false), Split::Incomplete);
        assert!(matches!(csv(20).next(b"a,\"b\nc,d\n", true), Split::Bad { text_end: 4, next: 5, .. }));
        assert!(matches!(csv(8).next(b"a,\"b\nc,d\ne,f", false), Split::Bad { text_end: 4, next: 5, .. }));
        // Closed, but beyond the limit: the same, however much of it is in sight.
        assert!(matches!(csv(8).next(b"a,\"b\nc,d\n\"\n", false), Split::Bad { text_end: 4, next: 5, .. }));
    }
}
