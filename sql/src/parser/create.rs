//! CREATE STREAM | TABLE | [MATERIALIZED] VIEW | SINK; CREATE TOPOLOGY is passed on.

use datafusion::sql::sqlparser::ast::{self, ColumnOption, Expr, Ident, ObjectName, Query, TableConstraint};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::options::with_options;
use super::reader::{Reader, folded, is_word};
use super::{parse_query, topology, unsupported};
use crate::error::{Result, SqlError};
use crate::statement::{Body, ColumnDef, CreateSink, CreateStream, CreateTable, CreateView, WatermarkDef};

/// After CREATE.
pub(super) fn create(reader: &mut Reader<'_>) -> Result<Body> {
    let or_replace = reader.words(&["OR", "REPLACE"]);
    if reader.words(&["MATERIALIZED", "VIEW"]) {
        return view(reader, or_replace).map(Body::CreateMaterializedView);
    }
    if reader.word("VIEW") {
        return view(reader, or_replace).map(Body::CreateView);
    }
    if reader.word("TOPOLOGY") {
        return topology::create(reader, or_replace);
    }
    if or_replace && ["STREAM", "SOURCE", "TABLE", "SINK"].iter().any(|word| reader.nth_is(0, word)) {
        return Err(reader
            .unsupported("OR REPLACE is supported for views and topologies only")
            .with_hint("DROP it first"));
    }
    match reader.one_of(&["STREAM", "SOURCE", "TABLE", "SINK"]) {
        Some("STREAM" | "SOURCE") => stream(reader).map(Body::CreateStream),
        Some("TABLE") => table(reader),
        Some(_) => sink(reader).map(Body::CreateSink),
        None => Err(unsupported::object(reader, "CREATE", "STREAM, TABLE, VIEW, MATERIALIZED VIEW, SINK or TOPOLOGY")),
    }
}

fn stream(reader: &mut Reader<'_>) -> Result<CreateStream> {
    let if_not_exists = reader.if_not_exists();
    let name = reader.object_name()?;
    let elements = if reader.peek().token == Token::LParen { table_elements(reader)? } else { Elements::default() };
    if let Some(position) = elements.primary_key_position {
        return Err(SqlError::unsupported("a stream has no primary key")
            .with_hint("CREATE TABLE takes a primary key, and updates and deletes")
            .at(position));
    }
    let options = with_options(reader)?;
    Ok(CreateStream { name, if_not_exists, columns: elements.columns, watermark: elements.watermark, options })
}

fn table(reader: &mut Reader<'_>) -> Result<Body> {
    let if_not_exists = reader.if_not_exists();
    let name = reader.object_name()?;
    let elements = if reader.peek().token == Token::LParen { table_elements(reader)? } else { Elements::default() };
    if let Some(position) = elements.watermark_position {
        return Err(SqlError::unsupported("a table has no watermark")
            .with_hint("CREATE STREAM takes WATERMARK FOR")
            .at(position));
    }
    refuse_table_options(reader)?;
    let query = if reader.word("AS") { Some(reader.query()?.0) } else { None };
    if elements.columns.is_empty() && query.is_none() {
        return Err(reader.expected("columns or AS query"));
    }
    if query.is_some() && !elements.columns.is_empty() {
        return Err(reader.unsupported("CREATE TABLE ... AS takes no column definitions"));
    }
    Ok(Body::CreateTable(CreateTable {
        name,
        if_not_exists,
        columns: elements.columns,
        primary_key: elements.primary_key,
        query,
    }))
}

/// WITH (...) of a table: empty or refused.
fn refuse_table_options(reader: &mut Reader<'_>) -> Result<()> {
    let position = reader.position(reader.peek());
    let options = with_options(reader)?;
    let Some((option, _)) = options.first() else { return Ok(()) };
    let is_connected = options.iter().any(|(name, _)| name.value == "connector");
    let error = if is_connected {
        SqlError::unsupported("a table has no connector")
            .with_hint("CREATE STREAM ... WITH (connector = ...) reads from outside")
    } else {
        SqlError::new("22023", format!("unrecognized parameter \"{}\"", option.value))
    };
    Err(error.at(position))
}

fn view(reader: &mut Reader<'_>, or_replace: bool) -> Result<CreateView> {
    let if_not_exists = reader.if_not_exists();
    let name = reader.object_name()?;
    let columns = if reader.peek().token == Token::LParen { reader.parenthesized_identifiers()? } else { Vec::new() };
    if reader.nth_is(0, "WITH") {
        return Err(reader.unsupported("a view takes no WITH (...)"));
    }
    reader.expect_word("AS")?;
    let defined = defining_query(reader)?;
    if reader.words(&["WITH", "NO", "DATA"]) {
        return Err(SqlError::unsupported("WITH NO DATA is not supported: a view is always filled"));
    }
    reader.words(&["WITH", "DATA"]);
    Ok(CreateView {
        name,
        if_not_exists,
        or_replace,
        columns,
        query: defined.query,
        query_sql: defined.sql,
        emit_on_window_close: defined.emit_on_window_close,
    })
}

fn sink(reader: &mut Reader<'_>) -> Result<CreateSink> {
    let if_not_exists = reader.if_not_exists();
    let name = reader.object_name()?;
    let defined = match reader.one_of(&["FROM", "AS"]) {
        Some("FROM") => whole_relation(&reader.object_name()?)?,
        Some(_) => defining_query(reader)?,
        None => return Err(reader.expected("FROM or AS")),
    };
    if !reader.nth_is(0, "WITH") {
        return Err(reader.expected("WITH (connector = ...)"));
    }
    let options = with_options(reader)?;
    Ok(CreateSink {
        name,
        if_not_exists,
        query: defined.query,
        query_sql: defined.sql,
        emit_on_window_close: defined.emit_on_window_close,
        options,
    })
}

/// A query that defines something.
pub(super) struct Defined {
    pub(super) query: Box<Query>,
    pub(super) sql: String,
    pub(super) emit_on_window_close: bool,
}

/// `SELECT * FROM name`.
pub(super) fn whole_relation(name: &ObjectName) -> Result<Defined> {
    let sql = format!("SELECT * FROM {}", quoted(name));
    Ok(Defined { query: parse_query(&sql)?, sql, emit_on_window_close: false })
}

/// The name with every part quoted: it has been folded already.
fn quoted(name: &ObjectName) -> String {
    let quote = |part: &ast::ObjectNamePart| {
        let value = part.as_ident().map_or_else(|| part.to_string(), |ident| ident.value.clone());
        format!("\"{}\"", value.replace('"', "\"\""))
    };
    name.0.iter().map(quote).collect::<Vec<_>>().join(".")
}

/// A query [EMIT ON WINDOW CLOSE], up to a trailing WITH or the end. sqlparser would take EMIT for an alias and WITH for
/// a table hint, so it is given only the tokens before them.
pub(super) fn defining_query(reader: &mut Reader<'_>) -> Result<Defined> {
    let (query, sql) = reader.query_of(query_length(reader.remaining()))?;
    let emit_on_window_close = reader.words(&["EMIT", "ON", "WINDOW", "CLOSE"]);
    if reader.words(&["EMIT", "ON"]) || reader.word("EMIT") {
        return Err(reader.expected("ON WINDOW CLOSE"));
    }
    Ok(Defined { query, sql, emit_on_window_close })
}

/// Number of tokens of the query that is next: up to `EMIT ON`, or `WITH (` or `WITH [NO] DATA` after something.
fn query_length(tokens: &[TokenWithSpan]) -> usize {
    let mut depth = 0usize;
    for (n, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ if depth == 0 && n > 0 && ends_query(&tokens[n..]) => return n,
            _ => {}
        }
    }
    tokens.len()
}

/// Whether these tokens can only follow a query.
fn ends_query(tokens: &[TokenWithSpan]) -> bool {
    let nth_is = |n: usize, word: &str| tokens.get(n).is_some_and(|token| is_word(&token.token, word));
    let after_with = || {
        tokens.get(1).is_some_and(|token| token.token == Token::LParen)
            || nth_is(1, "DATA")
            || (nth_is(1, "NO") && nth_is(2, "DATA"))
    };
    (nth_is(0, "EMIT") && nth_is(1, "ON")) || (nth_is(0, "WITH") && after_with())
}

/// What stands in the parentheses of CREATE STREAM and CREATE TABLE.
#[derive(Default)]
struct Elements {
    columns: Vec<ColumnDef>,
    watermark: Option<WatermarkDef>,
    watermark_position: Option<usize>,
    primary_key: Vec<Ident>,
    primary_key_position: Option<usize>,
}

fn table_elements(reader: &mut Reader<'_>) -> Result<Elements> {
    reader.expect_token(&Token::LParen)?;
    let mut elements = Elements::default();
    loop {
        table_element(reader, &mut elements)?;
        if !reader.token(&Token::Comma) {
            break;
        }
    }
    if !reader.token(&Token::RParen) {
        return Err(reader.expected("\",\" or \")\""));
    }
    for name in elements.primary_key.clone() {
        match elements.columns.iter_mut().find(|column| column.name.value == name.value) {
            Some(column) => column.not_null = true,
            None => {
                let position = elements.primary_key_position.unwrap_or(1);
                return Err(SqlError::new("42703", format!("column \"{}\" named in key does not exist", name.value))
                    .at(position));
            }
        }
    }
    Ok(elements)
}

fn table_element(reader: &mut Reader<'_>, elements: &mut Elements) -> Result<()> {
    let position = reader.position(reader.peek());
    if reader.words(&["WATERMARK", "FOR"]) {
        if elements.watermark.is_some() {
            return Err(SqlError::syntax("a stream has one watermark").at(position));
        }
        elements.watermark_position = Some(position);
        elements.watermark = Some(watermark(reader)?);
        return Ok(());
    }
    if let Some(constraint) = reader.with(|parser| parser.parse_optional_table_constraint())? {
        return table_constraint(constraint, position, elements);
    }
    let column = column(reader, position, elements)?;
    if elements.columns.iter().any(|other| other.name.value == column.name.value) {
        let message = format!("column \"{}\" specified more than once", column.name.value);
        return Err(SqlError::new("42701", message).at(position));
    }
    elements.columns.push(column);
    Ok(())
}

fn watermark(reader: &mut Reader<'_>) -> Result<WatermarkDef> {
    let column = reader.identifier()?;
    let expression = if reader.word("AS") { Some(reader.expression()?) } else { None };
    Ok(WatermarkDef { column, expression })
}

fn table_constraint(constraint: TableConstraint, position: usize, elements: &mut Elements) -> Result<()> {
    let TableConstraint::PrimaryKey(key) = constraint else {
        return Err(SqlError::unsupported("the only table constraint is PRIMARY KEY").at(position));
    };
    let mut columns = Vec::with_capacity(key.columns.len());
    for column in key.columns {
        match column.column.expr {
            Expr::Identifier(ident) => columns.push(folded(ident)),
            other => return Err(SqlError::syntax(format!("{other} is not a column")).at(position)),
        }
    }
    set_primary_key(columns, position, elements)
}

fn set_primary_key(columns: Vec<Ident>, position: usize, elements: &mut Elements) -> Result<()> {
    if elements.primary_key_position.is_some() {
        return Err(SqlError::new("42P16", "multiple primary keys are not allowed").at(position));
    }
    for (n, column) in columns.iter().enumerate() {
        if columns[..n].iter().any(|other| other.value == column.value) {
            let message = format!("column \"{}\" appears twice in primary key constraint", column.value);
            return Err(SqlError::new("42701", message).at(position));
        }
    }
    elements.primary_key = columns;
    elements.primary_key_position = Some(position);
    Ok(())
}

fn column(reader: &mut Reader<'_>, position: usize, elements: &mut Elements) -> Result<ColumnDef> {
    let name = reader.identifier()?;
    let data_type = reader.data_type()?;
    let mut column = ColumnDef { name, data_type, not_null: false, default: None };
    loop {
        let option_position = reader.position(reader.peek());
        if reader.word("CONSTRAINT") {
            reader.identifier()?;
        }
        let Some(option) = reader.with(|parser| parser.parse_optional_column_option())? else {
            return Ok(column);
        };
        match option {
            ColumnOption::Null => {}
            ColumnOption::NotNull => column.not_null = true,
            ColumnOption::Default(value) => column.default = Some(value),
            ColumnOption::PrimaryKey(_) => {
                column.not_null = true;
                set_primary_key(vec![column.name.clone()], position, elements)?;
            }
            other => {
                return Err(
                    SqlError::unsupported(format!("column option {other} is not supported")).at(option_position)
                );
            }
        }
    }
}
