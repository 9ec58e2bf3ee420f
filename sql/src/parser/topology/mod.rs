//! Statements about topologies: CREATE TOPOLOGY and what is done to a topology that runs.
//!
//! A component is read clause by clause, in any order; what a clause means together with others is checked when all
//! have been read. Whether components, fields, relations and registered code exist is not the parser's business.

mod component;
mod grouping;
mod literal;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::Ident;
use datafusion::sql::sqlparser::tokenizer::Token;

use super::options::{option_name, options_named};
use super::reader::Reader;
use crate::error::{Result, SqlError};
use crate::statement::{Body, Component, CreateTopology, KillTopology, TopologyStatement};

/// After CREATE [OR REPLACE] TOPOLOGY.
pub(super) fn create(reader: &mut Reader<'_>, or_replace: bool) -> Result<Body> {
    let if_not_exists = reader.if_not_exists();
    let name = reader.identifier()?;
    let options = if reader.word("WITH") { options_named(reader, topology_option)? } else { Vec::new() };
    reader.expect_word("AS")?;
    if reader.nth_is(0, "BEGIN") {
        return Err(reader
            .unsupported("a topology of continuous queries (AS BEGIN ... END) is not supported")
            .with_hint("CREATE MATERIALIZED VIEW and CREATE SINK run by themselves"));
    }
    let flux = if reader.word("FLUX") { Some(reader.string()?) } else { None };
    let components = if flux.is_some() { Vec::new() } else { components(reader)? };
    let create = CreateTopology { name, or_replace, if_not_exists, options, components, flux };
    Ok(body(TopologyStatement::Create(create)))
}

/// As the names of other options, but a string keeps its case: it may name a file.
fn topology_option(reader: &mut Reader<'_>) -> Result<Ident> {
    let span = reader.peek().span;
    match reader.peek().token {
        Token::SingleQuotedString(_) => Ok(Ident { value: reader.string()?, quote_style: None, span }),
        _ => option_name(reader),
    }
}

fn components(reader: &mut Reader<'_>) -> Result<Vec<Component>> {
    let mut components = Vec::new();
    let mut names = HashSet::new();
    while components.is_empty() || !reader.at_end() {
        let Some(word) = reader.one_of(&["SPOUT", "BOLT"]) else {
            return Err(reader.expected("SPOUT, BOLT or BEGIN"));
        };
        let position = reader.position(reader.peek());
        let component = component::component(reader, word)?;
        if !names.insert(component.name.value.clone()) {
            let message = format!("component \"{}\" specified more than once", component.name.value);
            return Err(SqlError::new("42710", message).at(position));
        }
        components.push(component);
    }
    Ok(components)
}

/// From ALTER on.
pub(super) fn alter(reader: &mut Reader<'_>) -> Result<Body> {
    if !reader.words(&["ALTER", "TOPOLOGY"]) {
        return Err(super::unsupported::statement(reader));
    }
    let name = reader.identifier()?;
    reader.expect_word("REBALANCE")?;
    let has_options = reader.word("WITH") || reader.peek().token == Token::LParen;
    // The names of components keep their case if they are quoted; options' names don't.
    let options = if has_options { options_named(reader, Reader::label)? } else { Vec::new() };
    Ok(body(TopologyStatement::Rebalance { name, options }))
}

/// After ACTIVATE.
pub(super) fn activate(reader: &mut Reader<'_>) -> Result<Body> {
    topology_name(reader).map(TopologyStatement::Activate).map(body)
}

/// After DEACTIVATE.
pub(super) fn deactivate(reader: &mut Reader<'_>) -> Result<Body> {
    topology_name(reader).map(TopologyStatement::Deactivate).map(body)
}

/// After RESTART.
pub(super) fn restart(reader: &mut Reader<'_>) -> Result<Body> {
    topology_name(reader).map(TopologyStatement::Restart).map(body)
}

/// After KILL.
pub(super) fn kill(reader: &mut Reader<'_>) -> Result<Body> {
    reader.expect_word("TOPOLOGY")?;
    kill_topology(reader, "KILL TOPOLOGY")
}

/// After DROP TOPOLOGY.
pub(super) fn drop(reader: &mut Reader<'_>) -> Result<Body> {
    kill_topology(reader, "DROP TOPOLOGY")
}

fn kill_topology(reader: &mut Reader<'_>, tag: &'static str) -> Result<Body> {
    let if_exists = reader.words(&["IF", "EXISTS"]);
    let name = reader.identifier()?;
    let wait_ms = if reader.word("WAIT") { Some(literal::duration_ms(reader, "WAIT")?) } else { None };
    Ok(body(TopologyStatement::Kill(KillTopology { name, if_exists, wait_ms, tag })))
}

/// After SHOW: `None` if something else is to be shown.
pub(super) fn show(reader: &mut Reader<'_>) -> Result<Option<Body>> {
    if reader.word("TOPOLOGIES") {
        return Ok(Some(body(TopologyStatement::Show)));
    }
    if reader.words(&["CREATE", "TOPOLOGY"]) {
        return Ok(Some(body(TopologyStatement::ShowCreate(reader.identifier()?))));
    }
    Ok(None)
}

/// After DESCRIBE: `None` if something else is to be described, which may be a relation of the name `topology`.
pub(super) fn describe(reader: &mut Reader<'_>) -> Result<Option<Body>> {
    if !reader.nth_is(0, "TOPOLOGY") || !matches!(reader.peek_nth(1).token, Token::Word(_)) {
        return Ok(None);
    }
    topology_name(reader).map(TopologyStatement::Describe).map(body).map(Some)
}

fn topology_name(reader: &mut Reader<'_>) -> Result<Ident> {
    reader.expect_word("TOPOLOGY")?;
    reader.identifier()
}

fn body(statement: TopologyStatement) -> Body {
    Body::Topology(Box::new(statement))
}

/// Keeps what a clause says; 42601 at the clause if it was there before.
fn set_once<T>(slot: &mut Option<T>, value: T, clause: &str, position: usize) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(SqlError::syntax(format!("{clause} is given twice")).at(position));
    }
    Ok(())
}
