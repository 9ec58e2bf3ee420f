//! The text that `--dry-run` shows: tables of a topology's components and streams.

use std::fmt::Write;

use super::kind::{BuiltIn, ComponentKind};
use super::model::{Component, DEFAULT_STREAM, FluxTopology, Stream};

impl FluxTopology {
    /// The topology as text: its configuration, its components, its streams and the notes.
    pub fn describe(&self) -> String {
        let mut text = format!("topology {}\n", self.name);
        let config = self.config.iter().map(|(key, value)| vec![key.to_string(), value.to_string()]);
        section(&mut text, "config", config.collect());
        section(&mut text, "spouts", self.spouts.iter().map(component_row).collect());
        section(&mut text, "bolts", self.bolts.iter().map(component_row).collect());
        section(&mut text, "streams", self.streams.iter().map(stream_row).collect());
        let hooks = self.worker_hooks.iter().map(|hook| vec![hook.id.to_string(), hook.instance.name.to_string()]);
        section(&mut text, "worker hooks", hooks.collect());
        section(&mut text, "notes", self.notes.iter().map(|note| vec![note.clone()]).collect());
        text
    }
}

fn component_row(component: &Component) -> Vec<String> {
    let tasks = component.tasks.unwrap_or(component.parallelism);
    let executors = component.parallelism;
    let config: Vec<String> = component.config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    vec![
        component.id.to_string(),
        what(&component.kind),
        format!("{executors} executor{}", if executors == 1 { "" } else { "s" }),
        format!("{tasks} task{}", if tasks == 1 { "" } else { "s" }),
        config.join(" "),
    ]
}

fn what(kind: &ComponentKind) -> String {
    match kind {
        ComponentKind::Shell(shell) => format!("shell {}", shell.command.join(" ")),
        ComponentKind::Native(instance) => format!("native {}", instance.name),
        ComponentKind::BuiltIn { built_in, .. } => match built_in {
            BuiltIn::Stream { relation } => format!("stream {relation}"),
            BuiltIn::Sql { query } => format!("sql {}", one_line(query.as_deref().unwrap_or_default())),
            BuiltIn::Insert { table } => format!("insert {table}"),
            BuiltIn::Window { query } => format!("window {}", one_line(query)),
            BuiltIn::Log => "log".to_owned(),
            BuiltIn::TestWords => "test_words".to_owned(),
            BuiltIn::TestWordCount => "test_word_count".to_owned(),
        },
    }
}

fn one_line(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn stream_row(stream: &Stream) -> Vec<String> {
    let from = match stream.stream_id.as_str() {
        DEFAULT_STREAM => stream.from.to_string(),
        id => format!("{} [{id}]", stream.from),
    };
    let grouping = match stream.grouping.fields() {
        Some(fields) => format!("{} {fields:?}", stream.grouping.type_name()),
        None => stream.grouping.type_name().to_owned(),
    };
    vec![from, format!("-> {}", stream.to), grouping]
}

/// A titled table with its columns aligned; nothing when it has no rows.
fn section(text: &mut String, title: &str, rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let _ = writeln!(text, "{title}");
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
    }
}
