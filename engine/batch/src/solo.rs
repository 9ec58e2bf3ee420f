//! `SoloCircuit`: a circuit that its owner steps, outside the driver's batches: a bolt of a topology.
//!
//! Its state is handed out as keyed chunks, one per state table and call with something new. Two neighbours become one when the newer is at least
//! half as large as the older, so there are as many chunks as the state's size has doublings, and each row is written again about as often.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use bytes::Bytes;
use monsoon_circuit::{
    ChunkKind, Circuit, CircuitPlan, Delta, RelationId, RowError, SingleTask, TaskPlace, WeightedBatch,
};
use monsoon_state::{Chunk, ChunkId, TxId};

use crate::chunk::{decode_state, encode_state};
use crate::merge::{Merge, merge, sum};
use crate::{Error, Result};

/// A key and what it is set to; `None`: removed.
pub type KeyedChange = (Vec<u8>, Option<Vec<u8>>);

/// A circuit over one append-only input, on one task.
pub struct SoloCircuit {
    circuit: Circuit,
    input: RelationId,
    tables: Vec<SoloTable>,
    /// It has been run over nothing: what a query answers to no rows at all isn't news.
    begun: bool,
}

/// A state table and the chunks that it is the sum of.
struct SoloTable {
    kind: ChunkKind,
    /// Rows since the last time changes were taken.
    changed: Vec<RecordBatch>,
    /// Oldest first, by number.
    chunks: Vec<(u64, Bytes)>,
    next: u64,
}

impl SoloCircuit {
    /// Of a plan whose only input is `input`.
    pub fn new(plan: &CircuitPlan, input: RelationId) -> Result<SoloCircuit> {
        let circuit = Circuit::new(plan, 1, &|relation| relation == input)?;
        let table = |kind| SoloTable { kind, changed: Vec::new(), chunks: Vec::new(), next: 0 };
        let tables = circuit.tables().map(|description| table(description.kind)).collect();
        Ok(SoloCircuit { circuit, input, tables, begun: false })
    }

    /// Whether it keeps anything between two steps.
    pub fn has_state(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Runs one batch of new input rows. Returns what changes of the query's answer, and the rows on which an expression failed.
    pub fn step(&mut self, rows: RecordBatch) -> Result<(Vec<WeightedBatch>, Vec<RowError>)> {
        if !self.begun {
            self.begun = true;
            self.run(Delta::empty())?;
        }
        self.run(Delta::of(WeightedBatch::inserted(rows)))
    }

    /// The query's answer to these rows alone, also where that is what it answers to none. For a circuit that hasn't been stepped.
    pub fn answer(&mut self, rows: RecordBatch) -> Result<(Vec<RecordBatch>, Vec<RowError>)> {
        self.begun = true;
        let (changes, errors) = self.run(Delta::of(WeightedBatch::inserted(rows)))?;
        if changes.iter().all(|batch| batch.weights.is_none()) {
            return Ok((changes.into_iter().map(|batch| batch.rows).collect(), errors));
        }
        // What it answers to nothing is among them, and taken back.
        Ok((vec![sum(&changes)?.expanded()?], errors))
    }

    fn run(&mut self, rows: Delta) -> Result<(Vec<WeightedBatch>, Vec<RowError>)> {
        let mut entering = Some(rows);
        let input = self.input;
        let mut give = |relation: RelationId| match relation == input {
            true => entering.take().unwrap_or_default(),
            false => Delta::empty(),
        };
        let output = self.circuit.step(&mut give, &mut SingleTask, &HashMap::new())?;
        for (table, rows) in output.changes {
            self.tables[table].changed.push(rows);
        }
        Ok((output.delta.batches, output.errors))
    }

    /// What of the state has changed since the last call.
    pub fn take_changes(&mut self) -> Result<Vec<KeyedChange>> {
        let mut changes = Vec::new();
        for (place, table) in self.tables.iter_mut().enumerate() {
            table.take_changes(place, &mut changes)?;
        }
        Ok(changes)
    }

    /// Takes the state that was handed out before: every key that is still set. To be called before the first step.
    pub fn restore(&mut self, entries: Vec<(Vec<u8>, Vec<u8>)>) -> Result<()> {
        for (key, payload) in entries {
            let (table, number) =
                parse_key(&key).ok_or_else(|| Error::corrupt("a key of a circuit's state is not one"))?;
            let payload = Bytes::from(payload);
            let kept =
                self.tables.get_mut(table).ok_or_else(|| Error::corrupt("state of a table that there is not"))?;
            kept.chunks.push((number, payload.clone()));
            kept.next = kept.next.max(number + 1);
            self.circuit.load(table, decode_state(&payload)?, TaskPlace { task: 0, tasks: 1 })?;
        }
        Ok(self.circuit.loaded()?)
    }
}

impl SoloTable {
    fn take_changes(&mut self, place: usize, changes: &mut Vec<KeyedChange>) -> Result<()> {
        let Some(first) = self.changed.first() else { return Ok(()) };
        let rows = concat_batches(&first.schema(), &self.changed).map_err(Error::bug)?;
        self.changed.clear();
        if rows.num_rows() == 0 {
            return Ok(());
        }
        self.chunks.push((self.next, encode_state(&rows)?));
        self.next += 1;
        let mut replaced = Vec::new();
        while let [.., (_, older), (_, newer)] = self.chunks.as_slice()
            && newer.len() * 2 >= older.len()
        {
            replaced.push(self.merge_last_two()?);
        }
        changes.extend(replaced.into_iter().map(|number| (key(place, number), None)));
        if let Some((number, payload)) = self.chunks.last() {
            changes.push((key(place, *number), Some(payload.to_vec())));
        }
        Ok(())
    }

    /// The newest two chunks as one, under the newer one's number. Returns the number that is free.
    fn merge_last_two(&mut self) -> Result<u64> {
        let last_two: Vec<(u64, Bytes)> = self.chunks.split_off(self.chunks.len() - 2);
        let chunk = |(number, payload): &(u64, Bytes)| Chunk {
            id: ChunkId { txid: TxId(*number), place: 0 },
            tier: 0,
            payload: payload.clone(),
        };
        let both: Vec<Chunk> = last_two.iter().map(chunk).collect();
        let merged = merge(Merge::Operator(self.kind), &both, self.chunks.is_empty())?;
        let (older, newer) = (last_two[0].0, last_two[1].0);
        // What cancels out entirely is an empty chunk: the newer key has been handed out, and stays set.
        match merged {
            Some(payload) => self.chunks.push((newer, payload)),
            None => self.chunks.push((newer, encode_state(&decode_state(&both[1].payload)?.slice(0, 0))?)),
        }
        Ok(older)
    }
}

/// Table as 2 bytes, number as 8, both big endian: keys sort as chunks are to be loaded.
fn key(table: usize, number: u64) -> Vec<u8> {
    [&(table as u16).to_be_bytes()[..], &number.to_be_bytes()].concat()
}

fn parse_key(key: &[u8]) -> Option<(usize, u64)> {
    let (table, number) = key.split_at_checked(2)?;
    Some((u16::from_be_bytes(table.try_into().ok()?).into(), u64::from_be_bytes(number.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use datafusion::physical_expr::expressions::Column;
    use monsoon_circuit::{AggregatePlan, Node, Operator};

    use super::*;

    const INPUT: RelationId = RelationId(1);

    fn rows(ids: impl IntoIterator<Item = i64>) -> RecordBatch {
        let ids = Arc::new(Int64Array::from_iter_values(ids)) as ArrayRef;
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, true)]);
        RecordBatch::try_new(Arc::new(schema), vec![ids]).expect("one column")
    }

    /// The distinct numbers it is given.
    fn distinct() -> SoloCircuit {
        let schema = rows([]).schema();
        let group = vec![Arc::new(Column::new("id", 0)) as _];
        let read = Operator::Input { relation: INPUT, projection: None };
        let aggregate = AggregatePlan { group, aggregates: Vec::new(), window: None };
        let nodes = vec![
            Node { operator: read, inputs: Vec::new(), schema: schema.clone() },
            Node { operator: Operator::Aggregate(aggregate), inputs: vec![0], schema },
        ];
        SoloCircuit::new(&CircuitPlan { nodes, key: vec![0] }, INPUT).expect("a circuit")
    }

    fn new_ids(circuit: &mut SoloCircuit, ids: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let (changes, errors) = circuit.step(rows(ids)).expect("a step");
        assert!(errors.is_empty());
        let ids = changes.iter().flat_map(|batch| batch.rows.column(0).as_primitive::<Int64Type>().values().to_vec());
        let mut ids: Vec<i64> = ids.collect();
        ids.sort_unstable();
        ids
    }

    fn keep(circuit: &mut SoloCircuit, kept: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
        for (key, value) in circuit.take_changes().expect("changes") {
            match value {
                Some(value) => drop(kept.insert(key, value)),
                None => drop(kept.remove(&key)),
            }
        }
    }

    /// After each call, whatever was merged then, a circuit that begins with what is kept knows all that was given before, and no more.
    #[test]
    fn chunks_that_were_merged_are_what_they_were_merged_from() {
        let (mut circuit, mut kept) = (distinct(), BTreeMap::new());
        let mut given = 0;
        for size in [1, 1, 1, 5, 40, 1, 1, 2, 300, 1, 3, 7, 1] {
            new_ids(&mut circuit, given..given + size);
            given += size;
            keep(&mut circuit, &mut kept);
            assert!(kept.len() <= 1 + given.ilog2() as usize, "{} chunks of {given} rows", kept.len());
            let mut again = distinct();
            again.restore(kept.clone().into_iter().collect()).expect("restored");
            assert_eq!(new_ids(&mut again, 0..given + 2), [given, given + 1]);
        }
    }

    #[test]
    fn an_answer_is_of_the_rows_alone() {
        let (answer, errors) = distinct().answer(rows([3, 1, 3])).expect("an answer");
        assert!(errors.is_empty());
        let mut ids: Vec<i64> =
            answer.iter().flat_map(|rows| rows.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [1, 3]);
    }
}
