//! DataFusion's and Arrow's errors as Postgres's: SQLSTATE, wording, and the place in the statement.
//!
//! An error is told by its type where it has one; what DataFusion says only in words (`Plan`, `Execution`) is told by
//! them, in one table, so that an upgrade that changes the words shows up in this file's tests and nowhere else. The
//! place comes from DataFusion's diagnostic (`datafusion.sql_parser.collect_spans` must be on); where there is none,
//! the first use of the name the error speaks of.

mod arrow_error;
mod plan_error;
mod type_name;

#[cfg(test)]
mod tests;

use datafusion::common::{Column, DataFusionError, SchemaError};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::error::SqlError;
use crate::sql_text::SqlText;

/// A classified error, and the name in it by which the statement's text can be searched.
struct Classified {
    error: SqlError,
    name: Option<String>,
}

impl Classified {
    fn new(sqlstate: &'static str, message: impl Into<String>) -> Classified {
        Classified { error: SqlError::new(sqlstate, message), name: None }
    }

    fn naming(mut self, name: impl Into<String>) -> Classified {
        self.name = Some(name.into());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Classified {
        self.error = self.error.with_hint(hint);
        self
    }
}

/// Translates an error of planning or running `sql`, which stands `offset` characters into what the client sent.
pub fn from_datafusion(error: DataFusionError, sql: &str, offset: usize) -> SqlError {
    if let Some(own) = own_error(&error) {
        return located(own, sql, offset);
    }
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| span.start);
    let Classified { mut error, name } = classify(innermost(&error));
    if error.position.is_none() {
        let text = SqlText::new(sql);
        let place = match span {
            Some(start) => Some(text.char_offset(Location::new(start.line, start.column))),
            None => name.and_then(|name| first_use(&text, &name)),
        };
        error.position = place.map(|place| offset + place + 1);
    }
    error
}

/// Our own error, at the name it speaks of if it has no place yet.
fn located(mut error: SqlError, sql: &str, offset: usize) -> SqlError {
    if error.position.is_none() {
        let name = error.message.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
        let place = name.and_then(|name| first_use(&SqlText::new(sql), name));
        error.position = place.map(|place| offset + place + 1);
    }
    error
}

/// The error of ours that DataFusion carried, if it is one.
fn own_error(error: &DataFusionError) -> Option<SqlError> {
    let mut current: &(dyn std::error::Error + 'static) = error;
    loop {
        if let Some(own) = current.downcast_ref::<SqlError>() {
            return Some(own.clone());
        }
        if let Some(DataFusionError::External(inner)) = current.downcast_ref::<DataFusionError>() {
            if let Some(own) = inner.downcast_ref::<SqlError>() {
                return Some(own.clone());
            }
        }
        current = current.source()?;
    }
}

/// The error without the layers that only add context; the first of several.
fn innermost(error: &DataFusionError) -> &DataFusionError {
    let mut current = error;
    loop {
        current = match current {
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => inner,
            DataFusionError::Shared(inner) => inner,
            DataFusionError::Collection(errors) => match errors.first() {
                Some(first) => first,
                None => return current,
            },
            DataFusionError::External(inner) => match inner.downcast_ref::<DataFusionError>() {
                Some(inner) => inner,
                None => return current,
            },
            DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
                arrow::error::ArrowError::ExternalError(external) => match external.downcast_ref::<DataFusionError>() {
                    Some(inner) => inner,
                    None => return current,
                },
                _ => return current,
            },
            _ => return current,
        };
    }
}

fn classify(error: &DataFusionError) -> Classified {
    match error {
        DataFusionError::SchemaError(schema, _) => schema_error(schema),
        DataFusionError::ArrowError(arrow, _) => arrow_error::classify(arrow),
        DataFusionError::SQL(parser, _) => Classified::new("42601", parser.to_string()),
        DataFusionError::Plan(message) => plan_error::classify_plan(first_part(message)),
        DataFusionError::Execution(message) => plan_error::classify_execution(first_part(message)),
        DataFusionError::NotImplemented(message) => Classified::new("0A000", lower_first(first_part(message))),
        DataFusionError::ResourcesExhausted(message) => Classified::new("53200", "out of memory")
            .hint(format!("raise --memory-limit, or ask for less; {}", first_part(message))),
        DataFusionError::Configuration(message) => Classified::new("22023", lower_first(first_part(message))),
        DataFusionError::IoError(error) => Classified::new("58030", error.to_string()),
        DataFusionError::ExecutionJoin(error) if error.is_cancelled() => {
            Classified::new("57014", "canceling statement due to user request")
        }
        DataFusionError::External(error) => Classified::new("XX000", error.to_string()),
        other => Classified::new("XX000", first_part(&other.to_string())),
    }
}

fn schema_error(error: &SchemaError) -> Classified {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => column_not_found(field, valid_fields),
        SchemaError::AmbiguousReference { field } => {
            Classified::new("42702", format!("column reference \"{}\" is ambiguous", field.name)).naming(&field.name)
        }
        SchemaError::DuplicateUnqualifiedField { name } | SchemaError::DuplicateQualifiedField { name, .. } => {
            Classified::new("42701", format!("column \"{name}\" specified more than once")).naming(name)
        }
    }
}

fn column_not_found(field: &Column, valid: &[Column]) -> Classified {
    let name = &field.name;
    let Some(relation) = &field.relation else {
        let classified = Classified::new("42703", format!("column \"{name}\" does not exist")).naming(name);
        return match valid.iter().find(|other| is_similar(&other.name, name)) {
            Some(other) => classified.hint(format!("perhaps you meant to reference the column \"{}\"", other.name)),
            None => classified,
        };
    };
    let table = relation.table();
    let knows_table = valid.iter().any(|other| other.relation.as_ref().is_some_and(|other| other.table() == table));
    if knows_table || valid.is_empty() {
        Classified::new("42703", format!("column {table}.{name} does not exist")).naming(name)
    } else {
        Classified::new("42P01", format!("missing FROM-clause entry for table \"{table}\"")).naming(table)
    }
}

/// Whether two names differ by case, or by one letter in a long enough name.
fn is_similar(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (short, long) = if one.len() <= other.len() { (&one, &other) } else { (&other, &one) };
    if short.len() < 3 || long.len() - short.len() > 1 {
        return false;
    }
    let prefix = short.iter().zip(long.iter()).take_while(|(a, b)| a == b).count();
    let suffix = short.iter().rev().zip(long.iter().rev()).take_while(|(a, b)| a == b).count();
    prefix + suffix + 1 >= long.len()
}

/// The message without DataFusion's backtrace.
fn first_part(message: &str) -> &str {
    message.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(message).trim()
}

fn lower_first(message: &str) -> String {
    let mut characters = message.chars();
    match (characters.next(), characters.next()) {
        // Keep what is all capitals: it is a keyword.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(std::iter::once(second)).chain(characters).collect()
        }
        _ => message.to_owned(),
    }
}

/// Where a name is first used in the text as a word of its own.
fn first_use(text: &SqlText<'_>, name: &str) -> Option<usize> {
    let name = name.rsplit('.').next()?;
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text.as_str()).tokenize_with_location().ok()?;
    let is_name = |token: &Token| matches!(token, Token::Word(word) if word.value.eq_ignore_ascii_case(name));
    tokens.iter().find(|token| is_name(&token.token)).map(|token| text.char_offset(token.span.start))
}
