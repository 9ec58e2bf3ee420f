//! PREPARE, EXECUTE, DEALLOCATE, DISCARD ALL: statements kept under a name.

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{DataType, Expr};

use super::Session;
use super::assign::assign;
use super::select::text;
use super::text_rows::complete;
use crate::data_type;
use crate::error::{Result, SqlError};
use crate::pg_type::pg_type;
use crate::response::Response;
use crate::statement::{Body, Statement};

/// A statement kept by PREPARE.
pub(super) struct NamedStatement {
    statement: Statement,
    oids: Vec<u32>,
    pub(super) columns: Option<SchemaRef>,
}

impl Session {
    pub(super) async fn prepare_named(
        &mut self,
        name: &str,
        types: &[DataType],
        statement: &Statement,
    ) -> Result<Response> {
        if self.named.contains_key(name) {
            return Err(SqlError::new("42P05", format!("prepared statement \"{name}\" already exists")));
        }
        if matches!(statement.body, Body::Prepare { .. } | Body::Execute { .. } | Body::Deallocate(_)) {
            return Err(SqlError::syntax("this statement can't be prepared"));
        }
        let oid = |data_type: &DataType| data_type::field("", data_type, true).map(|field| pg_type(&field).oid);
        let oids = types.iter().map(oid).collect::<Result<Vec<u32>>>()?;
        let prepared = self.prepare_statement(statement, &oids).await?;
        let named = NamedStatement { statement: statement.clone(), oids, columns: prepared.columns };
        self.named.insert(name.to_owned(), named);
        complete("PREPARE")
    }

    pub(super) async fn execute_named(
        &mut self,
        statement: &Statement,
        name: &str,
        values: &[Expr],
    ) -> Result<Response> {
        let Some(named) = self.named.get(name) else { return Err(no_statement(name)) };
        let (inner, oids) = (named.statement.clone(), named.oids.clone());
        let prepared = self.prepare_statement(&inner, &oids).await?;
        let wanted = prepared.parameters.len();
        if values.len() != wanted {
            return Err(SqlError::new(
                "42601",
                format!("wrong number of parameters for prepared statement \"{name}\""),
            )
            .with_detail(format!("expected {wanted} parameters but got {}", values.len())));
        }
        let mut parameters = Vec::with_capacity(wanted);
        for (value, field) in values.iter().zip(&prepared.parameters) {
            parameters.push(self.parameter(statement, value, field)?);
        }
        if let Some(word) = nested(&inner.body) {
            return Err(SqlError::unsupported(format!("EXECUTE of {word} is not supported")));
        }
        self.run(&prepared, &parameters).await
    }

    /// A constant expression as a value of a parameter.
    fn parameter(&mut self, statement: &Statement, value: &Expr, field: &Field) -> Result<ScalarValue> {
        let text = text(statement);
        let value = self.planner()?.constant(value, text)?;
        let array: ArrayRef = value.to_array().map_err(|error| text.error(error))?;
        let source = Field::new(field.name(), array.data_type().clone(), true);
        let array = assign(&array, &source, field)?;
        ScalarValue::try_from_array(&array, 0).map_err(|error| text.error(error))
    }

    pub(super) fn deallocate(&mut self, name: Option<&str>) -> Result<Response> {
        match name {
            None => {
                self.named.clear();
                complete("DEALLOCATE ALL")
            }
            Some(name) => match self.named.remove(name) {
                Some(_) => complete("DEALLOCATE"),
                None => Err(no_statement(name)),
            },
        }
    }

    pub(super) fn discard_all(&mut self) -> Result<Response> {
        if self.transaction.is_some() {
            return Err(SqlError::new("25001", "DISCARD ALL cannot run inside a transaction block"));
        }
        self.named.clear();
        self.cursors.clear();
        self.facts.with_settings(|settings| settings.reset_all());
        complete("DISCARD ALL")
    }
}

/// What must not be run from within EXECUTE.
fn nested(body: &Body) -> Option<&'static str> {
    match body {
        Body::Execute { .. } => Some("EXECUTE"),
        Body::Prepare { .. } => Some("PREPARE"),
        _ => None,
    }
}

fn no_statement(name: &str) -> SqlError {
    SqlError::new("26000", format!("prepared statement \"{name}\" does not exist"))
}
