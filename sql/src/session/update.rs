//! UPDATE, DELETE, TRUNCATE: the rows are found by a query, and written back with their weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, Delete, Expr, FromTable, Ident, ObjectName, Query, SelectItem, SetExpr, Spanned,
    Statement as SqlStatement, TableFactor, TableWithJoins, Update,
};
use monsoon_batch::Change;
use monsoon_circuit::{RelationId, WeightedBatch};

use super::assign::{assign, checked_batch};
use super::commit_budget::CommitBudget;
use super::insert::{default_expression, is_default, placeholder};
use super::lock::AloneLock;
use super::parameter::{parameter_count, parameter_field, plan_parameters, substitute};
use super::resolve::{place_of, position};
use super::select::text;
use super::text_rows::complete;
use super::{Prepared, Session};
use crate::catalog::Relation;
use crate::error::{Result, SqlError};
use crate::parser::parse_query;
use crate::response::Response;
use crate::statement::Statement;
use crate::table_factor::table_factor;

/// An UPDATE or DELETE, taken apart.
struct Modification {
    relation: Arc<Relation>,
    table: TableWithJoins,
    selection: Option<Expr>,
    /// Column places and new values.
    set: Vec<(usize, Expr)>,
}

impl Session {
    pub(super) async fn update(
        &mut self,
        statement: &Statement,
        update: &SqlStatement,
        prepared: &Prepared,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let modification = self.modification_of_update(statement, update)?;
        let relation = Arc::clone(&modification.relation);
        let held = self.lock_to_modify(&[&relation], "UPDATE").await?;
        let places: Vec<usize> = modification.set.iter().map(|(place, _)| *place).collect();
        let mut query = modification.query()?;
        substitute(&mut query, parameters, &prepared.parameters)?;
        let budget = self.commit_budget("UPDATE");
        let (schema, found) = self.collect(&query, text(statement), budget).await?;
        let mut changes = Vec::with_capacity(found.len() * 2);
        let mut rows = 0;
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for batch in found.iter().filter(|batch| batch.num_rows() > 0) {
            rows += batch.num_rows();
            let (before, after) = before_and_after(&relation, &places, &schema, batch)?;
            old.push(WeightedBatch::constant(before, -1));
            new.push(WeightedBatch::inserted(after));
        }
        // All that goes, goes first: a new row may have the key of an old one.
        changes.extend(old);
        changes.extend(new);
        self.write_back(vec![Change { relation: relation.id, batches: changes }], held).await?;
        complete(format!("UPDATE {rows}"))
    }

    pub(super) async fn delete(
        &mut self,
        statement: &Statement,
        delete: &Delete,
        prepared: &Prepared,
        parameters: &[ScalarValue],
    ) -> Result<Response> {
        let modification = self.modification_of_delete(statement, delete)?;
        let relation = Arc::clone(&modification.relation);
        let held = self.lock_to_modify(&[&relation], "DELETE").await?;
        let mut query = modification.query()?;
        substitute(&mut query, parameters, &prepared.parameters)?;
        let budget = self.commit_budget("DELETE");
        let (change, rows) = self.removal(statement, &relation, &query, budget).await?;
        self.write_back(vec![change], held).await?;
        complete(format!("DELETE {rows}"))
    }

    /// All of the tables in one txid.
    pub(super) async fn truncate(&mut self, statement: &Statement, names: &[ObjectName]) -> Result<Response> {
        let mut relations: BTreeMap<RelationId, Arc<Relation>> = BTreeMap::new();
        for name in names {
            let relation = self.updatable(statement, name, "truncate")?;
            relations.insert(relation.id, relation);
        }
        let tables: Vec<&Relation> = relations.values().map(Arc::as_ref).collect();
        let held = self.lock_to_modify(&tables, "TRUNCATE TABLE").await?;
        let mut changes = Vec::with_capacity(tables.len());
        for relation in tables {
            let query = modification_query(from_relation(relation), None, &[])?;
            // No more than the table holds, whose state has a bound: a large table, too, must have a way to become empty.
            let budget = CommitBudget::without_bound();
            changes.push(self.removal(statement, relation, &query, budget).await?.0);
        }
        self.write_back(changes, held).await?;
        complete("TRUNCATE TABLE")
    }

    async fn lock_to_modify(&mut self, relations: &[&Relation], word: &str) -> Result<Vec<AloneLock>> {
        self.check_writable(word)?;
        self.lock_alone(relations).await
    }

    /// The change that takes out what a query finds, and how many rows that are.
    async fn removal(
        &mut self,
        statement: &Statement,
        relation: &Relation,
        query: &Query,
        budget: CommitBudget,
    ) -> Result<(Change, usize)> {
        let (_, found) = self.collect(query, text(statement), budget).await?;
        let rows = found.iter().map(RecordBatch::num_rows).sum();
        let found = found.into_iter().filter(|batch| batch.num_rows() > 0);
        let batches = found.map(|batch| checked_batch(relation, batch.columns().to_vec(), batch.num_rows()));
        let batches =
            batches.map(|batch| batch.map(|batch| WeightedBatch::constant(batch, -1))).collect::<Result<Vec<_>>>()?;
        Ok((Change { relation: relation.id, batches }, rows))
    }

    /// The parameters of an UPDATE: a `$n` that is a whole new value has its column's type.
    pub(super) async fn update_parameters(
        &mut self,
        statement: &Statement,
        update: &SqlStatement,
        oids: &[u32],
    ) -> Result<Vec<FieldRef>> {
        let count = parameter_count(update);
        if count == 0 {
            return Ok(Vec::new());
        }
        let modification = self.modification_of_update(statement, update)?;
        let mut wanted: Vec<Option<FieldRef>> = vec![None; count];
        for (place, expr) in &modification.set {
            if let Some(index) = placeholder(expr) {
                wanted[index] = Some(Arc::new(modification.relation.schema.field(*place).clone()));
            }
        }
        let rest = Modification {
            set: modification.set.iter().filter(|(_, expr)| placeholder(expr).is_none()).cloned().collect(),
            ..modification
        };
        let plan = self.planner()?.plan(&rest.query()?, text(statement)).await?;
        let inferred = plan_parameters(&plan, count, oids).map_err(|error| text(statement).error(error))?;
        let field = |(index, inferred): (usize, FieldRef)| match wanted[index].take() {
            Some(wanted) => parameter_field(index, oids, Some(wanted)),
            None => inferred,
        };
        Ok(inferred.into_iter().enumerate().map(field).collect())
    }

    /// The parameters of a DELETE.
    pub(super) async fn delete_parameters(
        &mut self,
        statement: &Statement,
        delete: &Delete,
        oids: &[u32],
    ) -> Result<Vec<FieldRef>> {
        let count = parameter_count(delete);
        if count == 0 {
            return Ok(Vec::new());
        }
        let query = self.modification_of_delete(statement, delete)?.query()?;
        let plan = self.planner()?.plan(&query, text(statement)).await?;
        plan_parameters(&plan, count, oids).map_err(|error| text(statement).error(error))
    }

    fn modification_of_update(&self, statement: &Statement, update: &SqlStatement) -> Result<Modification> {
        let SqlStatement::Update(update) = update else { return Err(SqlError::internal("an UPDATE was expected")) };
        let Update { table, assignments, from, selection, returning, order_by, limit, .. } = update;
        refuse(statement, from.as_ref(), "UPDATE ... FROM")?;
        refuse(statement, returning.iter().flatten().next(), "UPDATE ... RETURNING")?;
        refuse(statement, order_by.first(), "UPDATE ... ORDER BY")?;
        refuse(statement, limit.as_ref(), "UPDATE ... LIMIT")?;
        let relation = self.updatable(statement, table_name(statement, table)?, "update")?;
        let mut set: Vec<(usize, Expr)> = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            let AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(SqlError::unsupported("UPDATE ... SET (a, b) = ... is not supported")
                    .with_hint("SET a = ..., b = ...")
                    .at_place(place_of(statement, &assignment.target)));
            };
            let Some(ident) = name.0.last().and_then(|part| part.as_ident()) else {
                return Err(SqlError::syntax("a column name was expected after SET"));
            };
            let place = self.column_places(statement, &relation, std::slice::from_ref(ident))?[0];
            if set.iter().any(|(known, _)| *known == place) {
                let message = format!("multiple assignments to same column \"{}\"", ident.value);
                return Err(SqlError::new("42601", message).at(position(statement, ident)));
            }
            let value = &assignment.value;
            let value = if is_default(value) { default_expression(&relation, place)? } else { value.clone() };
            set.push((place, value));
        }
        Ok(Modification { relation, table: table.clone(), selection: selection.clone(), set })
    }

    fn modification_of_delete(&self, statement: &Statement, delete: &Delete) -> Result<Modification> {
        refuse(statement, delete.using.iter().flatten().next(), "DELETE ... USING")?;
        refuse(statement, delete.tables.first(), "DELETE of named tables")?;
        refuse(statement, delete.returning.iter().flatten().next(), "DELETE ... RETURNING")?;
        refuse(statement, delete.order_by.first(), "DELETE ... ORDER BY")?;
        refuse(statement, delete.limit.as_ref(), "DELETE ... LIMIT")?;
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [table] = from.as_slice() else {
            let second = from.get(1).and_then(|table| place_of(statement, table));
            return Err(SqlError::unsupported("DELETE from several tables is not supported").at_place(second));
        };
        let relation = self.updatable(statement, table_name(statement, table)?, "delete from")?;
        Ok(Modification { relation, table: table.clone(), selection: delete.selection.clone(), set: Vec::new() })
    }
}

impl Modification {
    /// The rows that are changed, followed by their new values.
    fn query(&self) -> Result<Query> {
        let values: Vec<Expr> = self.set.iter().map(|(_, value)| value.clone()).collect();
        modification_query(self.table.clone(), self.selection.clone(), &values)
    }
}

fn modification_query(table: TableWithJoins, selection: Option<Expr>, values: &[Expr]) -> Result<Query> {
    let mut query = *parse_query("SELECT * FROM rows")?;
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(SqlError::internal("a SELECT was expected")) };
    select.from = vec![table];
    select.selection = selection;
    let alias = |n: usize| Ident::with_quote('"', format!("monsoon_set_{n}"));
    let items =
        values.iter().enumerate().map(|(n, value)| SelectItem::ExprWithAlias { expr: value.clone(), alias: alias(n) });
    select.projection.extend(items);
    Ok(query)
}

fn table_name<'a>(statement: &Statement, table: &'a TableWithJoins) -> Result<&'a ObjectName> {
    match &table.relation {
        TableFactor::Table { name, .. } if table.joins.is_empty() => Ok(name),
        _ => Err(SqlError::unsupported("only a table can be changed, not a join or a query")
            .at_place(place_of(statement, table))),
    }
}

fn from_relation(relation: &Relation) -> TableWithJoins {
    let name = ObjectName::from(vec![Ident::with_quote('"', &relation.name)]);
    TableWithJoins { relation: table_factor(name), joins: Vec::new() }
}

fn refuse(statement: &Statement, part: Option<&impl Spanned>, what: &str) -> Result<()> {
    match part {
        Some(part) => {
            Err(SqlError::unsupported(format!("{what} is not supported")).at_place(place_of(statement, part)))
        }
        None => Ok(()),
    }
}

/// The rows as they were, and as they are to be.
fn before_and_after(
    relation: &Relation,
    places: &[usize],
    schema: &Schema,
    found: &RecordBatch,
) -> Result<(RecordBatch, RecordBatch)> {
    let width = relation.schema.fields().len();
    let before: Vec<ArrayRef> = found.columns()[..width].to_vec();
    let mut after = before.clone();
    for (n, place) in places.iter().enumerate() {
        let source = schema.field(width + n);
        after[*place] = assign(found.column(width + n), source, relation.schema.field(*place))?;
    }
    let rows = found.num_rows();
    Ok((checked_batch(relation, before, rows)?, checked_batch(relation, after, rows)?))
}
