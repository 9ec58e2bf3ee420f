//! COPY's text format: lines of values separated by tabs, with backslash escapes.

use super::Fields;
use crate::statement::CopyFormat;

/// Length of the first line of `data` without its end, and with it; `None` if it isn't whole. `from` is where to go on
/// searching; it is moved, so that no byte is looked at twice.
pub(super) fn find_line(data: &[u8], from: &mut usize) -> Option<(usize, usize)> {
    while let Some(&byte) = data.get(*from) {
        match byte {
            // An escaped character never ends a line.
            b'\\' => match data.get(*from + 1) {
                Some(_) => *from += 2,
                None => return None,
            },
            b'\n' => return Some((*from, *from + 1)),
            b'\r' => match data.get(*from + 1) {
                Some(b'\n') => return Some((*from, *from + 2)),
                Some(_) => return Some((*from, *from + 1)),
                None => return None,
            },
            _ => *from += 1,
        }
    }
    None
}

/// Splits a line into its fields.
pub(super) fn split(line: &[u8], format: &CopyFormat, fields: &mut Fields) {
    fields.clear();
    let mut rest = line;
    loop {
        let end = field_end(rest, format.delimiter);
        let field = &rest[..end];
        let is_null = field == format.null.as_bytes();
        if !is_null {
            unescape(field, &mut fields.bytes);
        }
        fields.end_field(is_null);
        match rest.get(end + 1..) {
            Some(after) if end < rest.len() => rest = after,
            _ => return,
        }
    }
}

fn field_end(rest: &[u8], delimiter: u8) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == delimiter => return at,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `\b \f \n \r \t \v`, `\ooo`, `\xhh`; any other escaped character stands for itself.
fn unescape(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&escaped, after)) = rest.split_first() else {
            out.push(b'\\');
            return;
        };
        rest = after;
        match escaped {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'0'..=b'7' => {
                let digits = 1 + rest.iter().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let mut value = u32::from(escaped - b'0');
                for digit in &rest[..digits - 1] {
                    value = value * 8 + u32::from(digit - b'0');
                }
                out.push((value & 0xff) as u8);
                rest = &rest[digits - 1..];
            }
            b'x' => {
                let digits = rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
                if digits == 0 {
                    out.push(b'x');
                }
                let value = rest[..digits]
                    .iter()
                    .fold(0, |value, digit| value * 16 + char::from(*digit).to_digit(16).unwrap_or(0));
                if digits > 0 {
                    out.push((value & 0xff) as u8);
                }
                rest = &rest[digits..];
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

/// Writes a value with what must be escaped escaped.
pub(super) fn write_escaped(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    for &byte in value {
        let escaped = match byte {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            b'\\' => b'\\',
            byte if byte == delimiter => byte,
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', escaped]);
    }
}
