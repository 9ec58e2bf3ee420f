//! The join of streams within a batch.

use std::collections::HashMap;

use monsoon_topology::{Outcome, Value};

use super::aggregate::grouped;
use super::{Operation, Task};
use crate::tuple::{Projection, Row};

/// One stream of a join.
pub(crate) struct JoinSide {
    pub(crate) key: Projection,
    /// The fields that aren't part of the key.
    pub(crate) others: Projection,
    /// Whether a key this stream lacks is joined with nulls.
    pub(crate) outer: bool,
}

/// Gives, for each key, the combinations of the streams' rows: the key, then the other fields of each stream.
pub(crate) struct JoinOperation(pub(crate) Vec<JoinSide>);

impl Operation for JoinOperation {
    fn run(&self, _task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let mut keys: Vec<Row> = Vec::new();
        let mut places: HashMap<Row, usize> = HashMap::new();
        let mut matches: Vec<Vec<Vec<Row>>> = Vec::new();
        for (side, rows) in inputs.iter().enumerate() {
            for (key, group) in grouped(&self.0[side].key, rows) {
                let place = *places.entry(key.clone()).or_insert_with(|| {
                    keys.push(key);
                    matches.push(vec![Vec::new(); inputs.len()]);
                    keys.len() - 1
                });
                matches[place][side] = group.into_iter().map(|row| self.0[side].others.values(row)).collect();
            }
        }
        Ok(keys.into_iter().zip(matches).flat_map(|(key, matches)| self.combined(key, matches)).collect())
    }
}

impl JoinOperation {
    fn combined(&self, key: Row, matches: Vec<Vec<Row>>) -> Vec<Row> {
        let mut combinations = vec![key];
        for (side, mut rows) in self.0.iter().zip(matches) {
            if rows.is_empty() && side.outer {
                rows.push(vec![Value::Null; side.others.fields().len()]);
            }
            combinations = combinations
                .iter()
                .flat_map(|left| rows.iter().map(move |right| left.iter().chain(right).cloned().collect()))
                .collect();
        }
        combinations
    }
}
