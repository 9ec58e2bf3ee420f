//! Arrays from text: `{1,NULL,"a b"}`, one dimension.

use datafusion::common::ScalarValue;
use monsoon_sql::SqlError;

use super::{Result, invalid_text, text};

/// Reads an array of elements with this oid.
pub(super) fn value(literal: &str, element: u32) -> Result<ScalarValue> {
    let elements = split(literal)?;
    let values = elements.into_iter().map(|item| match item {
        None => null(element),
        Some(item) => text::value(&item, element),
    });
    list(values.collect::<Result<Vec<_>>>()?, element)
}

/// A NULL of an element type.
pub(super) fn null(element: u32) -> Result<ScalarValue> {
    ScalarValue::try_from(&text::data_type(element)).map_err(|error| SqlError::internal(error.strip_backtrace()))
}

/// A list scalar.
pub(super) fn list(values: Vec<ScalarValue>, element: u32) -> Result<ScalarValue> {
    let data_type = text::data_type(element);
    // `new_list` requires elements of one type.
    if values.iter().any(|value| value.data_type() != data_type) {
        return Err(SqlError::internal("an array parameter has elements of several types"));
    }
    Ok(ScalarValue::List(ScalarValue::new_list(&values, &data_type, true)))
}

/// The elements of an array literal; `None` is NULL.
fn split(literal: &str) -> Result<Vec<Option<String>>> {
    let malformed = || invalid_text("array", literal).with_detail("expected a literal like {1,NULL,\"a b\"}");
    let inner = literal.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(malformed)?;
    if inner.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut elements = Vec::new();
    let mut characters = inner.chars().peekable();
    loop {
        let (word, quoted) = element(&mut characters).ok_or_else(malformed)?;
        match word {
            word if quoted => elements.push(Some(word)),
            word if word.eq_ignore_ascii_case("NULL") => elements.push(None),
            word if word.is_empty() => return Err(malformed()),
            word => elements.push(Some(word)),
        }
        match characters.next() {
            None => return Ok(elements),
            Some(',') => {}
            Some(_) => return Err(malformed()),
        }
    }
}

/// One element, up to the comma or the end, and whether it was quoted. Nested arrays are refused.
fn element(characters: &mut std::iter::Peekable<std::str::Chars>) -> Option<(String, bool)> {
    while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
    if characters.next_if_eq(&'"').is_some() {
        let mut word = String::new();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => word.push(characters.next()?),
                other => word.push(other),
            }
        }
        while characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        return Some((word, true));
    }
    let mut word = String::new();
    while let Some(c) = characters.next_if(|&c| c != ',') {
        match c {
            '\\' => word.push(characters.next()?),
            '{' | '}' | '"' => return None,
            other => word.push(other),
        }
    }
    word.truncate(word.trim_end().len());
    Some((word, false))
}
