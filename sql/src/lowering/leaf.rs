//! Where rows come from (relations, constants), and the operators that only pass them on: UNION ALL, unnest.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::{DFSchema, DFSchemaRef, ScalarValue};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{ColumnarValue, Expr, TableScan, Union, Unnest, Values};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, cast};
use monsoon_circuit::{NodeId, Operator};

use super::RelationInfo;
use super::builder::Builder;
use super::event_time::EventTime;
use super::relation::{Facts, Relation};
use super::unique;
use crate::error::SqlError;

impl Builder<'_> {
    /// Reads a relation.
    pub fn scan(&mut self, scan: &TableScan) -> Result<Relation, SqlError> {
        let Some(info) = self.context.relations.relation(&scan.table_name) else {
            let text = format!(
                "a view can't read {}: it is not a stream, table or view whose changes are known",
                scan.table_name
            );
            return Err(self.refusals.at_name(text, scan.table_name.table()));
        };
        let wanted: Vec<usize> = scan.projection.clone().unwrap_or_else(|| (0..info.schema.fields().len()).collect());
        let mut relation = match conjunction(scan.filters.iter().cloned()) {
            None => self.input(&info, &wanted, Arc::clone(&scan.projected_schema))?,
            Some(filter) => self.filtered_input(scan, &info, &wanted, &filter)?,
        };
        if let Some(fetch) = scan.fetch {
            relation = self.first_rows(relation, &[], 0, fetch)?;
        }
        Ok(relation)
    }

    fn input(&mut self, info: &RelationInfo, wanted: &[usize], schema: DFSchemaRef) -> Result<Relation, SqlError> {
        let columns = info.schema.fields().len();
        let picked = info.schema.project(wanted).map_err(|error| SqlError::internal(error.to_string()))?;
        let projection = (!wanted.iter().copied().eq(0..columns)).then(|| wanted.to_vec());
        let time =
            |&place: &usize| (info.watermark == Some(place)).then(|| EventTime::of_stream(info.id, info.append_only));
        let places: Vec<Option<usize>> = wanted.iter().copied().map(Some).collect();
        let facts = Facts {
            key: if info.key.is_empty() { None } else { unique::projected(&info.key, &places) },
            append_only: info.append_only,
            emitted: false,
            times: wanted.iter().map(time).collect(),
        };
        let node = self.push(Operator::Input { relation: info.id, projection }, Vec::new(), Arc::new(picked));
        Ok(Relation { node, schema, facts })
    }

    /// Filters in the scan may read columns that the scan doesn't yield.
    fn filtered_input(
        &mut self,
        scan: &TableScan,
        info: &RelationInfo,
        wanted: &[usize],
        filter: &Expr,
    ) -> Result<Relation, SqlError> {
        let whole = DFSchema::try_from_qualified_schema(scan.table_name.clone(), &info.schema)
            .map_err(|error| self.refusals.datafusion(error))?;
        let mut read: BTreeSet<usize> = wanted.iter().copied().collect();
        read.extend(filter.column_refs().into_iter().filter_map(|column| whole.maybe_index_of_column(column)));
        let read: Vec<usize> = read.into_iter().collect();
        let fields = read.iter().map(|&place| {
            let (qualifier, field) = whole.qualified_field(place);
            (qualifier.cloned(), Arc::clone(field))
        });
        let schema = DFSchema::new_with_metadata(fields.collect(), Default::default())
            .map_err(|error| self.refusals.datafusion(error))?;
        let relation = self.input(info, &read, Arc::new(schema))?;
        let relation = self.push_filter(relation, filter)?;
        let output: Vec<Expr> = wanted.iter().map(|&place| Expr::from(whole.qualified_field(place))).collect();
        self.project(relation, &output, &scan.projected_schema)
    }

    /// No row, or one row without columns.
    pub fn empty(&mut self, schema: &DFSchemaRef, one_row: bool) -> Result<Relation, SqlError> {
        let arrow = Arc::clone(schema.inner());
        let rows = if one_row {
            let options = RecordBatchOptions::new().with_row_count(Some(1));
            RecordBatch::try_new_with_options(arrow, Vec::new(), &options)
                .map_err(|error| SqlError::internal(error.to_string()))?
        } else {
            RecordBatch::new_empty(arrow)
        };
        Ok(self.constant(rows, schema))
    }

    /// VALUES.
    pub fn values(&mut self, values: &Values) -> Result<Relation, SqlError> {
        if values.values.is_empty() {
            return self.empty(&values.schema, false);
        }
        let columns = values.schema.fields().iter().enumerate().map(|(place, field)| {
            let scalars = values
                .values
                .iter()
                .map(|row| self.constant_value(&row[place], field.data_type()))
                .collect::<Result<Vec<_>, _>>()?;
            ScalarValue::iter_to_array(scalars).map_err(|error| self.refusals.datafusion(error))
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
        let rows = RecordBatch::try_new(Arc::clone(values.schema.inner()), columns)
            .map_err(|error| SqlError::internal(error.to_string()))?;
        Ok(self.constant(rows, &values.schema))
    }

    fn constant_value(&self, expression: &Expr, data_type: &DataType) -> Result<ScalarValue, SqlError> {
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)
            .map_err(|error| SqlError::internal(error.to_string()))?;
        let compiled = self.physical(expression, &DFSchema::empty())?;
        let value = compiled.evaluate(&row).map_err(|error| self.refusals.datafusion(error))?;
        let scalar = match value {
            ColumnarValue::Scalar(scalar) => scalar,
            ColumnarValue::Array(array) => {
                ScalarValue::try_from_array(&array, 0).map_err(|error| self.refusals.datafusion(error))?
            }
        };
        scalar.cast_to(data_type).map_err(|error| self.refusals.datafusion(error))
    }

    fn constant(&mut self, rows: RecordBatch, schema: &DFSchemaRef) -> Relation {
        let mut facts = Facts::unknown(rows.num_columns());
        facts.append_only = true;
        facts.key = (rows.num_rows() <= 1).then(Vec::new);
        let arrow = rows.schema();
        let node = self.push(Operator::Values { rows }, Vec::new(), arrow);
        Relation { node, schema: Arc::clone(schema), facts }
    }

    /// UNION ALL.
    pub fn union(&mut self, union: &Union) -> Result<Relation, SqlError> {
        let mut inputs = Vec::with_capacity(union.inputs.len());
        let mut facts: Option<Facts> = None;
        for plan in &union.inputs {
            let input = self.relation(plan)?;
            facts = Some(match facts {
                None => Facts { key: None, ..input.facts.clone() },
                Some(facts) => both(&facts, &input.facts),
            });
            inputs.push(self.with_types(input, union.schema.inner())?);
        }
        let facts = facts.unwrap_or_else(|| Facts::unknown(union.schema.fields().len()));
        let node = self.push_union(inputs, Arc::clone(union.schema.inner()));
        Ok(Relation { node, schema: Arc::clone(&union.schema), facts })
    }

    /// Adds a union node, nullable where any input is.
    pub fn push_union(&mut self, inputs: Vec<NodeId>, schema: SchemaRef) -> NodeId {
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .enumerate()
            .map(|(place, field)| {
                let nullable = inputs.iter().any(|&input| self.nodes[input].schema.field(place).is_nullable());
                field.as_ref().clone().with_nullable(field.is_nullable() || nullable)
            })
            .collect();
        self.push(Operator::Union, inputs, Arc::new(Schema::new(fields)))
    }

    /// The input's node, its columns cast where a type differs.
    fn with_types(&mut self, input: Relation, schema: &SchemaRef) -> Result<NodeId, SqlError> {
        let have = Arc::clone(&self.nodes[input.node].schema);
        if have.fields().iter().zip(schema.fields()).all(|(have, want)| have.data_type() == want.data_type()) {
            return Ok(input.node);
        }
        let mut expressions: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(schema.fields().len());
        for (place, field) in schema.fields().iter().enumerate() {
            let column = Arc::new(Column::new(have.field(place).name(), place));
            let cast =
                cast(column, &have, field.data_type().clone()).map_err(|error| self.refusals.datafusion(error))?;
            expressions.push(cast);
        }
        let nullable: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        Ok(self.push(Operator::Project { expressions }, vec![input.node], Arc::new(Schema::new(nullable))))
    }

    /// One row per element of a list.
    pub fn unnest(&mut self, unnest: &Unnest) -> Result<Relation, SqlError> {
        let input = self.relation(&unnest.input)?;
        let [(column, list)] = unnest.list_type_columns.as_slice() else {
            let text = if unnest.list_type_columns.is_empty() {
                "unnest() of a struct can't be kept up to date"
            } else {
                "a view can unnest only one list at a time"
            };
            return Err(self.refusals.at(text, &columns(unnest)).with_hint("unnest the lists in nested subqueries"));
        };
        if list.depth != 1 || !unnest.struct_type_columns.is_empty() {
            return Err(self.refusals.at("a view can unnest only one level of a list at a time", &columns(unnest)));
        }
        let list_type = self.nodes[input.node].schema.field(*column).data_type();
        if !matches!(list_type, DataType::List(_) | DataType::LargeList(_)) {
            return Err(self
                .refusals
                .at_name(format!("unnest() of a {list_type} can't be kept up to date: cast it to a list"), "unnest"));
        }
        let mut facts = Facts { key: None, ..input.facts };
        facts.times[*column] = facts.times[*column].as_ref().and_then(EventTime::unnested);
        let nullable: Vec<bool> =
            self.nodes[input.node].schema.fields().iter().map(|field| field.is_nullable()).collect();
        let schema = super::builder::with_nullability(&unnest.schema, nullable);
        let operator = Operator::Unnest { column: *column, preserve_nulls: unnest.options.preserve_nulls() };
        let node = self.push(operator, vec![input.node], schema);
        Ok(Relation { node, schema: Arc::clone(&unnest.schema), facts })
    }
}

fn columns(unnest: &Unnest) -> Vec<Expr> {
    unnest.exec_columns.iter().cloned().map(Expr::Column).collect()
}

/// What holds for the rows of both.
fn both(left: &Facts, right: &Facts) -> Facts {
    let time = |(left, right): (&Option<EventTime>, &Option<EventTime>)| left.as_ref()?.both(right.as_ref()?);
    Facts {
        key: None,
        append_only: left.append_only && right.append_only,
        emitted: left.emitted || right.emitted,
        times: left.times.iter().zip(&right.times).map(time).collect(),
    }
}
