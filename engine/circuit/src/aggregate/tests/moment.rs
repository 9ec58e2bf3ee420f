//! Variance, correlation and regression against DataFusion's accumulators, over random rows in random batches.

use datafusion::functions_aggregate::correlation::corr_udaf;
use datafusion::functions_aggregate::covariance::{covar_pop_udaf, covar_samp_udaf};
use datafusion::functions_aggregate::regr::{
    regr_avgx_udaf, regr_avgy_udaf, regr_count_udaf, regr_intercept_udaf, regr_r2_udaf, regr_slope_udaf, regr_sxx_udaf,
    regr_sxy_udaf, regr_syy_udaf,
};
use datafusion::functions_aggregate::stddev::{stddev_pop_udaf, stddev_udaf};
use datafusion::functions_aggregate::variance::{var_pop_udaf, var_samp_udaf};

use super::*;
use crate::random::Random;

type Point = (Option<f64>, Option<f64>);

/// A key, then two doubles.
fn points_input() -> SchemaRef {
    input(&[DataType::Int64, DataType::Float64, DataType::Float64])
}

/// Every function of the family.
fn family(input: &SchemaRef) -> Vec<Arc<AggregateFunctionExpr>> {
    let of_one = [var_samp_udaf(), var_pop_udaf(), stddev_udaf(), stddev_pop_udaf()];
    let of_two = [
        covar_samp_udaf(),
        covar_pop_udaf(),
        corr_udaf(),
        regr_slope_udaf(),
        regr_intercept_udaf(),
        regr_count_udaf(),
        regr_r2_udaf(),
        regr_avgx_udaf(),
        regr_avgy_udaf(),
        regr_sxx_udaf(),
        regr_syy_udaf(),
        regr_sxy_udaf(),
    ];
    let one = of_one.iter().map(|udaf| function(udaf, vec![column(1)], input, false));
    one.chain(of_two.iter().map(|udaf| function(udaf, vec![column(1), column(2)], input, false))).collect()
}

fn columns(points: &[Point]) -> Vec<ArrayRef> {
    vec![
        Arc::new(Int64Array::from(vec![1; points.len()])),
        Arc::new(points.iter().map(|point| point.0).collect::<Float64Array>()),
        Arc::new(points.iter().map(|point| point.1).collect::<Float64Array>()),
    ]
}

/// What DataFusion's accumulators give for all points at once.
fn expected(functions: &[Arc<AggregateFunctionExpr>], points: &[Point]) -> Vec<ScalarValue> {
    let columns = columns(points);
    let value = |function: &Arc<AggregateFunctionExpr>| {
        let mut accumulator = function.create_accumulator().unwrap();
        accumulator.update_batch(&columns[1..1 + function.expressions().len()]).unwrap();
        accumulator.evaluate().unwrap()
    };
    functions.iter().map(value).map(with_one_nan).collect()
}

/// What the operator gives.
fn values(running: &Running) -> Vec<ScalarValue> {
    running.row().into_iter().skip(1).map(with_one_nan).collect()
}

/// Which NaN an operation yields is not defined.
fn with_one_nan(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Float64(Some(value)) if value.is_nan() => double(f64::NAN),
        other => other,
    }
}

/// Points of a few kinds: ordinary, far from zero, one of the columns constant, with NULLs, not finite.
fn random_points(random: &mut Random, kind: u64) -> Vec<Point> {
    let cell = |random: &mut Random| {
        let value = random.below(1_000_000) as f64 / 1_000.0;
        match kind {
            1 => Some(1e9 + value),
            2 => Some(value).filter(|_| !random.one_in(3)),
            3 if random.one_in(20) => Some([f64::NAN, f64::INFINITY, f64::NEG_INFINITY][random.below(3) as usize]),
            _ => Some(value),
        }
    };
    let count = 1 + random.below(60);
    (0..count).map(|_| (cell(random), if kind == 4 { Some(0.1) } else { cell(random) })).collect()
}

#[test]
fn batches_make_no_difference_to_the_last_bit() {
    let input = points_input();
    let functions = family(&input);
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let points = random_points(&mut random, seed % 5);
        let mut running = Running::new(&input, &[0], &functions, true);
        let mut done = 0;
        while done < points.len() {
            let next = (done + 1 + random.below(8) as usize).min(points.len());
            running.step(columns(&points[done..next]), None);
            done = next;
            assert_eq!(values(&running), expected(&functions, &points[..done]), "seed {seed}, {done} points");
            if random.one_in(4) {
                running.restart();
            }
        }
    }
}

#[test]
fn states_of_several_tasks_merge_into_the_same_values() {
    let input = points_input();
    let functions = family(&input);
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let points = random_points(&mut random, [0, 2, 4][seed as usize % 3]);
        let mut running = Running::of_form(&input, &[0], &functions, true, InputForm::Partial);
        for batch in points.chunks(9) {
            let pieces = batch.chunks(1 + random.below(9) as usize).map(|piece| (columns(piece), None)).collect();
            assert_eq!(running.step_pieces(pieces), []);
        }
        for (got, expected) in values(&running).iter().zip(expected(&functions, &points)) {
            let (ScalarValue::Float64(Some(got)), ScalarValue::Float64(Some(expected))) = (got, &expected) else {
                assert_eq!(got, &expected, "seed {seed}");
                continue;
            };
            assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1.0), "seed {seed}: {got} for {expected}");
        }
    }
}

#[test]
fn line_through_one_x_has_no_slope() {
    let input = points_input();
    for form in [InputForm::Rows, InputForm::Partial] {
        let slope = function(&regr_slope_udaf(), vec![column(1), column(2)], &input, false);
        let mut running = Running::of_form(&input, &[0], &[slope], true, form);
        for y in 1..=4 {
            running.step(columns(&[(Some(f64::from(y)), Some(0.1))]), None);
        }
        assert_eq!(running.row()[1], ScalarValue::Float64(None));
    }
}

#[test]
fn row_with_a_weight_counts_as_often() {
    let input = points_input();
    let functions = family(&input);
    let (twice, once) = ((Some(1.5), Some(2.5)), (Some(0.25), Some(-3.0)));
    let mut running = Running::new(&input, &[0], &functions, true);
    running.step(columns(&[twice, once]), Some(vec![2, 1]));
    assert_eq!(values(&running), expected(&functions, &[twice, twice, once]));
}
