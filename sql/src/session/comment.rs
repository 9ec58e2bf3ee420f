//! COMMENT ON.

use super::Session;
use super::resolve::{folded, position};
use super::text_rows::complete;
use crate::catalog::Kind;
use crate::database::EngineChange;
use crate::error::{Result, SqlError};
use crate::response::Response;
use crate::statement::{Comment, Statement};

impl Session {
    pub(super) async fn comment(&mut self, statement: &Statement, comment: &Comment) -> Result<Response> {
        let change = self.database.begin_change().await;
        let mut relation = self.relation(statement, &comment.name)?.as_ref().clone();
        match &comment.column {
            Some(ident) => {
                let name = folded(ident);
                let place = relation.column(&name).ok_or_else(|| {
                    SqlError::new(
                        "42703",
                        format!("column \"{name}\" of relation \"{}\" does not exist", relation.name),
                    )
                    .at(position(statement, ident))
                })?;
                match &comment.text {
                    Some(text) => drop(relation.column_comments.insert(place, text.clone())),
                    None => drop(relation.column_comments.remove(&place)),
                }
            }
            None => {
                if let Some(kind) = Kind::of_object(comment.kind).filter(|kind| *kind != relation.kind) {
                    return Err(SqlError::new("42809", format!("\"{}\" is not a {}", relation.name, kind.word())));
                }
                relation.comment = comment.text.clone();
            }
        }
        let after = change.before.with(relation);
        change.commit(after, EngineChange::Nothing).await?;
        complete("COMMENT")
    }
}
