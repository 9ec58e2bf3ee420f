//! A spout that can go back and a bolt with state: a topology of them is exactly once.

use monsoon_topology::{
    Bolt, BoltCollector, CheckpointStore, MemoryCheckpoints, Outcome, Spout, SpoutCollector, StateChanges, Streams,
    Tuple,
};

/// Numbers from 0 that can be emitted again from any; nothing is tracked.
pub struct Replayable {
    pub next: i64,
    pub count: i64,
}

impl Spout for Replayable {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["number"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        if self.next < self.count {
            collector.emit([self.next])?;
            self.next += 1;
        }
        Ok(())
    }

    fn replayable(&self) -> bool {
        true
    }

    fn position(&mut self) -> Option<Vec<u8>> {
        Some(self.next.to_le_bytes().to_vec())
    }

    fn seek(&mut self, position: &[u8]) -> Outcome {
        self.next = i64::from_le_bytes(position.try_into()?);
        Ok(())
    }
}

/// How many numbers have come, and their sum, as state.
#[derive(Default)]
pub struct Sum(pub [i64; 2]);

impl Bolt for Sum {
    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BoltCollector) -> Outcome {
        self.0 = [self.0[0] + 1, self.0[1] + tuple.int("value")?];
        collector.ack(tuple);
        Ok(())
    }

    fn stateful(&self) -> bool {
        true
    }

    fn checkpoint(&mut self, _: &mut BoltCollector) -> Option<StateChanges> {
        let value = self.0.iter().flat_map(|number| number.to_le_bytes()).collect();
        Some(StateChanges::of(vec![(b"sum".to_vec(), Some(value))]))
    }

    fn restore(&mut self, state: Vec<(Vec<u8>, Vec<u8>)>) -> Outcome {
        if let Some((_, value)) = state.first() {
            self.0 = [0, 8].map(|at| i64::from_le_bytes(value[at..at + 8].try_into().expect("eight bytes were kept")));
        }
        Ok(())
    }
}

pub fn kept_sum(checkpoints: &MemoryCheckpoints) -> Option<[i64; 2]> {
    let mut sum = Sum::default();
    sum.restore(checkpoints.load("sum", 0).unwrap().state).unwrap();
    (sum.0[0] > 0).then_some(sum.0)
}
