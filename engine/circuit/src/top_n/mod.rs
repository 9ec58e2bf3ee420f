//! `TopNOperator`: the first rows of each partition, kept up to date.
//!
//! A step emits only the difference between the old and the new first rows of the partitions it touched. Ties are broken by the
//! whole row, so that the result is a function of the content. General input: all rows are kept, since a deletion lets a
//! row move up. Append-only input: rows that can never be among the first are dropped, from memory and from the state table.

mod arrival;
mod best;
mod change;
mod ordered;
#[cfg(test)]
mod tests;
mod tie;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, SchemaRef};

use crate::row_store::{split_weights, weighted_rows, weighted_schema};
use crate::window::OpenWindows;
use crate::{
    ChunkKind, Delta, Error, Operate, Result, RowError, RowStore, StateChange, StateTable, Step, TopNPlan,
    WeightedBatch,
};
use arrival::Ranking;
use best::{BestRows, KEEP_MAX};
use change::{Change, Window};
use ordered::OrderedRows;

/// A running top-n.
pub struct TopNOperator {
    schema: SchemaRef,
    /// Columns of the state table.
    table: SchemaRef,
    ranking: Ranking,
    form: Form,
    append_only: bool,
    windows: Option<OpenWindows>,
    /// Rows of the state table, until all is loaded.
    loading: Option<RowStore>,
}

enum Form {
    /// A limit of zero: nothing is ever yielded.
    Nothing,
    /// Append-only, few rows per partition.
    Best(Box<BestRows>),
    /// Everything else.
    Ordered(OrderedRows),
}

impl TopNOperator {
    /// A top-n of no rows. `append_only`: the input's deltas never delete.
    pub fn new(
        plan: &TopNPlan,
        input_schema: SchemaRef,
        output_schema: SchemaRef,
        append_only: bool,
    ) -> Result<TopNOperator> {
        check_output(plan, &input_schema, &output_schema)?;
        let window = Window {
            offset: plan.offset,
            end: plan.offset.saturating_add(plan.limit),
            with_rank: plan.with_rank,
            schema: output_schema,
        };
        let form = match window.end {
            _ if plan.limit == 0 => Form::Nothing,
            keep if append_only && keep <= KEEP_MAX => {
                Form::Best(Box::new(BestRows::new(window, input_schema.clone())?))
            }
            _ => Form::Ordered(OrderedRows::new(window, input_schema.clone(), append_only)?),
        };
        Ok(TopNOperator {
            ranking: Ranking::new(&plan.partition, &plan.order, &input_schema)?,
            table: weighted_schema(&input_schema),
            schema: input_schema,
            form,
            append_only,
            windows: plan.window.clone().map(OpenWindows::new),
            loading: None,
        })
    }

    fn add(&mut self, delta: Delta, errors: &mut Vec<RowError>) -> Result<Change> {
        let arrival = self.ranking.arrive(delta, &self.schema, errors)?;
        let partitions = self.ranking.index.capacity();
        if let Some(windows) = &mut self.windows {
            windows.open_new(&arrival.partitions, &self.ranking.index, |partition| self.form.is_without(partition))?;
        }
        match &mut self.form {
            Form::Nothing => Ok(Change::default()),
            Form::Best(best) => best.add(&arrival, partitions),
            Form::Ordered(ordered) => {
                let mut empty = Vec::new();
                let change = ordered.add(&arrival, partitions, &mut empty)?;
                empty.into_iter().for_each(|partition| self.ranking.index.remove(partition));
                Ok(change)
            }
        }
    }

    /// Takes in a delta: the output's difference, and what changes in the state table.
    fn advance(&mut self, delta: Delta, step: &mut Step<'_>) -> Result<Delta> {
        if delta.is_empty() || matches!(self.form, Form::Nothing) {
            return Ok(Delta::empty());
        }
        if !self.append_only {
            for batch in &delta.batches {
                step.changes.push(StateChange { table: 0, rows: weighted_rows(&self.table, batch)? });
            }
        }
        let change = self.add(delta, &mut step.errors)?;
        for batch in change.kept.iter().filter(|batch| !batch.is_empty()) {
            step.changes.push(StateChange { table: 0, rows: weighted_rows(&self.table, batch)? });
        }
        let mut out = Delta::empty();
        change.emitted.into_iter().for_each(|batch| out.push(batch));
        Ok(out)
    }

    /// Drops the rows of partitions whose windows are over: they change no more, and what was yielded stays.
    fn close_windows(&mut self, step: &mut Step<'_>) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        let closed =
            windows.close(step.watermarks, &self.ranking.index, |partition| !self.form.is_without(partition))?;
        if closed.is_empty() {
            return Ok(());
        }
        let gone = match &mut self.form {
            Form::Nothing => return Ok(()),
            Form::Best(best) => best.forget(&closed)?,
            Form::Ordered(ordered) => ordered.forget(&closed)?,
        };
        step.changes.push(StateChange { table: 0, rows: weighted_rows(&self.table, &gone)? });
        closed.into_iter().for_each(|partition| self.ranking.index.remove(partition));
        Ok(())
    }

    /// The delta without rows of weight zero; for append-only input, none may be negative.
    fn checked(&self, delta: Delta) -> Result<Delta> {
        let mut checked = Delta::empty();
        for batch in delta.batches {
            let deletes =
                batch.weights.as_ref().is_some_and(|weights| weights.values().iter().any(|&weight| weight < 0));
            if self.append_only && deletes {
                return Err(Error::Bug {
                    operator: "top-n".into(),
                    reason: "a row is deleted from an append-only input".into(),
                });
            }
            checked.push(without_weightless(batch)?);
        }
        Ok(checked)
    }
}

impl Form {
    /// Whether no row of a partition is kept.
    fn is_without(&self, partition: u32) -> bool {
        match self {
            Form::Nothing => true,
            Form::Best(best) => best.is_without(partition),
            Form::Ordered(ordered) => ordered.is_without(partition),
        }
    }
}

fn check_output(plan: &TopNPlan, input: &SchemaRef, output: &SchemaRef) -> Result<()> {
    let width = input.fields().len() + usize::from(plan.with_rank);
    if output.fields().len() != width {
        return Err(Error::Unsupported(format!("a top-n yields {width} columns, not {}", output.fields().len())));
    }
    let rank = output.fields().last().filter(|_| plan.with_rank);
    match rank {
        Some(rank) if rank.data_type() != &DataType::UInt64 => {
            Err(Error::Unsupported(format!("the row number is a UInt64, not a {}", rank.data_type())))
        }
        _ => Ok(()),
    }
}

fn without_weightless(batch: WeightedBatch) -> Result<WeightedBatch> {
    let Some(weights) = batch.weights.as_ref().filter(|weights| weights.values().contains(&0)) else {
        return Ok(batch);
    };
    let present: BooleanArray = weights.values().iter().map(|&weight| Some(weight != 0)).collect();
    let kept = weights.values().iter().copied().filter(|&weight| weight != 0).collect();
    Ok(WeightedBatch { rows: filter_record_batch(&batch.rows, &present)?, weights: Some(kept) })
}

impl Operate for TopNOperator {
    fn step(&mut self, inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta> {
        let delta = self.checked(inputs.into_iter().next().unwrap_or_default())?;
        let out = self.advance(delta, step)?;
        self.close_windows(step)?;
        Ok(out)
    }

    fn tables(&self) -> Vec<StateTable> {
        vec![StateTable {
            name: "top-n rows",
            schema: self.table.clone(),
            kind: ChunkKind::Sum { counts: 1 },
            distribution: self.ranking.partition().to_vec(),
        }]
    }

    fn load(&mut self, _table: usize, rows: RecordBatch) -> Result<()> {
        let batch = split_weights("top-n", &self.schema, &rows)?;
        let store = match &mut self.loading {
            Some(store) => store,
            None => self.loading.insert(RowStore::general(self.schema.clone())?),
        };
        store.apply(&vec![0; batch.len()], &batch, &mut Vec::new())
    }

    fn loaded(&mut self) -> Result<()> {
        let Some(store) = self.loading.take() else { return Ok(()) };
        let batches = store.snapshot()?;
        drop(store);
        for batch in batches {
            let corrupt = |error: Error| Error::Corrupt { operator: "top-n".into(), reason: error.to_string() };
            let delta = self.checked(Delta::of(batch)).map_err(corrupt)?;
            if !delta.is_empty() {
                self.add(delta, &mut Vec::new())?;
            }
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        let form = match &self.form {
            Form::Nothing => 0,
            Form::Best(best) => best.memory(),
            Form::Ordered(ordered) => ordered.memory(),
        };
        form + self.ranking.index.memory() + self.loading.as_ref().map_or(0, RowStore::memory)
    }
}
