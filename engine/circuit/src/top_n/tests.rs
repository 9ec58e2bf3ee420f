//! Top-n against sorting the whole input, after each batch and after restarts.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};

use super::{Form, TopNOperator};
use crate::model::{
    Cells, Relation, add, apply, batch, first_column_ends, random_delta, reload, schema, step, step_past, table_content,
};
use crate::random::Random;
use crate::{Delta, Operate, StateChange, TopNPlan, WindowBound};

#[derive(Debug, Clone)]
struct Case {
    partition: bool,
    /// Columns with descending and nulls first.
    order: Vec<(usize, bool, bool)>,
    offset: usize,
    limit: usize,
    with_rank: bool,
    append_only: bool,
}

const NAMES: [&str; 3] = ["p", "o", "t"];

fn input_schema() -> SchemaRef {
    schema(&[("p", DataType::Int64), ("o", DataType::Int64), ("t", DataType::Utf8)])
}

fn output_schema(with_rank: bool) -> SchemaRef {
    let mut columns = vec![("p", DataType::Int64), ("o", DataType::Int64), ("t", DataType::Utf8)];
    if with_rank {
        columns.push(("rank", DataType::UInt64));
    }
    schema(&columns)
}

fn column(place: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new(NAMES[place], place))
}

fn operator(case: &Case) -> TopNOperator {
    operator_with(case, None)
}

fn operator_with(case: &Case, window: Option<WindowBound>) -> TopNOperator {
    let order = |&(place, descending, nulls_first): &(usize, bool, bool)| {
        PhysicalSortExpr::new(column(place), SortOptions { descending, nulls_first })
    };
    let plan = TopNPlan {
        partition: if case.partition { vec![column(0)] } else { vec![] },
        order: case.order.iter().map(order).collect(),
        offset: case.offset,
        limit: case.limit,
        with_rank: case.with_rank,
        window,
    };
    TopNOperator::new(&plan, input_schema(), output_schema(case.with_rank), case.append_only).unwrap()
}

fn compare(case: &Case, left: &Cells, right: &Cells) -> Ordering {
    for &(place, descending, nulls_first) in &case.order {
        let order = match (left[place], right[place]) {
            (Some(left), Some(right)) if descending => right.cmp(&left),
            (Some(left), Some(right)) => left.cmp(&right),
            (None, None) => Ordering::Equal,
            (None, _) if nulls_first => Ordering::Less,
            (None, _) => Ordering::Greater,
            (_, None) if nulls_first => Ordering::Greater,
            (_, None) => Ordering::Less,
        };
        if order.is_ne() {
            return order;
        }
    }
    left.cmp(right)
}

fn expected(case: &Case, input: &Relation) -> Relation {
    let mut partitions: std::collections::BTreeMap<Option<i64>, Vec<&Cells>> = Default::default();
    for (row, &weight) in input {
        let partition = if case.partition { row[0] } else { None };
        partitions.entry(partition).or_default().extend(std::iter::repeat_n(row, weight as usize));
    }
    let mut out = Relation::new();
    for mut rows in partitions.into_values() {
        rows.sort_by(|left, right| compare(case, left, right));
        for (rank, row) in rows.into_iter().enumerate().skip(case.offset).take(case.limit) {
            let mut row = row.clone();
            if case.with_rank {
                row.push(Some(rank as i64 + 1));
            }
            add(&mut out, row, 1);
        }
    }
    out
}

fn random_row(random: &mut Random) -> Cells {
    let mut cell = |bound: u64, null: u64| Some(random.below(bound) as i64).filter(|_| !random.one_in(null));
    vec![cell(3, 6), cell(5, 6), cell(3, 8)]
}

fn check(case: &Case, seed: u64) {
    let mut random = Random::new(seed);
    let mut operator = operator(case);
    let (mut input, mut out) = (Relation::new(), Relation::new());
    let mut changes = Vec::new();
    for number in 0..25 {
        let delta = random_delta(&mut random, &mut input, &input_schema(), case.append_only, random_row);
        apply(&mut out, &step(&mut operator, vec![delta], &mut changes));
        assert_eq!(out, expected(case, &input), "seed {seed}, batch {number}, {case:?}");
        if random.one_in(8) {
            operator = self::operator(case);
            reload(&mut operator, &changes);
        }
    }
    if case.append_only {
        check_kept(case, &input, &changes);
    }
}

/// The state table of append-only input holds the first rows, nothing more.
fn check_kept(case: &Case, input: &Relation, changes: &[StateChange]) {
    let bound = case.offset.saturating_add(case.limit);
    let all = Case { offset: 0, limit: if case.limit == 0 { 0 } else { bound }, with_rank: false, ..case.clone() };
    let kept = table_content(&input_schema(), 0, changes);
    assert_eq!(kept, expected(&all, input), "{case:?}");
}

#[test]
fn top_n_is_what_sorting_gives() {
    let orders = [vec![], vec![(1, false, false)], vec![(1, true, true)], vec![(1, true, false), (2, true, false)]];
    let mut seed = 0;
    for order in &orders {
        for (offset, limit) in [(0, 1), (0, 3), (2, 2), (0, 40), (3, 60), (1, usize::MAX), (0, 0)] {
            for bits in 0..8 {
                let case = Case {
                    partition: bits & 1 != 0,
                    order: order.clone(),
                    offset,
                    limit,
                    with_rank: bits & 2 != 0,
                    append_only: bits & 4 != 0,
                };
                for _ in 0..8 {
                    seed += 1;
                    check(&case, seed);
                }
            }
        }
    }
}

#[test]
fn pushed_out_rows_leave_memory() {
    let case = Case {
        partition: true,
        order: vec![(1, true, false)],
        offset: 0,
        limit: 2,
        with_rank: true,
        append_only: true,
    };
    let mut operator = operator(&case);
    let (mut input, mut out) = (Relation::new(), Relation::new());
    for number in 0..150 {
        let rows: Vec<(Cells, i64)> = (0..1000).map(|p| (vec![Some(p), Some(number), Some(p % 7)], 1)).collect();
        rows.iter().for_each(|(row, weight)| add(&mut input, row.clone(), *weight));
        apply(&mut out, &step(&mut operator, vec![Delta::of(batch(&input_schema(), &rows))], &mut Vec::new()));
    }
    assert_eq!(out, expected(&case, &input));
    let Form::Best(_) = &operator.form else { panic!("the form for append-only input") };
    assert!(operator.memory() < 5_000_000, "{}", operator.memory());
}

#[test]
fn many_ties_are_settled() {
    let case = Case { partition: true, order: vec![], offset: 0, limit: 2, with_rank: false, append_only: true };
    let mut operator = operator(&case);
    let (mut input, mut out) = (Relation::new(), Relation::new());
    for number in 0..10 {
        let row = |n: i64| (vec![Some(n % 9), Some((n * 7 + number) % 100), Some(n % 5)], 1);
        let rows: Vec<(Cells, i64)> = (0..500).map(row).collect();
        rows.iter().for_each(|(row, weight)| add(&mut input, row.clone(), *weight));
        apply(&mut out, &step(&mut operator, vec![Delta::of(batch(&input_schema(), &rows))], &mut Vec::new()));
        assert_eq!(out, expected(&case, &input));
    }
}

/// Partitions that end, against an operator that keeps them for ever.
fn check_windows(case: &Case, seed: u64) {
    let mut random = Random::new(seed);
    let windowed = || operator_with(case, Some(first_column_ends()));
    let (mut closing, mut keeping) = (windowed(), operator(case));
    let (mut open, mut out, mut expected) = (Relation::new(), Relation::new(), Relation::new());
    let mut changes = Vec::new();
    for passed in 0..20 {
        open.retain(|row, _| row[0].is_none_or(|end| end > passed));
        let row = |random: &mut Random| {
            let mut row = random_row(random);
            row[0] = row[0].map(|end| end + passed + 1);
            row
        };
        let delta = random_delta(&mut random, &mut open, &input_schema(), case.append_only, row);
        apply(&mut expected, &step(&mut keeping, vec![delta.clone()], &mut Vec::new()));
        apply(&mut out, &step_past(&mut closing, vec![delta], &mut changes, Some(passed)));
        assert_eq!(out, expected, "seed {seed}, {passed} passed, {case:?}");
        if random.one_in(5) {
            closing = windowed();
            reload(&mut closing, &changes);
        }
    }
    step_past(&mut closing, vec![Delta::empty()], &mut changes, Some(i64::MAX));
    let kept = table_content(&input_schema(), 0, &changes);
    assert!(kept.keys().all(|row| row[0].is_none()), "seed {seed}: {kept:?}");
    assert!(closing.ranking.index.len() <= 1, "only the NULL partition is left");
}

#[test]
fn partitions_whose_windows_close_leave_state_and_stay_in_the_result() {
    let mut seed = 0;
    for (offset, limit) in [(0, 1), (1, 2), (0, 40), (0, usize::MAX)] {
        for bits in 0..4 {
            let order = vec![(1, false, false)];
            let case =
                Case { partition: true, order, offset, limit, with_rank: bits & 1 != 0, append_only: bits & 2 != 0 };
            for _ in 0..10 {
                seed += 1;
                check_windows(&case, seed);
            }
        }
    }
}
