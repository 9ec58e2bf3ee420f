//! The three kinds of aggregation, `Aggregation`, which holds one of any kind, and the reduction of several streams.
//!
//! A combiner is aggregated in part before tuples move to another partition; a reducer and an aggregator see the tuples
//! after the move.

use std::sync::Arc;

use monsoon_topology::{Outcome, Value};

use crate::batch::BatchId;
use crate::tuple::{Collector, Tuple};

/// An aggregation by an associative function. Its values may be combined in any grouping.
pub trait Combiner: Send + Sync + 'static {
    /// The value of one tuple.
    fn init(&self, tuple: &Tuple<'_>) -> Outcome<Value>;
    /// The value of two values.
    fn combine(&self, a: &Value, b: &Value) -> Outcome<Value>;
    /// The value of no tuple.
    fn zero(&self) -> Value;
}

/// An aggregation by adding tuple after tuple to a value.
pub trait Reducer: Send + Sync + 'static {
    /// The value of no tuple.
    fn init(&self) -> Value;
    /// The value with one tuple more.
    fn reduce(&self, current: Value, tuple: &Tuple<'_>) -> Outcome<Value>;
}

/// An aggregation that may emit any number of tuples at any time.
pub trait Aggregator: Send + Sync + 'static {
    /// What is kept from tuple to tuple of one batch (and group).
    type State;
    /// Called before the first tuple of the batch, also when it has none.
    fn init(&self, batch: BatchId, out: &mut Collector) -> Outcome<Self::State>;
    /// Called for each tuple.
    fn aggregate(&self, state: &mut Self::State, tuple: &Tuple<'_>, out: &mut Collector) -> Outcome;
    /// Called after the last tuple.
    fn complete(&self, state: Self::State, out: &mut Collector) -> Outcome;
}

/// An aggregation of several streams that are grouped alike: see [`crate::TridentTopology::multi_reduce`].
pub trait MultiReducer: Send + Sync + 'static {
    /// What is kept from tuple to tuple of one group.
    type State;
    /// Called before the first tuple of a group that any of the streams has.
    fn init(&self, out: &mut Collector) -> Outcome<Self::State>;
    /// Called for each tuple of the group: first all of the first stream, which has the number 0, then all of the second...
    fn execute(&self, state: &mut Self::State, stream: usize, tuple: &Tuple<'_>, out: &mut Collector) -> Outcome;
    /// Called after the last tuple of the group.
    fn complete(&self, state: Self::State, out: &mut Collector) -> Outcome;
}

/// An aggregation of any kind. The built-in ones convert into it; use the constructors for your own.
#[derive(Clone)]
pub struct Aggregation(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Combiner(Arc<dyn Combiner>),
    Reducer(Arc<dyn Reducer>),
    Aggregator(Arc<dyn Fold>),
}

impl Aggregation {
    /// By a combiner.
    pub fn combiner(combiner: impl Combiner) -> Aggregation {
        Aggregation(Kind::Combiner(Arc::new(combiner)))
    }

    /// By a reducer.
    pub fn reducer(reducer: impl Reducer) -> Aggregation {
        Aggregation(Kind::Reducer(Arc::new(reducer)))
    }

    /// By an aggregator.
    pub fn aggregator(aggregator: impl Aggregator) -> Aggregation {
        Aggregation(Kind::Aggregator(Arc::new(AggregatorFold(aggregator))))
    }

    /// The whole aggregation of a group of tuples at one place.
    pub(crate) fn fold(&self) -> Arc<dyn Fold> {
        match &self.0 {
            Kind::Combiner(combiner) => Arc::new(CombinerFold(combiner.clone())),
            Kind::Reducer(reducer) => Arc::new(ReducerFold(reducer.clone())),
            Kind::Aggregator(fold) => fold.clone(),
        }
    }
}

/// The aggregation of all tuples of one group of one batch. Emits what the aggregation gives.
pub(crate) trait Fold: Send + Sync {
    fn fold(&self, batch: BatchId, tuples: &[Tuple<'_>], out: &mut Collector) -> Outcome;
}

struct CombinerFold(Arc<dyn Combiner>);

impl Fold for CombinerFold {
    fn fold(&self, _batch: BatchId, tuples: &[Tuple<'_>], out: &mut Collector) -> Outcome {
        let mut total = None;
        for tuple in tuples {
            let value = self.0.init(tuple)?;
            total = Some(match total {
                None => value,
                Some(total) => self.0.combine(&total, &value)?,
            });
        }
        out.emit_one(total.unwrap_or_else(|| self.0.zero()));
        Ok(())
    }
}

/// Combines values that are combined in part: the only field of its input.
pub(crate) struct PartialFold(pub(crate) Arc<dyn Combiner>);

impl Fold for PartialFold {
    fn fold(&self, _batch: BatchId, tuples: &[Tuple<'_>], out: &mut Collector) -> Outcome {
        let mut total: Option<Value> = None;
        for tuple in tuples {
            let value = tuple.at(0)?;
            total = Some(match total {
                None => value.clone(),
                Some(total) => self.0.combine(&total, value)?,
            });
        }
        out.emit_one(total.unwrap_or_else(|| self.0.zero()));
        Ok(())
    }
}

struct ReducerFold(Arc<dyn Reducer>);

impl Fold for ReducerFold {
    fn fold(&self, _batch: BatchId, tuples: &[Tuple<'_>], out: &mut Collector) -> Outcome {
        let value = tuples.iter().try_fold(self.0.init(), |value, tuple| self.0.reduce(value, tuple))?;
        out.emit_one(value);
        Ok(())
    }
}

struct AggregatorFold<A>(A);

impl<A: Aggregator> Fold for AggregatorFold<A> {
    fn fold(&self, batch: BatchId, tuples: &[Tuple<'_>], out: &mut Collector) -> Outcome {
        let mut state = self.0.init(batch, out)?;
        for tuple in tuples {
            self.0.aggregate(&mut state, tuple, out)?;
        }
        self.0.complete(state, out)
    }
}
