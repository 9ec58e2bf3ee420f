//! Functions of text that clients call now and then: quoting, sizes, array bounds.

use super::cell::Cell;
use super::cell::Kind::{Any, Int, Int4, Text};
use super::pg_function::{Spec, pure};

/// The functions.
pub(super) const FUNCTIONS: &[Spec] = &[
    pure("quote_ident", &[Text], 1, Text, |_, args| Ok(args[0].text().map(quote_identifier).into())),
    pure("quote_literal", &[Any], 1, Text, |_, args| Ok(quote_literal(&args[0]))),
    Spec {
        strict: false,
        ..pure("quote_nullable", &[Any], 1, Text, |_, args| {
            Ok(if args[0] == Cell::Null { Cell::from("NULL") } else { quote_literal(&args[0]) })
        })
    },
    pure("pg_size_pretty", &[Int], 1, Text, |_, args| Ok(args[0].int().map(pretty_size).into())),
    pure("array_upper", &[Any, Int], 2, Int4, |_, args| {
        let length = match &args[0] {
            Cell::Texts(texts) if !texts.is_empty() && args[1].int() == Some(1) => i64::try_from(texts.len()).ok(),
            _ => None,
        };
        Ok(length.map_or(Cell::Null, Cell::Int))
    }),
    pure("array_lower", &[Any, Int], 2, Int4, |_, args| {
        let has_bound = matches!(&args[0], Cell::Texts(texts) if !texts.is_empty()) && args[1].int() == Some(1);
        Ok(if has_bound { Cell::Int(1) } else { Cell::Null })
    }),
];

/// The name as it must be written in SQL.
pub(super) fn quote_identifier(name: &str) -> String {
    let starts_plain = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let is_plain = starts_plain && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_');
    if is_plain && !crate::parser::is_reserved_word(name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn quote_literal(value: &Cell) -> Cell {
    let text = match value {
        Cell::Null => return Cell::Null,
        Cell::Bool(value) => value.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Texts(texts) => format!("{{{}}}", texts.join(",")),
    };
    let prefix = if text.contains('\\') { "E" } else { "" };
    Cell::Text(format!("{prefix}'{}'", text.replace('\\', "\\\\").replace('\'', "''")))
}

/// Rounded to the unit in which it has at most five digits, as Postgres does.
fn pretty_size(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size.abs() >= 10_240.0 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    format!("{} {}", size.round(), UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted_only_if_they_must_be() {
        for (name, expected) in
            [("abc_1", "abc_1"), ("Abc", "\"Abc\""), ("select", "\"select\""), ("a\"b", "\"a\"\"b\""), ("1a", "\"1a\"")]
        {
            assert_eq!(quote_identifier(name), expected);
        }
    }

    #[test]
    fn sizes_are_rounded() {
        let cases =
            [(0, "0 bytes"), (10_239, "10239 bytes"), (10_240, "10 kB"), (123_456_789, "118 MB"), (-20_480, "-20 kB")];
        for (bytes, expected) in cases {
            assert_eq!(pretty_size(bytes), expected);
        }
    }
}
