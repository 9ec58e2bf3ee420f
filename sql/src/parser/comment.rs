//! COMMENT ON kind name [. column] IS 'text' | NULL.

use datafusion::sql::sqlparser::ast::ObjectName;

use super::drop::object_kind;
use super::reader::Reader;
use super::unsupported;
use crate::error::{Result, SqlError};
use crate::statement::{Body, Comment, ObjectKind};

/// After COMMENT.
pub(super) fn comment(reader: &mut Reader<'_>) -> Result<Body> {
    reader.expect_word("ON")?;
    let kind = if reader.word("COLUMN") { Some(ObjectKind::Column) } else { object_kind(reader) };
    let Some(kind) = kind else {
        return Err(unsupported::object(reader, "COMMENT ON", "a kind of object"));
    };
    let position = reader.position(reader.peek());
    let mut name = reader.object_name()?;
    let column = match kind {
        ObjectKind::Column => match split_column(&mut name) {
            Some(column) => Some(column),
            None => return Err(SqlError::syntax("column name must be qualified").at(position)),
        },
        _ => None,
    };
    reader.expect_word("IS")?;
    let text = if reader.word("NULL") { None } else { Some(reader.string()?) };
    Ok(Body::Comment(Comment { kind, name, column, text }))
}

/// Takes the last part off `a.b`.
fn split_column(name: &mut ObjectName) -> Option<datafusion::sql::sqlparser::ast::Ident> {
    if name.0.len() < 2 {
        return None;
    }
    name.0.pop()?.as_ident().cloned()
}
