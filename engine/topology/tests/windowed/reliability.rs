//! Anchors, acks and failures of windows; message time-outs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use monsoon_topology::windowed::{TupleWindow, Window, WindowCollector, WindowedBolt};
use monsoon_topology::{Config, Failure, Outcome, StartOptions, Streams, Value};

use crate::support::*;

#[test]
fn what_a_window_emits_is_anchored_to_all_of_its_tuples() {
    let (feed, record, sink) = (Feed::default(), Record::default(), Sink::new(true));
    let mut builder = recording(Window::tumbling(3), &feed, &record);
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("windows");
    let _running = start(&builder.build("anchored").unwrap(), StartOptions::default());
    feed.push([[1, 0], [2, 0], [3, 0], [4, 0]]);
    eventually("the failures", || feed.failed() == [1, 2, 3]);
    assert!(feed.acked().is_empty());
}

/// A tuple that has left is acked, but its tree isn't complete before what its windows emitted is acked too.
#[test]
fn tuples_are_acked_when_they_leave() {
    let (feed, record, sink) = (Feed::default(), Record::default(), Sink::new(false));
    let mut builder = recording(Window::sliding(3, 1), &feed, &record);
    builder.set_bolt("sink", move || sink.clone()).shuffle_grouping("windows");
    let running = start(&builder.build("acked").unwrap(), StartOptions::default());
    feed.push((0..100).map(|number| [number, 0]));
    eventually("the acks", || feed.acked().len() == 97);
    assert_eq!((feed.acked(), feed.failed()), ((0..97).collect(), vec![]));
    assert_eq!(running.counts("windows").acked, 97);
}

/// Fails or panics in the first window it is given, and notes the others.
struct Stumbling {
    record: Record,
    stumbled: Arc<AtomicBool>,
    panics: bool,
}

impl WindowedBolt for Stumbling {
    fn configuration(&self) -> Config {
        Config::default()
    }

    fn declare(&self, streams: &mut Streams) {
        streams.declare(["tuples"]);
    }

    fn execute(&mut self, window: &TupleWindow<'_>, collector: &mut WindowCollector<'_>) -> Outcome {
        if !self.stumbled.swap(true, Ordering::SeqCst) {
            assert!(!self.panics, "on purpose");
            return Err(Failure::new("not this one"));
        }
        self.record.push(show(window));
        collector.emit([window.len() as i64]).map(drop)
    }
}

fn stumbling(window: Window, panics: bool) -> (Feed, Record, monsoon_topology::RunningTopology) {
    let (feed, record, stumbled) = (Feed::default(), Record::default(), Arc::<AtomicBool>::default());
    let mut builder = monsoon_topology::TopologyBuilder::new();
    let (fed, recorded) = (feed.clone(), record.clone());
    builder.set_spout("spout", move || FedSpout { feed: fed.clone(), fields: vec!["number", "ts"] });
    let make = move || Stumbling { record: recorded.clone(), stumbled: stumbled.clone(), panics };
    builder.set_windowed_bolt("windows", window, make).shuffle_grouping("spout");
    let running = start(&builder.build("stumbling").unwrap(), StartOptions::default());
    (feed, record, running)
}

/// All tuples of the window fail once; that they leave later changes nothing.
#[test]
fn a_failure_fails_all_tuples_of_the_window() {
    let (feed, record, running) = stumbling(Window::tumbling(3), false);
    feed.push((0..9).map(|number| [number, 0]));
    eventually("the acks of the second window", || feed.acked() == [3, 4, 5]);
    assert_eq!((feed.failed(), record.items()), (vec![0, 1, 2], vec![vec![3, 4, 5], vec![6, 7, 8]]));
    assert!(errors(&running, "windows").contains("not this one"));
}

/// With the instance everything it holds is lost, so all of it fails at once and a spout that replays can replay.
#[test]
fn a_panic_fails_everything_that_is_held() {
    let (feed, record, running) = stumbling(Window::tumbling(3).key(["number"]), true);
    feed.push([[0, 0], [1, 0], [2, 0], [0, 0], [0, 0]]);
    eventually("the failures", || feed.failed() == [0, 0, 0, 1, 2]);
    feed.push([[1, 0], [1, 0], [1, 0]]);
    record.wait(1);
    assert_eq!(record.items(), [[1, 1, 1]]);
    assert!(errors(&running, "windows").contains("on purpose"));
}

/// A session of one and a half seconds under a time-out of half a second: Storm refuses that, here the time-out begins anew while a tuple waits.
#[test]
fn a_window_may_be_longer_than_the_message_timeout() {
    let (feed, record) = (Feed::default(), Record::default());
    let mut builder = recording(Window::session(Duration::from_millis(1500)), &feed, &record);
    builder.config("message_timeout", "500 ms");
    let _running = start(&builder.build("long").unwrap(), StartOptions::default());
    feed.push([[1, 0], [2, 0]]);
    eventually("a fate", || feed.acked().len() + feed.failed().len() == 2);
    assert_eq!((feed.acked(), feed.failed()), (vec![1, 2], vec![]));
}

/// A page that can't be written: what is held fails, and windows go on empty.
#[test]
fn tuples_fail_when_their_page_can_not_be_written() {
    let (feed, record) = (Feed::default(), Record::default());
    let directory = tempfile::tempdir().unwrap();
    let mut builder = recording(Window::tumbling(5000).items_in_memory(0), &feed, &record);
    builder.config("spill_directory", directory.path().to_str().unwrap());
    let running = start(&builder.build("full").unwrap(), StartOptions::default());
    feed.push((0..10).map(|number| [number, 0]));
    wait_executed(&running, "windows", 10);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    feed.push((10..1010).map(|number| [number, 0]));
    eventually("the failures", || feed.failed().len() > 1000);
    assert_eq!(feed.failed(), (0..1001).collect::<Vec<_>>());
    assert!(errors(&running, "windows").contains("a page of a window can't be written"));
    assert_eq!(record.len(), 0);
}

/// With acking off nothing is tracked, and windows are the same.
#[test]
fn windows_need_no_acking() {
    let (feed, record) = (Feed::default(), Record::default());
    let mut builder = recording(Window::tumbling(2), &feed, &record);
    builder.config("ackers", 0);
    let _running = start(&builder.build("untracked").unwrap(), StartOptions::default());
    feed.push((0..6).map(|number| [Value::Int(number), Value::Null]));
    record.wait(3);
    assert_eq!(record.items(), [[0, 1], [2, 3], [4, 5]]);
}
