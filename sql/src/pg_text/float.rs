//! Floating-point numbers as Postgres writes them: the shortest digits that read back the same, with an exponent when
//! the number is below 1e-4 or from 1e15 on (1e6 for `real`).

use std::io::Write;

/// Writes a `double precision`.
pub(super) fn write_f64(value: f64, out: &mut Vec<u8>) {
    match special(value) {
        Some(text) => out.extend_from_slice(text),
        None => layout(&format!("{value:e}"), 15, out),
    }
}

/// Writes a `real`.
pub(super) fn write_f32(value: f32, out: &mut Vec<u8>) {
    match special(f64::from(value)) {
        Some(text) => out.extend_from_slice(text),
        None => layout(&format!("{value:e}"), 6, out),
    }
}

fn special(value: f64) -> Option<&'static [u8]> {
    if value.is_nan() {
        Some(b"NaN")
    } else if value == f64::INFINITY {
        Some(b"Infinity")
    } else if value == f64::NEG_INFINITY {
        Some(b"-Infinity")
    } else {
        None
    }
}

/// Lays out Rust's shortest form, `-1.25e3`.
fn layout(scientific: &str, exponent_max: i32, out: &mut Vec<u8>) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    out.extend_from_slice(sign.as_bytes());
    if !(-4..exponent_max).contains(&exponent) {
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a vector can't fail.
        let _ = write!(out, "{mantissa}e{exponent_sign}{:02}", exponent.unsigned_abs());
        return;
    }
    let digits: Vec<u8> = mantissa.bytes().filter(|byte| *byte != b'.').collect();
    match usize::try_from(exponent) {
        Ok(exponent) => {
            let whole = exponent + 1;
            for n in 0..whole {
                out.push(digits.get(n).copied().unwrap_or(b'0'));
            }
            if digits.len() > whole {
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        Err(_) => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', exponent.unsigned_abs() as usize - 1));
            out.extend_from_slice(&digits);
        }
    }
}
