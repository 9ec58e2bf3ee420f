//! CREATE STREAM and CREATE TABLE.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::ast::{Ident, ObjectName};
use monsoon_batch::{Change, RelationKind};
use monsoon_circuit::WeightedBatch;
use monsoon_connectors::{open_source, settled_options, source_schema};

use super::Session;
use super::assign::{assign, checked_batch};
use super::resolve::{folded, position, simple_name};
use super::select::text;
use super::text_rows::complete;
use crate::catalog::{Kind, Relation};
use crate::data_type;
use crate::database::{EngineChange, check_names, connector_error, engine_error, spec, stream_kind};
use crate::error::{Result, SqlError};
use crate::response::Response;
use crate::statement::{ColumnDef, CreateStream, CreateTable, Statement, WatermarkDef};

/// The longest name, as in Postgres.
const NAME_BYTES_MAX: usize = 63;
/// Most columns a relation may have, as in Postgres.
const COLUMNS_MAX: usize = 1_600;

impl Session {
    /// The name of a new relation; `None` when it exists and IF NOT EXISTS was said.
    pub(super) fn new_name(
        &mut self,
        statement: &Statement,
        name: &ObjectName,
        if_not_exists: bool,
    ) -> Result<Option<String>> {
        let ident = simple_name(statement, name)?;
        let name = folded(ident);
        if name.len() > NAME_BYTES_MAX || name.is_empty() {
            let message = format!("the name \"{name}\" must have 1 to {NAME_BYTES_MAX} bytes");
            return Err(SqlError::new("42622", message).at(position(statement, ident)));
        }
        if self.snapshot().by_name(&name).is_none() {
            return Ok(Some(name));
        }
        let message = format!("relation \"{name}\" already exists");
        if if_not_exists {
            self.notice("NOTICE", "42P07", format!("{message}, skipping"));
            return Ok(None);
        }
        Err(SqlError::new("42P07", message).at(position(statement, ident)))
    }

    pub(super) async fn create_stream(&mut self, statement: &Statement, create: &CreateStream) -> Result<Response> {
        let change = self.database.begin_change().await;
        let Some(name) = self.new_name(statement, &create.name, create.if_not_exists)? else {
            return complete("CREATE STREAM");
        };
        let options: Vec<(String, String)> =
            create.options.iter().map(|(name, value)| (name.value.to_lowercase(), value.clone())).collect();
        let schema = self.stream_schema(statement, create, &options)?;
        let mut relation = Relation::new(&name, Kind::Stream, schema, &statement.sql);
        relation.id = monsoon_circuit::RelationId(change.before.next_id());
        relation.options = options;
        relation.defaults = self.defaults(statement, &create.columns, &relation)?;
        relation.watermark = watermark(statement, create.watermark.as_ref(), &relation)?;
        if relation.is_source() {
            let settled = settled_options(&relation.connector_options());
            relation.options.extend(settled.map_err(|error| option_error(statement, &create.options, error))?);
            // Wrong options are told now, not when it is read.
            open_source(&relation.connector_options(), Arc::clone(&relation.schema))
                .map_err(|error| option_error(statement, &create.options, error))?;
        }
        let scope = self.scope()?;
        let kind = stream_kind(&scope, &change.before, &relation)?;
        let after = change.before.with(relation.clone());
        change.commit(after, EngineChange::Create(spec(&relation, kind))).await?;
        complete("CREATE STREAM")
    }

    fn stream_schema(
        &self,
        statement: &Statement,
        create: &CreateStream,
        options: &[(String, String)],
    ) -> Result<SchemaRef> {
        if !create.columns.is_empty() {
            return column_schema(statement, &create.columns);
        }
        if !options.iter().any(|(name, _)| name == "connector") {
            return Err(SqlError::new("42601", "a stream without a connector needs columns"));
        }
        let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let schema = source_schema(&options).map_err(|error| option_error(statement, &create.options, error))?;
        schema.ok_or_else(|| SqlError::new("42601", "this connector doesn't know its columns: name them"))
    }

    pub(super) async fn create_table(&mut self, statement: &Statement, create: &CreateTable) -> Result<Response> {
        let change = self.database.begin_change().await;
        let is_as = create.query.is_some();
        let Some(name) = self.new_name(statement, &create.name, create.if_not_exists)? else {
            return complete(if is_as { "CREATE TABLE AS" } else { "CREATE TABLE" });
        };
        let (schema, rows) = match &create.query {
            None => (column_schema(statement, &create.columns)?, None),
            Some(query) => {
                let budget = self.commit_budget("CREATE TABLE AS");
                let (found, rows) = self.collect(query, text(statement), budget).await?;
                (table_schema_of(statement, &found, &create.columns)?, Some((found, rows)))
            }
        };
        let mut relation = Relation::new(&name, Kind::Table, schema, &statement.sql);
        relation.id = monsoon_circuit::RelationId(change.before.next_id());
        relation.key = self
            .column_places(statement, &relation, &create.primary_key)
            .map(|places| if create.primary_key.is_empty() { Vec::new() } else { places })?;
        relation.defaults = self.defaults(statement, &create.columns, &relation)?;
        // Before the table is there, so that rows that don't fit leave none behind.
        let content = rows.map(|(found, rows)| first_rows(&relation, &found, &rows)).transpose()?;
        let kind = RelationKind::Table { key: relation.key.clone() };
        let after = change.before.with(relation.clone());
        change.commit(after, EngineChange::Create(spec(&relation, kind))).await?;
        match content {
            None => complete("CREATE TABLE"),
            Some(content) => self.fill(&relation, content).await,
        }
    }

    /// The rows of CREATE TABLE AS: a second txid, after the table's.
    async fn fill(&mut self, relation: &Relation, content: Vec<WeightedBatch>) -> Result<Response> {
        let count: usize = content.iter().map(WeightedBatch::len).sum();
        if count > 0 {
            let change = Change { relation: relation.id, batches: content };
            self.database.engine.write(vec![change]).await.map_err(engine_error)?;
        }
        complete(format!("SELECT {count}"))
    }

    /// The texts of DEFAULTs, each tried once.
    fn defaults(
        &mut self,
        statement: &Statement,
        columns: &[ColumnDef],
        relation: &Relation,
    ) -> Result<Vec<Option<String>>> {
        let mut defaults = vec![None; relation.schema.fields().len()];
        for (column, default) in columns.iter().zip(defaults.iter_mut()) {
            let Some(expr) = &column.default else { continue };
            let planner = self.planner()?;
            let value = planner.constant(expr, text(statement))?;
            let array = value.to_array().map_err(|error| text(statement).error(error))?;
            let name = folded(&column.name);
            if let Some(place) = relation.column(&name) {
                let source = Field::new(&name, array.data_type().clone(), true);
                assign(&array, &source, relation.schema.field(place))?;
            }
            *default = Some(expr.to_string());
        }
        Ok(defaults)
    }
}

/// The schema of a column list.
fn column_schema(statement: &Statement, columns: &[ColumnDef]) -> Result<SchemaRef> {
    if columns.len() > COLUMNS_MAX {
        return Err(SqlError::new(
            "54011",
            format!("{} columns are more than the limit of {COLUMNS_MAX}", columns.len()),
        ));
    }
    let mut fields: Vec<Field> = Vec::with_capacity(columns.len());
    for column in columns {
        let name = folded(&column.name);
        let at = position(statement, &column.name);
        if fields.iter().any(|field| *field.name() == name) {
            return Err(SqlError::new("42701", format!("column \"{name}\" specified more than once")).at(at));
        }
        fields.push(data_type::field(&name, &column.data_type, !column.not_null).map_err(
            |error| match error.position {
                Some(_) => error,
                None => error.at(at),
            },
        )?);
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The schema of CREATE TABLE AS: the query's, under the given names and types if there are any.
fn table_schema_of(statement: &Statement, found: &Schema, columns: &[ColumnDef]) -> Result<SchemaRef> {
    if columns.is_empty() {
        check_names(found)?;
        let field = |field: &Arc<Field>| {
            let stored = match field.data_type() {
                DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
                other => other.clone(),
            };
            field.as_ref().clone().with_data_type(stored).with_nullable(true)
        };
        return Ok(Arc::new(Schema::new(found.fields().iter().map(field).collect::<Vec<_>>())));
    }
    if columns.len() != found.fields().len() {
        let message = format!("{} columns are named, and the query has {}", columns.len(), found.fields().len());
        return Err(SqlError::new("42601", message));
    }
    column_schema(statement, columns)
}

/// What a query found, as rows of the new table.
fn first_rows(relation: &Relation, found: &Schema, rows: &[RecordBatch]) -> Result<Vec<WeightedBatch>> {
    let fitted = |batch: &RecordBatch| {
        let columns = batch.columns().iter().zip(found.fields()).zip(relation.schema.fields());
        let columns = columns.map(|((array, source), target)| assign(array, source, target)).collect::<Result<_>>()?;
        checked_batch(relation, columns, batch.num_rows()).map(WeightedBatch::inserted)
    };
    rows.iter().filter(|batch| batch.num_rows() > 0).map(fitted).collect()
}

/// The place of the time column, and the expression's text.
fn watermark(
    statement: &Statement,
    watermark: Option<&WatermarkDef>,
    relation: &Relation,
) -> Result<Option<(usize, String)>> {
    let Some(watermark) = watermark else { return Ok(None) };
    let at = position(statement, &watermark.column);
    let name = folded(&watermark.column);
    let Some(place) = relation.column(&name) else {
        return Err(SqlError::new("42703", format!("column \"{name}\" does not exist")).at(at));
    };
    if !matches!(relation.schema.field(place).data_type(), DataType::Timestamp(..)) {
        return Err(SqlError::new("42804", format!("the watermark's column \"{name}\" must be a timestamp")).at(at));
    }
    let expression = match &watermark.expression {
        Some(expression) => expression.to_string(),
        None => Ident::with_quote('"', name).to_string(),
    };
    Ok(Some((place, expression)))
}

/// A connector's error, at the option it is about.
pub(super) fn option_error(
    statement: &Statement,
    options: &[(Ident, String)],
    error: monsoon_connectors::Error,
) -> SqlError {
    let at = match &error {
        monsoon_connectors::Error::Invalid { option: Some(option), .. } => options
            .iter()
            .find(|(name, _)| name.value.eq_ignore_ascii_case(option))
            .map(|(name, _)| position(statement, name)),
        _ => None,
    };
    let error = connector_error(error);
    match at {
        Some(at) => error.at(at),
        None => error,
    }
}
