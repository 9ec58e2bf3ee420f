//! `Refusals`: how lowering says no. SQLSTATE 0A000, what and why, and where, if a span is known.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::diagnostic::from_datafusion;
use crate::error::SqlError;
use crate::sql_text::SqlText;

/// Makes errors with positions.
pub(super) struct Refusals<'a> {
    sql: Option<SqlText<'a>>,
}

impl<'a> Refusals<'a> {
    /// Positions are looked up in `sql`.
    pub fn new(sql: Option<&'a str>) -> Refusals<'a> {
        Refusals { sql: sql.map(SqlText::new) }
    }

    /// Something a view can't have, at the first column of `expressions` whose place is known.
    pub fn at<'e>(&self, message: impl Into<String>, expressions: impl IntoIterator<Item = &'e Expr>) -> SqlError {
        let error = SqlError::unsupported(message);
        match expressions.into_iter().find_map(|expression| self.position(expression)) {
            Some(position) => error.at(position),
            None => error,
        }
    }

    /// Something a view can't have, at the first use of a name.
    pub fn at_name(&self, message: impl Into<String>, name: &str) -> SqlError {
        let error = SqlError::unsupported(message);
        match self.sql.as_ref().and_then(|text| first_use(text.as_str(), name)) {
            Some(position) => error.at(position),
            None => error,
        }
    }

    /// What DataFusion said when it planned, coerced or optimised.
    pub fn datafusion(&self, error: DataFusionError) -> SqlError {
        from_datafusion(error, self.sql.as_ref().map_or("", SqlText::as_str), 0)
    }

    fn position(&self, expression: &Expr) -> Option<usize> {
        let text = self.sql.as_ref()?;
        let mut found = None;
        let walked = expression.apply(|part| {
            if let Expr::Column(column) = part
                && let Some(span) = column.spans().first()
                && span.start.line > 0
            {
                found = Some(Location::new(span.start.line, span.start.column));
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walked.ok()?;
        found.map(|location| text.char_offset(location) + 1)
    }
}

/// Where a name stands as a word of its own, in characters from 1, whatever its case.
fn first_use(text: &str, name: &str) -> Option<usize> {
    let (text, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let stands_alone =
        |start: usize| !text[..start].ends_with(is_word) && !text[start + name.len()..].starts_with(is_word);
    let (start, _) = text.match_indices(&name).find(|&(start, _)| stands_alone(start))?;
    Some(text[..start].chars().count() + 1)
}
