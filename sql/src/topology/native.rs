//! Native components: Rust code that topologies name, registered by the program that embeds Monsoon; and the few that are always there.

use std::collections::BTreeMap;
use std::sync::Arc;

use monsoon_topology::{Basic, BasicBolt, BasicCollector, Bolt, CustomGrouping, Grouping, Outcome, Spout, Tuple};

use super::test_component::{TestWordCount, TestWords};
use crate::error::{Result, SqlError};

/// Makes the instances of a spout, given the arguments of `USING NATIVE 'name' (arguments)`.
pub type MakeSpout = Arc<dyn Fn(&[String]) -> Box<dyn Spout> + Send + Sync>;
/// Makes the instances of a bolt.
pub type MakeBolt = Arc<dyn Fn(&[String]) -> Box<dyn Bolt> + Send + Sync>;
/// Makes a grouping.
pub type MakeGrouping = Arc<dyn Fn(&[String]) -> Arc<dyn CustomGrouping> + Send + Sync>;

/// Native components and groupings by name.
#[derive(Clone)]
pub struct Natives {
    spouts: BTreeMap<String, MakeSpout>,
    bolts: BTreeMap<String, MakeBolt>,
    groupings: BTreeMap<String, MakeGrouping>,
}

impl Default for Natives {
    /// Those that are always there: the bolts `log` and `test_word_count` and the spout `test_words`.
    fn default() -> Natives {
        let mut natives = Natives { spouts: BTreeMap::new(), bolts: BTreeMap::new(), groupings: BTreeMap::new() };
        natives.register_bolt("log", |_| Box::new(Basic(Log)));
        natives.register_bolt("test_word_count", |_| Box::new(Basic(TestWordCount::default())));
        natives.register_spout("test_words", |_| Box::new(TestWords::default()));
        natives
    }
}

impl std::fmt::Debug for Natives {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.spouts.keys().chain(self.bolts.keys()).chain(self.groupings.keys());
        f.debug_list().entries(names).finish()
    }
}

impl Natives {
    /// Adds a spout.
    pub fn register_spout(&mut self, name: &str, make: impl Fn(&[String]) -> Box<dyn Spout> + Send + Sync + 'static) {
        self.spouts.insert(name.to_owned(), Arc::new(make));
    }

    /// Adds a bolt.
    pub fn register_bolt(&mut self, name: &str, make: impl Fn(&[String]) -> Box<dyn Bolt> + Send + Sync + 'static) {
        self.bolts.insert(name.to_owned(), Arc::new(make));
    }

    /// Adds a grouping, for CUSTOM GROUPING.
    pub fn register_grouping(
        &mut self,
        name: &str,
        make: impl Fn(&[String]) -> Arc<dyn CustomGrouping> + Send + Sync + 'static,
    ) {
        self.groupings.insert(name.to_owned(), Arc::new(make));
    }

    /// Whether there is a component of this name.
    pub fn has_component(&self, name: &str) -> bool {
        self.spouts.contains_key(name) || self.bolts.contains_key(name)
    }

    pub(crate) fn spout(&self, name: &str) -> Result<&MakeSpout> {
        self.spouts.get(name).ok_or_else(|| unknown("spout", name, self.spouts.keys()))
    }

    pub(crate) fn bolt(&self, name: &str) -> Result<&MakeBolt> {
        self.bolts.get(name).ok_or_else(|| unknown("bolt", name, self.bolts.keys()))
    }

    pub(crate) fn grouping(&self, name: &str, arguments: &[String]) -> Result<Grouping> {
        let make = self.groupings.get(name).ok_or_else(|| unknown("grouping", name, self.groupings.keys()))?;
        Ok(Grouping::Custom(make(arguments)))
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> SqlError {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let error = SqlError::new("42704", format!("there is no native {what} \"{name}\""));
    match known.is_empty() {
        true => {
            error.with_hint(format!("no native {what} is registered: a program that embeds Monsoon can register some"))
        }
        false => error.with_hint(format!("there are: {}", known.join(", "))),
    }
}

/// Writes each tuple to the log.
struct Log;

impl BasicBolt for Log {
    fn execute(&mut self, tuple: &Tuple<'_>, _: &mut BasicCollector<'_, '_>) -> Outcome {
        let stream = tuple.stream();
        tracing::info!(component = %stream.component, stream = %stream.stream, "{:?}", tuple.values());
        Ok(())
    }
}
