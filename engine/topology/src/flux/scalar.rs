//! What a plain YAML scalar means: null, boolean, integer, float or text.
//!
//! By the rules of YAML 1.1, which Storm's own parser follows: `yes` and `on` are true, `010` is eight, `1_000` is a
//! thousand. Two of its forms stay text here, sexagesimal numbers (`1:30`) and dates. A field that wants text (an id, a
//! class name) never comes here: it takes the scalar as it is written.

use crate::Value;

/// The value of a plain scalar, or why it has none.
pub(super) fn plain(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        _ => {}
    }
    if let Some(value) = boolean(text) {
        return Ok(Value::Bool(value));
    }
    if let Some(value) = integer(text) {
        return value.map(Value::Int).ok_or_else(|| format!("found integer {text}, expected one that fits 64 bits"));
    }
    Ok(float(text).map_or_else(|| Value::Text(text.into()), Value::Float))
}

/// A truth value, in any of the spellings of YAML 1.1.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// `None` when the text isn't an integer, `Some(None)` when it is one that doesn't fit.
pub(super) fn integer(text: &str) -> Option<Option<i64>> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = radix_of(digits);
    let starts_well = digits.starts_with(|first: char| first.is_digit(radix));
    if !starts_well || !digits.chars().all(|digit| digit == '_' || digit.is_digit(radix)) {
        return None;
    }
    let number = format!("{sign}{}", digits.replace('_', ""));
    Some(i64::from_str_radix(&number, radix).ok())
}

fn radix_of(digits: &str) -> (u32, &str) {
    if let Some(rest) = digits.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = digits.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = digits.strip_prefix("0o") {
        (8, rest)
    } else {
        match digits.strip_prefix('0') {
            Some(rest) if !rest.is_empty() => (8, rest),
            _ => (10, digits),
        }
    }
}

fn float(text: &str) -> Option<f64> {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    // Rust reads words such as `infinity` as floats too, and takes `1` and `.`; YAML wants a digit and a point or exponent.
    let has_shape = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E' | '_'))
        && text.contains(['.', 'e', 'E'])
        && text.contains(|c: char| c.is_ascii_digit());
    if has_shape { text.replace('_', "").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: impl Into<Value>) {
        assert_eq!(plain(text).unwrap(), expected.into(), "{text}");
    }

    #[test]
    fn scalars_follow_yaml_1_1() {
        check("~", Value::Null);
        check("yes", true);
        check("OFF", false);
        check("42", 42_i64);
        check("-1", -1_i64);
        check("+1_000", 1000_i64);
        check("0x1F", 31_i64);
        check("010", 8_i64);
        check("0", 0_i64);
        check("5.0", 5.0);
        check("1e3", 1000.0);
        check("-.inf", f64::NEG_INFINITY);
        check("1.2.3", "1.2.3");
        check("infinity", "infinity");
        check("0xyz", "0xyz");
        check("089", "089");
        check("_1", "_1");
        check("1:30", "1:30");
        check("-", "-");
        check(".", ".");
    }

    #[test]
    fn an_integer_beyond_64_bits_is_refused() {
        assert!(plain("9223372036854775807").is_ok());
        assert_eq!(
            plain("9223372036854775808").unwrap_err(),
            "found integer 9223372036854775808, expected one that fits 64 bits"
        );
    }
}
