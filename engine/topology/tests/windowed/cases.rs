//! Storm's test cases W-23 and W-24, and the worked example of its documentation.

use std::sync::Arc;
use std::time::Duration;

use monsoon_topology::windowed::{TupleWindow, Window, WindowCollector, WindowedBolt};
use monsoon_topology::{Config, ManualClock, Outcome, StartOptions, Streams, TopologyBuilder, Value};

use crate::support::*;

/// How often watermarks move here, by a clock that the test moves.
const TICK: Duration = Duration::from_millis(10);

fn manual() -> (Arc<ManualClock>, StartOptions) {
    let clock = Arc::new(ManualClock::default());
    let options = StartOptions { clock: clock.clone(), ..StartOptions::default() };
    (clock, options)
}

/// 20 ms sliding by 10 ms with a lag of 5 ms.
fn standard() -> Window {
    let ms = Duration::from_millis;
    Window::sliding(ms(20), ms(10)).timestamp_field("ts").lag(ms(5)).watermark_interval(TICK)
}

const STANDARD_DATA: [i64; 6] = [603, 605, 607, 618, 626, 636];

#[test]
fn w23_three_windows_of_the_standard_data() {
    let (feed, record, (clock, options)) = (Feed::default(), Record::default(), manual());
    feed.push(STANDARD_DATA.map(|ts| [ts, ts]));
    let running = start(&recording(standard(), &feed, &record).build("w23").unwrap(), options);
    wait_executed(&running, "windows", 6);
    assert_eq!(record.len(), 0);
    clock.advance(TICK);
    record.wait(3);
    let shown = record.shown();
    assert_eq!(record.items(), [vec![603, 605, 607], vec![603, 605, 607, 618], vec![618, 626]]);
    assert_eq!((shown[2].start, shown[2].end), (Some(610), 630));
    assert_eq!((&shown[2].new, &shown[2].expired), (&vec![626], &vec![603, 605, 607]));
    eventually("what has left is acked", || feed.acked() == [603, 605, 607]);
}

#[test]
fn w23_a_timestamp_field_that_no_input_has_is_told_at_prepare() {
    let (feed, record) = (Feed::default(), Record::default());
    let window = Window::tumbling(Duration::from_millis(10)).timestamp_field("when");
    let running = start(&recording(window, &feed, &record).build("w23").unwrap(), StartOptions::default());
    let said = r#"no input has the timestamp field \"when\"; the inputs have [[\"number\", \"ts\"]]"#;
    eventually("an error", || errors(&running, "windows").contains(said));
}

#[test]
fn w23_a_tuple_without_a_timestamp_fails() {
    let (feed, record) = (Feed::default(), Record::default());
    feed.push([[Value::Int(1), Value::Int(5)], [Value::Int(2), Value::from("five")]]);
    let running = start(&recording(standard(), &feed, &record).build("w23").unwrap(), StartOptions::default());
    eventually("the failure", || feed.failed() == [2]);
    assert!(errors(&running, "windows").contains("holds text, not an integer in ms or a timestamp"));
}

#[test]
fn w23_a_late_stream_needs_event_time() {
    let (feed, record) = (Feed::default(), Record::default());
    let window = Window::tumbling(Duration::from_millis(10)).late_stream("late");
    let error = recording(window, &feed, &record).build("w23").unwrap_err().to_string();
    assert_eq!(error, "invalid topology: late stream needs a timestamp field or extractor");
}

/// The late tuple is emitted on the late stream, anchored to itself: when it fails there it fails at the spout, and it alone.
#[test]
fn w23_a_late_tuple_goes_to_the_late_stream_anchored_to_itself() {
    for fails in [false, true] {
        let (feed, record, (clock, options)) = (Feed::default(), Record::default(), manual());
        let (window, sink) = (standard().late_stream("late"), Sink::new(fails));
        let mut builder = recording(window, &feed, &record);
        let rows = sink.rows.clone();
        let shuffle = monsoon_topology::Grouping::Shuffle;
        builder.set_bolt("late", move || sink.clone()).grouping("windows", "late", shuffle);
        let running = start(&builder.build("w23").unwrap(), options);
        feed.push(STANDARD_DATA.map(|ts| [ts, ts]));
        wait_executed(&running, "windows", 6);
        clock.advance(TICK);
        record.wait(3);
        feed.push([[600, 600]]);
        let fate = || if fails { feed.failed() } else { feed.acked() };
        eventually("the fate of the late tuple", || fate().contains(&600));
        assert_eq!(*rows.lock(), [[Value::from(vec![Value::Int(600), Value::Int(600)])]]);
        assert_eq!(feed.failed().len(), usize::from(fails));
    }
}

#[test]
fn a_late_tuple_is_acked_and_dropped_if_there_is_no_late_stream() {
    let (feed, record, (clock, options)) = (Feed::default(), Record::default(), manual());
    let running = start(&recording(standard(), &feed, &record).build("late").unwrap(), options);
    feed.push(STANDARD_DATA.map(|ts| [ts, ts]));
    wait_executed(&running, "windows", 6);
    clock.advance(TICK);
    record.wait(3);
    feed.push([[600, 600]]);
    eventually("the ack", || feed.acked() == [600, 603, 605, 607]);
    assert_eq!(record.len(), 3);
}

/// WIN-23: the standard window, by keys of the topology, of the bolt itself and of the component.
#[test]
fn win23_a_window_is_configured_by_storms_keys() {
    struct Configured(Recorder);
    impl WindowedBolt for Configured {
        fn declare(&self, streams: &mut Streams) {
            self.0.declare(streams);
        }
        fn configuration(&self) -> Config {
            let config = Config::default().with("topology.bolts.window.length.duration.ms", 20).unwrap();
            config.with("topology.bolts.sliding.interval.duration.ms", 99).unwrap()
        }
        fn execute(&mut self, window: &TupleWindow<'_>, collector: &mut WindowCollector<'_>) -> Outcome {
            self.0.execute(window, collector)
        }
    }
    let (feed, record, (clock, options)) = (Feed::default(), Record::default(), manual());
    let (sink, fed, recorder) = (Sink::new(false), feed.clone(), Recorder(record.clone()));
    let mut builder = TopologyBuilder::new();
    builder.config("topology.bolts.watermark.event.interval.ms", 10);
    builder.set_spout("spout", move || FedSpout { feed: fed.clone(), fields: vec!["number", "ts"] });
    builder
        .set_windowed_bolt_by_config("windows", move || Configured(recorder.clone()))
        .config("topology.bolts.sliding.interval.duration.ms", 10)
        .config("topology.bolts.tuple.timestamp.field", "ts")
        .config("topology.bolts.tuple.timestamp.max.lag.ms", 5)
        .config("topology.bolts.late.tuple.stream", "late")
        .shuffle_grouping("spout");
    let (rows, shuffle) = (sink.rows.clone(), monsoon_topology::Grouping::Shuffle);
    builder.set_bolt("late", move || sink.clone()).grouping("windows", "late", shuffle);
    let running = start(&builder.build("win23").unwrap(), options);
    feed.push(STANDARD_DATA.map(|ts| [ts, ts]));
    wait_executed(&running, "windows", 6);
    clock.advance(TICK);
    record.wait(3);
    assert_eq!(record.items(), [vec![603, 605, 607], vec![603, 605, 607, 618], vec![618, 626]]);
    feed.push([[600, 600]]);
    eventually("the late tuple", || rows.lock().len() == 1);
}

#[test]
fn win23_a_window_without_length_is_refused_by_its_component() {
    let mut builder = TopologyBuilder::new();
    builder.set_spout("spout", || FedSpout { feed: Feed::default(), fields: vec!["number", "ts"] });
    builder.set_windowed_bolt_by_config("windows", Recorder::default).shuffle_grouping("spout");
    let error = builder.build("win23").unwrap_err().to_string();
    let said =
        "invalid topology: component \"windows\": a window has no length: set topology.bolts.window.length.count or";
    assert!(error.starts_with(said), "{error}");
}

/// 20,000 tuples, of which 10,000 stay in memory: 4,000 windows of 5, every tuple that leaves acked once, and no file left behind.
#[test]
fn w24_pages_go_to_files_and_every_tuple_is_acked_once() {
    let (feed, record, (clock, options)) = (Feed::default(), Record::default(), manual());
    let directory = tempfile::tempdir().unwrap();
    let window = Window::tumbling(5).timestamp_field("ts").watermark_interval(TICK).items_in_memory(10_000);
    let mut builder = recording(window, &feed, &record);
    builder.config("spill_directory", directory.path().to_str().unwrap());
    let topology = builder.build("w24").unwrap();
    feed.push((0..20_000).map(|number| [number, number]));
    let running = start(&topology, options);
    wait_executed(&running, "windows", 20_000);
    let own: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(own.len(), 1);
    assert!(std::fs::read_dir(&own[0]).unwrap().count() >= 9);
    // The watermark is the last timestamp, 19,999: every window is complete.
    clock.advance(TICK);
    record.wait(4000);
    let expected: Vec<Vec<i64>> = (0..4000).map(|i| (5 * i..5 * i + 5).collect()).collect();
    assert_eq!(record.items(), expected);
    eventually("the acks", || feed.acked().len() >= 19_995);
    assert_eq!(feed.acked(), (0..19_995).collect::<Vec<_>>());
    drop(running);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// Hours, minutes and seconds in ms.
fn at(hour: i64, minute: i64, second: i64) -> i64 {
    ((hour * 60 + minute) * 60 + second) * 1000
}

/// WIN-27: the example in Storm's documentation of windows.
#[test]
fn win27_the_worked_example() {
    let (feed, record, (clock, options)) = (Feed::default(), Record::default(), manual());
    let seconds = Duration::from_secs;
    let window = Window::sliding(seconds(20), seconds(10)).lag(seconds(5)).watermark_interval(TICK);
    // A field of timestamps, in microseconds, does as well as one of ms.
    let builder = recording(window.timestamp_field("ts"), &feed, &record);
    let running = start(&builder.build("win27").unwrap(), options);
    let row = |(number, ts): (i64, i64)| [Value::Int(number), Value::Timestamp(ts * 1000)];
    let first = [3, 5, 7, 18, 26, 36].map(|second| at(6, 0, second));
    feed.push((1..).zip(first).map(row));
    wait_executed(&running, "windows", 6);
    clock.advance(TICK);
    record.wait(3);
    let second = [25, 26, 27, 39].map(|second| at(8, 0, second));
    feed.push((7..).zip(second).map(row));
    wait_executed(&running, "windows", 10);
    clock.advance(TICK);
    record.wait(6);
    let windows: Vec<_> =
        record.shown().into_iter().map(|shown| (shown.start.unwrap(), shown.end, shown.items)).collect();
    let expected = [
        (at(5, 59, 50), at(6, 0, 10), vec![1, 2, 3]),
        (at(6, 0, 0), at(6, 0, 20), vec![1, 2, 3, 4]),
        (at(6, 0, 10), at(6, 0, 30), vec![4, 5]),
        (at(6, 0, 20), at(6, 0, 40), vec![5, 6]),
        (at(6, 0, 30), at(6, 0, 50), vec![6]),
        (at(8, 0, 10), at(8, 0, 30), vec![7, 8, 9]),
    ];
    assert_eq!(windows, expected);
    // The watermark is 8:00:34: a second before is late, the watermark itself is not.
    feed.push([(11, at(8, 0, 33)), (12, at(8, 0, 34))].map(row));
    eventually("the late one is acked", || feed.acked().contains(&11));
    wait_executed(&running, "windows", 12);
    assert!(!feed.acked().contains(&12));
}

/// It could be written to a checkpoint, and not be read back.
#[test]
fn a_tuple_with_too_deep_a_value_fails() {
    let (feed, record) = (Feed::default(), Record::default());
    let nested = |depth| (0..depth).fold(Value::Null, |value, _| Value::from(vec![value]));
    feed.push([[Value::Int(1), nested(129)], [Value::Int(2), nested(128)]]);
    let running =
        start(&recording(Window::tumbling(1), &feed, &record).build("deep").unwrap(), StartOptions::default());
    eventually("the failure", || feed.failed() == [1]);
    record.wait(1);
    assert_eq!(record.items(), [[2]]);
    assert!(errors(&running, "windows").contains("windows can't hold lists and maps more than 128 deep"));
}
