//! The tests' own idea of relations: multisets of rows of plain numbers, compared with what operators yield.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type};

use crate::random::Random;
use crate::row_store::split_weights;
use crate::{Delta, OnClose, Operate, RelationId, StateChange, Step, WeightedBatch, WindowBound};

/// A row. Texts stand as the number n of "sn", booleans as 0 and 1.
pub(crate) type Cells = Vec<Option<i64>>;
/// Rows with weights, none of them zero.
pub(crate) type Relation = BTreeMap<Cells, i64>;

/// A schema of nullable columns.
pub(crate) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    let field = |(name, data_type): &(&str, DataType)| Field::new(*name, data_type.clone(), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

pub(crate) fn add(relation: &mut Relation, row: Cells, weight: i64) {
    let total = relation.entry(row.clone()).or_insert(0);
    *total += weight;
    if *total == 0 {
        relation.remove(&row);
    }
}

fn column(data_type: &DataType, cells: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    match data_type {
        DataType::Int64 => Arc::new(cells.collect::<Int64Array>()),
        DataType::UInt64 => Arc::new(cells.map(|cell| cell.map(|cell| cell as u64)).collect::<UInt64Array>()),
        DataType::Boolean => Arc::new(cells.map(|cell| cell.map(|cell| cell != 0)).collect::<BooleanArray>()),
        _ => Arc::new(cells.map(|cell| cell.map(|cell| format!("s{cell}"))).collect::<StringArray>()),
    }
}

pub(crate) fn batch(schema: &SchemaRef, rows: &[(Cells, i64)]) -> WeightedBatch {
    let columns = schema.fields().iter().enumerate();
    let columns =
        columns.map(|(place, field)| column(field.data_type(), rows.iter().map(|(cells, _)| cells[place]))).collect();
    let weights: Int64Array = rows.iter().map(|(_, weight)| Some(*weight)).collect();
    let ones = rows.iter().all(|(_, weight)| *weight == 1);
    WeightedBatch { rows: RecordBatch::try_new(schema.clone(), columns).unwrap(), weights: (!ones).then_some(weights) }
}

fn cell(column: &ArrayRef, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row),
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row) as i64,
        DataType::Boolean => i64::from(column.as_boolean().value(row)),
        _ => column.as_string::<i32>().value(row)[1..].parse().unwrap(),
    })
}

/// Adds a delta to a relation.
pub(crate) fn apply(relation: &mut Relation, delta: &Delta) {
    for batch in &delta.batches {
        for row in 0..batch.len() {
            let cells = batch.rows.columns().iter().map(|column| cell(column, row)).collect();
            add(relation, cells, batch.weight(row));
        }
    }
}

/// A random delta of a relation, which it is added to: insertions, unless `append_only` deletions of rows that are there by its
/// end, rows that come and go, in any order and any number of pieces.
pub(crate) fn random_delta(
    random: &mut Random,
    relation: &mut Relation,
    schema: &SchemaRef,
    append_only: bool,
    mut row: impl FnMut(&mut Random) -> Cells,
) -> Delta {
    let mut rows: Vec<(Cells, i64)> = Vec::new();
    for _ in 0..random.below(7) {
        let weight = if random.one_in(4) { 1 + random.below(3) as i64 } else { 1 };
        rows.push((row(random), weight));
    }
    rows.iter().for_each(|(row, weight)| add(relation, row.clone(), *weight));
    for _ in 0..if append_only { 0 } else { random.below(7) } {
        let place = random.below(relation.len() as u64) as usize;
        if let Some((row, &there)) = relation.iter().nth(place) {
            let row = row.clone();
            let weight = 1 + random.below(there as u64) as i64;
            add(relation, row.clone(), -weight);
            rows.push((row, -weight));
        }
    }
    for place in (1..rows.len()).rev() {
        rows.swap(place, random.below(place as u64 + 1) as usize);
    }
    let mut delta = Delta::empty();
    while !rows.is_empty() {
        let rest = rows.split_off(random.below(rows.len() as u64 + 1) as usize);
        delta.push(batch(schema, &rows));
        rows = rest;
    }
    delta
}

/// One step; gives the output and adds to the state changes.
pub(crate) fn step(operator: &mut dyn Operate, inputs: Vec<Delta>, changes: &mut Vec<StateChange>) -> Delta {
    step_past(operator, inputs, changes, None)
}

/// One step after the watermark of the stream 1 has passed a moment.
pub(crate) fn step_past(
    operator: &mut dyn Operate,
    inputs: Vec<Delta>,
    changes: &mut Vec<StateChange>,
    passed: Option<i64>,
) -> Delta {
    let watermarks = passed.into_iter().map(|passed| (RelationId(1), passed)).collect();
    let mut step = Step { watermarks: &watermarks, owns_keyless: true, changes: Vec::new(), errors: Vec::new() };
    let out = operator.step(inputs, &mut step).unwrap();
    assert!(step.errors.is_empty());
    changes.extend(step.changes);
    out
}

/// The first key column ends with the event time of the stream 1.
pub(crate) fn first_column_ends() -> WindowBound {
    WindowBound { end: 0, watermarks: vec![RelationId(1)], on_close: OnClose::DropState }
}

/// What a state table of weighted rows adds up to.
pub(crate) fn table_content(schema: &SchemaRef, table: usize, changes: &[StateChange]) -> Relation {
    let mut content = Relation::new();
    for change in changes.iter().filter(|change| change.table == table) {
        apply(&mut content, &Delta::of(split_weights("test", schema, &change.rows).unwrap()));
    }
    content
}

/// Gives an operator the state of another.
pub(crate) fn reload(fresh: &mut dyn Operate, changes: &[StateChange]) {
    for (place, table) in fresh.tables().iter().enumerate() {
        for change in changes.iter().filter(|change| change.table == place) {
            assert_eq!(change.rows.schema().fields(), table.schema.fields());
            fresh.load(place, change.rows.clone()).unwrap();
        }
    }
    fresh.loaded().unwrap();
}
