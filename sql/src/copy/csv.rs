//! COPY's csv format (RFC 4180, with Postgres's choice of delimiter, quote, escape and NULL).

use super::Fields;
use crate::statement::CopyFormat;

/// Where the search for the end of a line stands.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Scan {
    /// Bytes looked at.
    pub(super) at: usize,
    /// Whether they end within quotes.
    pub(super) in_quotes: bool,
}

/// Length of the first line of `data` without its end, and with it; `None` if it isn't whole. Newlines in quotes don't
/// end a line.
pub(super) fn find_line(data: &[u8], format: &CopyFormat, scan: &mut Scan) -> Option<(usize, usize)> {
    while let Some(&byte) = data.get(scan.at) {
        if scan.in_quotes && byte == format.escape && format.escape != format.quote {
            // What follows an escape within quotes can't end them.
            data.get(scan.at + 1)?;
            scan.at += 2;
            continue;
        }
        if byte == format.quote {
            // A doubled quote leaves and enters again.
            scan.in_quotes = !scan.in_quotes;
        } else if byte == b'\n' && !scan.in_quotes {
            return Some((scan.at, scan.at + 1));
        } else if byte == b'\r' && !scan.in_quotes {
            return match data.get(scan.at + 1) {
                Some(b'\n') => Some((scan.at, scan.at + 2)),
                Some(_) => Some((scan.at, scan.at + 1)),
                None => None,
            };
        }
        scan.at += 1;
    }
    None
}

/// Splits a line into its fields; false if a quote isn't closed.
pub(super) fn split(line: &[u8], format: &CopyFormat, fields: &mut Fields) -> bool {
    fields.clear();
    let mut at = 0;
    loop {
        let start = fields.bytes.len();
        let (mut in_quotes, mut was_quoted) = (false, false);
        while let Some(&byte) = line.get(at) {
            if in_quotes {
                let next = line.get(at + 1).copied();
                if byte == format.escape && next.is_some_and(|next| next == format.quote || next == format.escape) {
                    fields.bytes.extend(next);
                    at += 2;
                    continue;
                }
                if byte == format.quote {
                    in_quotes = false;
                } else {
                    fields.bytes.push(byte);
                }
            } else if byte == format.delimiter {
                break;
            } else if byte == format.quote {
                in_quotes = true;
                was_quoted = true;
            } else {
                fields.bytes.push(byte);
            }
            at += 1;
        }
        if in_quotes {
            return false;
        }
        let is_null = !was_quoted && &fields.bytes[start..] == format.null.as_bytes();
        if is_null {
            fields.bytes.truncate(start);
        }
        fields.end_field(is_null);
        if at >= line.len() {
            return true;
        }
        at += 1;
    }
}

/// Writes a value, quoted if it must be.
pub(super) fn write_value(value: &[u8], format: &CopyFormat, is_only_column: bool, out: &mut Vec<u8>) {
    let is_special = |byte: &u8| *byte == format.delimiter || *byte == format.quote || matches!(byte, b'\n' | b'\r');
    let must_quote =
        value == format.null.as_bytes() || value.iter().any(is_special) || (is_only_column && value == b"\\.");
    if !must_quote {
        out.extend_from_slice(value);
        return;
    }
    out.push(format.quote);
    for &byte in value {
        if byte == format.quote || byte == format.escape {
            out.push(format.escape);
        }
        out.push(byte);
    }
    out.push(format.quote);
}
