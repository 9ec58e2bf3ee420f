//! The operations that come with Trident: counts, sums, extremes, first tuples, filters and queries of states.

use std::cmp::Ordering;
use std::sync::Arc;

use monsoon_topology::{Failure, Outcome, Value};

use crate::aggregate::{Aggregation, Aggregator, Combiner};
use crate::batch::BatchId;
use crate::function::Filter;
use crate::order::{add, compare};
use crate::state::{QueryFunction, ReadOnlyMapState, ReadOnlySnapshottable, TupleCollection};
use crate::tuple::{Collector, Tuple};

/// How many tuples.
#[derive(Debug, Clone, Copy, Default)]
pub struct Count;

impl Combiner for Count {
    fn init(&self, _tuple: &Tuple<'_>) -> Outcome<Value> {
        Ok(Value::Int(1))
    }

    fn combine(&self, a: &Value, b: &Value) -> Outcome<Value> {
        add(a, b)
    }

    fn zero(&self) -> Value {
        Value::Int(0)
    }
}

impl From<Count> for Aggregation {
    fn from(count: Count) -> Aggregation {
        Aggregation::combiner(count)
    }
}

/// The sum of the first input field. Integers stay integers; one that overflows 64 bits fails the batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum;

impl Combiner for Sum {
    fn init(&self, tuple: &Tuple<'_>) -> Outcome<Value> {
        let value = tuple.at(0)?;
        match value.as_float() {
            Some(_) => Ok(value.clone()),
            None => Err(Failure::new(format!("{value:?} ({}) can't be added", value.kind()))),
        }
    }

    fn combine(&self, a: &Value, b: &Value) -> Outcome<Value> {
        add(a, b)
    }

    fn zero(&self) -> Value {
        Value::Int(0)
    }
}

impl From<Sum> for Aggregation {
    fn from(sum: Sum) -> Aggregation {
        Aggregation::combiner(sum)
    }
}

type Comparison = Arc<dyn Fn(&Value, &Value) -> Outcome<Ordering> + Send + Sync>;

/// The first tuple whose field is the least or the greatest; emits all its input fields, and nothing for no tuple.
#[derive(Clone)]
struct Extreme {
    field: String,
    wanted: Ordering,
    comparison: Comparison,
}

impl Aggregator for Extreme {
    type State = Option<(Value, Vec<Value>)>;

    fn init(&self, _batch: BatchId, _out: &mut Collector) -> Outcome<Self::State> {
        Ok(None)
    }

    fn aggregate(&self, best: &mut Self::State, tuple: &Tuple<'_>, _out: &mut Collector) -> Outcome {
        let value = tuple.value(&self.field)?;
        let better = match best {
            None => true,
            Some((known, _)) => (self.comparison)(value, known)? == self.wanted,
        };
        if better {
            *best = Some((value.clone(), tuple.values()));
        }
        Ok(())
    }

    fn complete(&self, best: Self::State, out: &mut Collector) -> Outcome {
        if let Some((_, values)) = best {
            out.emit(values);
        }
        Ok(())
    }
}

macro_rules! extreme {
    ($name:ident, $wanted:expr, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone)]
        pub struct $name(Extreme);

        impl $name {
            /// By the usual order of a field's values.
            pub fn new(field: &str) -> $name {
                $name(Extreme { field: field.to_owned(), wanted: $wanted, comparison: Arc::new(compare) })
            }

            /// By an order of your own.
            pub fn with(
                field: &str,
                comparison: impl Fn(&Value, &Value) -> Outcome<Ordering> + Send + Sync + 'static,
            ) -> $name {
                $name(Extreme { field: field.to_owned(), wanted: $wanted, comparison: Arc::new(comparison) })
            }
        }

        impl From<$name> for Aggregation {
            fn from(extreme: $name) -> Aggregation {
                Aggregation::aggregator(extreme.0)
            }
        }
    };
}

extreme!(Min, Ordering::Less, "The first tuple with the least value of a field; emits all its input fields.");
extreme!(Max, Ordering::Greater, "The first tuple with the greatest value of a field; emits all its input fields.");

/// The first so many tuples, by arrival or by the order of a field; emits all their input fields.
#[derive(Debug, Clone)]
pub struct FirstN {
    count: usize,
    field: Option<(String, bool)>,
}

impl FirstN {
    /// In the order of arrival.
    pub fn new(count: usize) -> FirstN {
        FirstN { count, field: None }
    }

    /// Those with the least values of a field, least first.
    pub fn ascending(count: usize, field: &str) -> FirstN {
        FirstN { count, field: Some((field.to_owned(), false)) }
    }

    /// Those with the greatest values of a field, greatest first.
    pub fn descending(count: usize, field: &str) -> FirstN {
        FirstN { count, field: Some((field.to_owned(), true)) }
    }

    /// The place behind the kept tuples that sort before or with this one.
    fn place(&self, kept: &[(Value, Vec<Value>)], value: &Value, reverse: bool) -> Outcome<usize> {
        for (place, (known, _)) in kept.iter().enumerate() {
            let order = if reverse { compare(known, value)? } else { compare(value, known)? };
            if order == Ordering::Less {
                return Ok(place);
            }
        }
        Ok(kept.len())
    }
}

impl Aggregator for FirstN {
    type State = Vec<(Value, Vec<Value>)>;

    fn init(&self, _batch: BatchId, _out: &mut Collector) -> Outcome<Self::State> {
        Ok(Vec::new())
    }

    fn aggregate(&self, kept: &mut Self::State, tuple: &Tuple<'_>, _out: &mut Collector) -> Outcome {
        let (place, value) = match &self.field {
            None => (kept.len(), Value::Null),
            Some((field, reverse)) => {
                let value = tuple.value(field)?;
                (self.place(kept, value, *reverse)?, value.clone())
            }
        };
        if place < self.count {
            kept.insert(place, (value, tuple.values()));
            kept.truncate(self.count);
        }
        Ok(())
    }

    fn complete(&self, kept: Self::State, out: &mut Collector) -> Outcome {
        kept.into_iter().for_each(|(_, values)| out.emit(values));
        Ok(())
    }
}

impl From<FirstN> for Aggregation {
    fn from(first: FirstN) -> Aggregation {
        Aggregation::aggregator(first)
    }
}

/// Keeps the tuples none of whose input fields is null.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilterNull;

impl Filter for FilterNull {
    fn keeps(&self, tuple: &Tuple<'_>) -> Outcome<bool> {
        Ok(tuple.iter().all(|value| !value.is_null()))
    }
}

/// Keeps the tuples whose input fields are all equal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Equals;

impl Filter for Equals {
    fn keeps(&self, tuple: &Tuple<'_>) -> Outcome<bool> {
        let first = tuple.get(0);
        Ok(tuple.iter().all(|value| Some(value) == first))
    }
}

/// Keeps the tuples another filter drops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Negate<F>(pub F);

impl<F: Filter> Filter for Negate<F> {
    fn prepare(&self, context: &crate::function::OperationContext) -> Outcome {
        self.0.prepare(context)
    }

    fn keeps(&self, tuple: &Tuple<'_>) -> Outcome<bool> {
        Ok(!self.0.keeps(tuple)?)
    }

    fn cleanup(&self) {
        self.0.cleanup();
    }
}

/// Logs each tuple with a label, and keeps it.
#[derive(Debug, Clone)]
pub struct Debug(pub String);

impl Filter for Debug {
    fn keeps(&self, tuple: &Tuple<'_>) -> Outcome<bool> {
        tracing::info!(label = %self.0, ?tuple, "tuple");
        Ok(true)
    }
}

/// Looks the input fields up as a key; emits the value, null when there is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct MapGet;

impl<S: ReadOnlyMapState> QueryFunction<S> for MapGet {
    fn retrieve(&self, state: &mut S, tuples: &[Tuple<'_>]) -> Outcome<Vec<Value>> {
        let keys: Vec<_> = tuples.iter().map(Tuple::values).collect();
        Ok(state.multi_get(&keys)?.into_iter().map(Value::from).collect())
    }
}

/// Emits the value of a state that holds one, null when it holds none.
#[derive(Debug, Clone, Copy, Default)]
pub struct SnapshotGet;

impl<S: ReadOnlySnapshottable> QueryFunction<S> for SnapshotGet {
    fn retrieve(&self, state: &mut S, tuples: &[Tuple<'_>]) -> Outcome<Vec<Value>> {
        let value = Value::from(state.get()?);
        Ok(vec![value; tuples.len()])
    }
}

/// Emits every tuple of a state, for each tuple of the stream. Broadcast the stream to see all partitions of the state.
#[derive(Debug, Clone, Copy, Default)]
pub struct TupleCollectionGet;

impl<S: TupleCollection> QueryFunction<S> for TupleCollectionGet {
    fn retrieve(&self, state: &mut S, tuples: &[Tuple<'_>]) -> Outcome<Vec<Value>> {
        let all: Vec<Value> = state.tuples()?.into_iter().map(Value::from).collect();
        Ok(vec![Value::from(all); tuples.len()])
    }

    fn execute(&self, _tuple: &Tuple<'_>, result: Value, out: &mut Collector) -> Outcome {
        for row in result.as_list().unwrap_or_default() {
            out.emit(row.as_list().unwrap_or_default().to_vec());
        }
        Ok(())
    }
}
