//! Queries, INSERT, UPDATE, DELETE, TRUNCATE: sqlparser's own trees.

use datafusion::sql::sqlparser::ast::{self, ObjectName, Query, SetExpr, TableObject};

use super::reader::{Reader, folded, folded_name};
use crate::error::{Result, SqlError};
use crate::statement::Body;

/// A query, or INSERT, UPDATE, DELETE after WITH.
pub(super) fn query(reader: &mut Reader<'_>) -> Result<Body> {
    let start = reader.position(reader.peek());
    let (query, _) = reader.query()?;
    let Query { with, body, .. } = *query;
    match *body {
        SetExpr::Insert(ast::Statement::Insert(mut insert)) => {
            let Some(source) = insert.source.as_mut().filter(|source| source.with.is_none()) else {
                return Err(SqlError::unsupported("WITH before and inside an INSERT is not supported").at(start));
            };
            source.with = with;
            checked_insert(insert, start)
        }
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
            Err(SqlError::unsupported("WITH before UPDATE, DELETE or MERGE is not supported").at(start))
        }
        body => {
            let query = Query { with, body: Box::new(body), ..*query };
            refuse_select_into(&query, start)?;
            Ok(Body::Query(Box::new(query)))
        }
    }
}

pub(super) fn refuse_select_into(query: &Query, position: usize) -> Result<()> {
    match query.body.as_ref() {
        SetExpr::Select(select) if select.into.is_some() => {
            Err(SqlError::unsupported("SELECT INTO is not supported").with_hint("CREATE TABLE ... AS").at(position))
        }
        _ => Ok(()),
    }
}

/// INSERT, UPDATE or DELETE.
pub(super) fn modify(reader: &mut Reader<'_>) -> Result<Body> {
    let start = reader.position(reader.peek());
    match reader.with(|parser| parser.parse_statement())? {
        ast::Statement::Insert(insert) => checked_insert(insert, start),
        ast::Statement::Delete(delete) => Ok(Body::Delete(Box::new(delete))),
        statement @ ast::Statement::Update(_) => Ok(Body::Update(Box::new(statement))),
        other => Err(SqlError::unsupported(format!("{other} is not supported")).at(start)),
    }
}

/// Names folded; what other dialects add refused.
fn checked_insert(mut insert: ast::Insert, position: usize) -> Result<Body> {
    let foreign = insert.or.is_some()
        || insert.ignore
        || insert.overwrite
        || insert.replace_into
        || insert.partitioned.is_some()
        || !insert.after_columns.is_empty()
        || !insert.assignments.is_empty()
        || insert.multi_table_insert_type.is_some();
    if foreign {
        return Err(SqlError::unsupported("this form of INSERT is not supported")
            .with_hint("INSERT INTO name [(columns)] VALUES (...) | query")
            .at(position));
    }
    insert.table = match insert.table {
        TableObject::TableName(name) => TableObject::TableName(folded_name(name)),
        other => return Err(SqlError::unsupported(format!("INSERT INTO {other} is not supported")).at(position)),
    };
    insert.columns = insert.columns.into_iter().map(folded_name).collect();
    if let Some(alias) = insert.table_alias.as_mut() {
        alias.alias = folded(alias.alias.clone());
    }
    Ok(Body::Insert(Box::new(insert)))
}

/// After TRUNCATE.
pub(super) fn truncate(reader: &mut Reader<'_>) -> Result<Body> {
    reader.word("TABLE");
    reader.word("ONLY");
    let names: Vec<ObjectName> = reader.comma_separated(Reader::object_name)?;
    if !reader.words(&["RESTART", "IDENTITY"]) {
        reader.words(&["CONTINUE", "IDENTITY"]);
    }
    if reader.nth_is(0, "CASCADE") {
        return Err(reader.unsupported("TRUNCATE ... CASCADE is not supported"));
    }
    reader.word("RESTRICT");
    Ok(Body::Truncate(names))
}
