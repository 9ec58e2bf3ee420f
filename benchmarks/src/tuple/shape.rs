//! The topologies. What their spouts emit is up to a [`Source`].

use std::collections::HashMap;
use std::time::Duration;

use monsoon_topology::{
    Bolt, BoltCollector, Moment, Outcome, Result, SmolStr, Spout, SpoutCollector, Streams, Topology, TopologyBuilder,
    Tuple, Value,
};

use super::Cell;

/// Which topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Spout -> null.
    Constant,
    /// Spout -> identity -> null.
    Identity,
    /// Sentences -> split -> count by word.
    WordCount,
    /// Spout -> a bolt that sleeps 1 ms per tuple.
    Sleeping,
}

/// Words of each sentence.
const SENTENCE_WORDS: u64 = 10;
const TEXT: [&str; 12] = [
    "the rain came in from the sea before the morning",
    "every drop that fell was counted once and only once",
    "a river does not ask the cloud where it was",
    "small streams meet in the valley and become a river",
    "when the wind turned the boats went back to harbour",
    "nobody in the village had seen so much water before",
    "the fields were green again after a single warm night",
    "children ran along the bank and counted the paper boats",
    "what the river took it carried quietly to the sea",
    "the old man said that every flood has its measure",
    "at noon the sky was clear and the road dry",
    "and in the evening the rain came in once more",
];

impl Shape {
    /// All of them, in the order they are measured by default; `sleeping` is measured when asked for.
    pub const ALL: [Shape; 4] = [Shape::Constant, Shape::Identity, Shape::WordCount, Shape::Sleeping];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Constant => "constant",
            Shape::Identity => "identity",
            Shape::WordCount => "word_count",
            Shape::Sleeping => "sleeping",
        }
    }

    /// The shape of a name.
    pub fn from_name(name: &str) -> Option<Shape> {
        Shape::ALL.into_iter().find(|shape| shape.name() == name)
    }

    pub(crate) fn tasks(self) -> usize {
        match self {
            Shape::Constant | Shape::Sleeping => 2,
            Shape::Identity | Shape::WordCount => 3,
        }
    }

    /// Events that come of one tuple of the spout.
    pub(crate) fn events_per_tuple(self) -> u64 {
        if self == Shape::WordCount { SENTENCE_WORDS } else { 1 }
    }
}

/// The last component: where events are counted.
pub(crate) const LAST: &str = "last";
/// The spout.
pub(crate) const SPOUT: &str = "spout";

/// What drives a spout, and what is done where a tuple's way ends.
pub(crate) trait Source: Clone + Send + Sync + 'static {
    /// When the next tuple should have been emitted, as it travels in the tuple; `None` if there is none now.
    fn next(&mut self) -> Option<i64>;

    /// A tuple with this time has arrived.
    fn arrived(&mut self, emitted: i64);

    /// The last of its tuples has been seen.
    fn ended(&mut self);

    /// When to ask again.
    fn next_poll(&self) -> Option<Moment>;
}

/// The topology of a cell.
pub(crate) fn topology(cell: &Cell, source: &impl Source) -> Result<Topology> {
    let mut builder = TopologyBuilder::new();
    builder.config("batch_tuples", cell.batch_tuples as i64).config("ackers", i64::from(cell.acking));
    let (acking, sentences, own) = (cell.acking, cell.shape == Shape::WordCount, source.clone());
    builder.set_spout(SPOUT, move || Emit { source: own.clone(), acking, sentences, emitted: 0 });
    // With acking a tuple's way ends at the spout.
    let arrivals = (!cell.acking).then(|| source.clone());
    match cell.shape {
        Shape::Constant => {
            builder.set_bolt(LAST, move || Null(arrivals.clone())).shuffle_grouping(SPOUT);
        }
        Shape::Identity => {
            builder.set_bolt("identity", || Identity).shuffle_grouping(SPOUT);
            builder.set_bolt(LAST, move || Null(arrivals.clone())).shuffle_grouping("identity");
        }
        Shape::WordCount => {
            builder.set_bolt("split", || Split).shuffle_grouping(SPOUT);
            let count = move || Count { words: HashMap::new(), arrivals: arrivals.clone() };
            builder.set_bolt(LAST, count).fields_grouping("split", ["word"]);
        }
        Shape::Sleeping => {
            builder.set_bolt(LAST, || Sleep).shuffle_grouping(SPOUT);
        }
    }
    builder.build(cell.shape.name())
}

struct Emit<S> {
    source: S,
    acking: bool,
    sentences: bool,
    emitted: usize,
}

impl<S: Source> Spout for Emit<S> {
    fn declare(&self, streams: &mut Streams) {
        match self.sentences {
            true => streams.declare(["sentence", "due"]),
            false => streams.declare(["due"]),
        }
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Outcome {
        let Some(due) = self.source.next() else { return Ok(()) };
        self.emitted += 1;
        match (self.sentences, self.acking) {
            (true, true) => out.emit_tracked((TEXT[self.emitted % TEXT.len()], due), due)?,
            (true, false) => out.emit((TEXT[self.emitted % TEXT.len()], due))?,
            (false, true) => out.emit_tracked([due], due)?,
            (false, false) => out.emit([due])?,
        };
        Ok(())
    }

    fn ack(&mut self, id: Value, _: &mut SpoutCollector) -> Outcome {
        self.source.arrived(id.as_int().unwrap_or_default());
        Ok(())
    }

    fn next_poll(&self) -> Option<Moment> {
        self.source.next_poll()
    }

    fn close(&mut self) {
        self.source.ended();
    }
}

/// Acks, and nothing else.
struct Null<S>(Option<S>);

impl<S: Source> Bolt for Null<S> {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        if let Some(arrivals) = &mut self.0 {
            arrivals.arrived(tuple[0].as_int().unwrap_or_default());
        }
        out.ack(tuple);
        Ok(())
    }

    fn cleanup(&mut self) {
        self.0.iter_mut().for_each(Source::ended);
    }
}

struct Identity;

impl Bolt for Identity {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["due"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        out.emit(tuple, *tuple)?;
        out.ack(tuple);
        Ok(())
    }
}

struct Split;

impl Bolt for Split {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word", "due"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        for word in tuple[0].as_str().unwrap_or_default().split(' ') {
            out.emit(tuple, (word, &tuple[1]))?;
        }
        out.ack(tuple);
        Ok(())
    }
}

struct Count<S> {
    words: HashMap<SmolStr, u64>,
    arrivals: Option<S>,
}

impl<S: Source> Bolt for Count<S> {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        let word = tuple[0].as_str().unwrap_or_default();
        match self.words.get_mut(word) {
            Some(count) => *count += 1,
            None => drop(self.words.insert(word.into(), 1)),
        }
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.arrived(tuple[1].as_int().unwrap_or_default());
        }
        out.ack(tuple);
        Ok(())
    }

    fn cleanup(&mut self) {
        self.arrivals.iter_mut().for_each(Source::ended);
    }
}

struct Sleep;

impl Bolt for Sleep {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut BoltCollector) -> Outcome {
        std::thread::sleep(Duration::from_millis(1));
        out.ack(tuple);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sentence_has_as_many_words() {
        assert!(TEXT.iter().all(|sentence| sentence.split(' ').count() as u64 == SENTENCE_WORDS));
    }
}
