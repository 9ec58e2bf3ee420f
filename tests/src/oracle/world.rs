//! `World`: the relations of a seed, the rows they have accepted, and what is written to them next.
//!
//! The world applies the same rules as the engine should (overwriting by key, deleting one equal row, dropping late rows),
//! written down a second time and as plainly as possible.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use monsoon_batch::Change;
use monsoon_circuit::{RelationId, WeightedBatch};

use super::column::{Column, EPOCH_US, Kind};
use super::random::Random;

/// How far the watermark of a timed stream stays behind its newest row.
pub const WATERMARK_DELAY_US: i64 = 5_000_000;

/// More rows than this are only counted in what is told of a batch.
const ROWS_TOLD_MAX: usize = 1_000;

/// A row.
pub type Row = Vec<ScalarValue>;

/// What may be written to a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A table with these key columns.
    Keyed(Vec<usize>),
    /// A table without a key.
    Bag,
    /// A stream.
    Stream,
    /// A stream with a watermark over this column.
    Timed(usize),
}

/// A relation that is written to.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its number.
    pub id: RelationId,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The same for Arrow.
    pub schema: SchemaRef,
    /// What may be written.
    pub form: Form,
    /// What it has accepted and still holds.
    pub rows: Vec<Row>,
    /// For a timed stream: the watermark of what is committed, in microseconds.
    pub watermark_us: Option<i64>,
    /// The largest number in a key, or in a BIGINT.
    numbers_max: i64,
    /// Where the moments of new rows are, in microseconds.
    clock_us: i64,
}

/// How many rows a world is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A few, of which many are equal.
    Small,
    /// Thousands per write: more than one of DataFusion's batches holds.
    Large,
}

/// All relations.
#[derive(Debug, Clone)]
pub struct World {
    /// In the order of their numbers.
    pub bases: Vec<Base>,
    /// What it is made for.
    pub scale: Scale,
}

/// What is written in one batch.
#[derive(Debug)]
pub struct Batch {
    /// For the engine.
    pub changes: Vec<Change>,
    /// For people.
    pub text: String,
    /// Rows that are late.
    pub late: u64,
}

impl World {
    /// Two to four relations, one of them a timed stream.
    pub fn new(scale: Scale, random: &mut Random) -> World {
        let mut forms = vec![Form::Timed(0), Form::Keyed(vec![0])];
        for _ in 0..random.below(3) {
            forms.push(match random.below(4) {
                0 => Form::Stream,
                1 => Form::Keyed(vec![0, 1]),
                _ => Form::Bag,
            });
        }
        let base = |(place, form)| Base::new(place as u32 + 1, form, scale, random);
        World { bases: forms.into_iter().enumerate().map(base).collect(), scale }
    }

    /// The next batch, already applied.
    pub fn write(&mut self, random: &mut Random, rows_max: usize) -> Result<Batch> {
        let mut batch = Batch { changes: Vec::new(), text: String::new(), late: 0 };
        for base in &mut self.bases {
            // An empty batch now and then, and a relation twice in one.
            for _ in 0..*random.pick(&[0, 1, 1, 1, 2]) {
                let rows = match self.scale {
                    Scale::Small => random.below(rows_max + 1),
                    Scale::Large => rows_max,
                };
                let change = base.write(random, rows, &mut batch)?;
                batch.changes.push(change);
            }
            base.end_batch();
        }
        Ok(batch)
    }
}

/// What the rows accepted so far in a batch imply; it holds from the next one on.
fn implied(base: &Base) -> Option<i64> {
    let Form::Timed(column) = base.form else { return None };
    let moments = base.rows.iter().filter_map(|row| moment_us(&row[column]));
    moments.max().map(|newest| newest - WATERMARK_DELAY_US)
}

fn moment_us(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::TimestampMicrosecond(moment, _) => *moment,
        _ => None,
    }
}

impl Base {
    fn new(number: u32, form: Form, scale: Scale, random: &mut Random) -> Base {
        let first = if matches!(form, Form::Timed(_)) { ("ts", Kind::Moment) } else { ("k", Kind::Big) };
        let mut columns = vec![first];
        let second = if matches!(form, Form::Timed(_)) { ("k", Kind::Big) } else { ("s", Kind::Text) };
        columns.push(second);
        for kind in Kind::COMMON.into_iter().chain(Kind::RARE) {
            let name = kind.column_name();
            let wanted = if Kind::RARE.contains(&kind) { random.one_in(5) } else { !random.one_in(3) };
            if columns.iter().all(|(known, _)| *known != name) && wanted {
                columns.push((name, kind));
            }
        }
        let key = if let Form::Keyed(key) = &form { key.as_slice() } else { &[] };
        let field =
            |(place, (name, kind)): (usize, &(&str, Kind))| Field::new(*name, kind.data_type(), !key.contains(&place));
        let fields: Vec<Field> = columns.iter().enumerate().map(field).collect();
        let letter = match form {
            Form::Keyed(_) => "t",
            Form::Bag => "b",
            Form::Stream => "s",
            Form::Timed(_) => "e",
        };
        Base {
            id: RelationId(number),
            name: format!("{letter}{number}"),
            columns: columns.into_iter().map(|(name, kind)| Column { name: name.to_owned(), kind }).collect(),
            schema: Arc::new(Schema::new(fields)),
            form,
            rows: Vec::new(),
            watermark_us: None,
            numbers_max: if scale == Scale::Large { 3_000 } else { 12 },
            // Now and then around 1970.
            clock_us: if random.one_in(8) { -10_000_000 } else { EPOCH_US },
        }
    }

    /// Whether rows are only ever inserted.
    pub fn is_stream(&self) -> bool {
        matches!(self.form, Form::Stream | Form::Timed(_))
    }

    /// Its rows for Arrow.
    pub fn batch(&self) -> Result<RecordBatch> {
        to_batch(&self.schema, &self.rows)
    }

    fn write(&mut self, random: &mut Random, rows: usize, batch: &mut Batch) -> Result<Change> {
        let mut written: Vec<(Row, i64)> = Vec::new();
        while written.len() < rows {
            written.extend(self.next_change(random));
        }
        if written.len() > ROWS_TOLD_MAX {
            batch.text.push_str(&format!("    {} {} rows\n", self.name, written.len()));
        }
        for (row, weight) in written.iter().filter(|_| written.len() <= ROWS_TOLD_MAX) {
            let values: Vec<String> = row.iter().map(ToString::to_string).collect();
            batch.text.push_str(&format!("    {} {weight:+} ({})\n", self.name, values.join(", ")));
        }
        let cut = if random.one_in(3) { random.below(written.len() + 1) } else { written.len() };
        let pieces = [&written[..cut], &written[cut..]];
        for piece in pieces {
            batch.late += self.apply_all(piece);
        }
        let pieces = pieces.into_iter().map(|piece| self.piece(piece, random)).collect::<Result<_>>()?;
        Ok(Change { relation: self.id, batches: pieces })
    }

    /// Applies a piece, in a keyed table deletions first; answers how many rows were late.
    fn apply_all(&mut self, piece: &[(Row, i64)]) -> u64 {
        let mut piece: Vec<&(Row, i64)> = piece.iter().collect();
        if matches!(self.form, Form::Keyed(_)) {
            piece.sort_by_key(|(_, weight)| *weight);
        }
        piece.into_iter().filter(|(row, weight)| !self.apply(row, *weight)).count() as u64
    }

    fn piece(&self, rows: &[(Row, i64)], random: &mut Random) -> Result<WeightedBatch> {
        let only: Vec<Row> = rows.iter().map(|(row, _)| row.clone()).collect();
        let weights = Int64Array::from_iter_values(rows.iter().map(|(_, weight)| *weight));
        let all_inserted = rows.iter().all(|(_, weight)| *weight == 1);
        let weights = (!all_inserted || random.one_in(4)).then_some(weights);
        Ok(WeightedBatch { rows: to_batch(&self.schema, &only)?, weights })
    }

    /// An insertion, a deletion, or an update.
    fn next_change(&mut self, random: &mut Random) -> Vec<(Row, i64)> {
        let fresh = self.row(random);
        if self.is_stream() {
            return vec![(fresh, 1)];
        }
        let known = (!self.rows.is_empty()).then(|| self.rows[random.below(self.rows.len())].clone());
        match (random.below(8), known) {
            // An equal row once more, or an overwriting of a row by itself.
            (0, Some(known)) => vec![(known, 1)],
            (1 | 2, Some(known)) => vec![(known, -1)],
            (3 | 4, Some(known)) => {
                let changed = self.changed(&known, fresh, random);
                vec![(known, -1), (changed, 1)]
            }
            // Perhaps a deletion of what isn't there.
            (5, _) if random.one_in(4) => vec![(fresh, -1)],
            _ => vec![(fresh, 1)],
        }
    }

    /// The row with some columns taken from another; a keyed row keeps its key.
    fn changed(&self, row: &Row, other: Row, random: &mut Random) -> Row {
        let key = if let Form::Keyed(key) = &self.form { key.as_slice() } else { &[] };
        let value = |(place, (old, new)): (usize, (&ScalarValue, ScalarValue))| {
            if key.contains(&place) || random.one_in(2) { old.clone() } else { new }
        };
        row.iter().zip(other).enumerate().map(value).collect()
    }

    fn row(&mut self, random: &mut Random) -> Row {
        let key = if let Form::Keyed(key) = &self.form { key.clone() } else { Vec::new() };
        let kinds: Vec<Kind> = self.columns.iter().map(|column| column.kind).collect();
        let value = |(place, kind): (usize, Kind)| {
            if matches!(self.form, Form::Timed(time) if time == place) {
                return self.moment(random);
            }
            if key.first() == Some(&place) {
                return ScalarValue::Int64(Some(random.between(0, self.numbers_max)));
            }
            if !key.contains(&place) && random.one_in(6) {
                return ScalarValue::try_from(&kind.data_type()).unwrap_or(ScalarValue::Null);
            }
            if kind == Kind::Big && self.numbers_max > 12 && random.one_in(2) {
                return ScalarValue::Int64(Some(random.between(0, self.numbers_max)));
            }
            kind.value(random)
        };
        kinds.into_iter().enumerate().map(value).collect()
    }

    /// Mostly a little later than the last, sometimes out of order, sometimes too late, rarely NULL.
    fn moment(&mut self, random: &mut Random) -> ScalarValue {
        if random.one_in(25) {
            return ScalarValue::TimestampMicrosecond(None, None);
        }
        if random.one_in(3) {
            self.clock_us += random.between(0, 3) * 1_000_000;
        }
        let behind = if random.one_in(6) { random.between(0, 30) } else { random.between(0, 5) };
        let moment = self.clock_us - behind * 1_000_000 + random.between(0, 1) * 500_000;
        ScalarValue::TimestampMicrosecond(Some(moment), None)
    }

    /// Whether the row was accepted (a deletion of nothing is; a late row isn't).
    fn apply(&mut self, row: &Row, weight: i64) -> bool {
        match &self.form {
            Form::Keyed(key) => {
                let place = self.rows.iter().position(|old| key.iter().all(|&column| old[column] == row[column]));
                if let Some(place) = place {
                    self.rows.remove(place);
                }
                if weight > 0 {
                    self.rows.push(row.clone());
                }
            }
            Form::Bag if weight < 0 => {
                if let Some(place) = self.rows.iter().position(|old| old == row) {
                    self.rows.remove(place);
                }
            }
            Form::Timed(column) => {
                let late = matches!((moment_us(&row[*column]), self.watermark_us), (Some(moment), Some(passed)) if moment < passed);
                if late {
                    return false;
                }
                self.rows.push(row.clone());
            }
            Form::Bag | Form::Stream => self.rows.push(row.clone()),
        }
        true
    }

    fn end_batch(&mut self) {
        self.watermark_us = implied(self).max(self.watermark_us);
    }
}

fn to_batch(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch> {
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
    }
    let column = |place: usize| ScalarValue::iter_to_array(rows.iter().map(|row| row[place].clone()));
    let columns = (0..schema.fields().len()).map(column).collect::<datafusion::common::Result<Vec<_>>>()?;
    RecordBatch::try_new(schema.clone(), columns).context("rows of the schema")
}
