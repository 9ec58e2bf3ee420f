//! `Node`: a YAML document as a tree in which everything knows its place.
//!
//! Built from the parser's events, for three reasons: places for error messages, bounds on what a hostile file can make of
//! aliases and nesting, and the scalar as it is written (a class name stays text even when it reads like a number).
//! Anchors, aliases and the merge key `<<` are resolved here; nothing above knows them.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use smol_str::SmolStr;

use super::error::{FluxError, Place};
use super::scalar;
use crate::Value;

/// How long a file may be, in bytes, after substitution.
const BYTES_MAX: usize = 3 << 20;
/// How deep lists and maps may nest, aliases followed.
const DEPTH_MAX: usize = 50;
/// How many nodes a file may have, aliases followed.
const NODES_MAX: usize = 100_000;

/// A node and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Place,
    pub data: Data,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Data {
    /// The text as written; `plain` when it may mean something else than text.
    Scalar {
        text: SmolStr,
        plain: bool,
    },
    List(Vec<Node>),
    /// Unique keys, in the file's order.
    Map(Vec<(Key, Node)>),
}

/// A map's key and its place.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub place: Place,
    pub text: SmolStr,
}

impl Node {
    /// Whether it is an unquoted null or nothing at all.
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Scalar { text, plain: true } if matches!(scalar::plain(text), Ok(Value::Null)))
    }

    /// What was found, for messages.
    pub fn found(&self) -> String {
        match &self.data {
            Data::Scalar { text, plain: true } => match scalar::plain(text) {
                Ok(Value::Null) => "nothing".to_owned(),
                Ok(value) if value.as_str().is_none() => format!("{} {text}", value.kind()),
                _ => format!("text {text:?}"),
            },
            Data::Scalar { text, .. } => format!("text {text:?}"),
            Data::List(_) => "a list".to_owned(),
            Data::Map(_) => "a map".to_owned(),
        }
    }

    /// The node as a value.
    pub fn value(&self) -> Result<Value, FluxError> {
        match &self.data {
            Data::Scalar { text, plain: true } => scalar::plain(text).map_err(|reason| self.place.error(reason)),
            Data::Scalar { text, .. } => Ok(Value::Text(text.clone())),
            Data::List(items) => {
                let items: Vec<Value> = items.iter().map(Node::value).collect::<Result<_, _>>()?;
                Ok(Value::List(items.into()))
            }
            Data::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, node)| Ok((key.text.clone(), node.value()?)))
                    .collect::<Result<_, FluxError>>()?;
                Ok(Value::Map(entries.into()))
            }
        }
    }

    /// Nodes in it, and its depth.
    fn measure(&self) -> (usize, usize) {
        let children: Box<dyn Iterator<Item = &Node>> = match &self.data {
            Data::Scalar { .. } => return (1, 1),
            Data::List(items) => Box::new(items.iter()),
            Data::Map(entries) => Box::new(entries.iter().map(|(_, node)| node)),
        };
        children.map(Node::measure).fold((1, 1), |(nodes, depth), child| (nodes + child.0, depth.max(1 + child.1)))
    }
}

/// The one document of a file.
pub(super) fn read(file: &Arc<str>, text: &str) -> Result<Node, FluxError> {
    let start = Place { file: file.clone(), line: 1, column: 1 };
    start.ensure(text.len() <= BYTES_MAX, || {
        format!("the file has {} bytes, at most {BYTES_MAX} are read", text.len())
    })?;
    let mut builder = Builder::new(file.clone());
    let mut parser = Parser::new(StrInput::new(text));
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| builder.scan_error(&error))?;
        builder.event(event, span)?;
    }
    builder.root.ok_or_else(|| start.error("found an empty file, expected a map with name, spouts, bolts and streams"))
}

/// A list or map whose end isn't read yet.
struct Frame {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, merges: Vec<Node>, key: Option<PendingKey> },
}

enum PendingKey {
    Name(Key),
    Merge,
}

struct Builder {
    file: Arc<str>,
    open: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl Builder {
    fn new(file: Arc<str>) -> Builder {
        Builder { file, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None }
    }

    fn place(&self, span: Span) -> Place {
        Place { file: self.file.clone(), line: span.start.line(), column: span.start.col() + 1 }
    }

    fn scan_error(&self, error: &ScanError) -> FluxError {
        let marker = error.marker();
        let place = Place { file: self.file.clone(), line: marker.line(), column: marker.col() + 1 };
        place.error(format!("not YAML: {}", error.info()))
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), FluxError> {
        let place = self.place(span);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                place.ensure(self.root.is_none(), || "found a second document, expected one in a file".to_owned())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = is_plain(style, tag.as_deref(), &place)?;
                self.add(Node { place, data: Data::Scalar { text: SmolStr::new(&*text), plain } }, anchor, (1, 1))
            }
            Event::SequenceStart(anchor, tag) => self.begin(place, anchor, tag.as_deref(), Content::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), merges: Vec::new(), key: None };
                self.begin(place, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(place),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| place.error("found an alias within its own anchor, which has no end"))?;
                let measure = node.measure();
                self.add(node, 0, measure)
            }
        }
    }

    fn begin(&mut self, place: Place, anchor: usize, tag: Option<&Tag>, content: Content) -> Result<(), FluxError> {
        check_tag(tag, &place)?;
        place.ensure(self.open.len() < DEPTH_MAX, || format!("lists and maps nest deeper than {DEPTH_MAX}"))?;
        self.open.push(Frame { place, anchor, content });
        Ok(())
    }

    fn end(&mut self, place: Place) -> Result<(), FluxError> {
        let frame = self.open.pop().ok_or_else(|| place.error("found an end without a beginning"))?;
        let data = match frame.content {
            Content::List(items) => Data::List(items),
            Content::Map { entries, merges, .. } => Data::Map(merged(entries, merges)?),
        };
        self.add(Node { place: frame.place, data }, frame.anchor, (1, 1))
    }

    /// Puts a finished node where it belongs. Its children are counted already, unless it came by an alias.
    fn add(&mut self, node: Node, anchor: usize, (nodes, depth): (usize, usize)) -> Result<(), FluxError> {
        self.nodes += nodes;
        node.place.ensure(self.nodes <= NODES_MAX, || format!("the file has more than {NODES_MAX} nodes"))?;
        let deep = self.open.len() + depth > DEPTH_MAX + 1;
        node.place.ensure(!deep, || format!("lists and maps nest deeper than {DEPTH_MAX}"))?;
        if anchor > 0 {
            self.nodes += node.measure().0;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Frame { content: Content::List(items), .. }) => items.push(node),
            Some(Frame { content: Content::Map { entries, merges, key }, .. }) => match key.take() {
                None => *key = Some(pending_key(node, entries)?),
                Some(PendingKey::Merge) => merges.push(node),
                Some(PendingKey::Name(key)) => entries.push((key, node)),
            },
        }
        Ok(())
    }
}

fn pending_key(node: Node, entries: &[(Key, Node)]) -> Result<PendingKey, FluxError> {
    let found = node.found();
    let Data::Scalar { text, plain } = node.data else {
        return Err(node.place.error(format!("found {found} as a key, expected a name")));
    };
    if plain && text == "<<" {
        return Ok(PendingKey::Merge);
    }
    if let Some((first, _)) = entries.iter().find(|(key, _)| key.text == text) {
        return Err(node.place.error(format!("key {text:?} is there twice, first in line {}", first.place.line)));
    }
    Ok(PendingKey::Name(Key { place: node.place, text }))
}

/// A map's own entries, then those that its merge keys add.
fn merged(mut entries: Vec<(Key, Node)>, merges: Vec<Node>) -> Result<Vec<(Key, Node)>, FluxError> {
    for node in merges {
        let maps = match node.data {
            Data::List(maps) => maps,
            _ => vec![node],
        };
        for map in maps {
            let found = map.found();
            let Data::Map(added) = map.data else {
                return Err(map.place.error(format!("found {found} to merge by <<, expected a map")));
            };
            for (key, value) in added {
                if !entries.iter().any(|(own, _)| own.text == key.text) {
                    entries.push((key, value));
                }
            }
        }
    }
    Ok(entries)
}

fn is_plain(style: ScalarStyle, tag: Option<&Tag>, place: &Place) -> Result<bool, FluxError> {
    check_tag(tag, place)?;
    Ok(match tag {
        None => style == ScalarStyle::Plain,
        Some(tag) => tag.is_yaml_core_schema() && tag.suffix != "str",
    })
}

fn check_tag(tag: Option<&Tag>, place: &Place) -> Result<(), FluxError> {
    let Some(tag) = tag else { return Ok(()) };
    let known = ["str", "int", "float", "bool", "null", "seq", "map"].contains(&tag.suffix.as_str());
    let is_bare = tag.suffix.is_empty() || tag.suffix == "!";
    place.ensure(is_bare || (tag.is_yaml_core_schema() && known), || {
        format!("tag {}{} isn't supported; use !!str, !!int, !!float, !!bool or none", tag.handle, tag.suffix)
    })
}
