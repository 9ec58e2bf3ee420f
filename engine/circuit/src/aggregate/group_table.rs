//! The aggregate's first state table: for each group its row count and the states of its aggregates, newest wins.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::call::Call;
use crate::Result;

/// Fields of a group table: key columns, `rows`, states, `live`.
pub(crate) fn schema(key: &[DataType], calls: &[Call]) -> SchemaRef {
    let mut fields = key_fields(key);
    fields.push(Field::new("rows", DataType::Int64, false));
    for (place, call) in calls.iter().enumerate() {
        for (part, data_type) in call.column.state_types().into_iter().enumerate() {
            fields.push(Field::new(format!("state_{place}_{part}"), data_type, true));
        }
    }
    fields.push(Field::new("live", DataType::Boolean, false));
    Arc::new(Schema::new(fields))
}

/// Fields of a multiset's table: key columns, value columns, counts.
pub(crate) fn set_schema(key: &[DataType], values: &[DataType], counts: usize) -> SchemaRef {
    let mut fields = key_fields(key);
    fields.extend(
        values.iter().enumerate().map(|(place, kind)| Field::new(format!("value_{place}"), kind.clone(), true)),
    );
    fields.extend((0..counts).map(|place| Field::new(format!("count_{place}"), DataType::Int64, false)));
    Arc::new(Schema::new(fields))
}

fn key_fields(key: &[DataType]) -> Vec<Field> {
    key.iter().enumerate().map(|(place, kind)| Field::new(format!("key_{place}"), kind.clone(), true)).collect()
}

/// The rows of these groups as a chunk, or, without `live`, as partial states for another task.
pub(crate) fn rows(
    schema: &SchemaRef,
    key: Vec<ArrayRef>,
    groups: &[u32],
    counts: &[i64],
    calls: &[Call],
    live: Option<BooleanArray>,
) -> Result<RecordBatch> {
    let mut columns = key;
    columns.push(Arc::new(Int64Array::from_iter_values(groups.iter().map(|&group| counts[group as usize]))));
    for call in calls {
        columns.extend(call.column.state(groups)?);
    }
    if let Some(live) = live {
        columns.push(Arc::new(live));
    }
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// Adds the states of a chunk, or of partial states, to these groups. `keys` is the number of key columns.
pub(crate) fn merge(
    rows: &RecordBatch,
    keys: usize,
    groups: &[u32],
    counts: &mut [i64],
    calls: &mut [Call],
) -> Result<()> {
    let added = rows.column(keys).as_primitive::<arrow::datatypes::Int64Type>();
    for (row, &group) in groups.iter().enumerate() {
        counts[group as usize] += added.value(row);
    }
    let mut next = keys + 1;
    for call in calls {
        let width = call.column.state_types().len();
        call.column.merge(groups, &rows.columns()[next..next + width])?;
        next += width;
    }
    Ok(())
}
