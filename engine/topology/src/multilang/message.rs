//! Messages: what the engine says to a child, and what a child says to the engine.

use serde::Deserialize;
use serde::ser::{Serialize, SerializeMap, Serializer};
use smol_str::{SmolStr, ToSmolStr};

use super::error::beginning;
use super::json::{FromJson, Json, JsonList};
use super::{Error, Result, Setup, frame};
use crate::Value;

/// What the engine says.
#[derive(Clone, Copy, Debug)]
pub enum ToChild<'a> {
    /// The first message.
    Handshake(&'a Setup),
    /// A spout may emit now.
    Next,
    /// The tuples a spout emitted with these ids are done; in JSON it is one.
    Ack(&'a [Value]),
    /// The tuples a spout emitted with these ids have failed, or run out of time; in JSON it is one.
    Fail(&'a [Value]),
    /// A spout will be asked for tuples from now on.
    Activate,
    /// A spout won't be asked for tuples from now on.
    Deactivate,
    /// A tuple for a bolt. A tick is one from `__system`, stream `__tick`, task -1.
    Tuple {
        /// What the bolt names it by in anchors, acks and fails. Unique among those at work.
        id: &'a str,
        /// The component that emitted it.
        comp: &'a str,
        /// The stream.
        stream: &'a str,
        /// The task that emitted it.
        task: i32,
        /// The values.
        values: &'a [Value],
    },
    /// Asks a bolt for a sync.
    Heartbeat {
        /// Any.
        id: &'a str,
    },
    /// The tasks an emit went to.
    TaskIds(&'a [i32]),
}

impl ToChild<'_> {
    /// Appends the message as a frame.
    pub fn append_frame(&self, out: &mut Vec<u8>) {
        frame::append(out, |out| {
            serde_json::to_writer(out, self).expect("messages have text keys alone, and memory takes them");
        });
    }
}

impl Serialize for ToChild<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let (command, id) = match *self {
            ToChild::Handshake(setup) => return setup.serialize(serializer),
            ToChild::TaskIds(tasks) => return tasks.serialize(serializer),
            ToChild::Heartbeat { id } => return tuple(serializer, id, None, "__heartbeat", -1, &[]),
            ToChild::Tuple { id, comp, stream, task, values } => {
                return tuple(serializer, id, Some(comp), stream, task, values);
            }
            ToChild::Next => ("next", None),
            ToChild::Ack(ids) => ("ack", ids.first()),
            ToChild::Fail(ids) => ("fail", ids.first()),
            ToChild::Activate => ("activate", None),
            ToChild::Deactivate => ("deactivate", None),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("command", command)?;
        if let Some(id) = id {
            map.serialize_entry("id", &Json(id))?;
        }
        map.end()
    }
}

/// All five keys are there always: pystorm takes it for a tuple only then.
fn tuple<S: Serializer>(
    serializer: S,
    id: &str,
    comp: Option<&str>,
    stream: &str,
    task: i32,
    values: &[Value],
) -> std::result::Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(5))?;
    map.serialize_entry("id", id)?;
    map.serialize_entry("comp", &comp)?;
    map.serialize_entry("stream", stream)?;
    map.serialize_entry("task", &task)?;
    map.serialize_entry("tuple", &JsonList(values))?;
    map.end()
}

/// What a child says.
#[derive(Clone, Debug, PartialEq)]
pub enum FromChild {
    /// The answer to the handshake.
    Pid {
        /// Its process id.
        pid: u32,
        /// How it will speak, of what it was offered; none is in JSON.
        dialect: Option<SmolStr>,
    },
    /// A tuple.
    Emit(Emit),
    /// A bolt is done with the tuple of this id.
    Ack(SmolStr),
    /// A bolt gives up the tuple of this id.
    Fail(SmolStr),
    /// A line for the log.
    Log {
        /// What.
        message: String,
        /// How grave.
        level: Level,
    },
    /// An error of the component, to be shown as such.
    Error(String),
    /// A reading of a metric.
    Metrics {
        /// The metric.
        name: SmolStr,
        /// The reading.
        params: Value,
    },
    /// A spout's turn is over; a bolt's answer to a heartbeat.
    Sync,
    /// In the Arrow dialect: a bolt has taken up a batch, and there may be another.
    More,
    /// A command the protocol doesn't know: a bolt's is ignored, a spout's an error.
    Unknown(String),
}

/// A tuple a child emits.
#[derive(Clone, Debug, PartialEq)]
pub struct Emit {
    /// A spout's name for it, any JSON value; without one nobody wants to know what becomes of it.
    pub id: Option<Value>,
    /// A bolt's: ids of the tuples it comes from.
    pub anchors: Vec<SmolStr>,
    /// The stream; `default` when the child names none.
    pub stream: SmolStr,
    /// The task it is sent to directly; null and 0, which no task has, mean none.
    pub task: Option<i32>,
    /// The values.
    pub values: Vec<Value>,
    /// Whether the child waits for [`ToChild::TaskIds`]. True unless it says otherwise; false for a direct emit whatever it
    /// says, because libraries don't wait then, and a reply would be taken for that of a later emit.
    pub need_task_ids: bool,
}

/// How grave a line for the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0.
    Trace,
    /// 1.
    Debug,
    /// 2, and whatever isn't a level.
    Info,
    /// 3.
    Warn,
    /// 4.
    Error,
}

impl Level {
    fn from_value(value: &Value) -> Level {
        match value.as_int() {
            Some(0) => Level::Trace,
            Some(1) => Level::Debug,
            Some(3) => Level::Warn,
            Some(4) => Level::Error,
            _ => Level::Info,
        }
    }
}

/// Every key a child may send, each of any type: what a command needs is checked when the command is known.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    command: Option<FromJson>,
    #[serde(default)]
    pid: Option<FromJson>,
    #[serde(default)]
    dialect: Option<FromJson>,
    #[serde(default)]
    id: Option<FromJson>,
    #[serde(default)]
    anchors: Option<FromJson>,
    #[serde(default)]
    stream: Option<FromJson>,
    #[serde(default)]
    task: Option<FromJson>,
    #[serde(default)]
    tuple: Option<Vec<FromJson>>,
    #[serde(default)]
    need_task_ids: Option<FromJson>,
    #[serde(default)]
    msg: Option<FromJson>,
    #[serde(default)]
    level: Option<FromJson>,
    #[serde(default)]
    name: Option<FromJson>,
    #[serde(default)]
    params: Option<FromJson>,
}

impl FromChild {
    /// Of a frame's text. Keys the protocol doesn't know are ignored; the error shows the beginning of the text.
    pub fn parse(text: &[u8]) -> Result<FromChild> {
        // Derived deserialization takes a list for the struct's fields in order.
        let wire = if text.starts_with(b"[") { Err("a list".to_owned()) } else { wire(text) };
        let wire = wire.map_err(|error| {
            Error::Protocol(format!(
                "not a message: {error}: {:?}; does the component print to its standard output?",
                beginning(text)
            ))
        })?;
        wire.message().map_err(|reason| Error::Protocol(format!("{reason}: {:?}", beginning(text))))
    }
}

fn wire(text: &[u8]) -> std::result::Result<Wire, String> {
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

impl Wire {
    fn message(mut self) -> std::result::Result<FromChild, &'static str> {
        let Some(FromJson(command)) = self.command.take() else {
            let pid = self.pid.and_then(|pid| pid.0.as_int()).and_then(|pid| u32::try_from(pid).ok());
            let pid = pid.ok_or("a message with neither a command nor a pid")?;
            let dialect = match self.dialect {
                None => None,
                given => Some(name(given).ok_or("a dialect that is not a text")?),
            };
            return Ok(FromChild::Pid { pid, dialect });
        };
        match command.as_str().ok_or("a command that is not a text")? {
            "emit" => self.emit().map(FromChild::Emit),
            "ack" => name(self.id).map(FromChild::Ack).ok_or("an ack without the id of a tuple"),
            "fail" => name(self.id).map(FromChild::Fail).ok_or("a fail without the id of a tuple"),
            "log" => {
                let level = self.level.map_or(Level::Info, |level| Level::from_value(&level.0));
                Ok(FromChild::Log { message: text(self.msg), level })
            }
            "error" => Ok(FromChild::Error(text(self.msg))),
            "metrics" => {
                let name = name(self.name).ok_or("metrics without a name")?;
                Ok(FromChild::Metrics { name, params: self.params.map_or(Value::Null, |params| params.0) })
            }
            "sync" => Ok(FromChild::Sync),
            other => Ok(FromChild::Unknown(other.to_owned())),
        }
    }

    fn emit(self) -> std::result::Result<Emit, &'static str> {
        let values = self.tuple.ok_or("an emit without a tuple")?;
        let task = task(self.task)?;
        let need_task_ids = !self.need_task_ids.is_some_and(|need| need.0 == Value::Bool(false));
        Ok(Emit {
            id: self.id.map(|id| id.0),
            anchors: anchors(self.anchors)?,
            stream: match self.stream {
                None => "default".into(),
                given => name(given).ok_or("a stream that is not a text")?,
            },
            task,
            values: values.into_iter().map(|value| value.0).collect(),
            need_task_ids: need_task_ids && task.is_none(),
        })
    }
}

fn task(task: Option<FromJson>) -> std::result::Result<Option<i32>, &'static str> {
    match task.map(|task| task.0.as_int().and_then(|task| i32::try_from(task).ok())) {
        None | Some(Some(0)) => Ok(None),
        Some(Some(task)) => Ok(Some(task)),
        Some(None) => Err("a task that is not an integer"),
    }
}

fn anchors(anchors: Option<FromJson>) -> std::result::Result<Vec<SmolStr>, &'static str> {
    let wrong = "anchors that are neither ids of tuples nor one";
    match anchors.map(|anchors| anchors.0) {
        None => Ok(Vec::new()),
        Some(Value::List(ids)) => ids.iter().map(|id| as_name(id).ok_or(wrong)).collect(),
        Some(id) => as_name(&id).map(|id| vec![id]).ok_or(wrong),
    }
}

fn name(value: Option<FromJson>) -> Option<SmolStr> {
    value.and_then(|value| as_name(&value.0))
}

/// A text; an integer as one, for libraries that keep ids as numbers.
fn as_name(value: &Value) -> Option<SmolStr> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_smolstr()),
        _ => None,
    }
}

/// A text as it is, anything else as it prints: what was to be logged shall be logged.
fn text(value: Option<FromJson>) -> String {
    value.map_or_else(String::new, |value| value.0.to_string())
}

#[cfg(test)]
mod tests;
