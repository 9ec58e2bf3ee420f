//! Numbers as Postgres prints and sends them.

use std::io::Write;

use bytes::{BufMut, BytesMut};

/// Appends an integer in decimal digits.
pub(super) fn write_integer(value: i64, out: &mut BytesMut) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.put_u8(b'-');
    }
    out.put_slice(&digits[start..]);
}

/// Appends a number with at least `width` digits.
pub(super) fn write_padded(value: u64, width: usize, out: &mut BytesMut) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = value;
    while rest > 0 {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.put_slice(&digits[start.min(digits.len() - width)..]);
}

/// Appends a float4: as many digits as tell it from its neighbours.
pub(super) fn write_float4(value: f32, out: &mut BytesMut) {
    if !write_special(f64::from(value), out) {
        let mut scratch = [0u8; 32];
        // printf's thresholds for a float: an exponent below -4 or from 6 on.
        write_shortest(scientific(&mut scratch, format_args!("{value:e}")), 6, out);
    }
}

/// Appends a float8: as many digits as tell it from its neighbours.
pub(super) fn write_float8(value: f64, out: &mut BytesMut) {
    if !write_special(value, out) {
        let mut scratch = [0u8; 32];
        write_shortest(scientific(&mut scratch, format_args!("{value:e}")), 15, out);
    }
}

fn write_special(value: f64, out: &mut BytesMut) -> bool {
    let word: &[u8] = match value {
        value if value.is_nan() => b"NaN",
        f64::INFINITY => b"Infinity",
        f64::NEG_INFINITY => b"-Infinity",
        0.0 if value.is_sign_negative() => b"-0",
        0.0 => b"0",
        _ => return false,
    };
    out.put_slice(word);
    true
}

/// `{:e}` into a buffer on the stack: `[-]d[.ddd]e[-]x`, at most 24 bytes.
fn scientific<'a>(scratch: &'a mut [u8; 32], arguments: std::fmt::Arguments) -> &'a str {
    let mut rest = &mut scratch[..];
    let room = rest.len();
    // It fits: 17 digits, two signs, a point, an e, three digits of exponent.
    let _ = rest.write_fmt(arguments);
    let written = room - rest.len();
    std::str::from_utf8(&scratch[..written]).unwrap_or("0e0")
}

/// Lays out shortest digits as printf's %g does.
fn write_shortest(scientific: &str, exponent_max: i32, out: &mut BytesMut) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (first, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    out.put_slice(sign.as_bytes());
    if !(-4..exponent_max).contains(&exponent) {
        return write_exponential(first, fraction, exponent, out);
    }
    match usize::try_from(exponent) {
        Err(_) => {
            out.put_slice(b"0.");
            out.put_bytes(b'0', exponent.unsigned_abs() as usize - 1);
            out.put_slice(first.as_bytes());
            out.put_slice(fraction.as_bytes());
        }
        Ok(integer_digits) => {
            out.put_slice(first.as_bytes());
            let cut = integer_digits.min(fraction.len());
            out.put_slice(&fraction.as_bytes()[..cut]);
            out.put_bytes(b'0', integer_digits - cut);
            if cut < fraction.len() {
                out.put_u8(b'.');
                out.put_slice(&fraction.as_bytes()[cut..]);
            }
        }
    }
}

fn write_exponential(first: &str, fraction: &str, exponent: i32, out: &mut BytesMut) {
    out.put_slice(first.as_bytes());
    if !fraction.is_empty() {
        out.put_u8(b'.');
        out.put_slice(fraction.as_bytes());
    }
    out.put_slice(if exponent < 0 { b"e-" } else { b"e+" });
    write_padded(u64::from(exponent.unsigned_abs()), 2, out);
}

/// Appends a numeric: `digits` (with a sign) divided by ten to the `scale`.
pub(super) fn write_numeric_text(digits: &str, scale: i8, out: &mut BytesMut) {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    out.put_slice(sign.as_bytes());
    match usize::try_from(scale) {
        Ok(0) => out.put_slice(digits.as_bytes()),
        Ok(scale) => {
            let integer_digits = digits.len().saturating_sub(scale);
            if integer_digits == 0 {
                out.put_u8(b'0');
            }
            out.put_slice(&digits.as_bytes()[..integer_digits]);
            out.put_u8(b'.');
            out.put_bytes(b'0', scale.saturating_sub(digits.len()));
            out.put_slice(&digits.as_bytes()[integer_digits..]);
        }
        Err(_) => {
            out.put_slice(digits.as_bytes());
            if digits != "0" {
                out.put_bytes(b'0', usize::from(scale.unsigned_abs()));
            }
        }
    }
}

/// Appends a numeric in Postgres's binary form: base-10000 digits, the weight of the first, sign, decimals shown.
pub(super) fn write_numeric_binary(digits: &str, scale: i8, out: &mut BytesMut) {
    const NEGATIVE: u16 = 0x4000;
    let (sign, digits) = digits.strip_prefix('-').map_or((0, digits), |rest| (NEGATIVE, rest));
    let decimals = usize::try_from(scale).unwrap_or(0);
    let zeros_behind = usize::try_from(-i16::from(scale)).unwrap_or(0);
    // Pad so that groups of four digits meet the decimal point.
    let behind = decimals.next_multiple_of(4) - decimals + zeros_behind;
    let groups = base_10000(digits, behind);
    let fraction_groups = decimals.div_ceil(4);
    let first = groups.iter().position(|&group| group != 0);
    let Some(first) = first else {
        return write_numeric_header(0, 0, 0, decimals, out);
    };
    let last = groups.iter().rposition(|&group| group != 0).unwrap_or(first);
    let weight = groups.len() as i64 - fraction_groups as i64 - 1 - first as i64;
    write_numeric_header(last + 1 - first, weight, sign, decimals, out);
    groups[first..=last].iter().for_each(|&group| out.put_u16(group));
}

fn write_numeric_header(groups: usize, weight: i64, sign: u16, decimals: usize, out: &mut BytesMut) {
    // At most 76 digits and a scale of at most 127, so all of these are small.
    out.put_u16(groups as u16);
    out.put_i16(weight as i16);
    out.put_u16(sign);
    out.put_u16(decimals as u16);
}

/// Decimal digits followed by `zeros`, in groups of four from the right.
fn base_10000(digits: &str, zeros: usize) -> Vec<u16> {
    let length = digits.len() + zeros;
    let mut groups = vec![0u16; length.div_ceil(4)];
    let ahead = groups.len() * 4 - length;
    for (place, digit) in digits.bytes().enumerate() {
        let group = &mut groups[(ahead + place) / 4];
        let power = [1000, 100, 10, 1][(ahead + place) % 4];
        *group += u16::from(digit - b'0') * power;
    }
    groups
}
