//! The aggregate operator of one task: groups it owns, their states, and the difference each batch makes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{or, take, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

use super::call::{Call, Situation};
use super::column::ColumnInput;
use super::distinct::DistinctSet;
use super::group_table;
use super::grouped_set::{GroupedSet, Listing};
use crate::exchange::with_one_zero;
use crate::expression::{evaluate_all, evaluate_keys, evaluate_predicate};
use crate::key_index::KeyIndex;
use crate::last_rows;
use crate::operator::{ChunkKind, Operate, StateChange, StateTable, Step};
use crate::plan::{AggregatePlan, OnClose};
use crate::window::OpenWindows;
use crate::{Delta, Result, WeightedBatch};

/// What the operator's input rows are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputForm {
    /// Rows of the input relation.
    Rows,
    /// Group keys, row count and states, as [`super::PartialAggregate`] makes them.
    Partial,
}

/// GROUP BY over the groups of one task.
pub(crate) struct AggregateOperator {
    form: InputForm,
    input: SchemaRef,
    output: SchemaRef,
    group: Vec<Arc<dyn PhysicalExpr>>,
    key_types: Vec<DataType>,
    calls: Vec<Call>,
    shared: Vec<SharedDistinct>,
    index: KeyIndex,
    rows: Vec<i64>,
    /// Groups that are in the output now.
    shown: Vec<bool>,
    windows: Option<OpenWindows>,
    tables: Vec<StateTable>,
    /// A global group has been written down (its row is there even without input).
    begun: bool,
    touched: Touched,
}

/// A distinct set and the calls that read it.
struct SharedDistinct {
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    filters: Vec<Option<Arc<dyn PhysicalExpr>>>,
    /// For each filter, the calls that use it.
    readers: Vec<Vec<usize>>,
    set: DistinctSet,
}

/// Groups touched in this step, each with a row of the batch that has its key.
#[derive(Default)]
struct Touched {
    groups: Vec<u32>,
    first_rows: Vec<u32>,
    marked: Vec<bool>,
}

impl AggregateOperator {
    /// `input` is the schema of the node's input rows, also when they arrive in partial form.
    pub fn new(
        plan: &AggregatePlan,
        input: &SchemaRef,
        output: &SchemaRef,
        append_only: bool,
        form: InputForm,
    ) -> Result<Self> {
        let listing = if plan.window.is_some() { Listing::ByGroup } else { Listing::None };
        let situation = Situation { append_only, listing };
        let calls = plan.aggregates.iter().map(|call| Call::new(call, input, situation)).collect::<Result<Vec<_>>>()?;
        let key_types =
            plan.group.iter().map(|by| by.data_type(input)).collect::<datafusion::error::Result<Vec<_>>>()?;
        let shared = share_distinct(&calls, input, situation)?;
        let mut operator = AggregateOperator {
            form,
            input: input.clone(),
            output: output.clone(),
            group: plan.group.clone(),
            index: KeyIndex::new(&key_types)?,
            key_types,
            calls,
            shared,
            rows: Vec::new(),
            shown: Vec::new(),
            windows: plan.window.clone().map(OpenWindows::new),
            tables: Vec::new(),
            begun: false,
            touched: Touched::default(),
        };
        operator.tables = operator.describe_tables()?;
        Ok(operator)
    }

    fn is_global(&self) -> bool {
        self.group.is_empty()
    }

    fn describe_tables(&mut self) -> Result<Vec<StateTable>> {
        let keys = self.key_types.len();
        let distribution: Vec<Arc<dyn PhysicalExpr>> = (0..keys)
            .map(|place| Arc::new(Column::new(&format!("key_{place}"), place)) as Arc<dyn PhysicalExpr>)
            .collect();
        let schema = group_table::schema(&self.key_types, &self.calls);
        let mut tables = vec![StateTable {
            name: "groups",
            schema,
            kind: ChunkKind::Latest { keys },
            distribution: distribution.clone(),
        }];
        let input = self.input.clone();
        for shared in &self.shared {
            let types = types_over(&shared.arguments, &input)?;
            let counts = shared.filters.len();
            let schema = group_table::set_schema(&self.key_types, &types, counts);
            tables.push(StateTable {
                name: "distinct",
                schema,
                kind: ChunkKind::Sum { counts },
                distribution: distribution.clone(),
            });
        }
        for call in &mut self.calls {
            if call.column.set().is_some() {
                let types = types_over(&call.arguments, &input)?;
                let schema = group_table::set_schema(&self.key_types, &types, 1);
                let kind = ChunkKind::Sum { counts: 1 };
                tables.push(StateTable { name: "values", schema, kind, distribution: distribution.clone() });
            }
        }
        Ok(tables)
    }

    /// Interns the keys of a batch and grows everything to hold new groups.
    fn intern(&mut self, key: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
        let mut groups = Vec::new();
        self.index.intern(key, rows, &mut groups)?;
        let capacity = self.index.capacity();
        self.rows.resize(capacity, 0);
        self.shown.resize(capacity, false);
        self.touched.marked.resize(capacity, false);
        for call in &mut self.calls {
            call.column.resize(capacity);
        }
        Ok(groups)
    }

    fn touch(&mut self, groups: &[u32]) {
        for (row, &group) in groups.iter().enumerate() {
            if !self.touched.marked[group as usize] {
                self.touched.marked[group as usize] = true;
                self.touched.groups.push(group);
                self.touched.first_rows.push(row as u32);
            }
        }
    }

    /// Takes in one batch; returns the difference it makes to the output.
    fn absorb(&mut self, batch: &WeightedBatch, step: &mut Step<'_>) -> Result<Delta> {
        let rows = batch.len();
        let key = match self.form {
            InputForm::Rows => evaluate_keys(&self.group, &batch.rows, &mut step.errors)?,
            InputForm::Partial => batch.rows.columns()[..self.key_types.len()].to_vec(),
        };
        let groups = self.intern(&key, rows)?;
        self.touch(&groups);
        let touched = std::mem::take(&mut self.touched);
        let first_rows = UInt32Array::from(touched.first_rows.clone());
        let touched_key =
            key.iter().map(|column| take(column, &first_rows, None)).collect::<arrow::error::Result<Vec<_>>>()?;
        let emits = self.windows.as_ref().is_none_or(|windows| windows.on_close() == OnClose::DropState);

        let before = if emits { self.show_again(&touched.groups, step)? } else { Vec::new() };
        let was_shown: Vec<bool> = touched.groups.iter().map(|&group| self.shown[group as usize]).collect();
        self.open_windows(&touched, &touched_key)?;
        match self.form {
            InputForm::Rows => self.update(batch, &groups, step)?,
            InputForm::Partial => group_table::merge(&batch.rows, key.len(), &groups, &mut self.rows, &mut self.calls)?,
        }
        let delta =
            if emits { self.difference(&touched.groups, &touched_key, before, &was_shown)? } else { Delta::empty() };
        self.write_down(&touched.groups, touched_key, step)?;
        self.retire(touched);
        Ok(delta)
    }

    fn open_windows(&mut self, touched: &Touched, key: &[ArrayRef]) -> Result<()> {
        let Some(windows) = &mut self.windows else { return Ok(()) };
        let fresh: Vec<u32> = (0..touched.groups.len() as u32)
            .filter(|&place| self.rows[touched.groups[place as usize] as usize] == 0)
            .collect();
        let groups: Vec<u32> = fresh.iter().map(|&place| touched.groups[place as usize]).collect();
        let places = UInt32Array::from(fresh);
        let key = key.iter().map(|column| take(column, &places, None)).collect::<arrow::error::Result<Vec<_>>>()?;
        windows.open(&groups, &key)
    }

    fn update(&mut self, batch: &WeightedBatch, groups: &[u32], step: &mut Step<'_>) -> Result<()> {
        let weights = batch.weights.as_ref().map(|weights| weights.values().as_ref());
        match weights {
            None => groups.iter().for_each(|&group| self.rows[group as usize] += 1),
            Some(weights) => {
                groups.iter().zip(weights).for_each(|(&group, weight)| self.rows[group as usize] += weight)
            }
        }
        let mut filters = FilterCache::default();
        for call in self.calls.iter_mut().filter(|call| !call.distinct) {
            let arguments = evaluate_all(&call.arguments, &batch.rows, &mut step.errors)?;
            let weights = filters.weights(call.filter.as_ref(), batch, step)?;
            call.column.update(&ColumnInput { groups, arguments: &arguments, weights: weights.as_deref() })?;
        }
        for shared in &mut self.shared {
            let arguments = evaluate_keys(&shared.arguments, &batch.rows, &mut step.errors)?;
            let mut weights = Vec::with_capacity(shared.filters.len());
            for filter in &shared.filters {
                weights.push(filters.weights(filter.as_ref(), batch, step)?.map(|weights| weights.to_vec()));
            }
            let transitions = shared.set.update(groups, &arguments, &weights)?;
            for (readers, transitions) in shared.readers.iter().zip(transitions) {
                let arguments = transitions.arguments(&arguments)?;
                let weights = Some(transitions.weights.as_slice());
                for &reader in readers {
                    let input = ColumnInput { groups: &transitions.groups, arguments: &arguments, weights };
                    self.calls[reader].column.update(&input)?;
                }
            }
        }
        Ok(())
    }

    fn note_failures(&mut self, step: &mut Step<'_>) {
        self.calls.iter_mut().for_each(|call| step.errors.extend(call.column.take_failures()));
    }

    /// The aggregates' values of these groups.
    fn show(&mut self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        self.calls.iter_mut().map(|call| call.column.evaluate(groups)).collect()
    }

    /// The values these groups were shown with: what can't be computed has been noted then.
    fn show_again(&mut self, groups: &[u32], step: &mut Step<'_>) -> Result<Vec<ArrayRef>> {
        self.note_failures(step);
        let values = self.show(groups)?;
        self.calls.iter_mut().for_each(|call| drop(call.column.take_failures()));
        Ok(values)
    }

    fn is_present(&self, group: u32) -> bool {
        self.is_global() || self.rows[group as usize] > 0
    }

    /// -old +new for each touched group whose row changed, appeared or went.
    fn difference(
        &mut self,
        groups: &[u32],
        key: &[ArrayRef],
        before: Vec<ArrayRef>,
        was_shown: &[bool],
    ) -> Result<Delta> {
        let after = self.show(groups)?;
        let changed = changed_rows(&before, &after, groups.len())?;
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for (place, &group) in groups.iter().enumerate() {
            let (was, is) = (was_shown[place], self.is_present(group));
            let differs = changed.as_ref().is_some_and(|changed| changed.value(place));
            if was && (!is || differs) {
                gone.push(place as u32);
            }
            if is && (!was || differs) {
                come.push(place as u32);
            }
            self.shown[group as usize] = is;
        }
        let mut delta = Delta::empty();
        delta.push(WeightedBatch::constant(self.output_rows(key, &before, gone)?, -1));
        delta.push(WeightedBatch::inserted(self.output_rows(key, &after, come)?));
        Ok(delta)
    }

    fn output_rows(&self, key: &[ArrayRef], values: &[ArrayRef], places: Vec<u32>) -> Result<RecordBatch> {
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(places.len()));
        let places = UInt32Array::from(places);
        let columns = key
            .iter()
            .chain(values)
            .map(|column| take(column, &places, None))
            .collect::<arrow::error::Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new_with_options(self.output.clone(), columns, &options)?)
    }

    /// The touched groups' states, and the changes of every multiset, as state changes.
    fn write_down(&mut self, groups: &[u32], key: Vec<ArrayRef>, step: &mut Step<'_>) -> Result<()> {
        let global = self.is_global();
        let live: BooleanArray = groups.iter().map(|&group| Some(global || self.rows[group as usize] != 0)).collect();
        let rows = group_table::rows(&self.tables[0].schema, key, groups, &self.rows, &self.calls, Some(live))?;
        step.changes.push(StateChange { table: 0, rows });
        self.begun = true;
        self.write_sets(step)
    }

    fn write_sets(&mut self, step: &mut Step<'_>) -> Result<()> {
        let index = &self.index;
        for (table, set) in sets(&mut self.shared, &mut self.calls) {
            if let Some(rows) = set.changes(index, &self.tables[table].schema)? {
                step.changes.push(StateChange { table, rows });
            }
            set.end_step();
        }
        Ok(())
    }

    /// Forgets touched groups that have no rows left.
    fn retire(&mut self, mut touched: Touched) {
        for &group in &touched.groups {
            touched.marked[group as usize] = false;
            if !self.is_global() && self.rows[group as usize] == 0 {
                self.forget(group);
            }
        }
        touched.groups.clear();
        touched.first_rows.clear();
        self.touched = touched;
    }

    fn forget(&mut self, group: u32) {
        self.rows[group as usize] = 0;
        self.shown[group as usize] = false;
        for call in &mut self.calls {
            call.column.clear(group);
        }
        self.index.remove(group);
    }

    /// Closes windows the watermark has passed: emits their groups if that is the plan, and drops their state.
    fn close_windows(&mut self, step: &mut Step<'_>) -> Result<Delta> {
        let Some(windows) = &mut self.windows else { return Ok(Delta::empty()) };
        let on_close = windows.on_close();
        // A group that lost all its rows while its window was open has been forgotten.
        let closed = windows.close(step.watermarks, &self.index, |group| self.rows[group as usize] > 0)?;
        if closed.is_empty() {
            return Ok(Delta::empty());
        }
        let key = self.index.columns(&closed)?;
        let delta = if on_close == OnClose::Emit {
            let values = self.show(&closed)?;
            let all = (0..closed.len() as u32).collect();
            Delta::of(WeightedBatch::inserted(self.output_rows(&key, &values, all)?))
        } else {
            Delta::empty()
        };
        self.drop_groups(&closed, key, step)?;
        Ok(delta)
    }

    fn drop_groups(&mut self, groups: &[u32], key: Vec<ArrayRef>, step: &mut Step<'_>) -> Result<()> {
        for (_, set) in sets(&mut self.shared, &mut self.calls) {
            groups.iter().for_each(|&group| set.purge(group));
        }
        let gone = BooleanArray::from(vec![false; groups.len()]);
        let rows = group_table::rows(&self.tables[0].schema, key, groups, &self.rows, &self.calls, Some(gone))?;
        step.changes.push(StateChange { table: 0, rows });
        self.write_sets(step)?;
        groups.iter().for_each(|&group| self.forget(group));
        Ok(())
    }

    /// The global group's row is there from the first step on, with or without input.
    fn begin(&mut self, step: &mut Step<'_>) -> Result<Delta> {
        if self.begun || !self.is_global() || !step.owns_keyless {
            return Ok(Delta::empty());
        }
        let groups = self.intern(&[], 1)?;
        let values = self.show(&groups)?;
        self.shown[groups[0] as usize] = true;
        self.write_down(&groups, Vec::new(), step)?;
        Ok(Delta::of(WeightedBatch::inserted(self.output_rows(&[], &values, vec![0])?)))
    }
}

impl Operate for AggregateOperator {
    fn step(&mut self, inputs: Vec<Delta>, step: &mut Step<'_>) -> Result<Delta> {
        let mut delta = self.begin(step)?;
        let input = inputs.into_iter().next().unwrap_or_default();
        let schema = input.batches.first().map_or_else(|| self.input.clone(), |batch| batch.rows.schema());
        if let Some(batch) = input.into_single(&schema)? {
            delta.extend(self.absorb(&batch, step)?);
        }
        // After the input: aggregates below may have emitted the rows of the very windows that close now.
        delta.extend(self.close_windows(step)?);
        self.note_failures(step);
        Ok(delta)
    }

    fn tables(&self) -> Vec<StateTable> {
        self.tables.clone()
    }

    fn load(&mut self, table: usize, rows: RecordBatch) -> Result<()> {
        let keys = self.key_types.len();
        let key: Vec<ArrayRef> = rows.columns()[..keys].iter().cloned().map(with_one_zero).collect();
        let groups = self.intern(&key, rows.num_rows())?;
        if table == 0 {
            return self.load_groups(&rows, groups);
        }
        let mut next = 1;
        for shared in &mut self.shared {
            if next == table {
                let counts = rows.num_columns() - shared.filters.len();
                shared.set.set.load(&groups, &rows.columns()[keys..counts], &rows.columns()[counts..])?;
                return Ok(());
            }
            next += 1;
        }
        for call in &mut self.calls {
            if call.column.set().is_none() {
                continue;
            }
            if next == table {
                let counts = rows.num_columns() - 1;
                return call.column.load_set(&groups, &rows.columns()[keys..counts], &rows.columns()[counts..]);
            }
            next += 1;
        }
        Ok(())
    }

    fn loaded(&mut self) -> Result<()> {
        for (_, set) in sets(&mut self.shared, &mut self.calls) {
            set.end_step();
        }
        // Groups that were dropped, or that only a dropped group's values mentioned.
        let all: Vec<u32> = (0..self.index.capacity() as u32).collect();
        let dead: Vec<u32> = all.iter().copied().filter(|&group| !self.is_present(group)).collect();
        let dead: Vec<u32> = dead.into_iter().filter(|&group| self.rows[group as usize] == 0).collect();
        dead.into_iter().for_each(|group| self.forget(group));
        let live: Vec<u32> = all.into_iter().filter(|&group| self.rows[group as usize] > 0).collect();
        let emits = self.windows.as_ref().is_none_or(|windows| windows.on_close() == OnClose::DropState);
        live.iter().for_each(|&group| self.shown[group as usize] = emits);
        if let (Some(windows), false) = (&mut self.windows, live.is_empty()) {
            windows.open(&live, &self.index.columns(&live)?)?;
        }
        if self.is_global() && self.index.capacity() > 0 {
            self.begun = true;
            self.shown[0] = true;
        }
        Ok(())
    }

    fn memory(&self) -> usize {
        let columns: usize = self.calls.iter().map(|call| call.column.memory()).sum();
        let sets: usize = self.shared.iter().map(|shared| shared.set.set.memory()).sum();
        self.index.memory() + self.rows.capacity() * 10 + columns + sets
    }
}

impl AggregateOperator {
    fn load_groups(&mut self, rows: &RecordBatch, groups: Vec<u32>) -> Result<()> {
        let keys = self.key_types.len();
        let live = rows.column(rows.num_columns() - 1).as_boolean();
        // Newest wins, also within a chunk: what an older row left is cleared first.
        let mut places = last_rows(&groups, self.index.capacity());
        groups.iter().for_each(|&group| self.rows[group as usize] = 0);
        places.retain(|&row| live.value(row as usize));
        let kept: Vec<u32> = places.iter().map(|&row| groups[row as usize]).collect();
        for call in self.calls.iter_mut().filter(|call| !call.column.state_types().is_empty()) {
            groups.iter().for_each(|&group| call.column.clear(group));
        }
        let whole = places.len() == rows.num_rows();
        let rows = if whole { rows.clone() } else { take_record_batch(rows, &UInt32Array::from(places))? };
        group_table::merge(&rows, keys, &kept, &mut self.rows, &mut self.calls)
    }
}

/// Every multiset with the place of its state table.
fn sets<'a>(
    shared: &'a mut [SharedDistinct],
    calls: &'a mut [Call],
) -> impl Iterator<Item = (usize, &'a mut GroupedSet)> + 'a {
    let distinct = shared.iter_mut().map(|shared| &mut shared.set.set);
    let own = calls.iter_mut().filter_map(|call| call.column.set());
    distinct.chain(own).enumerate().map(|(place, set)| (place + 1, set))
}

fn types_over(arguments: &[Arc<dyn PhysicalExpr>], schema: &SchemaRef) -> Result<Vec<DataType>> {
    Ok(arguments.iter().map(|argument| argument.data_type(schema)).collect::<datafusion::error::Result<_>>()?)
}

/// Distinct calls by their arguments, one count per FILTER.
fn share_distinct(calls: &[Call], input: &SchemaRef, situation: Situation) -> Result<Vec<SharedDistinct>> {
    let mut plans: Vec<(Vec<Arc<dyn PhysicalExpr>>, Vec<Option<Arc<dyn PhysicalExpr>>>, Vec<Vec<usize>>)> = Vec::new();
    for (place, call) in calls.iter().enumerate().filter(|(_, call)| call.distinct) {
        let found = plans.iter().position(|(arguments, ..)| arguments == &call.arguments);
        let plan = found.unwrap_or_else(|| {
            plans.push((call.arguments.clone(), Vec::new(), Vec::new()));
            plans.len() - 1
        });
        let (_, filters, readers) = &mut plans[plan];
        match filters.iter().position(|filter| filter == &call.filter) {
            Some(filter) => readers[filter].push(place),
            None => {
                filters.push(call.filter.clone());
                readers.push(vec![place]);
            }
        }
    }
    let build = |(arguments, filters, readers): (Vec<_>, Vec<_>, Vec<_>)| {
        let types = types_over(&arguments, input)?;
        let set = DistinctSet::new(&types, filters.len(), situation.append_only, situation.listing)?;
        Ok(SharedDistinct { arguments, filters, readers, set })
    };
    plans.into_iter().map(build).collect()
}

/// Which rows of two column lists differ; `None` when there are no columns.
fn changed_rows(before: &[ArrayRef], after: &[ArrayRef], rows: usize) -> Result<Option<BooleanArray>> {
    let mut changed: Option<BooleanArray> = None;
    for (old, new) in before.iter().zip(after) {
        let differs = if old.data_type().is_nested() { differs_nested(old, new, rows)? } else { distinct(old, new)? };
        changed = Some(match changed {
            Some(changed) => or(&changed, &differs)?,
            None => differs,
        });
    }
    Ok(changed)
}

fn differs_nested(old: &ArrayRef, new: &ArrayRef, rows: usize) -> Result<BooleanArray> {
    let compare = arrow::array::make_comparator(old.as_ref(), new.as_ref(), Default::default())?;
    Ok((0..rows).map(|row| Some(compare(row, row).is_ne())).collect())
}

/// Weights after FILTER, evaluated once per distinct predicate and batch.
#[derive(Default)]
pub(crate) struct FilterCache {
    known: Vec<(Arc<dyn PhysicalExpr>, Arc<[i64]>)>,
    unfiltered: Option<Arc<[i64]>>,
}

impl FilterCache {
    /// The weights of the batch's rows with a FILTER applied; `None` when each is 1.
    pub fn weights(
        &mut self,
        filter: Option<&Arc<dyn PhysicalExpr>>,
        batch: &WeightedBatch,
        step: &mut Step<'_>,
    ) -> Result<Option<Arc<[i64]>>> {
        let Some(filter) = filter else {
            let Some(weights) = &batch.weights else { return Ok(None) };
            let shared = self.unfiltered.get_or_insert_with(|| Arc::from(weights.values().as_ref()));
            return Ok(Some(shared.clone()));
        };
        if let Some((_, weights)) = self.known.iter().find(|(known, _)| known == filter) {
            return Ok(Some(weights.clone()));
        }
        let keep = evaluate_predicate(filter, &batch.rows, &mut step.errors)?;
        let kept = |row: usize| keep.is_valid(row) && keep.value(row);
        let weights: Arc<[i64]> = (0..batch.len()).map(|row| if kept(row) { batch.weight(row) } else { 0 }).collect();
        self.known.push((filter.clone(), weights.clone()));
        Ok(Some(weights))
    }
}
