//! SHOW and DESCRIBE.

use datafusion::sql::sqlparser::ast::ObjectName;

use super::Session;
use super::text_rows::text_rows;
use crate::catalog::{Kind, Relation};
use crate::error::{Result, SqlError};
use crate::function::SessionFacts;
use crate::pg_type::sql_name;
use crate::response::RowStream;
use crate::statement::{ObjectKind, Show, Statement};

/// The columns of SHOW COLUMNS and DESCRIBE.
pub(super) const COLUMNS: [&str; 6] = ["name", "type", "nullable", "key", "default", "comment"];
const SETTINGS: [&str; 3] = ["name", "setting", "description"];

/// The columns of a SHOW.
pub(super) fn show_columns_of(show: &Show) -> Vec<&str> {
    match show {
        Show::Objects(ObjectKind::Stream) => vec!["name", "connector", "watermark", "comment"],
        Show::Objects(ObjectKind::Sink) => vec!["name", "connector", "guarantee", "comment"],
        Show::Objects(ObjectKind::Table) => vec!["name", "key", "comment"],
        Show::Objects(_) => vec!["name", "kind", "comment"],
        Show::Columns(_) => COLUMNS.to_vec(),
        Show::Create(_) => vec!["name", "create_statement"],
        Show::All => SETTINGS.to_vec(),
        Show::Setting(name) => vec![name.as_str()],
    }
}

impl Session {
    pub(super) fn show(&mut self, statement: &Statement, show: &Show) -> Result<RowStream> {
        let rows = match show {
            Show::Objects(kind) => self.objects(*kind),
            Show::Columns(name) => return self.show_columns(statement, name),
            Show::Create(name) => {
                let relation = self.relation(statement, name)?;
                vec![vec![Some(relation.name.clone()), Some(relation.sql.clone())]]
            }
            Show::All => {
                let settings = self.facts.settings().into_iter();
                settings
                    .map(|setting| vec![Some(setting.name), Some(setting.value), Some(setting.description)])
                    .collect()
            }
            Show::Setting(name) => match self.facts.setting_value(name) {
                Some(value) => vec![vec![Some(value)]],
                None => {
                    let message = format!("unrecognized configuration parameter \"{name}\"");
                    return Err(SqlError::new("42704", message));
                }
            },
        };
        text_rows("SHOW", &show_columns_of(show), &rows)
    }

    fn objects(&self, kind: ObjectKind) -> Vec<Vec<Option<String>>> {
        let snapshot = self.snapshot();
        let is_shown = |relation: &Relation| match kind {
            ObjectKind::View => matches!(relation.kind, Kind::View | Kind::MaterializedView),
            kind => Kind::of_object(kind) == Some(relation.kind),
        };
        let mut relations: Vec<_> = snapshot.relations().filter(|relation| is_shown(relation)).collect();
        relations.sort_by(|one, other| one.name.cmp(&other.name));
        relations.into_iter().map(|relation| object_row(kind, relation)).collect()
    }

    pub(super) fn show_columns(&self, statement: &Statement, name: &ObjectName) -> Result<RowStream> {
        let relation = self.relation(statement, name)?;
        let row = |(place, field): (usize, &std::sync::Arc<arrow::datatypes::Field>)| {
            let yes = |value: bool| Some(if value { "yes" } else { "no" }.to_owned());
            vec![
                Some(field.name().clone()),
                Some(sql_name(field)),
                yes(field.is_nullable()),
                yes(relation.key.contains(&place)),
                relation.defaults.get(place).cloned().flatten(),
                relation.column_comments.get(&place).cloned(),
            ]
        };
        let rows: Vec<_> = relation.schema.fields().iter().enumerate().map(row).collect();
        text_rows("SHOW", &COLUMNS, &rows)
    }
}

fn object_row(kind: ObjectKind, relation: &Relation) -> Vec<Option<String>> {
    let name = Some(relation.name.clone());
    let connector = relation.options.iter().find(|(name, _)| name == "connector").map(|(_, value)| value.clone());
    let comment = relation.comment.clone();
    match kind {
        ObjectKind::Stream => {
            let watermark = relation
                .watermark
                .as_ref()
                .map(|(place, sql)| format!("{} AS {sql}", relation.schema.field(*place).name()));
            vec![name, connector, watermark, comment]
        }
        ObjectKind::Sink => vec![name, connector, super::explain::sink_guarantee(relation), comment],
        ObjectKind::Table => {
            let key: Vec<&str> =
                relation.key.iter().map(|place| relation.schema.field(*place).name().as_str()).collect();
            vec![name, (!key.is_empty()).then(|| key.join(", ")), comment]
        }
        _ => vec![name, Some(relation.kind.word().to_owned()), comment],
    }
}
