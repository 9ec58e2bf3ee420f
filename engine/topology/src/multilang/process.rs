//! `ChildProcess`: a child, started, greeted, listened to, and killed with all it has started.
//!
//! Four threads serve a child: one writes to it what the [`Outbox`] holds, one reads what it says and gives it to the handler,
//! one reads its standard error, one waits for its end.
//!
//! # Why it can't deadlock
//!
//! A child may wait for the engine in two ways: to write (its output isn't read), or to read (a reply, or a tuple). Suppose
//! it waits for ever.
//! - It waits to write. Then the reader isn't reading, so it is in the handler. The handler waits for room downstream, as any
//!   bolt does, which is back-pressure and ends by itself; or for nothing, because [`Outbox::send`] never waits. It must not
//!   call [`Outbox::offer`] with a wait, nor wait for a thread that does: that is the one rule for handlers. Whether the
//!   writer is stuck makes no difference to the reader.
//! - It waits to read a reply. The writer isn't stuck, because the child reads. The reply has been made by the handler, and
//!   replies go before all tuples that haven't been written.
//!
//! A child that emits without ever reading its replies isn't held up either: replies pile up until [`Error::Deaf`].
//!
//! # Its end
//!
//! Whichever comes first is the failure every later call returns: the child's end, what it said against the protocol, what
//! the handler refused, or [`ChildProcess::kill`]. After any of them the whole process group is killed and the child reaped.

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dialect::{Dialect, Ear};
use super::error::Error;
use super::frame::FRAME_BYTES_MAX;
use super::group::Group;
use super::outbox::{OnRoom, Outbox, REPLY_BYTES_MAX};
use super::stderr::{self, Tail};
use super::{FromChild, Result, Setup, ToChild};

mod life;
use life::Life;

/// How long a child's last words may take to arrive after its end.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// Messages of one frame for which memory is kept.
const SAID_KEPT_MAX: usize = 4096;

/// Is given each message but the pid, in order, and in the end, once, the failure. Runs on a thread of the child's. An error
/// of its own becomes the child's failure. Must not wait for room in the outbox.
pub type Handler = Box<dyn FnMut(Result<FromChild>, &Outbox) -> Result<()> + Send>;

/// How a child is started, and its bounds.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program and its arguments. A program without a slash is looked for in `PATH`, one with a slash is best absolute.
    pub command: Vec<String>,
    /// Where it runs; none is where the engine runs.
    pub directory: Option<PathBuf>,
    /// Added to the engine's environment.
    pub environment: BTreeMap<String, String>,
    /// How long the answer to the handshake may take.
    pub handshake_wait: Duration,
    /// How long a message of the child may be.
    pub frame_bytes_max: usize,
    /// How many tuples may wait for the child: `topology.shellbolt.max.pending`.
    pub tuples_waiting_max: usize,
    /// The same for a child that speaks the Arrow dialect.
    pub arrow_tuples_waiting_max: usize,
    /// How long the child may take to end after SIGTERM, before SIGKILL.
    pub kill_grace: Duration,
}

impl Launch {
    /// A command with Storm's bounds, where the engine runs.
    pub fn new<S: Into<String>>(command: impl IntoIterator<Item = S>) -> Launch {
        Launch {
            command: command.into_iter().map(Into::into).collect(),
            directory: None,
            environment: BTreeMap::new(),
            handshake_wait: Duration::from_secs(30),
            frame_bytes_max: FRAME_BYTES_MAX,
            tuples_waiting_max: 100,
            arrow_tuples_waiting_max: 8192,
            kill_grace: Duration::from_secs(1),
        }
    }

    fn spawn(&self) -> Result<Child> {
        let refused = |reason: String| Error::Spawn {
            command: self.command.join(" "),
            directory: self.directory.as_deref().unwrap_or(Path::new(".")).display().to_string(),
            reason,
        };
        let (program, arguments) = self.command.split_first().ok_or_else(|| refused("the command is empty".into()))?;
        let mut command = Command::new(program);
        command.args(arguments).envs(&self.environment).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.spawn().map_err(|error| refused(error.to_string()))
    }
}

/// A child at work. Dropping it kills it.
pub struct ChildProcess {
    shared: Arc<Shared>,
    pid_dir: PathBuf,
}

/// What a child's threads share.
struct Shared {
    outbox: Outbox,
    group: Group,
    life: Life,
    tail: Tail,
    launch: Launch,
    /// For the log.
    component: String,
    task: i32,
}

impl ChildProcess {
    /// Starts a child, makes the pid directory if there is none, and returns when the child has sent its pid. The handler may
    /// have been given messages by then. A child that fails before it has sent its pid is an error here; one that fails after
    /// is told to the handler, and returned by later calls.
    pub fn start(launch: &Launch, setup: &Setup, handler: Handler) -> Result<ChildProcess> {
        let process = ChildProcess::spawn(launch, setup, handler, Box::new(|| {}))?;
        process.await_pid(launch.handshake_wait)?;
        Ok(process)
    }

    /// Starts a child as [`ChildProcess::start`] does, but doesn't wait for its pid: to see that it comes in time is the caller's
    /// business. `on_room` is told when the pid has come, and when the outbox has room again for a tuple where there was none.
    pub fn spawn(launch: &Launch, setup: &Setup, handler: Handler, on_room: OnRoom) -> Result<ChildProcess> {
        std::fs::create_dir_all(&setup.pid_dir).map_err(|error| Error::io("making the pid directory", &error))?;
        let mut child = launch.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { unreachable!("all three are piped") };
        let shared = Arc::new(Shared::new(launch, setup, &child, on_room));
        // From here on dropping it kills the child.
        let process = ChildProcess { shared, pid_dir: setup.pid_dir.clone().into() };
        process.thread("wait", move |shared| shared.await_end(child))?;
        process.thread("stderr", move |shared| shared.log(stderr))?;
        let input = BufReader::with_capacity(64 << 10, stdout);
        let ear = Ear::new(input, launch.frame_bytes_max, setup.dialects.clone());
        process.thread("read", move |shared| shared.listen(ear, handler))?;
        process.thread("write", move |shared| shared.speak(stdin))?;
        process.shared.outbox.send(ToChild::Handshake(setup))?;
        Ok(process)
    }

    /// What waits to be said to it, to say more.
    pub fn outbox(&self) -> &Outbox {
        &self.shared.outbox
    }

    /// The process id it gave itself; that of the group it leads may differ if it was started by a wrapper.
    pub fn pid(&self) -> Option<u32> {
        self.shared.life.pid()
    }

    /// When it last said anything. While the handler holds up what it says, now.
    pub fn last_heard(&self) -> Instant {
        self.shared.life.last_heard()
    }

    /// Its last lines of standard error so far.
    pub fn last_lines(&self) -> String {
        self.shared.tail.text()
    }

    /// Why it is of no more use; none while it is.
    pub fn failure(&self) -> Option<Error> {
        self.shared.outbox.failure()
    }

    /// Kills the process group: asks, and after the grace forces it. Returns when the child has been reaped. Then removes the
    /// pid file. What it has said and the handler hasn't seen is lost. May be called again.
    pub fn kill(&self) {
        self.shared.fail(Error::Killed);
        if !self.shared.group.terminate(self.shared.launch.kill_grace) {
            tracing::error!(component = %self.shared.component, task = self.shared.task, "a child outlives SIGKILL");
        }
        if let Some(pid) = self.pid() {
            // It may never have made one.
            let _ = std::fs::remove_file(self.pid_dir.join(pid.to_string()));
        }
    }

    fn await_pid(&self, wait: Duration) -> Result<()> {
        if self.shared.life.await_pid(wait) {
            return Ok(());
        }
        let limit_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        // When it failed before the time was over, that failure is the one returned.
        Err(self.shared.fail(Error::Handshake { limit_ms, stderr: self.shared.tail.text() }))
    }

    fn thread(&self, name: &str, body: impl FnOnce(&Shared) + Send + 'static) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(format!("child-{name}-{}", shared.task));
        thread.spawn(move || body(&shared)).map_err(|error| Error::io("starting a thread for the child", &error))?;
        Ok(())
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    fn new(launch: &Launch, setup: &Setup, child: &Child, on_room: OnRoom) -> Shared {
        Shared {
            outbox: Outbox::new(REPLY_BYTES_MAX, on_room),
            group: Group::new(child),
            life: Life::new(),
            tail: Tail::default(),
            launch: launch.clone(),
            component: setup.context.component_id.clone(),
            task: setup.context.task_id,
        }
    }

    /// The first failure stays; it is returned.
    fn fail(&self, error: Error) -> Error {
        let first = self.outbox.close(error);
        self.life.over();
        first
    }

    /// The thread that waits.
    fn await_end(&self, child: Child) {
        self.group.wait_and_reap(child);
        // The reader comes to the end of the output and tells, unless a process that left the group holds the output open.
        self.life.await_listener(LAST_WORDS_WAIT);
        self.fail(self.exited(""));
    }

    /// The thread that reads standard error.
    fn log(&self, stderr: std::process::ChildStderr) {
        let (component, task) = (self.component.as_str(), self.task);
        stderr::drain(stderr, &self.tail, |line| tracing::info!(component, task, "{line}"));
        self.life.stderr_over();
    }

    /// The thread that writes. A child that reads no more is either ending, which the others find out, or of no use.
    fn speak(&self, mut stdin: ChildStdin) {
        /// What is kept of the memory between writes.
        const KEPT_BYTES_MAX: usize = 1 << 20;
        let mut out = Vec::new();
        while self.outbox.take(&mut out) {
            if let Err(error) = stdin.write_all(&out) {
                if self.group.wait_end(LAST_WORDS_WAIT).is_none() {
                    self.fail(Error::io("writing to the child", &error));
                    self.group.terminate(self.launch.kill_grace);
                }
                return;
            }
            out.clear();
            out.shrink_to(KEPT_BYTES_MAX);
        }
    }

    /// The thread that reads.
    fn listen(&self, mut ear: Ear<BufReader<ChildStdout>>, mut handler: Handler) {
        let guard = ListenerGuard(self);
        let mut said = Vec::new();
        let error = loop {
            if let Err(error) = self.hear(&mut ear, &mut said, &mut handler) {
                break error;
            }
        };
        let error = self.fail(error);
        self.group.terminate(self.launch.kill_grace);
        // Nobody is left to whom the handler's own error could matter.
        let _ = handler(Err(error), &self.outbox);
        drop(guard);
    }

    /// Takes one frame. `said` is empty before, and after unless the child has failed.
    fn hear(
        &self,
        ear: &mut Ear<BufReader<ChildStdout>>,
        said: &mut Vec<FromChild>,
        handler: &mut Handler,
    ) -> Result<()> {
        match ear.next(said) {
            Ok(true) => {}
            Ok(false) => return Err(self.output_over("")),
            Err(Error::Truncated(text)) => {
                return Err(self.output_over(&format!(" in the middle of a message: {text:?}")));
            }
            Err(error) => return Err(error),
        }
        self.life.heard();
        if let Some(failure) = self.outbox.failure() {
            return Err(failure);
        }
        for message in said.drain(..) {
            match message {
                FromChild::Pid { pid, dialect } => self.greeted(pid, ear.greeted(dialect.as_deref()))?,
                FromChild::More => self.outbox.more(),
                message => self.life.while_handling(|| handler(Ok(message), &self.outbox))?,
            }
        }
        said.shrink_to(SAID_KEPT_MAX);
        Ok(())
    }

    /// Whoever sees that it has greeted speaks its dialect. The pid is of use even if the dialect is none: it has a file.
    fn greeted(&self, pid: u32, dialect: Result<Dialect>) -> Result<()> {
        match dialect {
            Ok(Dialect::Json) => self.outbox.speak(Dialect::Json, self.launch.tuples_waiting_max),
            Ok(Dialect::Arrow) => self.outbox.speak(Dialect::Arrow, self.launch.arrow_tuples_waiting_max),
            Err(_) => {}
        }
        self.life.greeted(pid);
        dialect.map(|_| self.outbox.greeted())
    }

    /// Why the output has ended.
    fn output_over(&self, place: &str) -> Error {
        match self.group.wait_end(LAST_WORDS_WAIT) {
            Some(_) => self.exited(place),
            None => Error::Protocol(format!("the child has closed its standard output{place}")),
        }
    }

    /// The error for a child that has ended, with its last lines.
    fn exited(&self, place: &str) -> Error {
        self.life.await_stderr(LAST_WORDS_WAIT);
        let status = self.group.wait_end(Duration::ZERO).unwrap_or_else(|| "an unknown status".into());
        Error::Exited { status: format!("{status}{place}"), stderr: self.tail.text() }
    }
}

/// Says that nobody listens any more, also when the handler panics: then the child would wait for ever otherwise.
struct ListenerGuard<'a>(&'a Shared);

impl Drop for ListenerGuard<'_> {
    fn drop(&mut self) {
        let reason = "its handler panicked".to_owned();
        self.0.fail(Error::Io { what: "listening to the child", reason });
        self.0.life.listener_over();
        self.0.group.terminate(self.0.launch.kill_grace);
    }
}
