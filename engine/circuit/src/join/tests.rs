//! Every join type against nested loops over the whole inputs, after each batch and after restarts.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::JoinType;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};

use super::JoinOperator;
use crate::model::{
    Cells, Relation, add, apply, batch, first_column_ends, random_delta, reload, schema, step, step_past, table_content,
};
use crate::random::Random;
use crate::{Delta, JoinPlan, Operate, WeightedBatch, WindowBound};

const JOIN_TYPES: [JoinType; 10] = [
    JoinType::Inner,
    JoinType::Left,
    JoinType::Right,
    JoinType::Full,
    JoinType::LeftSemi,
    JoinType::RightSemi,
    JoinType::LeftAnti,
    JoinType::RightAnti,
    JoinType::LeftMark,
    JoinType::RightMark,
];

#[derive(Debug, Clone, Copy)]
struct Case {
    join_type: JoinType,
    /// Number of equal columns.
    on: usize,
    filter: bool,
    null_equals_null: bool,
    null_aware: bool,
    append_only: [bool; 2],
}

fn input_schema() -> SchemaRef {
    schema(&[("k", DataType::Int64), ("s", DataType::Utf8), ("v", DataType::Int64)])
}

fn output_schema(join_type: JoinType) -> SchemaRef {
    let side = [("k", DataType::Int64), ("s", DataType::Utf8), ("v", DataType::Int64)];
    let mut columns = side.to_vec();
    match join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => columns.extend(side),
        JoinType::LeftMark | JoinType::RightMark => columns.push(("mark", DataType::Boolean)),
        _ => {}
    }
    schema(&columns)
}

fn column(name: &str, place: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(name, place))
}

fn operator(case: Case) -> JoinOperator {
    operator_with(case, None)
}

fn operator_with(case: Case, window: Option<WindowBound>) -> JoinOperator {
    let names = ["k", "s"];
    let filter = Arc::new(BinaryExpr::new(column("v", 2), Operator::Gt, column("v", 5)));
    let plan = JoinPlan {
        join_type: case.join_type,
        on: (0..case.on).map(|place| (column(names[place], place), column(names[place], place))).collect(),
        filter: case.filter.then_some(filter as Arc<dyn PhysicalExpr>),
        null_equals_null: case.null_equals_null,
        null_aware: case.null_aware,
        window,
    };
    JoinOperator::new(&plan, input_schema(), input_schema(), output_schema(case.join_type), case.append_only).unwrap()
}

fn is_match(case: Case, left: &Cells, right: &Cells) -> bool {
    let passes = !case.filter || matches!((left[2], right[2]), (Some(v), Some(w)) if v > w);
    let equal = (0..case.on).all(|place| match (left[place], right[place]) {
        (Some(left), Some(right)) => left == right,
        (None, None) => case.null_equals_null || case.null_aware,
        _ => case.null_aware,
    });
    passes && equal
}

fn expected(case: Case, left: &Relation, right: &Relation) -> Relation {
    let mut out = Relation::new();
    let nulls = vec![None; 3];
    let matching = |rows: &Relation, test: &dyn Fn(&Cells) -> bool| rows.keys().any(test);
    if matches!(case.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full) {
        for (l, wl) in left {
            for (r, wr) in right.iter().filter(|(r, _)| is_match(case, l, r)) {
                add(&mut out, [l.clone(), r.clone()].concat(), wl * wr);
            }
        }
    }
    for (l, w) in left {
        let matched = matching(right, &|r| is_match(case, l, r));
        match case.join_type {
            JoinType::Left | JoinType::Full if !matched => add(&mut out, [l.clone(), nulls.clone()].concat(), *w),
            JoinType::LeftSemi if matched => add(&mut out, l.clone(), *w),
            JoinType::LeftAnti if !matched => add(&mut out, l.clone(), *w),
            JoinType::LeftMark => add(&mut out, [l.clone(), vec![Some(i64::from(matched))]].concat(), *w),
            _ => {}
        }
    }
    for (r, w) in right {
        let matched = matching(left, &|l| is_match(case, l, r));
        match case.join_type {
            JoinType::Right | JoinType::Full if !matched => add(&mut out, [nulls.clone(), r.clone()].concat(), *w),
            JoinType::RightSemi if matched => add(&mut out, r.clone(), *w),
            JoinType::RightAnti if !matched => add(&mut out, r.clone(), *w),
            JoinType::RightMark => add(&mut out, [r.clone(), vec![Some(i64::from(matched))]].concat(), *w),
            _ => {}
        }
    }
    out
}

fn random_row(random: &mut Random) -> Cells {
    let mut cell = |bound: u64, null: u64| Some(random.below(bound) as i64).filter(|_| !random.one_in(null));
    vec![cell(4, 6), cell(2, 8), cell(5, 9)]
}

fn check(case: Case, seed: u64) {
    let mut random = Random::new(seed);
    let mut operator = operator(case);
    let (mut left, mut right, mut out) = (Relation::new(), Relation::new(), Relation::new());
    let mut changes = Vec::new();
    for number in 0..25 {
        let mut delta = |relation: &mut Relation, append_only| {
            if random.one_in(4) {
                return Delta::empty();
            }
            random_delta(&mut random, relation, &input_schema(), append_only, random_row)
        };
        let inputs = vec![delta(&mut left, case.append_only[0]), delta(&mut right, case.append_only[1])];
        let inserts = inputs.iter().all(Delta::is_insert_only);
        let yielded = step(&mut operator, inputs, &mut changes);
        if case.join_type == JoinType::Inner && case.append_only == [true, true] && inserts {
            assert!(yielded.batches.iter().all(|batch| (0..batch.len()).all(|row| batch.weight(row) > 0)));
        }
        apply(&mut out, &yielded);
        assert_eq!(out, expected(case, &left, &right), "seed {seed}, batch {number}, {case:?}");
        if random.one_in(8) {
            operator = self::operator(case);
            reload(&mut operator, &changes);
        }
    }
}

fn check_all(join_type: JoinType) {
    for bits in 0..48_u64 {
        let case = Case {
            join_type,
            on: (bits / 16) as usize,
            filter: bits & 1 == 1,
            null_equals_null: bits & 2 != 0,
            null_aware: false,
            append_only: [bits & 4 != 0, bits & 8 != 0],
        };
        (0..6).for_each(|seed| check(case, seed * 100 + bits));
    }
}

#[test]
fn join_is_what_nested_loops_give() {
    JOIN_TYPES.into_iter().for_each(check_all);
}

#[test]
fn not_in_is_what_nested_loops_give() {
    for bits in 0..8_u64 {
        let case = Case {
            join_type: JoinType::LeftAnti,
            on: 1,
            filter: bits & 1 == 1,
            null_equals_null: false,
            null_aware: true,
            append_only: [bits & 2 != 0, bits & 4 != 0],
        };
        (0..40).for_each(|seed| check(case, seed * 100 + bits));
    }
}

fn inner(on: usize) -> Case {
    Case {
        join_type: JoinType::Inner,
        on,
        filter: false,
        null_equals_null: false,
        null_aware: false,
        append_only: [true, true],
    }
}

fn rows(range: std::ops::Range<i64>) -> Delta {
    let rows: Vec<(Cells, i64)> = range.map(|n| (vec![Some(n), Some(n % 3), Some(-n)], 1)).collect();
    Delta::of(batch(&input_schema(), &rows))
}

#[test]
fn cross_join_comes_in_bounded_batches() {
    let mut operator = operator(inner(0));
    let out = step(&mut operator, vec![rows(0..400), rows(0..500)], &mut Vec::new());
    assert_eq!(out.len(), 200_000);
    assert!(out.is_insert_only());
    assert!(out.batches.iter().all(|batch| batch.len() <= 1 << 16));
}

#[test]
fn keys_without_rows_are_given_up() {
    let mut operator = operator(Case { append_only: [false, false], ..inner(2) });
    for start in [0, 1000, 2000] {
        let range = start..start + 1000;
        step(&mut operator, vec![rows(range.clone()), rows(range.clone())], &mut Vec::new());
        let gone = || {
            let rows = rows(range.clone()).batches.remove(0).rows;
            Delta::of(WeightedBatch::constant(rows, -1))
        };
        let out = step(&mut operator, vec![gone(), gone()], &mut Vec::new());
        let weights = out.batches.iter().flat_map(|batch| (0..batch.len()).map(|row| batch.weight(row)));
        assert_eq!(weights.sum::<i64>(), -1000);
    }
    assert_eq!(operator.index.len(), 0);
    assert_eq!(operator.index.capacity(), 1000);
}

#[test]
fn side_without_columns_is_counted() {
    let none = schema(&[]);
    let plan = JoinPlan {
        join_type: JoinType::Inner,
        on: vec![],
        filter: None,
        null_equals_null: false,
        null_aware: false,
        window: None,
    };
    let output = input_schema();
    let mut operator = JoinOperator::new(&plan, input_schema(), none.clone(), output, [false, false]).unwrap();
    let bare = crate::row_store::batch_of(&none, vec![], 2).unwrap();
    let out = step(&mut operator, vec![rows(0..3), Delta::of(WeightedBatch::inserted(bare.clone()))], &mut Vec::new());
    let mut relation = Relation::new();
    apply(&mut relation, &out);
    assert_eq!(relation.values().copied().collect::<Vec<_>>(), [2, 2, 2]);
    let out = step(&mut operator, vec![Delta::empty(), Delta::of(WeightedBatch::constant(bare, -1))], &mut Vec::new());
    apply(&mut relation, &out);
    assert_eq!(relation, Relation::new());
    assert!(operator.memory() > 0);
}

/// Keys that end, against a join that keeps them for ever.
fn check_windows(case: Case, seed: u64) {
    let mut random = Random::new(seed);
    let windowed = || operator_with(case, Some(first_column_ends()));
    let (mut closing, mut keeping) = (windowed(), operator(case));
    let mut open = [Relation::new(), Relation::new()];
    let (mut out, mut expected) = (Relation::new(), Relation::new());
    let mut changes = Vec::new();
    for passed in 0..15 {
        let row = |random: &mut Random| {
            let mut row = random_row(random);
            row[0] = row[0].map(|end| end + passed + 1);
            row
        };
        let mut inputs = Vec::new();
        for (side, open) in open.iter_mut().enumerate() {
            open.retain(|row, _| row[0].is_none_or(|end| end > passed));
            inputs.push(random_delta(&mut random, open, &input_schema(), case.append_only[side], row));
        }
        apply(&mut expected, &step(&mut keeping, inputs.clone(), &mut Vec::new()));
        apply(&mut out, &step_past(&mut closing, inputs, &mut changes, Some(passed)));
        assert_eq!(out, expected, "seed {seed}, {passed} passed, {case:?}");
        if random.one_in(5) {
            closing = windowed();
            reload(&mut closing, &changes);
        }
    }
    step_past(&mut closing, vec![Delta::empty(), Delta::empty()], &mut changes, Some(i64::MAX));
    for table in 0..2 {
        let kept = table_content(&input_schema(), table, &changes);
        assert!(kept.keys().all(|row| row[0].is_none()), "seed {seed}, {case:?}: {kept:?}");
        let rows = closing.sides[table].rows.as_ref().expect("rows, to take them out again");
        assert_eq!(rows.is_empty(), kept.is_empty(), "seed {seed}, {case:?}");
    }
}

#[test]
fn keys_whose_windows_close_leave_state_and_stay_in_the_result() {
    let mut seed = 0;
    for join_type in JOIN_TYPES {
        for bits in 0..16 {
            let grows = bits & 4 != 0;
            let case = Case {
                join_type,
                on: 1 + (bits & 1),
                filter: bits & 2 != 0,
                null_equals_null: bits & 8 != 0,
                null_aware: false,
                append_only: [grows, grows],
            };
            for _ in 0..4 {
                seed += 1;
                check_windows(case, seed);
            }
        }
    }
}
