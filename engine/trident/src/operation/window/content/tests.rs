//! Windows by hand: counts as in the windowing cases W-1 and W-6, durations, and tries that are taken back.

use monsoon_topology::Value;

use super::*;

fn rows(range: std::ops::RangeInclusive<i64>) -> Vec<Row> {
    range.map(|value| vec![Value::Int(value)]).collect()
}

fn ints(windows: Vec<Vec<Row>>) -> Vec<Vec<i64>> {
    let first = |row: &Row| row[0].as_int().unwrap();
    windows.iter().map(|window| window.iter().map(first).collect()).collect()
}

fn by_count(content: &mut Content, length: usize, slide: usize, rows: Vec<Row>) -> Vec<Vec<i64>> {
    ints(rows.into_iter().filter_map(|row| content.add_by_count(length, slide, row)).collect())
}

#[test]
fn w01_a_window_of_five_slides_by_two() {
    let windows = by_count(&mut Content::default(), 5, 2, rows(1..=8));
    assert_eq!(windows, [vec![1, 2], vec![1, 2, 3, 4], vec![2, 3, 4, 5, 6], vec![4, 5, 6, 7, 8]]);
}

#[test]
fn w06_a_tumbling_window_of_three() {
    assert_eq!(by_count(&mut Content::default(), 3, 3, rows(1..=6)), [vec![1, 2, 3], vec![4, 5, 6]]);
}

#[test]
fn a_try_that_is_repeated_counts_once() {
    let mut content = Content::default();
    content.begin(1, 0);
    assert_eq!(by_count(&mut content, 5, 2, rows(1..=3)), [vec![1, 2]]);
    for _ in 0..3 {
        content.begin(2, 0);
        assert_eq!(
            by_count(&mut content, 5, 2, rows(4..=8)),
            [vec![1, 2, 3, 4], vec![2, 3, 4, 5, 6], vec![4, 5, 6, 7, 8]]
        );
    }
    content.begin(3, 0);
    assert_eq!(by_count(&mut content, 5, 2, rows(9..=10)), [vec![6, 7, 8, 9, 10]]);
}

fn by_time(content: &mut Content, txid: u64, now_ms: u64, rows: Vec<Row>) -> Vec<Vec<i64>> {
    content.begin(txid, now_ms);
    ints(content.add_by_time(20, 10, rows))
}

/// Length 20, slide 10: a tuple of time t is in the windows that end at the next two multiples of ten.
#[test]
fn windows_of_a_duration_end_at_multiples_of_the_slide() {
    let mut content = Content::default();
    assert!(by_time(&mut content, 1, 603, rows(1..=1)).is_empty());
    assert!(by_time(&mut content, 2, 607, rows(2..=2)).is_empty());
    for _ in 0..2 {
        assert_eq!(by_time(&mut content, 3, 610, rows(3..=3)), [vec![1, 2]]);
    }
    // A try that comes later is at the time of the first: 3 is not in a later window, and none ends early.
    assert_eq!(by_time(&mut content, 3, 655, rows(3..=3)), [vec![1, 2]]);
    assert_eq!(by_time(&mut content, 4, 620, vec![]), [vec![1, 2, 3]]);
    assert_eq!(by_time(&mut content, 5, 631, rows(4..=4)), [vec![3]]);
    // 640 holds 4 only; 650 too; then nothing until 800.
    assert_eq!(by_time(&mut content, 6, 800, rows(5..=5)), [vec![4], vec![4]]);
    assert_eq!(by_time(&mut content, 7, 900, vec![]), [vec![5], vec![5]]);
    assert!(content.items.is_empty());
}
