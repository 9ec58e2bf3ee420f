//! The cases of Storm's own window tests, W-1 to W-15 and W-27, by their ids in the reference document.

use super::*;

/// The start of the data that most event-time cases share.
const STANDARD: [i64; 6] = [603, 605, 607, 618, 626, 636];

#[test]
fn w01_count_5_slide_2() {
    let mut run = Run::processing(counts(5, 2));
    run.add([0; 7]).check_left(&[1]);
    run.add([0]).check(&[
        (seq(1, 2), seq(1, 2), none()),
        (seq(1, 4), seq(3, 4), none()),
        (seq(2, 6), seq(5, 6), seq(1, 1)),
        (seq(4, 8), seq(7, 8), seq(2, 3)),
    ]);
    run.check_left(&[2, 3]);
}

#[test]
fn w02_compaction_without_a_trigger() {
    let hour = Slide::Duration(3_600_000);
    let mut run = Run::processing(WindowSpec::sliding(Length::Count(5), hour));
    run.add(1..=99).check_left(&[]);
    run.add([100]).check(&[]).check_left(&seq(1, 95));
}

#[test]
fn w03_nothing_is_evicted_before_the_first_watermark() {
    for length in [Length::Count(100), Length::Duration(100)] {
        let mut run = Run::event(WindowSpec::sliding(length, Slide::Count(100)));
        run.add(1..=100).check(&[]).check_left(&[]);
        run.watermark(100).check_items(&[seq(1, 100)]).check_left(&[]);
        run.add(101..=200).watermark(201).check_left(&seq(1, 100));
    }
}

/// Storm's test evaluates at moments of its own choice; here windows end at multiples of the slide. 1000 ms every day, and
/// the window end is 100 ms after the new items, as in the document.
#[test]
fn w04_expired_holds_what_compaction_purged() {
    const DAY: i64 = 86_400_000;
    let (now, end) = (DAY - 100, DAY);
    let mut run = Run::processing(durations(1000, DAY));
    run.add([now - 1000; 50]).add([now; 50]).check_left(&seq(1, 50));
    run.add([now - 1000; 100]).time(end + 1);
    let old: Vec<u32> = seq(1, 50).into_iter().chain(seq(101, 200)).collect();
    run.check(&[(seq(51, 100), seq(51, 100), old)]).check_left(&seq(101, 200));
}

/// The second half of W-4: 50 items, and 100 more for the trigger after.
#[test]
fn w04_second_trigger_tells_the_new_ones() {
    let mut run = Run::processing(durations(1000, 100));
    run.add([5050; 50]).time(5101).check(&[(seq(1, 50), seq(1, 50), none())]);
    run.add([5150; 100]).time(5201).check(&[(seq(1, 150), seq(51, 150), none())]);
    run.check_left(&[]);
}

#[test]
fn w05_expiry_without_a_window() {
    let mut run = Run::processing(durations(100, 60));
    run.add([6001; 10]);
    assert_eq!(run.manager.next_fire(), Some(6061));
    run.time(6061).check(&[(seq(1, 10), seq(1, 10), none())]).check_left(&[]);
    assert_eq!(run.manager.next_fire(), Some(6121));
    run.time(6121).check(&[]).check_left(&seq(1, 10));
    assert_eq!(run.manager.next_fire(), None);
    run.time(6181).check(&[]).check_left(&[]);
}

#[test]
fn w06_tumbling_count_3() {
    let mut run = Run::processing(WindowSpec::tumbling(Length::Count(3)));
    run.add([0; 3]).check(&[(seq(1, 3), seq(1, 3), none())]).check_left(&[]);
    run.add([0; 3]).check(&[(seq(4, 6), seq(4, 6), seq(1, 3))]).check_left(&seq(1, 3));
}

/// Through W-7 and W-8: three windows.
fn after_w08() -> Run {
    let mut run = Run::event(durations(20, 10));
    run.add([603, 605, 607]).watermark(609).check(&[]);
    run.add([618, 626, 636]).watermark(631);
    run
}

#[test]
fn w07_no_window_before_its_end() {
    Run::event(durations(20, 10)).add([603, 605, 607]).watermark(609).check(&[]).check_left(&[]);
}

#[test]
fn w08_three_windows_by_one_watermark() {
    let mut run = after_w08();
    let bounds: Vec<_> = run.fired.iter().map(|window| (window.start, window.end)).collect();
    assert_eq!(bounds, [(Some(590), 610), (Some(600), 620), (Some(610), 630)]);
    run.check(&[(seq(1, 3), seq(1, 3), none()), (seq(1, 4), seq(4, 4), none()), (seq(4, 5), seq(5, 5), seq(1, 3))]);
    run.check_left(&seq(1, 3));
}

#[test]
fn w09_a_gap_is_jumped() {
    let mut run = after_w08();
    run.fired.clear();
    run.add([825, 826, 827, 839]).watermark(834).check(&[
        (seq(5, 6), seq(6, 6), seq(4, 4)),
        (seq(6, 6), none(), seq(5, 5)),
        (seq(7, 9), seq(7, 9), none()),
    ]);
    run.check_left(&seq(1, 6));
}

#[test]
fn w10_count_length_with_time_slide() {
    let mut run = Run::event(WindowSpec::sliding(Length::Count(3), Slide::Duration(10)));
    run.add([603, 605, 607]).watermark(609).check(&[]);
    run.add([618, 626, 636]).watermark(631).check_items(&[seq(1, 3), seq(2, 4), seq(3, 5)]);
    run.add([665, 666, 667, 679]).watermark(674);
    run.check_items(&[seq(4, 6), seq(4, 6), seq(4, 6), seq(7, 9)]);
}

#[test]
fn w11_time_length_with_count_slide() {
    let mut run = Run::event(WindowSpec::sliding(Length::Duration(20), Slide::Count(3)));
    run.add([603, 605, 607, 618, 625, 626, 629, 636]).watermark(631).check_items(&[seq(1, 3), seq(3, 6)]);
    run.add([665, 666, 667, 669, 679]).watermark(674).check_items(&[seq(9, 9), seq(9, 12)]);
}

/// The timestamps of W-12 and W-13.
const EQUAL: [i64; 10] = [10, 10, 11, 12, 12, 12, 12, 13, 14, 15];

#[test]
fn w12_tumbling_count_with_equal_timestamps() {
    let mut run = Run::event(WindowSpec::tumbling(Length::Count(2)));
    run.add(EQUAL).check(&[]);
    run.watermark(20).check_items(&[seq(1, 2), seq(3, 4), seq(5, 6), seq(7, 8), seq(9, 10)]);
}

#[test]
fn w13_sliding_count_with_equal_timestamps() {
    let mut run = Run::event(counts(5, 2));
    run.add(EQUAL).watermark(20);
    run.check_items(&[seq(1, 2), seq(1, 4), seq(2, 6), seq(4, 8), seq(6, 10)]);
}

#[test]
fn w14_an_item_out_of_order_is_in_its_window() {
    let mut run = Run::event(durations(20, 10));
    run.add([603, 605, 607, 618, 626, 632, 629, 636]).watermark(631);
    run.check_items(&[seq(1, 3), seq(1, 4), vec![4, 5, 7]]);
}

#[test]
fn w15_items_in_order_beyond_the_watermark() {
    let mut run = Run::event(durations(20, 10));
    run.add(STANDARD).add([636, 637, 638, 639]).watermark(631);
    run.check_items(&[seq(1, 3), seq(1, 4), seq(4, 5)]);
}

#[test]
fn w27_zero_and_negative_are_refused() {
    let message = |spec: crate::Result<WindowSpec>| spec.unwrap_err().to_string();
    assert_eq!(message(counts(0, 1)), "invalid topology: window length is 0 tuples: it must be at least 1");
    assert_eq!(message(durations(5, -1)), "invalid topology: sliding interval is -1 ms: it must be at least 1");
    for length in [Length::Count(0), Length::Duration(0), Length::Duration(-1)] {
        assert!(WindowSpec::tumbling(length).is_err(), "{length:?}");
        assert!(WindowSpec::per_tuple(length).is_err(), "{length:?}");
        assert!(WindowSpec::sliding(length, Slide::Count(1)).is_err(), "{length:?}");
    }
    for slide in [Slide::Count(0), Slide::Duration(0), Slide::Duration(-1)] {
        assert!(WindowSpec::sliding(Length::Count(1), slide).is_err(), "{slide:?}");
    }
}

/// The i-th window holds the items `(i * slide - window, i * slide]`.
#[test]
fn w27_count_pairs() {
    for (window, slide) in [(5, 10), (1, 1), (10, 5), (100, 10), (100, 100), (200, 100), (500, 100)] {
        let mut run = Run::processing(counts(u64::from(window), u64::from(slide)));
        run.add(vec![0; 1000]);
        let last = |i: u32| i * slide;
        let expected: Vec<_> = (1..=1000 / slide).map(|i| seq(last(i).saturating_sub(window) + 1, last(i))).collect();
        run.check_items(&expected);
    }
}

/// One item per ms from 1 on, numbered by its timestamp: window ends are multiples of the slide, `(end - length, end]`.
#[test]
fn w27_time_pairs() {
    for (length, slide) in [(1_u32, 1_u32), (5, 2), (2, 5), (20, 5), (20, 10)] {
        let mut run = Run::event(durations(i64::from(length), i64::from(slide)));
        run.add(1..=200).watermark(201);
        let ends: Vec<u32> = (1..=200 / slide).map(|i| i * slide).collect();
        assert_eq!(
            run.fired.iter().map(|window| window.end).collect::<Vec<_>>(),
            ends.iter().map(|end| i64::from(*end)).collect::<Vec<_>>()
        );
        let expected: Vec<_> = ends.iter().map(|end| seq(end.saturating_sub(length) + 1, *end)).collect();
        run.check_items(&expected);
    }
}
