//! SPOUT name USING code clauses, BOLT name USING code clauses.

use datafusion::sql::sqlparser::ast::{Ident, SetExpr};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::super::modify::refuse_select_into;
use super::super::options::with_options;
use super::super::reader::Reader;
use super::grouping::{GROUPINGS, read_input, stream_name};
use super::literal::{native, strings, whole_number};
use super::set_once;
use super::window::{WindowClauses, clause_words};
use crate::error::{Result, SqlError};
use crate::statement::{BoltCode, Component, ComponentQuery, Input, OutputField, OutputStream, Role, Shell, SpoutCode};

/// What a component is USING, before its clauses have been read.
enum Using {
    Spout(SpoutCode),
    Bolt(BoltCode),
    /// A bolt USING WINDOW: its window is in the clauses.
    Window(ComponentQuery),
}

/// What has been read of a component.
#[derive(Default)]
struct Clauses {
    parallelism: Option<u32>,
    tasks: Option<u32>,
    options: Option<Vec<(Ident, String)>>,
    outputs: Vec<OutputStream>,
    inputs: Vec<Input>,
    window: WindowClauses,
}

/// After SPOUT or BOLT (`word`).
pub(super) fn component(reader: &mut Reader<'_>, word: &str) -> Result<Component> {
    let position = reader.position(reader.peek());
    let name = reader.identifier()?;
    reader.expect_word("USING")?;
    let mut using = if word == "SPOUT" { Using::Spout(spout_code(reader)?) } else { bolt_code(reader)? };
    let mut clauses = Clauses::default();
    while read_clause(reader, &mut using, &mut clauses)? {}
    let has_clauses_only = reader.at_end() || reader.nth_is(0, "SPOUT") || reader.nth_is(0, "BOLT");
    if !has_clauses_only {
        return Err(unknown_clause(reader));
    }
    let role = match using {
        Using::Spout(code) => Role::Spout(code),
        _ if clauses.inputs.is_empty() => {
            return Err(SqlError::syntax(format!("bolt \"{}\" has no grouping", name.value))
                .with_hint(format!("... GROUPING ON component, one of {GROUPINGS}"))
                .at(position));
        }
        Using::Bolt(code) => Role::Bolt { code, inputs: clauses.inputs },
        Using::Window(query) => {
            let window = clauses.window.finish(&name, position)?;
            Role::Bolt { code: BoltCode::Window(query, window), inputs: clauses.inputs }
        }
    };
    Ok(Component {
        name,
        role,
        parallelism: clauses.parallelism,
        tasks: clauses.tasks,
        outputs: clauses.outputs,
        options: clauses.options.unwrap_or_default(),
    })
}

fn spout_code(reader: &mut Reader<'_>) -> Result<SpoutCode> {
    match reader.one_of(&["STREAM", "SHELL", "NATIVE"]) {
        Some("STREAM") => reader.object_name().map(SpoutCode::Stream),
        Some("SHELL") => shell(reader).map(SpoutCode::Shell),
        Some(_) => native(reader).map(SpoutCode::Native),
        None => Err(reader.expected("STREAM, SHELL or NATIVE")),
    }
}

fn bolt_code(reader: &mut Reader<'_>) -> Result<Using> {
    let code = match reader.one_of(&["SHELL", "NATIVE", "SQL", "WINDOW", "INSERT"]) {
        Some("SHELL") => BoltCode::Shell(shell(reader)?),
        Some("NATIVE") => BoltCode::Native(native(reader)?),
        Some("SQL") => BoltCode::Sql(query(reader)?),
        Some("WINDOW") => return query(reader).map(Using::Window),
        Some(_) => {
            reader.expect_word("INTO")?;
            BoltCode::Insert(reader.object_name()?)
        }
        None => return Err(reader.expected("SHELL, NATIVE, SQL, WINDOW or INSERT INTO")),
    };
    Ok(Using::Bolt(code))
}

fn shell(reader: &mut Reader<'_>) -> Result<Shell> {
    Ok(Shell { command: strings(reader)?, directory: None })
}

fn query(reader: &mut Reader<'_>) -> Result<ComponentQuery> {
    reader.expect_token(&Token::LParen)?;
    let (position, offset) = (reader.position(reader.peek()), reader.chars_before());
    let (query, sql) = reader.query()?;
    reader.expect_token(&Token::RParen)?;
    refuse_select_into(&query, position)?;
    match query.body.as_ref() {
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            Err(SqlError::unsupported("the query of a bolt can't change anything").at(position))
        }
        _ => Ok(ComponentQuery { query, sql, offset }),
    }
}

/// Reads the clause that is next; `false` if none is.
fn read_clause(reader: &mut Reader<'_>, using: &mut Using, clauses: &mut Clauses) -> Result<bool> {
    let position = reader.position(reader.peek());
    if reader.word("PARALLELISM") {
        let executors = whole_number(reader, "PARALLELISM")?;
        set_once(&mut clauses.parallelism, executors, "PARALLELISM", position)?;
    } else if reader.word("TASKS") {
        let tasks = whole_number(reader, "TASKS")?;
        set_once(&mut clauses.tasks, tasks, "TASKS", position)?;
    } else if reader.nth_is(0, "WITH") {
        let options = with_options(reader)?;
        set_once(&mut clauses.options, options, "WITH", position)?;
    } else if reader.word("DIRECTORY") {
        let shell = using.shell().ok_or_else(|| misplaced("DIRECTORY", "SHELL", position))?;
        set_once(&mut shell.directory, reader.string()?, "DIRECTORY", position)?;
    } else if reader.word("OUTPUT") {
        if !using.declares_outputs() {
            return Err(misplaced("OUTPUT", "SHELL or NATIVE", position));
        }
        read_output(reader, &mut clauses.outputs, position)?;
    } else if let Some(clause) = clause_words(reader) {
        if !matches!(using, Using::Window(_)) {
            return Err(misplaced(&clause, "WINDOW", position));
        }
        clauses.window.read(reader, &clause, position)?;
    } else {
        return read_inputs(reader, using, clauses);
    }
    Ok(true)
}

/// One or more groupings, separated by commas.
fn read_inputs(reader: &mut Reader<'_>, using: &Using, clauses: &mut Clauses) -> Result<bool> {
    let position = reader.position(reader.peek());
    if !read_input(reader, &mut clauses.inputs)? {
        return Ok(false);
    }
    if matches!(using, Using::Spout(_)) {
        return Err(SqlError::syntax("a spout reads no component: it has no grouping").at(position));
    }
    while reader.token(&Token::Comma) {
        if !read_input(reader, &mut clauses.inputs)? {
            return Err(unknown_clause(reader));
        }
    }
    Ok(true)
}

impl Using {
    fn shell(&mut self) -> Option<&mut Shell> {
        match self {
            Using::Spout(SpoutCode::Shell(shell)) | Using::Bolt(BoltCode::Shell(shell)) => Some(shell),
            _ => None,
        }
    }

    /// Whether its outputs can't be told from anything else.
    fn declares_outputs(&self) -> bool {
        matches!(
            self,
            Using::Spout(SpoutCode::Shell(_) | SpoutCode::Native(_))
                | Using::Bolt(BoltCode::Shell(_) | BoltCode::Native(_))
        )
    }
}

fn misplaced(clause: &str, using: &str, position: usize) -> SqlError {
    SqlError::syntax(format!("{clause} is for a component USING {using}")).at(position)
}

/// After OUTPUT: `[DIRECT] [STREAM name] (field type, ...)`.
fn read_output(reader: &mut Reader<'_>, outputs: &mut Vec<OutputStream>, position: usize) -> Result<()> {
    let direct = reader.word("DIRECT");
    let name = if reader.word("STREAM") { stream_name(reader)? } else { None };
    reader.expect_token(&Token::LParen)?;
    let mut fields: Vec<OutputField> = Vec::new();
    loop {
        let position = reader.position(reader.peek());
        let field = OutputField { name: reader.identifier()?, data_type: reader.data_type()? };
        if fields.iter().any(|other| other.name.value == field.name.value) {
            let message = format!("field \"{}\" specified more than once", field.name.value);
            return Err(SqlError::new("42701", message).at(position));
        }
        fields.push(field);
        if !reader.token(&Token::Comma) {
            break;
        }
    }
    reader.expect_token(&Token::RParen)?;
    let value = |name: &Option<Ident>| name.as_ref().map(|name| name.value.clone());
    if outputs.iter().any(|other| value(&other.name) == value(&name)) {
        let name = value(&name).unwrap_or_else(|| "default".to_owned());
        return Err(SqlError::syntax(format!("OUTPUT of stream \"{name}\" is given twice")).at(position));
    }
    outputs.push(OutputStream { name, direct, fields });
    Ok(())
}

/// The error for what is neither a clause nor the next component.
fn unknown_clause(reader: &Reader<'_>) -> SqlError {
    match &reader.peek().token {
        Token::Word(word) if reader.nth_is(1, "GROUPING") => {
            SqlError::syntax(format!("there is no grouping \"{}\"", word.value))
                .with_hint(GROUPINGS)
                .at(reader.position(reader.peek()))
        }
        _ => reader.expected("a clause of the component, SPOUT or BOLT"),
    }
}
