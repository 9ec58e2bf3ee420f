//! `Plan`: a join as it was declared, found in the streams there are.
//!
//! Everything that can be wrong with a join is found here, before the first tuple.

use std::sync::Arc;

use smol_str::SmolStr;

use super::rows::{Joined, Kind, pairs};
use super::{JoinBolt, Keyed, NamedBy};
use crate::stream::StreamInfo;
use crate::{Failure, Fields, Outcome, Value};

/// What there is in place of a value that is missing.
static NULL: Value = Value::Null;

/// A field, and the keys of the maps below it.
#[derive(Debug, Clone)]
struct Path {
    field: usize,
    keys: Vec<SmolStr>,
}

impl Path {
    /// The field of this name; else the longest part of it up to a dot that is a field, and keys of maps.
    fn find(name: &str, fields: &Fields) -> Option<Path> {
        let whole = fields.position(name).map(|field| Path { field, keys: Vec::new() });
        whole.or_else(|| {
            name.rmatch_indices('.').find_map(|(dot, _)| {
                let field = fields.position(&name[..dot])?;
                Some(Path { field, keys: name[dot + 1..].split('.').map(SmolStr::new).collect() })
            })
        })
    }

    /// Its value in a row: null where a map is missing, or its key.
    fn get<'a>(&self, row: &'a [Value]) -> &'a Value {
        let below = |value: &'a Value, key: &SmolStr| match value {
            Value::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        };
        let field = row.get(self.field);
        self.keys.iter().fold(field, |value, key| below(value?, key)).unwrap_or(&NULL)
    }
}

/// A stream that is joined.
#[derive(Debug, Clone)]
struct PlannedStream {
    name: SmolStr,
    fields: Fields,
    key: Path,
}

/// A field to emit.
#[derive(Debug, Clone)]
struct Column {
    stream: usize,
    path: Path,
    name: SmolStr,
    /// What it is called if another has the same name.
    name_in_full: SmolStr,
}

/// A join, found in the streams there are.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    named_by: NamedBy,
    /// In the order they are joined.
    streams: Vec<PlannedStream>,
    /// Of each stream but the first: how it is joined, and the place of the one it is joined with.
    joins: Vec<(Kind, usize)>,
    columns: Vec<Column>,
}

impl Plan {
    /// Of these inputs. The failure says what is wrong with the join.
    pub fn new(bolt: &JoinBolt, inputs: &[Arc<StreamInfo>]) -> Outcome<Plan> {
        let named_by = bolt.named_by;
        let mut plan = Plan { named_by, streams: Vec::new(), joins: Vec::new(), columns: Vec::new() };
        plan.add(&bolt.first, inputs)?;
        for join in &bolt.joins {
            let with = plan.stream(&join.with).ok_or_else(|| {
                let (stream, with) = (&join.right.stream, &join.with);
                Failure::new(format!("{stream:?} is joined with {with:?}, which isn't joined before it"))
            })?;
            plan.joins.push((join.kind, with));
            plan.add(&join.right, inputs)?;
        }
        if let Some(input) = inputs.iter().find(|input| plan.place(input).is_none()) {
            return Err(Failure::new(format!("it reads {:?}, which isn't joined", named_by.name(input))));
        }
        plan.columns = match &bolt.select {
            Some(select) => select.split(',').map(|name| plan.selected(name.trim())).collect::<Outcome<_>>()?,
            None => plan.all(),
        };
        plan.tell_apart();
        Ok(plan)
    }

    /// The names of the fields emitted.
    pub fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.columns.iter().map(|column| &column.name)
    }

    /// How many streams are joined.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// The place of a stream that is read.
    pub fn place(&self, input: &StreamInfo) -> Option<usize> {
        self.stream(self.named_by.name(input))
    }

    /// Joins the rows of the streams.
    pub fn join<'a>(&self, rows: &[Vec<&'a [Value]>]) -> Joined<'a> {
        let mut joined = Joined::new(&rows[0]);
        for ((kind, with), (right, rows)) in self.joins.iter().zip(self.streams.iter().zip(rows).skip(1)) {
            let key = &self.streams[*with].key;
            let left_keys: Vec<_> = joined.iter().map(|row| row[*with].map_or(&NULL, |part| key.get(part))).collect();
            let right_keys: Vec<_> = rows.iter().map(|row| right.key.get(row)).collect();
            joined = joined.with(rows, &pairs(*kind, &left_keys, &right_keys));
        }
        joined
    }

    /// What is emitted of a joined row.
    pub fn project(&self, row: &[Option<&[Value]>]) -> Vec<Value> {
        let value = |column: &Column| row[column.stream].map_or(Value::Null, |part| column.path.get(part).clone());
        self.columns.iter().map(value).collect()
    }

    fn stream(&self, name: &str) -> Option<usize> {
        self.streams.iter().position(|stream| stream.name == name)
    }

    /// The next stream to join.
    fn add(&mut self, Keyed { stream: name, key }: &Keyed, inputs: &[Arc<StreamInfo>]) -> Outcome {
        if self.stream(name).is_some() {
            return Err(Failure::new(format!("{name:?} is joined twice")));
        }
        let mut named = inputs.iter().filter(|input| self.named_by.name(input) == name);
        let Some(StreamInfo { fields, .. }) = named.next().map(Arc::as_ref) else {
            let read: Vec<_> = inputs.iter().map(|input| self.named_by.name(input)).collect();
            return Err(Failure::new(format!("{name:?} is joined, but what it reads is {read:?}")));
        };
        if let Some(other) = named.find(|other| other.fields != *fields) {
            let other = &other.fields;
            return Err(Failure::new(format!(
                "it reads two streams called {name:?} with different fields, {fields:?} and {other:?}"
            )));
        }
        let key_path = Path::find(key, fields).ok_or_else(|| {
            Failure::new(format!("{name:?} is joined by {key:?}, but there is no such field among {fields:?}"))
        })?;
        self.streams.push(PlannedStream { name: name.clone(), fields: fields.clone(), key: key_path });
        Ok(())
    }

    /// A field by the name it is selected by.
    fn selected(&self, name: &str) -> Outcome<Column> {
        let (stream, field) = match name.split_once(':') {
            Some((stream, field)) => (Some(stream.trim()), field.trim()),
            None => (None, name),
        };
        if let Some(unknown) = stream.filter(|stream| self.stream(stream).is_none()) {
            return Err(Failure::new(format!("selected field {name:?} is of {unknown:?}, which isn't joined")));
        }
        let streams = self.streams.iter().enumerate();
        let named = streams.filter(|(_, planned)| stream.is_none_or(|stream| planned.name == stream));
        let found = named.filter_map(|(place, planned)| Some((place, Path::find(field, &planned.fields)?)));
        let mut found: Vec<(usize, Path)> = found.collect();
        match (found.pop(), &found[..]) {
            (Some((stream, path)), []) => {
                let field_name = || SmolStr::new(self.streams[stream].fields.iter().nth(path.field).unwrap_or(field));
                let last = path.keys.last().cloned().unwrap_or_else(field_name);
                Ok(Column { stream, path, name: last, name_in_full: name.into() })
            }
            (Some((last, _)), others) => {
                let places = others.iter().map(|(place, _)| *place).chain([last]);
                let names: Vec<_> = places.map(|place| format!("{}:{field}", self.streams[place].name)).collect();
                Err(Failure::new(format!("selected field {name:?} is ambiguous: write one of {names:?}")))
            }
            (None, _) => {
                let fields: Vec<_> = self.streams.iter().map(|stream| (&stream.name, &stream.fields)).collect();
                Err(Failure::new(format!("there is no selected field {name:?}; joined are {fields:?}")))
            }
        }
    }

    /// All fields of all streams.
    fn all(&self) -> Vec<Column> {
        let fields = |(stream, planned): (usize, &PlannedStream)| {
            let column = |(field, name): (usize, &str)| Column {
                stream,
                path: Path { field, keys: Vec::new() },
                name: name.into(),
                name_in_full: format!("{}:{name}", planned.name).into(),
            };
            planned.fields.iter().enumerate().map(column).collect::<Vec<_>>()
        };
        self.streams.iter().enumerate().flat_map(fields).collect()
    }

    /// Gives those that have the same name their names in full.
    fn tell_apart(&mut self) {
        let names: Vec<SmolStr> = self.names().cloned().collect();
        for column in &mut self.columns {
            if names.iter().filter(|name| **name == column.name).count() > 1 {
                column.name = column.name_in_full.clone();
            }
        }
    }
}

impl NamedBy {
    /// What a stream is called.
    fn name(self, stream: &StreamInfo) -> &SmolStr {
        match self {
            NamedBy::Component => &stream.component,
            NamedBy::Stream => &stream.stream,
        }
    }
}
