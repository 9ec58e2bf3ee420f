//! W-26 in our sense: after a restart from a checkpoint nothing fires twice and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use monsoon_topology::windowed::{TupleWindow, Window, WindowCollector, WindowedBolt};
use monsoon_topology::{
    CheckpointStore, Error, Failure, Guarantee, MemoryCheckpoints, Outcome, RunningTopology, StartOptions,
    StateChanges, Streams, Topology, TopologyBuilder,
};

use crate::support::*;

/// A topology of numbers, and what is shared with it.
struct Bench {
    topology: Topology,
    record: Record,
    limit: Arc<AtomicU64>,
    checkpoints: MemoryCheckpoints,
}

impl Bench {
    fn new(window: Window, row: fn(u64) -> (i64, &'static str)) -> Bench {
        Bench::with(window, row, &[], Recorder)
    }

    /// With a bolt that notes its windows in a record.
    fn with<B: WindowedBolt + 'static>(
        window: Window,
        row: fn(u64) -> (i64, &'static str),
        settings: &[(&str, &str)],
        bolt: impl Fn(Record) -> B + Send + Sync + 'static,
    ) -> Bench {
        let (record, limit) = (Record::default(), Arc::<AtomicU64>::default());
        let mut builder = TopologyBuilder::new();
        let spout_limit = limit.clone();
        builder.config("checkpoint_interval", "1 h");
        for (name, value) in settings {
            builder.config(name, *value);
        }
        builder.set_spout("spout", move || Numbers { limit: spout_limit.clone(), next: 0, row, tracked: true });
        let noted = record.clone();
        let windows = builder.set_windowed_bolt("windows", window, move || bolt(noted.clone()));
        windows.shuffle_grouping("spout");
        let topology = builder.build("restart").unwrap();
        Bench { topology, record, limit, checkpoints: MemoryCheckpoints::default() }
    }

    fn start(&self) -> RunningTopology {
        let checkpoints = Some(Arc::new(self.checkpoints.clone()) as Arc<dyn CheckpointStore>);
        start(&self.topology, StartOptions { checkpoints, ..StartOptions::default() })
    }

    fn emit_up_to(&self, limit: u64) {
        self.limit.store(limit, Ordering::SeqCst);
    }

    /// Keys of the windows' state.
    fn kept(&self) -> usize {
        self.checkpoints.load("windows", 0).unwrap().state.len()
    }
}

/// The bound on the time of a checkpoint follows the message time-out; what a window holds is state, and nobody waits for it.
#[test]
fn long_windows_do_not_hold_up_checkpoints() {
    let hour = Window::tumbling(Duration::from_secs(3600));
    let bench = Bench::with(hour, |_| (0, "a"), &[("message_timeout", "1 s")], Recorder);
    bench.emit_up_to(5);
    let running = bench.start();
    assert_eq!(running.guarantee(), Guarantee::ExactlyOnceState);
    wait_executed(&running, "windows", 5);
    let started = std::time::Instant::now();
    while started.elapsed() < Duration::from_millis(2_500) {
        running.checkpoint().unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(running.restores(), 0);
    assert!(running.errors().iter().all(|(_, errors, _)| errors.is_empty()), "{:?}", running.errors());
    assert!(bench.kept() > 0);
}

#[test]
fn w26_windows_that_fired_do_not_fire_again_and_the_next_is_whole() {
    let bench = Bench::new(Window::tumbling(5), |_| (0, "a"));
    bench.emit_up_to(7);
    let running = bench.start();
    assert_eq!(running.guarantee(), Guarantee::ExactlyOnceState);
    bench.record.wait(1);
    wait_executed(&running, "windows", 7);
    running.checkpoint().unwrap();
    drop(running);
    let running = bench.start();
    bench.emit_up_to(17);
    bench.record.wait(3);
    wait_executed(&running, "windows", 10);
    let shown: Vec<_> = bench.record.shown().into_iter().map(|s| (s.items, s.new, s.expired)).collect();
    let five = |from: i64| (from..from + 5).collect::<Vec<_>>();
    assert_eq!(shown, [(five(0), five(0), vec![]), (five(5), five(5), five(0)), (five(10), five(10), five(5))]);
}

/// What was taken in after the checkpoint is taken in again; nothing was acked that isn't in the checkpoint.
#[test]
fn w26_a_window_that_fired_after_the_checkpoint_fires_again_the_same() {
    let bench = Bench::new(Window::sliding(4, 2), |_| (0, "a"));
    bench.emit_up_to(5);
    let running = bench.start();
    wait_executed(&running, "windows", 5);
    running.checkpoint().unwrap();
    bench.emit_up_to(6);
    bench.record.wait(3);
    drop(running);
    let _running = bench.start();
    bench.record.wait(4);
    assert_eq!(bench.record.items(), [vec![0, 1], vec![0, 1, 2, 3], vec![2, 3, 4, 5], vec![2, 3, 4, 5]]);
}

fn each_ten_ms(number: u64) -> (i64, &'static str) {
    (number as i64 * 10, "a")
}

/// The watermark, and what each input has seen, go on where they stood: the input needs to bring nothing new.
#[test]
fn event_time_goes_on_where_it_stood() {
    let window = Window::tumbling(Duration::from_millis(100)).timestamp_field("ts");
    let bench = Bench::new(window.watermark_interval(Duration::from_millis(1)), each_ten_ms);
    bench.emit_up_to(25);
    let running = bench.start();
    bench.record.wait(3);
    wait_executed(&running, "windows", 25);
    running.checkpoint().unwrap();
    drop(running);
    let running = bench.start();
    bench.emit_up_to(35);
    bench.record.wait(4);
    wait_executed(&running, "windows", 10);
    let expected = [vec![0], (1..=10).collect(), (11..=20).collect(), (21..=30).collect()];
    assert_eq!(bench.record.items(), expected);
}

/// 100, 105, 300 and then, late but allowed, 103.
fn late_visit(number: u64) -> (i64, &'static str) {
    ([100, 105, 300, 103][number as usize], "a")
}

/// Which tuples a session has handed over before isn't forgotten.
#[test]
fn a_session_that_fires_again_after_a_restart_knows_what_is_new() {
    let ms = Duration::from_millis;
    let window = Window::session(ms(50)).timestamp_field("ts").allowed_lateness(ms(1000)).key(["key"]);
    fires_again_after_a_restart(&Bench::new(window.watermark_interval(ms(1)), late_visit));
}

/// As the one before, in pages.
#[test]
fn a_session_in_pages_that_fires_again_after_a_restart_knows_what_is_new() {
    let ms = Duration::from_millis;
    let window = Window::session(ms(50)).timestamp_field("ts").allowed_lateness(ms(1000)).key(["key"]);
    let bench = Bench::new(window.watermark_interval(ms(1)).items_in_memory(0), late_visit);
    fires_again_after_a_restart(&bench);
}

fn fires_again_after_a_restart(bench: &Bench) {
    bench.emit_up_to(3);
    let running = bench.start();
    bench.record.wait(1);
    running.checkpoint().unwrap();
    drop(running);
    let _running = bench.start();
    bench.emit_up_to(4);
    bench.record.wait(2);
    let shown: Vec<_> = bench.record.shown().into_iter().map(|s| (s.items, s.new)).collect();
    assert_eq!(shown, [(vec![0, 1], vec![0, 1]), (vec![0, 3, 1], vec![3])]);
}

/// 2,500 tuples 10 ms apart of two keys, and then one that ends their sessions.
fn long_visits(number: u64) -> (i64, &'static str) {
    (if number < 2500 { number as i64 * 10 } else { 1_000_000 }, ["a", "b"][number as usize % 2])
}

/// Sessions of several pages each go on from a checkpoint, into new pages; and with allowed lateness they are there for one more.
#[test]
fn sessions_in_pages_go_on_from_a_checkpoint() {
    let (ms, directory) = (Duration::from_millis, tempfile::tempdir().unwrap());
    let window = Window::session(ms(50)).timestamp_field("ts").key(["key"]).items_in_memory(0);
    let settings = [("spill_directory", directory.path().to_str().unwrap())];
    let bench = Bench::with(window.watermark_interval(ms(1)), long_visits, &settings, Recorder);
    bench.emit_up_to(2300);
    let running = bench.start();
    wait_executed(&running, "windows", 2300);
    running.checkpoint().unwrap();
    let pages = || {
        let own = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        std::fs::read_dir(own).unwrap().count()
    };
    assert!(pages() >= 2, "{}", pages());
    drop(running);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let running = bench.start();
    bench.emit_up_to(2501);
    bench.record.wait(2);
    wait_executed(&running, "windows", 201);
    let mut sessions = bench.record.items();
    sessions.sort();
    assert_eq!(sessions, [0, 1].map(|key| (key..2500).step_by(2).collect::<Vec<_>>()));
    drop(running);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// What has left is removed from the checkpoint, and forgotten keys too: it is as large as the windows, not as the stream.
#[test]
fn a_checkpoint_holds_what_windows_hold() {
    let window = Window::tumbling(Duration::from_millis(100)).timestamp_field("ts").key(["key"]);
    let bench = Bench::new(window.watermark_interval(Duration::from_millis(1)), each_ten_ms);
    let running = bench.start();
    for limit in [500, 1000] {
        bench.emit_up_to(limit);
        bench.record.wait(limit as usize / 10);
        running.checkpoint().unwrap();
        let kept = bench.kept();
        assert!((2..=32).contains(&kept), "{kept} keys after {limit} tuples");
    }
}

#[test]
fn a_checkpoint_of_other_windows_is_refused() {
    let bench = Bench::new(Window::tumbling(5), |_| (0, "a"));
    bench.emit_up_to(7);
    let running = bench.start();
    wait_executed(&running, "windows", 7);
    running.checkpoint().unwrap();
    drop(running);
    let other = Bench::new(Window::tumbling(6), |_| (0, "a"));
    let other = Bench { checkpoints: bench.checkpoints, ..other };
    let running = other.start();
    let said = "its checkpoint holds windows of another form, length, slide or time";
    eventually("the error", || errors(&running, "windows").contains(said));
}

#[test]
fn without_state_there_is_no_checkpoint_of_windows() {
    let bench = Bench::new(Window::tumbling(5), |_| (0, "a"));
    let running = start(&bench.topology, StartOptions::default());
    assert_eq!(running.guarantee(), Guarantee::AtLeastOnce);
    assert!(matches!(running.checkpoint(), Err(Error::Checkpoint(_))));
}

/// Fails the first window it is given, and notes the others.
struct Stumbling {
    record: Record,
    stumbled: Arc<AtomicBool>,
}

impl WindowedBolt for Stumbling {
    fn declare(&self, _: &mut Streams) {}

    fn execute(&mut self, window: &TupleWindow<'_>, _: &mut WindowCollector<'_>) -> Outcome {
        if !self.stumbled.swap(true, Ordering::SeqCst) {
            return Err(Failure::new("not this one"));
        }
        self.record.push(show(window));
        Ok(())
    }
}

/// Its tuples are in no tree and have been acked, and still nothing is lost: the topology goes back at once, also when no checkpoint is due.
#[test]
fn a_window_that_failed_is_handed_over_again() {
    let stumbled = Arc::<AtomicBool>::default();
    let bolt = move |record| Stumbling { record, stumbled: stumbled.clone() };
    let bench = Bench::with(Window::tumbling(3), |_| (0, "a"), &[], bolt);
    bench.emit_up_to(9);
    let _running = bench.start();
    let whole = [[0, 1, 2], [3, 4, 5], [6, 7, 8]];
    eventually("all windows in order", || bench.record.items().ends_with(&whole.map(Vec::from)));
}

/// More than a page at one time, and then a tuple that ends their window.
fn a_page_and_its_end(number: u64) -> (i64, &'static str) {
    (if number < 2500 { 0 } else { 1_000_000 }, "a")
}

/// The window is lost when the watermark is due: no tuple could fail for it.
#[test]
fn a_window_whose_page_can_not_be_read_comes_again() {
    let directory = tempfile::tempdir().unwrap();
    let window = Window::tumbling(Duration::from_secs(1)).timestamp_field("ts").items_in_memory(0);
    let window = window.watermark_interval(Duration::from_millis(1));
    let settings = [("spill_directory", directory.path().to_str().unwrap())];
    let bench = Bench::with(window, a_page_and_its_end, &settings, Recorder);
    bench.emit_up_to(2500);
    let running = bench.start();
    wait_executed(&running, "windows", 2500);
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    bench.emit_up_to(2501);
    bench.record.wait(1);
    assert_eq!(bench.record.items(), [(0..2500).collect::<Vec<_>>()]);
    assert!(errors(&running, "windows").contains("a page of a window can't be read"));
}

/// Counts its windows in a state of its own.
struct Counting {
    record: Record,
    windows: u64,
}

impl WindowedBolt for Counting {
    fn declare(&self, _: &mut Streams) {}

    fn execute(&mut self, _: &TupleWindow<'_>, _: &mut WindowCollector<'_>) -> Outcome {
        self.windows += 1;
        self.record.push(Shown { items: vec![self.windows as i64], ..Shown::default() });
        Ok(())
    }

    fn checkpoint(&mut self) -> StateChanges {
        StateChanges::of(vec![(b"windows".to_vec(), Some(self.windows.to_le_bytes().to_vec()))])
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        for (key, value) in state {
            assert_eq!(key, b"windows");
            self.windows = u64::from_le_bytes(value.as_slice().try_into()?);
        }
        Ok(())
    }
}

#[test]
fn the_users_own_state_is_kept_beside() {
    let Bench { record, limit, checkpoints, .. } = Bench::new(Window::tumbling(5), |_| (0, "a"));
    let mut builder = TopologyBuilder::new();
    let (spout_limit, counted) = (limit.clone(), record.clone());
    let row = |_| (0, "a");
    builder.set_spout("spout", move || Numbers { limit: spout_limit.clone(), next: 0, row, tracked: false });
    let make = move || Counting { record: counted.clone(), windows: 0 };
    builder.set_windowed_bolt("windows", Window::tumbling(5), make).shuffle_grouping("spout");
    let bench = Bench { topology: builder.build("own").unwrap(), record, limit, checkpoints };
    bench.emit_up_to(7);
    let running = bench.start();
    bench.record.wait(1);
    running.checkpoint().unwrap();
    drop(running);
    let _running = bench.start();
    bench.emit_up_to(15);
    bench.record.wait(3);
    assert_eq!(bench.record.items(), [[1], [2], [3]]);
}
