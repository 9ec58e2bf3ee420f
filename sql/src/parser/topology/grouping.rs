//! grouping ON component [STREAM name]: what a bolt reads, and how it is spread over the bolt's tasks.

use datafusion::sql::sqlparser::ast::Ident;

use super::super::reader::Reader;
use super::literal::native;
use crate::error::{Result, SqlError};
use crate::statement::{Grouping, Input};

/// The groupings, for hints.
pub(super) const GROUPINGS: &str = "SHUFFLE, FIELDS, PARTIAL KEY, ALL, GLOBAL, NONE, DIRECT, LOCAL OR SHUFFLE, CUSTOM";

/// Adds the input that is next to `inputs`; `false` if no grouping is next.
pub(super) fn read_input(reader: &mut Reader<'_>, inputs: &mut Vec<Input>) -> Result<bool> {
    let Some(grouping) = grouping(reader)? else {
        return Ok(false);
    };
    reader.expect_word("ON")?;
    let position = reader.position(reader.peek());
    let source = reader.identifier()?;
    let stream = if reader.word("STREAM") { stream_name(reader)? } else { None };
    let input = Input { source, stream, grouping };
    if inputs.iter().any(|other| same_stream(other, &input)) {
        let stream = input.stream.map_or_else(|| "default".to_owned(), |stream| stream.value);
        let message = format!("stream \"{stream}\" of \"{}\" has two groupings", input.source.value);
        return Err(SqlError::syntax(message).at(position));
    }
    inputs.push(input);
    Ok(true)
}

fn same_stream(one: &Input, other: &Input) -> bool {
    let stream = |input: &Input| input.stream.as_ref().map(|name| name.value.clone());
    one.source.value == other.source.value && stream(one) == stream(other)
}

/// The name of a stream; `None` for Storm's name of the stream that needs none.
pub(super) fn stream_name(reader: &mut Reader<'_>) -> Result<Option<Ident>> {
    if reader.word("DEFAULT") {
        return Ok(None);
    }
    let name = reader.identifier()?;
    Ok((name.value != "default").then_some(name))
}

fn grouping(reader: &mut Reader<'_>) -> Result<Option<Grouping>> {
    let grouping = if reader.words(&["LOCAL", "OR", "SHUFFLE"]) {
        plain(reader, Grouping::LocalOrShuffle)?
    } else if reader.words(&["PARTIAL", "KEY"]) {
        Grouping::PartialKey(parameter(reader, Reader::parenthesized_identifiers)?)
    } else if let Some(word) = reader.one_of(&["SHUFFLE", "FIELDS", "ALL", "GLOBAL", "NONE", "DIRECT", "CUSTOM"]) {
        match word {
            "SHUFFLE" => plain(reader, Grouping::Shuffle)?,
            "FIELDS" => Grouping::Fields(parameter(reader, Reader::parenthesized_identifiers)?),
            "ALL" => plain(reader, Grouping::All)?,
            "GLOBAL" => plain(reader, Grouping::Global)?,
            "NONE" => plain(reader, Grouping::None)?,
            "DIRECT" => plain(reader, Grouping::Direct)?,
            _ => Grouping::Custom(parameter(reader, native)?),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(grouping))
}

fn plain(reader: &mut Reader<'_>, grouping: Grouping) -> Result<Grouping> {
    reader.expect_word("GROUPING")?;
    Ok(grouping)
}

/// `GROUPING parameter` or `parameter GROUPING`.
fn parameter<'a, T>(reader: &mut Reader<'a>, read: fn(&mut Reader<'a>) -> Result<T>) -> Result<T> {
    if reader.word("GROUPING") {
        return read(reader);
    }
    let parameter = read(reader)?;
    reader.expect_word("GROUPING")?;
    Ok(parameter)
}
