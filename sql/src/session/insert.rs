//! INSERT.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{Expr, Ident, Insert, ObjectName, Query, SelectItem, SetExpr, TableObject};
use monsoon_batch::Change;
use monsoon_circuit::WeightedBatch;

use super::assign::{assemble, assign};
use super::conflict::{Conflict, conflict};
use super::literal::literal_columns;
use super::parameter::{parameter_count, parameter_field, plan_parameters, substitute};
use super::resolve::place_of;
use super::select::{PlannedQuery, text};
use super::text_rows::complete;
use super::{Prepared, Session};
use crate::catalog::Relation;
use crate::error::{Result, SqlError};
use crate::parser::parse_expression;
use crate::response::Response;
use crate::statement::Statement;

/// What an INSERT inserts into.
pub(super) fn target(insert: &Insert) -> Result<&ObjectName> {
    match &insert.table {
        TableObject::TableName(name) => Ok(name),
        other => Err(SqlError::unsupported(format!("INSERT INTO {other} is not supported"))),
    }
}

/// Where an INSERT's rows come from.
enum Source {
    /// Literals and defaults: rows of the relation already.
    Rows(RecordBatch),
    /// A query that hasn't run yet, and the places of its columns.
    Query(Box<PlannedQuery>, Vec<usize>),
}

impl Source {
    /// Whether the rows may overwrite those that they were made from.
    fn is_read_back(&self, relation: &Relation) -> bool {
        match self {
            Source::Rows(_) => false,
            Source::Query(planned, _) => !relation.key.is_empty() && planned.reads(relation.id),
        }
    }
}

/// The rows of a plain VALUES.
fn values_rows(query: &Query) -> Option<Vec<&[Expr]>> {
    let is_plain =
        query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    match query.body.as_ref() {
        SetExpr::Values(values) if is_plain => Some(values.rows.iter().map(|row| row.content.as_slice()).collect()),
        _ => None,
    }
}

impl Session {
    /// The places of an INSERT's columns.
    fn insert_places(&self, statement: &Statement, relation: &Relation, insert: &Insert) -> Result<Vec<usize>> {
        let names: Vec<Ident> =
            insert.columns.iter().filter_map(|name| name.0.last().and_then(|part| part.as_ident()).cloned()).collect();
        self.column_places(statement, relation, &names)
    }

    pub(super) async fn insert(
        &mut self,
        statement: &Statement,
        insert: &Insert,
        prepared: &Prepared,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        self.check_writable("INSERT")?;
        if let Some(returning) = &insert.returning {
            let position = returning.first().and_then(|item| place_of(statement, item));
            return Err(SqlError::unsupported("INSERT ... RETURNING is not supported").at_place(position));
        }
        let relation = self.insertable(statement, target(insert)?)?;
        let conflict = conflict(insert, &relation)?;
        let source = self.insert_source(statement, insert, &relation, &prepared.parameters, parameters).await?;
        let rows = match conflict {
            // As an UPDATE does: nobody changes the rows between the reading and the writing.
            Conflict::Overwrite if source.is_read_back(&relation) => {
                let held = self.lock_alone(&[&relation]).await?;
                let batches = self.insert_batches(statement, &relation, source).await?;
                let rows = row_count(&batches);
                self.write_back(vec![inserted(&relation, batches)], held).await?;
                rows
            }
            Conflict::Overwrite => {
                let batches = self.insert_batches(statement, &relation, source).await?;
                let rows = row_count(&batches);
                self.add_rows(inserted(&relation, batches)).await?;
                rows
            }
            Conflict::Skip => {
                let batches = self.insert_batches(statement, &relation, source).await?;
                let held = self.lock_alone(&[&relation]).await?;
                let batches = self.without_conflicts(&relation, batches).await?;
                let rows = row_count(&batches);
                self.write_back(vec![inserted(&relation, batches)], held).await?;
                rows
            }
        };
        complete(format!("INSERT 0 {rows}"))
    }

    async fn insert_source(
        &mut self,
        statement: &Statement,
        insert: &Insert,
        relation: &Relation,
        parameter_fields: &[FieldRef],
        parameters: &[ScalarValue],
    ) -> Result<Source> {
        let places = self.insert_places(statement, relation, insert)?;
        let Some(source) = &insert.source else {
            return assemble(relation, &[], Vec::new(), 1, || self.planner()).map(Source::Rows);
        };
        if let Some(rows) = values_rows(source) {
            let places = value_places(statement, insert, &rows, places)?;
            let fields: Vec<Field> = places.iter().map(|place| relation.schema.field(*place).clone()).collect();
            if let Some(columns) = literal_columns(statement, &rows, &fields, parameters, parameter_fields)? {
                return assemble(relation, &places, columns, rows.len(), || self.planner()).map(Source::Rows);
            }
            let mut query = source.as_ref().clone();
            replace_defaults(&mut query, relation, &places)?;
            substitute(&mut query, parameters, parameter_fields)?;
            return self.query_source(statement, insert, &query, places).await;
        }
        let mut query = source.as_ref().clone();
        substitute(&mut query, parameters, parameter_fields)?;
        self.query_source(statement, insert, &query, places).await
    }

    async fn query_source(
        &mut self,
        statement: &Statement,
        insert: &Insert,
        query: &Query,
        mut places: Vec<usize>,
    ) -> Result<Source> {
        let planned = self.plan_query(query, text(statement)).await?;
        let width = planned.plan.schema().fields().len();
        check_width(statement, insert, width, places.len(), |n| expression_place(statement, query, n))?;
        places.truncate(width);
        Ok(Source::Query(Box::new(planned), places))
    }

    async fn insert_batches(
        &mut self,
        statement: &Statement,
        relation: &Relation,
        source: Source,
    ) -> Result<Vec<RecordBatch>> {
        let (planned, places) = match source {
            Source::Rows(rows) => return Ok(vec![rows]),
            Source::Query(planned, places) => (planned, places),
        };
        let budget = self.commit_budget("INSERT");
        let (schema, batches) = self.collect_planned(*planned, text(statement), budget).await?;
        let mut assembled = Vec::with_capacity(batches.len());
        let mut budget = self.commit_budget("INSERT");
        for batch in batches {
            let columns = places.iter().zip(batch.columns()).zip(schema.fields());
            let columns: Result<Vec<ArrayRef>> =
                columns.map(|((place, array), source)| assign(array, source, relation.schema.field(*place))).collect();
            let whole = assemble(relation, &places, columns?, batch.num_rows(), || self.planner())?;
            budget.add(&whole)?;
            assembled.push(whole);
        }
        Ok(assembled)
    }

    /// The parameters of an INSERT: a `$n` that is a whole value has its column's type.
    pub(super) async fn insert_parameters(
        &mut self,
        statement: &Statement,
        insert: &Insert,
        oids: &[u32],
    ) -> Result<Vec<FieldRef>> {
        let count = parameter_count(insert);
        if count == 0 {
            return Ok(Vec::new());
        }
        let relation = self.insertable(statement, target(insert)?)?;
        let places = self.insert_places(statement, &relation, insert)?;
        let mut wanted: Vec<Option<FieldRef>> = vec![None; count];
        let Some(source) = &insert.source else { return Ok(Vec::new()) };
        match values_rows(source) {
            Some(rows) => {
                for (expr, place) in rows.iter().flat_map(|row| row.iter().zip(&places)) {
                    if let Some(index) = placeholder(expr) {
                        let field = relation.schema.field(*place).clone();
                        wanted[index].get_or_insert_with(|| std::sync::Arc::new(field));
                    }
                }
            }
            None => {
                let plan = self.planner()?.plan(source, text(statement)).await?;
                return plan_parameters(&plan, count, oids).map_err(|error| text(statement).error(error));
            }
        }
        Ok(wanted.into_iter().enumerate().map(|(index, wanted)| parameter_field(index, oids, wanted)).collect())
    }
}

fn row_count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

fn inserted(relation: &Relation, batches: Vec<RecordBatch>) -> Change {
    Change { relation: relation.id, batches: batches.into_iter().map(WeightedBatch::inserted).collect() }
}

/// The places of the values in the rows of a VALUES, which must have as many values each.
fn value_places(
    statement: &Statement,
    insert: &Insert,
    rows: &[&[Expr]],
    mut places: Vec<usize>,
) -> Result<Vec<usize>> {
    let first = rows.first().copied().unwrap_or_default();
    if let Some(row) = rows.iter().find(|row| row.len() != first.len()) {
        let position = row.first().and_then(|expr| place_of(statement, expr));
        return Err(SqlError::syntax("VALUES lists must all be the same length").at_place(position));
    }
    let expression = |n: usize| first.get(n).and_then(|expr| place_of(statement, expr));
    check_width(statement, insert, first.len(), places.len(), expression)?;
    places.truncate(first.len());
    Ok(places)
}

/// There must be a column for each value; fewer values than columns only where no columns were named.
fn check_width(
    statement: &Statement,
    insert: &Insert,
    values: usize,
    columns: usize,
    value_place: impl Fn(usize) -> Option<usize>,
) -> Result<()> {
    if values > columns {
        let error = SqlError::syntax("INSERT has more expressions than target columns");
        return Err(error.at_place(value_place(columns)));
    }
    match insert.columns.get(values) {
        Some(name) => {
            let error = SqlError::syntax("INSERT has more target columns than expressions");
            Err(error.at_place(place_of(statement, name)))
        }
        None => Ok(()),
    }
}

/// The place of a query's n-th expression, or of the query where a `*` among them hides which that is.
fn expression_place(statement: &Statement, query: &Query, n: usize) -> Option<usize> {
    let items = match query.body.as_ref() {
        SetExpr::Select(select) => select.projection.as_slice(),
        _ => &[],
    };
    let is_one = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
    match items.get(n) {
        Some(item) if items.iter().take(n).all(is_one) => place_of(statement, item),
        _ => place_of(statement, query),
    }
}

/// The number of a `$n`, from 0.
pub(super) fn placeholder(expr: &Expr) -> Option<usize> {
    use datafusion::sql::sqlparser::ast::{Value, ValueWithSpan};
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Placeholder(name), .. }) => super::parameter::parameter_index(name),
        Expr::Nested(inner) => placeholder(inner),
        _ => None,
    }
}

/// Whether an expression is the word DEFAULT.
pub(super) fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// A column's default as an expression.
pub(super) fn default_expression(relation: &Relation, place: usize) -> Result<Expr> {
    parse_expression(relation.defaults[place].as_deref().unwrap_or("NULL"))
}

fn replace_defaults(query: &mut Query, relation: &Relation, places: &[usize]) -> Result<()> {
    let SetExpr::Values(values) = query.body.as_mut() else { return Ok(()) };
    for (expr, place) in values.rows.iter_mut().flat_map(|row| row.content.iter_mut().zip(places)) {
        if is_default(expr) {
            *expr = default_expression(relation, *place)?;
        }
    }
    Ok(())
}
