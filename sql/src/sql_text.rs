//! `SqlText`: a text with the map from the tokenizer's (line, column) to characters and bytes.
//!
//! Postgres counts error positions in characters from 1; sqlparser and DataFusion tell lines and columns, in characters
//! too; Rust slices by bytes. This is the only place that converts.

use datafusion::sql::sqlparser::tokenizer::Location;

/// A byte offset is remembered every so many characters, so that a look-up in a long line stays short.
const CHECKPOINT_CHARS: usize = 256;

/// A text that can be addressed by line and column.
#[derive(Debug, Clone)]
pub struct SqlText<'a> {
    text: &'a str,
    /// Characters before each line.
    line_starts: Vec<usize>,
    /// Byte offset of characters 0, 256, 512, ...
    checkpoints: Vec<usize>,
    /// Number of characters.
    length_chars: usize,
}

impl<'a> SqlText<'a> {
    /// Indexes `text`; one pass.
    pub fn new(text: &'a str) -> SqlText<'a> {
        let mut line_starts = vec![0];
        let mut checkpoints = Vec::with_capacity(text.len() / CHECKPOINT_CHARS + 1);
        let mut length_chars = 0;
        for (byte, character) in text.char_indices() {
            if length_chars % CHECKPOINT_CHARS == 0 {
                checkpoints.push(byte);
            }
            length_chars += 1;
            if character == '\n' {
                line_starts.push(length_chars);
            }
        }
        SqlText { text, line_starts, checkpoints, length_chars }
    }

    /// The text.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Number of characters.
    pub fn length_chars(&self) -> usize {
        self.length_chars
    }

    /// Characters before `location`; the end of the text for a place that isn't in it.
    pub fn char_offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(usize::MAX);
        let column = usize::try_from(location.column).unwrap_or(usize::MAX);
        match line.checked_sub(1).and_then(|line| self.line_starts.get(line)) {
            Some(start) => start.saturating_add(column.saturating_sub(1)).min(self.length_chars),
            None => self.length_chars,
        }
    }

    /// Bytes before the character at `chars`.
    pub fn byte_offset(&self, chars: usize) -> usize {
        let Some(&checkpoint) = self.checkpoints.get(chars / CHECKPOINT_CHARS) else {
            return self.text.len();
        };
        self.text[checkpoint..]
            .char_indices()
            .nth(chars % CHECKPOINT_CHARS)
            .map_or(self.text.len(), |(byte, _)| checkpoint + byte)
    }

    /// The part between two locations.
    pub fn slice(&self, start: Location, end: Location) -> &'a str {
        let start = self.byte_offset(self.char_offset(start));
        let end = self.byte_offset(self.char_offset(end));
        self.text.get(start..end).unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_become_characters_and_bytes() {
        let text = SqlText::new("aé\nb\u{1F600}c");
        let offsets: Vec<(usize, usize)> = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4), (0, 0), (9, 1)]
            .map(|(line, column)| text.char_offset(Location::new(line, column)))
            .map(|chars| (chars, text.byte_offset(chars)))
            .to_vec();
        assert_eq!(offsets, [(0, 0), (1, 1), (2, 3), (3, 4), (4, 5), (5, 9), (6, 10), (6, 10), (6, 10)]);
    }

    #[test]
    fn long_lines_use_checkpoints() {
        let line = "é".repeat(1000);
        let text = SqlText::new(&line);
        assert_eq!(text.byte_offset(777), 1554);
        assert_eq!(text.slice(Location::new(1, 999), Location::new(1, 1001)), "éé");
    }
}
