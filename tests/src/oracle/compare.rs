//! Multisets of rows, and whether two of them are the same.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Rounded doubles may differ by so much, relative to the larger (or to 1): they were added up in another order.
const TOLERANCE: f64 = 1e-9;

/// A row as text, cell by cell.
pub type Cells = Vec<String>;

/// Rows and how often each is there; a sum of changes may leave negative counts behind, which is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Multiset(BTreeMap<Cells, i64>);

impl Multiset {
    /// Adds rows, `weight` times each.
    pub fn add(&mut self, rows: &RecordBatch, weight: impl Fn(usize) -> i64) -> Result<()> {
        let options = FormatOptions::default().with_null("NULL").with_display_error(false);
        let columns = rows.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..rows.num_rows() {
            let mut cells = Vec::with_capacity(columns.len());
            for (place, column) in columns.iter().enumerate() {
                cells.push(cell(column.value(row).try_to_string()?, rows, place, row));
            }
            self.add_row(cells, weight(row));
        }
        Ok(())
    }

    fn add_row(&mut self, row: Cells, weight: i64) {
        let count = self.0.get(&row).copied().unwrap_or(0) + weight;
        match count {
            0 => self.0.remove(&row),
            _ => self.0.insert(row, count),
        };
    }

    /// Adds rows once each.
    pub fn add_all(&mut self, batches: &[RecordBatch]) -> Result<()> {
        batches.iter().try_for_each(|batch| self.add(batch, |_| 1))
    }

    /// Distinct rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The difference as text; `None` if there is none. Columns at the places `rounded` need only be close.
    pub fn difference(&self, expected: &Multiset, rounded: &[usize]) -> Option<String> {
        let mut surplus = self.minus(expected);
        let mut missing = expected.minus(self);
        surplus.retain(|row| match missing.iter().position(|other| close(row, other, rounded)) {
            Some(place) => {
                missing.swap_remove(place);
                false
            }
            None => true,
        });
        let negative = self.0.iter().filter(|(_, count)| **count < 0);
        let mut text = String::new();
        surplus.iter().for_each(|row| text.push_str(&format!("    surplus ({})\n", row.join(", "))));
        missing.iter().for_each(|row| text.push_str(&format!("    missing ({})\n", row.join(", "))));
        negative.for_each(|(row, count)| text.push_str(&format!("    {count} times ({})\n", row.join(", "))));
        (!text.is_empty()).then_some(text)
    }

    fn minus(&self, other: &Multiset) -> Vec<Cells> {
        let mut rest = Vec::new();
        for (row, count) in &self.0 {
            let more = count - other.0.get(row).copied().unwrap_or(0);
            rest.extend(std::iter::repeat_n(row.clone(), usize::try_from(more).unwrap_or(0)));
        }
        rest
    }
}

/// Texts in quotes, so that 'NULL' isn't NULL; zero without a sign, which grouping and joining may lose.
fn cell(text: String, rows: &RecordBatch, column: usize, row: usize) -> String {
    let column = rows.column(column);
    match column.data_type() {
        DataType::Utf8 if column.is_valid(row) => format!("'{text}'"),
        DataType::Float32 | DataType::Float64 if text == "-0.0" => "0.0".to_owned(),
        _ => text,
    }
}

fn close(left: &Cells, right: &Cells, rounded: &[usize]) -> bool {
    let same = |(place, (left, right)): (usize, (&String, &String))| {
        left == right || (rounded.contains(&place) && close_numbers(left, right))
    };
    left.iter().zip(right).enumerate().all(same)
}

fn close_numbers(left: &str, right: &str) -> bool {
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(left), Ok(right)) => (left - right).abs() <= TOLERANCE * left.abs().max(right.abs()).max(1.0),
        _ => false,
    }
}

/// The types of two results must be the same too; `expected` are the types that a query may be said to have.
pub fn check_types(kept: &SchemaRef, expected: &[SchemaRef]) -> Result<()> {
    let types =
        |schema: &SchemaRef| schema.fields().iter().map(|field| field.data_type().to_string()).collect::<Vec<_>>();
    let (kept, expected) = (types(kept), expected.iter().map(types).collect::<Vec<_>>());
    if !expected.contains(&kept) {
        bail!("the view's types are {kept:?}, the query's {expected:?}");
    }
    Ok(())
}
