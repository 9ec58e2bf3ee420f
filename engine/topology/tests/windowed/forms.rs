//! The forms of windows in running topologies: W-27, processing time, sessions and keys, idle inputs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use monsoon_topology::windowed::Window;
use monsoon_topology::{ManualClock, StartOptions, TopologyBuilder, Value};

use crate::support::*;

const TICK: Duration = Duration::from_millis(10);

/// Runs `tuples` numbers through windows and gives back the first `windows` of those that fire.
fn windows_of(window: Window, tuples: u64, row: fn(u64) -> (i64, &'static str), windows: usize) -> Vec<Shown> {
    let (record, limit) = (Record::default(), Arc::new(AtomicU64::new(tuples)));
    let mut builder = TopologyBuilder::new();
    builder.set_spout("spout", move || Numbers { limit: limit.clone(), next: 0, row, tracked: true });
    let recorder = Recorder(record.clone());
    builder.set_windowed_bolt("windows", window, move || recorder.clone()).shuffle_grouping("spout");
    let running = start(&builder.build("forms").unwrap(), StartOptions::default());
    record.wait(windows);
    wait_executed(&running, "windows", tuples);
    record.shown()
}

#[test]
fn w27_lengths_and_slides_of_nothing_are_refused() {
    let (feed, record, none) = (Feed::default(), Record::default(), Duration::ZERO);
    let windows = [Window::sliding(10, 0), Window::sliding(0, 10), Window::tumbling(0), Window::tumbling(none)];
    for window in windows {
        let error = recording(window, &feed, &record).build("w27").unwrap_err().to_string();
        assert!(error.contains("it must be at least 1"), "{error}");
    }
    assert!(recording(Window::session(none), &feed, &record).build("w27").is_err());
}

/// The i-th window holds the items `i * slide - length` exclusive to `i * slide` inclusive, counted from 1.
#[test]
fn w27_windows_of_counts() {
    for (length, slide) in [(5, 10), (1, 1), (10, 5), (100, 10), (100, 100), (200, 100), (500, 100)] {
        let windows = 1000 / slide;
        let shown = windows_of(Window::sliding(length as u64, slide as u64), 1000, |_| (0, "a"), windows as usize);
        let expected: Vec<Vec<i64>> =
            (1..=windows).map(|i| ((i * slide - length).max(0)..i * slide).collect()).collect();
        assert_eq!(shown.into_iter().map(|shown| shown.items).collect::<Vec<_>>(), expected, "({length}, {slide})");
    }
}

/// A tuple each 137 ms; the last one completes the windows before it.
fn each_137_ms(number: u64) -> (i64, &'static str) {
    (number as i64 * 137, "a")
}

#[test]
fn w27_windows_of_durations() {
    for (length_s, slide_s) in [(5, 1), (1, 1), (5, 2), (2, 5), (20, 5), (20, 10)] {
        let window = Window::sliding(Duration::from_secs(length_s), Duration::from_secs(slide_s));
        let window = window.timestamp_field("ts").watermark_interval(Duration::from_millis(1));
        let (length, slide) = (length_s as i64 * 1000, slide_s as i64 * 1000);
        let watermark = 499 * 137;
        // The first tuple has timestamp 0, so the first window ends there.
        let ends = (0..).map(|i| i * slide).take_while(|end| *end < watermark);
        let within =
            |end: i64| -> Vec<i64> { (0..500).filter(|n| (end - length + 1..=end).contains(&(n * 137))).collect() };
        let expected: Vec<(Option<i64>, i64, Vec<i64>)> =
            ends.map(|end| (Some(end - length), end, within(end))).filter(|(.., items)| !items.is_empty()).collect();
        let shown = windows_of(window, 500, each_137_ms, expected.len());
        let shown: Vec<_> = shown.into_iter().map(|shown| (shown.start, shown.end, shown.items)).collect();
        assert_eq!(shown, expected, "({length_s}, {slide_s})");
    }
}

#[test]
fn every_tuple_has_a_window_of_its_own() {
    let shown = windows_of(Window::per_tuple(3), 4, |_| (0, "a"), 4);
    let shown: Vec<_> = shown.into_iter().map(|shown| (shown.items, shown.new, shown.expired)).collect();
    let expected = [
        (vec![0], vec![0], vec![]),
        (vec![0, 1], vec![1], vec![]),
        (vec![0, 1, 2], vec![2], vec![]),
        (vec![1, 2, 3], vec![3], vec![0]),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_timestamp_can_be_extracted() {
    let window = Window::tumbling(Duration::from_millis(10)).watermark_interval(Duration::from_millis(1));
    let window = window.timestamp_extractor(|tuple| Ok(tuple.int("number")? * 4));
    let shown = windows_of(window, 10, |_| (0, "a"), 4);
    let shown: Vec<_> = shown.into_iter().map(|shown| (shown.end, shown.items)).collect();
    assert_eq!(shown, [(0, vec![0]), (10, vec![1, 2]), (20, vec![3, 4, 5]), (30, vec![6, 7])]);
}

#[test]
fn windows_in_processing_time_fire_by_the_clock() {
    let (feed, record, clock) = (Feed::default(), Record::default(), Arc::new(ManualClock::default()));
    clock.advance(Duration::from_millis(95));
    let options = StartOptions { clock: clock.clone(), ..StartOptions::default() };
    let window = Window::tumbling(Duration::from_millis(10));
    let running = start(&recording(window, &feed, &record).build("clock").unwrap(), options);
    feed.push([[1, 0], [2, 0]]);
    wait_executed(&running, "windows", 2);
    clock.advance(Duration::from_millis(6));
    record.wait(1);
    feed.push([[3, 0]]);
    wait_executed(&running, "windows", 3);
    clock.advance(TICK);
    record.wait(2);
    let shown: Vec<_> = record.shown().into_iter().map(|shown| (shown.start, shown.end, shown.items)).collect();
    assert_eq!(shown, [(Some(90), 100, vec![1, 2]), (Some(100), 110, vec![3])]);
    eventually("what has left is acked", || feed.acked() == [1, 2]);
}

/// Keys take turns; each key's tuples are 30 ms apart, and after ten of them there is a gap.
fn visits(number: u64) -> (i64, &'static str) {
    let key = ["a", "b", "c"][number as usize % 3];
    (number as i64 * 10 + number as i64 / 30 * 1000, key)
}

#[test]
fn each_key_has_its_sessions() {
    let ms = Duration::from_millis;
    let window = Window::session(ms(100)).timestamp_field("ts").watermark_interval(ms(1)).key(["key"]);
    // Three groups of thirty, and a last tuple that completes them.
    let shown = windows_of(window, 91, visits, 9);
    let mut by_key: BTreeMap<String, Vec<Vec<i64>>> = BTreeMap::new();
    for window in shown {
        by_key.entry(window.key[0].to_string()).or_default().push(window.items);
    }
    for (place, key) in ["a", "b", "c"].into_iter().enumerate() {
        let session = |group: i64| (0..10).map(|n| group * 30 + n * 3 + place as i64).collect::<Vec<_>>();
        assert_eq!(by_key[key], [session(0), session(1), session(2)], "{key}");
    }
}

#[test]
fn each_key_has_its_windows_of_counts() {
    let shown = windows_of(Window::tumbling(5).key(["key"]), 30, visits, 6);
    for window in &shown {
        let place = window.items[0] % 3;
        assert_eq!(window.key, [Value::from(["a", "b", "c"][place as usize])]);
        let first = window.items[0];
        assert_eq!(window.items, (0..5).map(|n| first + 3 * n).collect::<Vec<_>>());
    }
    assert_eq!(shown.len(), 6);
}

/// Two inputs of which one is silent: after the idle timeout the other alone tells the time.
#[test]
fn an_idle_input_does_not_hold_the_watermark_back() {
    let (feed, silent, record) = (Feed::default(), Feed::default(), Record::default());
    let clock = Arc::new(ManualClock::default());
    let window = Window::tumbling(Duration::from_millis(10)).timestamp_field("ts");
    let window = window.watermark_interval(TICK).idle_timeout(Duration::from_millis(50));
    let mut builder = TopologyBuilder::new();
    for (name, feed) in [("busy", feed.clone()), ("silent", silent)] {
        builder.set_spout(name, move || FedSpout { feed: feed.clone(), fields: vec!["number", "ts"] });
    }
    let recorder = Recorder(record.clone());
    let bolt = builder.set_windowed_bolt("windows", window, move || recorder.clone());
    bolt.shuffle_grouping("busy").shuffle_grouping("silent");
    let options = StartOptions { clock: clock.clone(), ..StartOptions::default() };
    let running = start(&builder.build("idle").unwrap(), options);
    feed.push([[1, 5], [2, 25]]);
    wait_executed(&running, "windows", 2);
    clock.advance(TICK);
    feed.push([[3, 26]]);
    wait_executed(&running, "windows", 3);
    assert_eq!(record.len(), 0, "the silent input may still bring something older");
    clock.advance(Duration::from_millis(60));
    record.wait(1);
    assert_eq!(record.items(), [[1]]);
}

#[test]
fn a_late_tuple_within_the_allowed_lateness_fires_its_window_again() {
    let (feed, record, clock) = (Feed::default(), Record::default(), Arc::new(ManualClock::default()));
    let ms = Duration::from_millis;
    let window = Window::tumbling(ms(10)).timestamp_field("ts").watermark_interval(TICK).allowed_lateness(ms(100));
    let options = StartOptions { clock: clock.clone(), ..StartOptions::default() };
    let running = start(&recording(window, &feed, &record).build("late").unwrap(), options);
    feed.push([[1, 5], [2, 25]]);
    wait_executed(&running, "windows", 2);
    clock.advance(TICK);
    record.wait(1);
    feed.push([[3, 4]]);
    record.wait(2);
    let shown: Vec<_> = record.shown().into_iter().map(|shown| (shown.end, shown.items, shown.new)).collect();
    assert_eq!(shown, [(10, vec![1], vec![1]), (10, vec![3, 1], vec![3])]);
}
