//! The engine's side of multilang against a real child: `multilang/child.py`, which needs Python 3 and nothing else.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use monsoon_topology::Value;
use monsoon_topology::multilang::{
    ChildProcess, Context, Emit, Error, FromChild, Handler, Launch, Level, Offer, Outbox, Result, Setup, ToChild,
};

/// Far more than anything here takes.
const WAIT: Duration = Duration::from_secs(60);

/// A child, and what it has said.
struct Bench {
    child: ChildProcess,
    said: Receiver<Result<FromChild>>,
    directory: tempfile::TempDir,
}

fn launch(mode: &str) -> Launch {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/multilang/child.py");
    Launch::new(["python3", script.to_str().unwrap(), mode])
}

fn setup(directory: &Path) -> Setup {
    let context = Context { task_id: 7, component_id: "child".into(), ..Context::default() };
    Setup { pid_dir: directory.join("pids").to_str().unwrap().into(), context, ..Setup::default() }
}

/// Passes on all that is said; the n-th emit that wants to know its tasks is told n.
fn recorder(sender: Sender<Result<FromChild>>) -> Handler {
    let mut emits = 0;
    Box::new(move |said: Result<FromChild>, outbox: &Outbox| {
        if let Ok(FromChild::Emit(Emit { need_task_ids: true, .. })) = &said {
            outbox.send(ToChild::TaskIds(&[emits]))?;
            emits += 1;
        }
        // The test may have seen enough.
        let _ = sender.send(said);
        Ok(())
    })
}

impl Bench {
    fn start(launch: &Launch) -> Result<Bench> {
        Bench::start_in(launch, tempfile::tempdir().unwrap())
    }

    fn start_in(launch: &Launch, directory: tempfile::TempDir) -> Result<Bench> {
        let (sender, said) = channel();
        let child = ChildProcess::start(launch, &setup(directory.path()), recorder(sender))?;
        Ok(Bench { child, said, directory })
    }

    fn next(&self) -> Result<FromChild> {
        self.said.recv_timeout(WAIT).expect("the child says something in time")
    }

    fn next_values(&self) -> Vec<Value> {
        match self.next() {
            Ok(FromChild::Emit(emit)) => emit.values,
            other => panic!("not an emit: {other:?}"),
        }
    }

    fn failure(&self) -> Error {
        loop {
            if let Err(error) = self.next() {
                return error;
            }
        }
    }

    fn offer(&self, id: &str, values: &[Value], wait: Duration) -> Offer {
        let tuple = ToChild::Tuple { id, comp: "source", stream: "default", task: 3, values };
        self.child.outbox().offer(tuple, wait).unwrap()
    }

    fn tell(&self, id: &str, values: &[Value]) {
        assert_eq!(self.offer(id, values, WAIT), Offer::Taken);
    }
}

fn ack(id: &str) -> FromChild {
    FromChild::Ack(id.into())
}

fn proc_entry(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}"))
}

#[test]
fn tuples_go_in_and_emits_and_acks_come_out() {
    for mode in ["echo", "echo_file_first"] {
        let bench = Bench::start(&launch(mode)).unwrap();
        let values = [Value::from("bertels人"), Value::Int(i64::MAX), Value::Float(0.1), Value::Null];
        bench.tell("t1", &values);
        match bench.next().unwrap() {
            FromChild::Emit(emit) => {
                assert_eq!(emit.values, values);
                assert_eq!(emit.anchors, ["t1"]);
                assert!(!emit.need_task_ids);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.next(), Ok(ack("t1")));

        let before = Instant::now();
        bench.child.outbox().send(ToChild::Heartbeat { id: "h" }).unwrap();
        assert_eq!(bench.next(), Ok(FromChild::Sync));
        assert!(bench.child.last_heard() > before);
    }
}

#[test]
fn the_pid_file_goes_with_the_child_and_no_zombie_stays() {
    let bench = Bench::start(&launch("echo_file_first")).unwrap();
    let pid = bench.child.pid().unwrap();
    let file = bench.directory.path().join("pids").join(pid.to_string());
    assert!(file.exists() && proc_entry(pid).exists());

    bench.child.kill();
    assert!(!file.exists(), "the pid file is removed");
    assert!(!proc_entry(pid).exists(), "the child is reaped");
    assert_eq!(bench.failure(), Error::Killed);
    assert_eq!(bench.child.failure(), Some(Error::Killed));
    assert_eq!(bench.child.outbox().send(ToChild::Next), Err(Error::Killed));
    bench.child.kill();
}

#[test]
fn dropping_kills() {
    let bench = Bench::start(&launch("unreading")).unwrap();
    let pid = bench.child.pid().unwrap();
    drop(bench.child);
    assert!(!proc_entry(pid).exists());
}

#[test]
fn the_child_is_told_its_setup_and_given_directory_and_environment() {
    let directory = tempfile::tempdir().unwrap();
    let mut launch = launch("setup");
    launch.directory = Some(directory.path().canonicalize().unwrap());
    launch.environment.insert("MULTILANG_GIVEN".into(), "given".into());
    let expected_setup = serde_json::to_value(setup(directory.path())).unwrap();
    let expected_directory = directory.path().canonicalize().unwrap();
    let bench = Bench::start_in(&launch, directory).unwrap();
    let values = bench.next_values();
    assert_eq!(monsoon_topology::multilang::json::to_json(&values[0]), expected_setup);
    assert_eq!(values[1].as_str(), expected_directory.to_str());
    assert_eq!(values[2].as_str(), Some("given"));
    // Python may be a wrapper that puts something in front.
    let path = std::env::var("PATH").unwrap();
    assert!(values[3].as_str().unwrap().ends_with(&path), "the engine's environment is inherited");
}

#[test]
fn emits_before_the_first_tuple_are_answered() {
    let bench = Bench::start(&launch("early")).unwrap();
    assert_eq!(bench.next_values(), [Value::from("early")]);
    assert_eq!(bench.next_values(), [Value::from(vec![Value::Int(0)])]);
}

#[test]
fn ten_thousand_waiting_emits_for_one_tuple_do_not_deadlock() {
    let bench = Bench::start(&launch("ids")).unwrap();
    let padding = Value::from("x".repeat(10_000));
    bench.tell("many", &[Value::Int(10_000), padding.clone()]);
    // A queue of tuples the child can't take while it waits for replies.
    let mut queued = 0;
    while queued < 1_000 && bench.offer("more", &[Value::Int(0), padding.clone()], Duration::ZERO) == Offer::Taken {
        queued += 1;
    }
    assert!(queued >= 100, "{queued}");
    for number in 0..10_000 {
        assert_eq!(bench.next_values(), [Value::Int(number)]);
    }
    assert_eq!(bench.next(), Ok(ack("many")));
}

#[test]
fn replies_may_be_read_late() {
    let bench = Bench::start(&launch("late_reader")).unwrap();
    bench.tell("many", &[Value::Int(50_000)]);
    for number in 0..50_000 {
        assert_eq!(bench.next_values(), [Value::Int(number)]);
    }
    assert_eq!(bench.next(), Ok(ack("many")));
}

#[test]
fn a_spout_takes_turns() {
    let bench = Bench::start(&launch("spout")).unwrap();
    let outbox = bench.child.outbox();
    let log = |message: &str, level| Ok(FromChild::Log { message: message.into(), level });
    outbox.send(ToChild::Activate).unwrap();
    assert_eq!(bench.next(), log("activate", Level::Debug));
    assert_eq!(bench.next(), Ok(FromChild::Sync));
    outbox.send(ToChild::Next).unwrap();
    let Ok(FromChild::Emit(emit)) = bench.next() else { panic!("an emit is expected") };
    let id = emit.id.unwrap();
    assert_eq!(bench.next(), Ok(FromChild::Sync));
    outbox.send(ToChild::Ack(std::slice::from_ref(&id))).unwrap();
    assert_eq!(bench.next(), log("ack {'turn': 1}", Level::Warn));
    assert_eq!(bench.next(), Ok(FromChild::Sync));
}

#[test]
fn ten_megabytes_go_there_and_back() {
    let bench = Bench::start(&launch("echo")).unwrap();
    let values = [Value::from("人x".repeat(2_500_000))];
    bench.tell("huge", &values);
    assert_eq!(bench.next_values(), values);
    assert_eq!(bench.next(), Ok(ack("huge")));
}

#[test]
fn a_message_above_the_limit_is_the_childs_failure() {
    let bench = Bench::start(&Launch { frame_bytes_max: 10_000, ..launch("echo") }).unwrap();
    bench.tell("huge", &[Value::from("x".repeat(20_000))]);
    let failure = bench.failure().to_string();
    assert!(failure.contains("a message of more than 10000 bytes"), "{failure}");
}

#[test]
fn what_is_no_message_kills_the_child_and_says_why() {
    let bench = Bench::start(&launch("printing")).unwrap();
    let failure = bench.failure();
    assert!(matches!(failure, Error::Protocol(_)), "{failure:?}");
    assert!(failure.to_string().contains("hello from print"), "{failure}");
    assert!(!proc_entry(bench.child.pid().unwrap()).exists());
}

#[test]
fn an_end_within_a_message_tells_status_and_last_words() {
    let failure = Bench::start(&launch("partial")).unwrap().failure();
    let status = r#"exit status: 3 in the middle of a message: "{\"command\": \"em""#;
    assert_eq!(failure, Error::Exited { status: status.into(), stderr: "first line\nlast words".into() });
}

#[test]
fn a_flood_of_standard_error_holds_nobody_up() {
    let bench = Bench::start(&launch("flood")).unwrap();
    assert_eq!(bench.next(), Ok(FromChild::Sync));
}

#[test]
fn a_child_that_does_not_read_fills_the_outbox_and_can_be_killed() {
    let bench = Bench::start(&launch("unreading")).unwrap();
    let values = [Value::from("x".repeat(100_000))];
    while bench.offer("t", &values, Duration::from_millis(10)) == Offer::Taken {}
    assert_eq!(bench.child.outbox().tuples_waiting(), 100);
    let pid = bench.child.pid().unwrap();
    bench.child.kill();
    assert!(!proc_entry(pid).exists());
}

#[test]
fn a_child_that_never_sends_its_pid_is_given_up() {
    let silent = Launch { handshake_wait: Duration::from_secs(2), ..launch("silent") };
    let error = Bench::start(&silent).err();
    assert_eq!(error, Some(Error::Handshake { limit_ms: 2_000, stderr: "thinking".into() }));
}

#[test]
fn a_command_that_ends_at_once_is_told_with_its_words() {
    let error = Bench::start(&Launch::new(["sh", "-c", "echo no such module >&2; exit 1"])).err();
    assert_eq!(error, Some(Error::Exited { status: "exit status: 1".into(), stderr: "no such module".into() }));
}

#[test]
fn a_command_that_does_not_exist_is_refused() {
    let refused = |launch: Launch| matches!(Bench::start(&launch).err(), Some(Error::Spawn { .. }));
    assert!(refused(Launch::new(["/no/such/command"])));
    assert!(refused(Launch::new(Vec::<String>::new())));
    assert!(refused(Launch { directory: Some("/no/such/directory".into()), ..launch("echo") }));
}

#[test]
fn what_the_handler_refuses_is_the_childs_failure() {
    let directory = tempfile::tempdir().unwrap();
    let (sender, said) = channel();
    let handler: Handler = Box::new(move |message, _| {
        message.is_err().then(|| sender.send(message.clone()));
        Err(Error::Protocol("an ack of an unknown tuple".into()))
    });
    let child = ChildProcess::start(&launch("echo"), &setup(directory.path()), handler).unwrap();
    child.outbox().send(ToChild::Heartbeat { id: "h" }).unwrap();
    let failure = said.recv_timeout(WAIT).unwrap();
    assert_eq!(failure, Err(Error::Protocol("an ack of an unknown tuple".into())));
    assert_eq!(child.failure(), failure.err());
}

#[test]
fn a_handler_that_panics_ends_the_child() {
    let directory = tempfile::tempdir().unwrap();
    let handler: Handler = Box::new(|_, _| panic!("a bug of the handler's, on purpose"));
    let child = ChildProcess::start(&launch("echo"), &setup(directory.path()), handler).unwrap();
    let tuple = ToChild::Tuple { id: "t", comp: "c", stream: "s", task: 1, values: &[] };
    let deadline = Instant::now() + WAIT;
    while child.outbox().offer(tuple, Duration::from_millis(10)).is_ok() {
        assert!(Instant::now() < deadline, "the panic is noticed");
    }
    assert!(matches!(child.failure(), Some(Error::Io { what: "listening to the child", .. })), "{:?}", child.failure());
}

/// A pipe with a name, whose end tells that nobody has it open for writing any more.
struct NamedPipe {
    ended: Receiver<std::io::Result<usize>>,
}

impl NamedPipe {
    /// Names it in the environment of the child to be.
    fn new(directory: &Path, launch: &mut Launch) -> NamedPipe {
        let path = directory.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        launch.environment.insert("MULTILANG_PIPE".into(), path.to_str().unwrap().into());
        let (sender, ended) = channel();
        std::thread::spawn(move || {
            let read = std::fs::File::open(&path).and_then(|mut pipe| pipe.read_to_end(&mut Vec::new()));
            sender.send(read)
        });
        NamedPipe { ended }
    }

    fn is_open(&self) -> bool {
        self.ended.try_recv().is_err()
    }

    fn await_end(&self) {
        self.ended.recv_timeout(WAIT).expect("every process that has the pipe is killed").unwrap();
    }
}

fn family(launch: &mut Launch) -> (Bench, NamedPipe) {
    let directory = tempfile::tempdir().unwrap();
    let pipe = NamedPipe::new(directory.path(), launch);
    let bench = Bench::start_in(launch, directory).unwrap();
    assert_eq!(bench.next(), Ok(FromChild::Sync));
    assert!(pipe.is_open());
    (bench, pipe)
}

#[test]
fn what_the_child_started_is_killed_with_it() {
    let (bench, pipe) = family(&mut launch("family"));
    bench.child.kill();
    pipe.await_end();
}

#[test]
fn a_child_behind_a_shell_is_killed_with_it() {
    let script = launch("family").command[1].clone();
    let (bench, pipe) = family(&mut Launch::new(["sh", "-c", &format!("python3 {script} family; true")]));
    let pid = bench.child.pid().unwrap();
    assert!(proc_entry(pid).exists());
    bench.child.kill();
    pipe.await_end();
}

#[test]
fn a_child_that_ignores_sigterm_is_killed_after_the_grace() {
    let (bench, pipe) = family(&mut Launch { kill_grace: Duration::from_millis(200), ..launch("family_stubborn") });
    let start = Instant::now();
    bench.child.kill();
    assert!(start.elapsed() >= Duration::from_millis(200), "it was asked first");
    pipe.await_end();
    assert!(!proc_entry(bench.child.pid().unwrap()).exists());
}

#[test]
fn what_a_child_started_does_not_outlive_it() {
    let (bench, pipe) = family(&mut launch("family_dying"));
    bench.tell("die", &[]);
    assert_eq!(bench.failure(), Error::Exited { status: "exit status: 4".into(), stderr: String::new() });
    pipe.await_end();
}

#[test]
fn the_end_is_noticed_though_a_runaway_holds_the_output_open() {
    let bench = Bench::start(&launch("runaway")).unwrap();
    let runaway = bench.next_values()[0].as_int().unwrap();
    let deadline = Instant::now() + WAIT;
    // A tuple is refused as soon as the child's end is noticed.
    let error = loop {
        assert!(Instant::now() < deadline, "the end is noticed");
        let beat = ToChild::Heartbeat { id: "h" };
        if let Err(error) = bench.child.outbox().offer(beat, Duration::from_millis(10)) {
            break error;
        }
    };
    assert!(matches!(&error, Error::Exited { status, .. } if status == "exit status: 5"), "{error:?}");
    let killed = std::process::Command::new("kill").arg(runaway.to_string()).status().unwrap();
    assert!(killed.success());
}
