//! Watermarks (W-20 to W-22), idle inputs, lateness, gaps and clocks.

use super::*;

const YEAR_MS: i64 = 31_557_600_000;

/// A generator with a lag of 5 ms.
fn generator(inputs: u32, idle_timeout_ms: Option<i64>) -> WatermarkGenerator {
    WatermarkGenerator::new(inputs, EventTime::new(5, 0, idle_timeout_ms).unwrap(), 0)
}

#[test]
fn w20_one_stream_with_lag() {
    let mut generator = generator(1, None);
    generator.track(0, 100, 0);
    generator.track(0, 110, 0);
    assert_eq!(generator.advance(0), Some(105));
    assert_eq!(generator.advance(0), None, "it has not grown");
    generator.track(0, 90, 0);
    assert_eq!((generator.advance(0), generator.current()), (None, Some(105)));
}

#[test]
fn w21_two_streams_wait_for_each_other() {
    let mut generator = generator(2, None);
    generator.track(0, 100, 0);
    generator.track(0, 110, 0);
    assert_eq!(generator.advance(1_000_000), None);
    generator.track(1, 95, 0);
    generator.track(1, 98, 0);
    assert_eq!(generator.advance(0), Some(93));
}

#[test]
fn w22_late_is_older_than_the_watermark() {
    let mut run = Run::event(durations(20, 10));
    assert!(!run.manager.is_late(i64::MIN), "nothing is late before a watermark");
    run.watermark(105);
    assert!(!run.manager.is_late(105));
    assert!(run.manager.is_late(104));
    let mut fired = Vec::new();
    assert_eq!(run.manager.add(7, 105, &mut fired), Ok(None));
    assert_eq!(run.manager.add(8, 104, &mut fired), Ok(Some(8)));
}

#[test]
fn an_idle_input_is_left_out() {
    let mut generator = generator(2, Some(1000));
    generator.track(0, 200, 500);
    assert_eq!(generator.advance(1000), None, "the second is silent since 0: not longer than the timeout");
    assert_eq!(generator.advance(1001), Some(195));
    generator.track(1, 100, 1002);
    assert_eq!(generator.advance(1002), None, "it doesn't fall back");
    generator.track(0, 300, 1500);
    assert_eq!(generator.advance(1500), None, "the second holds it back again");
    assert_eq!(generator.advance(2003), Some(295));
}

#[test]
fn when_all_are_idle_the_greatest_counts() {
    let mut generator = generator(3, Some(1000));
    assert_eq!(generator.advance(5000), None, "nothing came at all");
    generator.track(0, 200, 5000);
    generator.track(1, 100, 5000);
    assert_eq!(generator.advance(5000), Some(95));
    assert_eq!(generator.advance(6001), Some(195));
}

#[test]
fn wrong_times_are_refused() {
    assert!(EventTime::new(-1, 0, None).is_err());
    assert!(EventTime::new(0, -1, None).is_err());
    assert!(EventTime::new(0, 0, Some(0)).is_err());
    let late = WindowTime::Event(EventTime::new(0, 1, None).unwrap());
    assert!(WindowManager::<u32>::new(counts(1, 1).unwrap(), late).is_err());
}

/// An item at the watermark is accepted, so the window that ends there is still open.
#[test]
fn an_item_at_the_watermark_is_in_the_window_that_ends_there() {
    let mut run = Run::event(WindowSpec::tumbling(Length::Duration(10)));
    run.add([5]).watermark(10).check(&[]);
    run.add([10]).watermark(11).check_items(&[seq(1, 2)]);
}

#[test]
fn a_gap_of_years_costs_nothing() {
    let mut run = Run::event(durations(20, 1));
    run.add([100, 100 + 1000 * YEAR_MS]).watermark(2000 * YEAR_MS);
    assert_eq!(run.fired.len(), 40, "each item is in 20 windows");
    run.check_left(&[1, 2]);
}

#[test]
fn a_repeated_count_window_is_repeated_so_often_only() {
    let mut run = Run::event(WindowSpec::sliding(Length::Count(3), Slide::Duration(10)));
    run.add([5, 1000 * YEAR_MS]).watermark(1000 * YEAR_MS + 1);
    let ends: Vec<i64> = run.fired.iter().map(|window| window.end).collect();
    let mut expected: Vec<i64> = (1..=1 + i64::from(REPEATS_MAX)).map(|i| i * 10).collect();
    expected.push(1000 * YEAR_MS);
    assert_eq!(ends, expected);
}

#[test]
fn extreme_timestamps_do_no_harm() {
    for spec in [durations(20, 10), counts(2, 2), WindowSpec::per_tuple(Length::Duration(5))] {
        let mut run = Run::event(spec);
        run.add([i64::MIN, i64::MIN + 1, -7, 0, i64::MAX]).watermark(i64::MAX);
        run.watermark(i64::MAX).add([i64::MAX]);
    }
}

#[test]
fn an_allowed_late_item_makes_its_windows_fire_again() {
    let time = WindowTime::Event(EventTime::new(0, 15, None).unwrap());
    let mut run = Run::new(durations(20, 10), time);
    run.add([603, 618]).watermark(631).check(&[
        (seq(1, 1), seq(1, 1), none()),
        (seq(1, 2), seq(2, 2), none()),
        (seq(2, 2), none(), seq(1, 1)),
    ]);
    assert!(run.manager.is_late(615) && !run.manager.is_late(616));
    run.add([617]).check(&[(vec![1, 3, 2], vec![3], none()), (vec![3, 2], vec![3], none())]);
    run.watermark(646).check(&[]).check_left(&[1, 3, 2]);
}

#[test]
fn an_item_after_a_step_back_of_the_clock_is_not_lost() {
    let mut run = Run::processing(WindowSpec::tumbling(Length::Duration(10)));
    run.add([5]).time(11).check_items(&[seq(1, 1)]);
    run.add([3]).time(21).check_items(&[seq(2, 2)]);
}

#[test]
fn a_late_timer_loses_nothing() {
    let mut run = Run::processing(WindowSpec::tumbling(Length::Duration(10)));
    run.add([5, 15, 95]).time(1000).check_items(&[seq(1, 1), seq(2, 2), seq(3, 3)]);
}
