//! SET, RESET, DISCARD, LISTEN, UNLISTEN.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::options::option_value;
use super::reader::Reader;
use super::transaction::modes;
use crate::error::Result;
use crate::statement::Body;

/// After SET.
pub(super) fn set(reader: &mut Reader<'_>) -> Result<Body> {
    if reader.words(&["SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"]) {
        return modes(reader).map(|read_only| Body::SetCharacteristics { read_only });
    }
    if reader.word("TRANSACTION") {
        return modes(reader).map(|read_only| Body::SetTransaction { read_only });
    }
    if reader.word("CONSTRAINTS") {
        while !reader.at_end() {
            reader.next();
        }
        return Ok(Body::Accepted("SET CONSTRAINTS"));
    }
    let local = reader.one_of(&["SESSION", "LOCAL"]) == Some("LOCAL");
    if reader.words(&["TIME", "ZONE"]) {
        let value = time_zone(reader)?;
        return Ok(Body::Set { name: "timezone".to_owned(), value, local });
    }
    if let Some((name, plain)) = without_equals(reader) {
        let value = if plain { Some(option_value(reader)?) } else { None };
        return Ok(Body::Set { name: name.to_owned(), value: value.filter(|value| value != "default"), local });
    }
    let name = setting_name(reader)?;
    if !reader.token(&Token::Eq) && !reader.word("TO") {
        return Err(reader.expected("TO or ="));
    }
    if reader.word("DEFAULT") {
        return Ok(Body::Set { name, value: None, local });
    }
    let values = reader.comma_separated(option_value)?;
    Ok(Body::Set { name, value: Some(values.join(", ")), local })
}

/// SET NAMES, SET ROLE, SET SESSION AUTHORIZATION, SET SCHEMA: the setting, and whether a value follows.
fn without_equals(reader: &mut Reader<'_>) -> Option<(&'static str, bool)> {
    let is_assigned = reader.nth_is(1, "TO") || reader.peek_nth(1).token == Token::Eq;
    if is_assigned {
        return None;
    }
    match reader.one_of(&["NAMES", "ROLE", "AUTHORIZATION", "SCHEMA"])? {
        "NAMES" => Some(("client_encoding", !reader.at_end())),
        "ROLE" => Some(("role", true)),
        "SCHEMA" => Some(("search_path", true)),
        _ => Some(("session_authorization", true)),
    }
}

fn time_zone(reader: &mut Reader<'_>) -> Result<Option<String>> {
    if reader.one_of(&["DEFAULT", "LOCAL"]).is_some() {
        return Ok(None);
    }
    if reader.word("INTERVAL") {
        let value = reader.string()?;
        while reader.one_of(&["HOUR", "TO", "MINUTE"]).is_some() {}
        return Ok(Some(value));
    }
    let value = if reader.token(&Token::Plus) { option_value(reader) } else { option_value_with_case(reader) };
    value.map(Some)
}

/// Zone names keep their case (`Europe/Berlin` needs quotes anyway, `UTC` doesn't).
fn option_value_with_case(reader: &mut Reader<'_>) -> Result<String> {
    match &reader.peek().token {
        Token::Word(word) => {
            let value = word.value.clone();
            reader.next();
            Ok(value)
        }
        _ => option_value(reader),
    }
}

/// A setting's name, lower case; custom ones have two parts.
pub(super) fn setting_name(reader: &mut Reader<'_>) -> Result<String> {
    let mut name = reader.label()?.value.to_lowercase();
    while reader.token(&Token::Period) {
        name.push('.');
        name.push_str(&reader.label()?.value.to_lowercase());
    }
    Ok(name)
}

/// After RESET.
pub(super) fn reset(reader: &mut Reader<'_>) -> Result<Body> {
    if reader.word("ALL") {
        return Ok(Body::Reset(None));
    }
    if reader.words(&["TIME", "ZONE"]) {
        return Ok(Body::Reset(Some("timezone".to_owned())));
    }
    if reader.words(&["SESSION", "AUTHORIZATION"]) {
        return Ok(Body::Reset(Some("session_authorization".to_owned())));
    }
    setting_name(reader).map(|name| Body::Reset(Some(name)))
}

/// After DISCARD.
pub(super) fn discard(reader: &mut Reader<'_>) -> Result<Body> {
    match reader.one_of(&["ALL", "PLANS", "SEQUENCES", "TEMP", "TEMPORARY"]) {
        Some("ALL") => Ok(Body::DiscardAll),
        Some("PLANS") => Ok(Body::Accepted("DISCARD PLANS")),
        Some("SEQUENCES") => Ok(Body::Accepted("DISCARD SEQUENCES")),
        Some(_) => Ok(Body::Accepted("DISCARD TEMP")),
        None => Err(reader.expected("ALL, PLANS, SEQUENCES or TEMP")),
    }
}

/// After LISTEN.
pub(super) fn listen(reader: &mut Reader<'_>) -> Result<Body> {
    reader.identifier()?;
    Ok(Body::Accepted("LISTEN"))
}

/// After UNLISTEN.
pub(super) fn unlisten(reader: &mut Reader<'_>) -> Result<Body> {
    if !reader.token(&Token::Mul) {
        reader.identifier()?;
    }
    Ok(Body::Accepted("UNLISTEN"))
}
