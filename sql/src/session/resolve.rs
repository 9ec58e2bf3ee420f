//! Names in statements to relations and columns.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Spanned};

use super::Session;
use crate::catalog::{Kind, Relation};
use crate::error::{Result, SqlError};
use crate::sql_text::SqlText;
use crate::statement::Statement;

/// The place of a name in what the client sent, from 1.
pub(crate) fn position(statement: &Statement, ident: &Ident) -> usize {
    statement.offset + SqlText::new(&statement.sql).char_offset(ident.span.start) + 1
}

/// The place of a part of a statement in what the client sent, from 1, if the parser has kept it.
pub(super) fn place_of(statement: &Statement, part: &impl Spanned) -> Option<usize> {
    let start = part.span().start;
    (start.line > 0).then(|| statement.offset + SqlText::new(&statement.sql).char_offset(start) + 1)
}

/// The last part of a name, if what comes before it is our schema.
pub(crate) fn simple_name<'a>(statement: &Statement, name: &'a ObjectName) -> Result<&'a Ident> {
    let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
    match parts.as_slice() {
        [last] => Ok(last),
        [schema, last] if schema.value == "public" => Ok(last),
        [_, schema, last] if schema.value == "public" => Ok(last),
        [.., schema, _] => Err(SqlError::new("3F000", format!("schema \"{}\" can't be changed", schema.value))
            .at(position(statement, schema))),
        _ => Err(SqlError::syntax("a name was expected")),
    }
}

/// As Postgres folds names without quotes.
pub(crate) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

impl Session {
    /// The relation of a name; 42P01 if there is none.
    pub(super) fn relation(&self, statement: &Statement, name: &ObjectName) -> Result<Arc<Relation>> {
        let ident = simple_name(statement, name)?;
        self.snapshot().by_name(&folded(ident)).cloned().ok_or_else(|| {
            SqlError::new("42P01", format!("relation \"{}\" does not exist", folded(ident)))
                .at(position(statement, ident))
        })
    }

    /// A relation that rows can be inserted into.
    pub(super) fn insertable(&self, statement: &Statement, name: &ObjectName) -> Result<Arc<Relation>> {
        let relation = self.relation(statement, name)?;
        let refusal = match relation.kind {
            Kind::Table => return Ok(relation),
            Kind::Stream if !relation.is_source() => return Ok(relation),
            Kind::Stream => format!("cannot insert into stream \"{}\": its rows come from a connector", relation.name),
            Kind::View => format!("cannot insert into view \"{}\"", relation.name),
            Kind::MaterializedView => format!("cannot change materialized view \"{}\"", relation.name),
            Kind::Sink => format!("cannot insert into sink \"{}\"", relation.name),
        };
        Err(SqlError::new("42809", refusal).at_place(place_of(statement, name)))
    }

    /// A relation whose rows can be changed.
    pub(super) fn updatable(&self, statement: &Statement, name: &ObjectName, verb: &str) -> Result<Arc<Relation>> {
        let relation = self.relation(statement, name)?;
        let error = match relation.kind {
            Kind::Table => return Ok(relation),
            Kind::Stream => {
                let message = format!("cannot {verb} stream \"{}\": rows are only added to it", relation.name);
                SqlError::new("42809", message).with_hint("CREATE TABLE takes updates and deletes")
            }
            kind => SqlError::new("42809", format!("cannot {verb} {} \"{}\"", kind.word(), relation.name)),
        };
        Err(error.at_place(place_of(statement, name)))
    }

    /// Places of named columns; all of them for an empty list. 42703 and 42701 as Postgres says them.
    pub(super) fn column_places(
        &self,
        statement: &Statement,
        relation: &Relation,
        names: &[Ident],
    ) -> Result<Vec<usize>> {
        if names.is_empty() {
            return Ok((0..relation.schema.fields().len()).collect());
        }
        let mut places = Vec::with_capacity(names.len());
        for ident in names {
            let name = folded(ident);
            let place = relation.column(&name).ok_or_else(|| {
                SqlError::new("42703", format!("column \"{name}\" of relation \"{}\" does not exist", relation.name))
                    .at(position(statement, ident))
            })?;
            if places.contains(&place) {
                return Err(SqlError::new("42701", format!("column \"{name}\" specified more than once"))
                    .at(position(statement, ident)));
            }
            places.push(place);
        }
        Ok(places)
    }
}
