//! Aggregation of the rows of a batch in one partition: as a whole or by group, by one fold or by several at once.

use std::collections::HashMap;
use std::sync::Arc;

use monsoon_topology::Outcome;

use super::{Operation, Task, merged};
use crate::aggregate::Fold;
use crate::tuple::{Collector, Projection, Row, Tuple};

/// One fold of a chain: what it reads, and how many values it emits.
#[derive(Clone)]
pub(crate) struct Column {
    pub(crate) input: Projection,
    pub(crate) fold: Arc<dyn Fold>,
    pub(crate) arity: usize,
}

/// What an aggregation without groups does in a partition without rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenEmpty {
    /// Folds no tuples, in every partition.
    Fold,
    /// Folds no tuples in the partition all tuples of the batch go to, and does nothing in the others.
    FoldInBatchPartition,
    /// Nothing.
    Skip,
}

/// Replaces the rows of each group by its key and what the folds emit.
pub(crate) struct AggregateOperation {
    /// The fields of the key; `None` for one group of all rows.
    pub(crate) key: Option<Projection>,
    pub(crate) columns: Vec<Column>,
    pub(crate) when_empty: WhenEmpty,
}

impl Operation for AggregateOperation {
    fn run(&self, task: &Task, inputs: Vec<Vec<Row>>) -> Outcome<Vec<Row>> {
        let rows = merged(inputs);
        let mut output = Vec::new();
        match &self.key {
            Some(key) => {
                for (key, group) in grouped(key, &rows) {
                    self.fold(task, key, &group, &mut output)?;
                }
            }
            None if rows.is_empty() && !self.folds_nothing(task) => {}
            None => self.fold(task, Row::new(), &rows.iter().collect::<Vec<_>>(), &mut output)?,
        }
        Ok(output)
    }
}

impl AggregateOperation {
    fn folds_nothing(&self, task: &Task) -> bool {
        match self.when_empty {
            WhenEmpty::Fold => true,
            WhenEmpty::Skip => false,
            WhenEmpty::FoldInBatchPartition => task.batch.txid as usize % task.partitions == task.partition,
        }
    }

    /// Adds the key with each combination of what the folds emit.
    fn fold(&self, task: &Task, key: Row, group: &[&Row], output: &mut Vec<Row>) -> Outcome {
        let mut combinations = vec![key];
        for column in &self.columns {
            let tuples: Vec<Tuple<'_>> = group.iter().map(|row| Tuple::new(&column.input, row)).collect();
            let mut out = Collector::new(column.arity);
            column.fold.fold(task.batch, &tuples, &mut out)?;
            let emitted = out.finish()?;
            combinations = combinations
                .iter()
                .flat_map(|row| emitted.iter().map(move |values| row.iter().chain(values).cloned().collect()))
                .collect();
        }
        output.extend(combinations);
        Ok(())
    }
}

/// The rows by key, groups in the order of their first row.
pub(crate) fn grouped<'a>(key: &Projection, rows: &'a [Row]) -> Vec<(Row, Vec<&'a Row>)> {
    let mut places: HashMap<Row, usize> = HashMap::new();
    let mut groups: Vec<(Row, Vec<&Row>)> = Vec::new();
    for row in rows {
        let values = key.values(row);
        match places.get(&values) {
            Some(place) => groups[*place].1.push(row),
            None => {
                places.insert(values.clone(), groups.len());
                groups.push((values, vec![row]));
            }
        }
    }
    groups
}
