//! The components of Storm's own examples: a spout of words and a bolt that counts them.

use std::collections::HashMap;

use monsoon_topology::{BasicBolt, BasicCollector, Outcome, SmolStr, Spout, SpoutCollector, Streams, Tuple};

/// Storm's five words, in turn.
const WORDS: [&str; 5] = ["nathan", "mike", "jackson", "golda", "bertels"];

/// Emits words for ever.
#[derive(Default)]
pub(super) struct TestWords(usize);

impl Spout for TestWords {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word"]);
    }

    fn next_tuple(&mut self, collector: &mut SpoutCollector) -> Outcome {
        self.0 = (self.0 + 1) % WORDS.len();
        collector.emit([WORDS[self.0]]).map(drop)
    }
}

/// Counts words, and emits each with its count so far.
#[derive(Default)]
pub(super) struct TestWordCount(HashMap<SmolStr, i64>);

impl BasicBolt for TestWordCount {
    fn declare(&self, streams: &mut Streams) {
        streams.declare(["word", "count"]);
    }

    fn execute(&mut self, tuple: &Tuple<'_>, collector: &mut BasicCollector<'_, '_>) -> Outcome {
        let word = SmolStr::new(tuple.text("word")?);
        let count = self.0.entry(word.clone()).or_default();
        *count += 1;
        collector.emit((word, *count)).map(drop)
    }
}
