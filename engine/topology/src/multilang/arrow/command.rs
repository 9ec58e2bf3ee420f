//! What is said: headers, and what they say of the body.

use serde::{Deserialize, Serialize};
use smol_str::{SmolStr, ToSmolStr};

use super::ids::{IDS_MAX, Ids};
use super::write::Source;
use super::{ROWS_MAX, Row, frame, read, write};
use crate::Value;
use crate::multilang::error::beginning;
use crate::multilang::json::{FromJson, JsonList};
use crate::multilang::{Emit, Error, FromChild, Result, ToChild};

/// The header of a batch of tuples.
#[derive(Serialize)]
struct Tuples<'a> {
    command: &'static str,
    comp: &'a str,
    stream: &'a str,
    task: i32,
    rows: usize,
    ids: Ids,
}

/// The header of anything else that is said to a child.
#[derive(Serialize)]
struct Command<'a> {
    command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<JsonList<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<&'a [i32]>,
}

/// Appends a reply or a command. A tuple is a batch of one; a handshake is Storm's, whatever comes after.
pub(crate) fn append_command(message: ToChild<'_>, out: &mut Vec<u8>) {
    let (command, ids, tasks) = match message {
        ToChild::Handshake(_) => return message.append_frame(out),
        ToChild::Tuple { id, comp, stream, task, values } => {
            // Tuples go by the other lane, which tells what can't be said.
            return drop(Row::new(id, comp, stream, task, values).map(|row| append_batches(vec![row], out)));
        }
        ToChild::Next => ("next", None, None),
        ToChild::Activate => ("activate", None, None),
        ToChild::Deactivate => ("deactivate", None, None),
        ToChild::Ack(ids) => ("ack", Some(JsonList(ids)), None),
        ToChild::Fail(ids) => ("fail", Some(JsonList(ids)), None),
        ToChild::Heartbeat { .. } => ("heartbeat", None, None),
        ToChild::TaskIds(tasks) => ("task_ids", None, Some(tasks)),
    };
    frame::append(&Command { command, ids, tasks }, |_| {}, out);
}

/// Appends rows as batches, one for each source and number of values among them. How many.
pub(crate) fn append_batches(rows: Vec<Row>, out: &mut Vec<u8>) -> usize {
    let batches = by_source(rows);
    for rows in &batches {
        let Some(Row { source: Source { comp, stream, task }, values, .. }) = rows.first() else { continue };
        let ids = rows.iter().map(|row| row.id).collect();
        let header = Tuples { command: "tuples", comp, stream, task: *task, rows: rows.len(), ids };
        let write_body = |out: &mut Vec<u8>| {
            if !values.is_empty() {
                write::append(rows, out);
            }
        };
        frame::append(&header, write_body, out);
    }
    batches.len()
}

/// Rows of a source stay in order. Sources are few, so they are looked for from the last one on.
fn by_source(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let mut batches: Vec<Vec<Row>> = Vec::new();
    for row in rows {
        let belongs = |batch: &&mut Vec<Row>| {
            batch.last().is_some_and(|last| last.source == row.source && last.values.len() == row.values.len())
        };
        match batches.iter_mut().rev().find(belongs) {
            Some(batch) => batch.push(row),
            None => batches.push(vec![row]),
        }
    }
    batches
}

/// What tells how to read the rest.
#[derive(Deserialize)]
struct Named {
    command: String,
}

/// The header of acks and fails.
#[derive(Deserialize)]
struct Fates {
    ids: Ids,
}

/// The header of emits.
#[derive(Deserialize)]
struct Emits {
    rows: usize,
    #[serde(default)]
    stream: Option<SmolStr>,
    #[serde(default)]
    task: Option<i32>,
    #[serde(default)]
    need_task_ids: bool,
    /// A bolt's: each row has one anchor.
    #[serde(default)]
    each: Option<Ids>,
    /// A bolt's: each row has a list of anchors.
    #[serde(default)]
    anchors: Option<Vec<Ids>>,
    /// A spout's: each row has an id, which may be null.
    #[serde(default)]
    ids: Option<Vec<FromJson>>,
}

/// Appends the messages of a frame.
pub(crate) fn parse(header: &[u8], body: Vec<u8>, said: &mut Vec<FromChild>) -> Result<()> {
    append_messages(header, body, said).map_err(|reason| Error::Protocol(format!("{reason}: {:?}", beginning(header))))
}

fn append_messages(header: &[u8], body: Vec<u8>, said: &mut Vec<FromChild>) -> std::result::Result<(), String> {
    let Named { command } = of_json(header)?;
    if command == "emit" {
        return append_emits(of_json(header)?, body, said);
    }
    if !body.is_empty() {
        return Err(format!("{command:?} has a body of {} bytes, which only an emit has", body.len()));
    }
    let fates = |fate: fn(SmolStr) -> FromChild| {
        let Fates { ids } = of_json(header)?;
        Ok::<_, String>(ids.iter().map(|id| fate(id.to_smolstr())).collect::<Vec<_>>())
    };
    match command.as_str() {
        "ack" => said.extend(fates(FromChild::Ack)?),
        "fail" => said.extend(fates(FromChild::Fail)?),
        "more" => said.push(FromChild::More),
        // Said as Storm's JSON has them.
        _ => said.push(FromChild::parse(header).map_err(|error| error.to_string())?),
    }
    Ok(())
}

fn of_json<'a, T: Deserialize<'a>>(header: &'a [u8]) -> std::result::Result<T, String> {
    // Derived deserialization takes a list for the struct's fields in order.
    let object = if header.starts_with(b"{") {
        serde_json::from_slice(header).map_err(|error| error.to_string())
    } else {
        Err("not an object".into())
    };
    object.map_err(|reason| format!("not a header: {reason}"))
}

fn append_emits(emits: Emits, body: Vec<u8>, said: &mut Vec<FromChild>) -> std::result::Result<(), String> {
    let Emits { rows: count, stream, task, need_task_ids, each, anchors, ids } = emits;
    if count > ROWS_MAX {
        return Err(format!("{count} rows, of at most {ROWS_MAX}"));
    }
    let anchors = anchors_of(count, each, anchors)?;
    let ids = match ids {
        None => vec![None; count],
        Some(ids) if ids.len() == count => ids.into_iter().map(|id| Some(id.0).filter(|id| !id.is_null())).collect(),
        Some(ids) => return Err(format!("{} ids for {count} rows", ids.len())),
    };
    let stream = stream.unwrap_or_else(|| "default".into());
    // Task 0, which there isn't, is none, as in Storm's JSON.
    let task = task.filter(|task| *task != 0);
    let need_task_ids = need_task_ids && task.is_none();
    let rows = read::rows(&body, count)?;
    said.extend(rows.into_iter().zip(anchors).zip(ids).map(|((values, anchors), id): ((Vec<Value>, _), _)| {
        FromChild::Emit(Emit { id, anchors, stream: stream.clone(), task, values, need_task_ids })
    }));
    Ok(())
}

/// A list of anchors for each row.
fn anchors_of(
    count: usize,
    each: Option<Ids>,
    anchors: Option<Vec<Ids>>,
) -> std::result::Result<Vec<Vec<SmolStr>>, String> {
    let given = match (&each, &anchors) {
        (Some(_), Some(_)) => return Err("both \"each\" and \"anchors\"".into()),
        (Some(ids), None) => ids.len(),
        (None, Some(lists)) => lists.len(),
        (None, None) => return Ok(vec![Vec::new(); count]),
    };
    if given != count {
        return Err(format!("anchors for {given} rows, where there are {count}"));
    }
    if let Some(ids) = each {
        return Ok(ids.iter().map(|id| vec![id.to_smolstr()]).collect());
    }
    let lists = anchors.unwrap_or_default();
    let total: usize = lists.iter().map(Ids::len).sum();
    if total > IDS_MAX {
        return Err(format!("{total} anchors, of at most {IDS_MAX}"));
    }
    Ok(lists.iter().map(|ids| ids.iter().map(|id| id.to_smolstr()).collect()).collect())
}
