//! The two forms against a map of weights.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::RowStore;
use crate::WeightedBatch;
use crate::random::Random;

type Row = (Option<i64>, String);

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("s", DataType::Utf8, false)]))
}

fn batch_of_rows(rows: &[(Row, i64)]) -> WeightedBatch {
    let numbers: Int64Array = rows.iter().map(|((n, _), _)| *n).collect();
    let texts: StringArray = rows.iter().map(|((_, s), _)| Some(s.as_str())).collect();
    let weights: Int64Array = rows.iter().map(|(_, weight)| Some(*weight)).collect();
    let rows = RecordBatch::try_new(schema(), vec![Arc::new(numbers), Arc::new(texts)]).unwrap();
    WeightedBatch { rows, weights: super::some_if_not_ones(weights) }
}

fn rows_of(batch: &WeightedBatch) -> Vec<(Row, i64)> {
    let numbers = batch.rows.column(0).as_primitive::<Int64Type>();
    let texts = batch.rows.column(1).as_string::<i32>();
    let number = |row| numbers.is_valid(row).then(|| numbers.value(row));
    (0..batch.len()).map(|row| ((number(row), texts.value(row).to_owned()), batch.weight(row))).collect()
}

fn key_of(row: &Row) -> u32 {
    row.0.unwrap_or(9) as u32
}

fn add(model: &mut BTreeMap<Row, i64>, rows: &[(Row, i64)]) {
    for (row, weight) in rows {
        *model.entry(row.clone()).or_insert(0) += weight;
    }
    model.retain(|_, weight| *weight != 0);
}

fn content(batches: &[WeightedBatch]) -> BTreeMap<Row, i64> {
    let mut content = BTreeMap::new();
    batches.iter().for_each(|batch| add(&mut content, &rows_of(batch)));
    content
}

fn check(store: &RowStore, model: &BTreeMap<Row, i64>) {
    assert_eq!(&content(&store.snapshot().unwrap()), model);
    for key in 0..10 {
        let positions: Vec<u32> = store.positions(key).collect();
        let listed = content(&[store.gather_weighted(&positions).unwrap()]);
        let expected =
            model.iter().filter(|(row, _)| key_of(row) == key).map(|(row, weight)| (row.clone(), *weight)).collect();
        assert_eq!(listed, expected, "key {key}");
    }
}

fn run(mut store: RowStore, weight_min: i64, seed: u64) {
    let mut random = Random::new(seed);
    let mut model = BTreeMap::new();
    let mut positions = Vec::new();
    for _ in 0..120 {
        let rows: Vec<(Row, i64)> = (0..random.below(12))
            .map(|_| {
                let n = Some(random.below(8) as i64).filter(|&n| n > 0);
                let weight = weight_min + random.below((3 - weight_min) as u64) as i64;
                ((n, format!("s{}", random.below(4))), weight)
            })
            .collect();
        let keys: Vec<u32> = rows.iter().map(|(row, _)| key_of(row)).collect();
        store.apply(&keys, &batch_of_rows(&rows), &mut positions).unwrap();
        assert_eq!(positions.len(), rows.len());
        add(&mut model, &rows);
        check(&store, &model);
    }
}

#[test]
fn general_form_is_the_sum_of_its_deltas() {
    for seed in 0..20 {
        println!("seed {seed}");
        run(RowStore::general(schema()).unwrap(), -2, seed);
    }
}

#[test]
fn append_only_form_is_the_sum_of_its_deltas() {
    for seed in 0..20 {
        println!("seed {seed}");
        run(RowStore::append_only(schema()), 0, seed);
        run(RowStore::append_only(schema()), 1, seed);
    }
}

#[test]
fn append_only_form_refuses_a_deletion() {
    let mut store = RowStore::append_only(schema());
    let batch = batch_of_rows(&[((Some(1), "x".into()), -1)]);
    assert!(store.apply(&[1], &batch, &mut Vec::new()).is_err());
}

#[test]
fn rows_that_arrive_one_by_one_end_in_few_blocks() {
    let mut blocks = super::Blocks::new(schema());
    for n in 0..5000 {
        blocks.push(batch_of_rows(&[((Some(n), "x".into()), 1)]).rows).unwrap();
    }
    assert!(blocks.batches().len() < 64, "{}", blocks.batches().len());
    let gathered = blocks.gather(&[4999, 0, 17, 4096]).unwrap();
    assert_eq!(gathered.column(0).as_primitive::<Int64Type>().values(), &[4999, 0, 17, 4096]);
}
