//! Text columns and the random texts that go into them.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer};

use crate::random::{Random, letters, letters_and};

/// The shortest random word.
const WORD_LENGTH_MIN: u64 = 3;

const LETTERS: [u8; 256] = letters();
const LETTERS_AND_SPACE: [u8; 256] = letters_and(b' ');
const LETTERS_AND_UNDERSCORE: [u8; 256] = letters_and(b'_');

/// A text column being written: append to `bytes`, then end the row.
pub(super) struct TextColumn {
    pub(super) bytes: Vec<u8>,
    offsets: Vec<i32>,
}

impl TextColumn {
    pub(super) fn with_capacity(rows: usize, bytes_per_row: usize) -> TextColumn {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        TextColumn { bytes: Vec::with_capacity(rows * bytes_per_row), offsets }
    }

    #[inline]
    pub(super) fn push_str(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Ends the row; returns how long it is.
    #[inline]
    pub(super) fn end_row(&mut self) -> usize {
        let start = self.offsets[self.offsets.len() - 1];
        let end = i32::try_from(self.bytes.len()).expect("a generated column is below 2 GiB");
        self.offsets.push(end);
        (end - start) as usize
    }

    pub(super) fn finish(self) -> ArrayRef {
        let offsets = OffsetBuffer::new(self.offsets.into());
        let bytes = Buffer::from_vec(self.bytes);
        Arc::new(StringArray::try_new(offsets, bytes, None).expect("generated text is ASCII"))
    }
}

/// A word of 3 up to (not including) `length_end` letters and spaces.
#[inline]
pub(super) fn push_words(random: &mut Random, length_end: u64, out: &mut Vec<u8>) {
    let length = WORD_LENGTH_MIN + random.below(length_end - WORD_LENGTH_MIN);
    random.fill(&LETTERS_AND_SPACE, length as usize, out);
}

/// A word of 3 or 4 letters and underscores, as in the paths of the auction's site.
#[inline]
pub(super) fn push_path_word(random: &mut Random, out: &mut Vec<u8>) {
    let length = WORD_LENGTH_MIN + random.below(2);
    random.fill(&LETTERS_AND_UNDERSCORE, length as usize, out);
}

/// Letters that bring a row of `size` bytes to `size_average` on average (within 20 % of what was missing).
#[inline]
pub(super) fn push_extra(random: &mut Random, size: usize, size_average: usize, column: &mut TextColumn) {
    if size < size_average {
        let missing = size_average - size;
        let delta = (missing + 2) / 5;
        let length = missing - delta + random.below(2 * delta as u64) as usize;
        random.fill(&LETTERS, length, &mut column.bytes);
    }
    column.end_row();
}

/// A number in decimal.
#[inline]
pub(super) fn push_decimal(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Four digits, with leading zeros.
pub(super) fn push_four_digits(number: u64, out: &mut Vec<u8>) {
    for divisor in [1_000, 100, 10, 1] {
        out.push(b'0' + (number / divisor % 10) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals() {
        let mut out = Vec::new();
        push_decimal(0, &mut out);
        push_decimal(u64::MAX, &mut out);
        push_four_digits(42, &mut out);
        assert_eq!(out, b"0184467440737095516150042");
    }
}
