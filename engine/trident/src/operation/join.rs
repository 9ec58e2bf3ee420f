//! The join of streams within a batch, as a reduction of them.

use monsoon_topology::{Outcome, Value};

use crate::aggregate::MultiReducer;
use crate::tuple::{Collector, Row, Tuple};

/// One stream of a join.
pub(crate) struct JoinSide {
    /// How many fields it has beside the key.
    pub(crate) width: usize,
    /// Whether a key this stream lacks is joined with nulls.
    pub(crate) outer: bool,
}

/// Emits the combinations of the streams' tuples, which show the fields beside the key.
pub(crate) struct Join(pub(crate) Vec<JoinSide>);

impl MultiReducer for Join {
    /// The rows of each stream.
    type State = Vec<Vec<Row>>;

    fn init(&self, _out: &mut Collector) -> Outcome<Self::State> {
        Ok(vec![Vec::new(); self.0.len()])
    }

    fn execute(&self, rows: &mut Self::State, stream: usize, tuple: &Tuple<'_>, _out: &mut Collector) -> Outcome {
        rows[stream].push(tuple.values());
        Ok(())
    }

    fn complete(&self, rows: Self::State, out: &mut Collector) -> Outcome {
        let mut combinations = vec![Row::new()];
        for (side, mut rows) in self.0.iter().zip(rows) {
            if rows.is_empty() && side.outer {
                rows.push(vec![Value::Null; side.width]);
            }
            combinations = combinations
                .iter()
                .flat_map(|left| rows.iter().map(move |right| left.iter().chain(right).cloned().collect()))
                .collect();
        }
        combinations.into_iter().for_each(|row| out.emit(row));
        Ok(())
    }
}
