//! `JoinBolt`: joins the streams it reads, within each window.
//!
//! What was said of the join is here; `plan` finds it in the streams there are, and `rows` is the join itself. The bolt has no state: a window
//! brings all that is joined.

mod plan;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use smol_str::SmolStr;

use self::plan::Plan;
use self::rows::Kind;
use super::{TupleWindow, WindowCollector, WindowedBolt};
use crate::context::TaskContext;
use crate::stream::{StreamInfo, Streams};
use crate::{Failure, Outcome};

/// What names a stream in a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamedBy {
    Component,
    Stream,
}

/// A stream and its key, as they were named.
#[derive(Debug, Clone)]
struct Keyed {
    stream: SmolStr,
    key: SmolStr,
}

/// A further stream, and how and with which earlier one it is joined.
#[derive(Debug, Clone)]
struct Join {
    right: Keyed,
    kind: Kind,
    with: SmolStr,
}

/// Joins the streams it reads, within each window: Storm's `JoinBolt`, with SQL's semantics.
///
/// Each stream has one key, and its rows are joined with those of an earlier stream whose key is equal, in the order the joins are declared. Keys are
/// equal as [`Value`](crate::Value)s are, which is how fields grouping spreads them: `1` isn't `1.0`, `0.0` isn't `-0.0`, NaN is NaN. A null key
/// matches nothing, be the field null or the whole side of an earlier outer join. A left join keeps every row of what has been joined so far, a right
/// join every row of its stream, a full join both; the side that is missing is nulls. (Storm's left join drops rows whose key is null.)
///
/// A stream is named by the component that emits it, or after [`JoinBolt::by_stream`] by its own name. A field may be a path into maps,
/// `address.city`, which finds null where a map has no such key and where there is no map; a field of the whole name goes before.
///
/// With several tasks every input must be grouped by its key, or rows that match come to different tasks. In sliding windows rows that are together
/// in several windows are joined in each. Each joined row is anchored to all tuples of the window; a key that `m` rows of one side and `n` of the
/// other have makes `m * n` of them.
///
/// ```
/// use std::sync::mpsc;
/// use monsoon_topology::windowed::{JoinBolt, Window};
/// use monsoon_topology::{RunningTopology, StartOptions, TopologyBuilder, Value};
///
/// let mut builder = TopologyBuilder::new();
/// let mut users = [(1, "Ann"), (2, "Bob")].into_iter();
/// builder.set_spout_fn("users", ["id", "name"], move || users.next().map(|(id, name)| vec![id.into(), name.into()]));
/// let mut orders = [(10, 2), (11, 2)].into_iter();
/// builder.set_spout_fn("orders", ["id", "user_id"], move || orders.next().map(|(id, user)| vec![id.into(), user.into()]));
///
/// let join = JoinBolt::new("users", "id").left_join("orders", "user_id", "users").select("name, orders:id");
/// builder
///     .set_windowed_bolt("join", Window::tumbling(4), move || join.clone())
///     .fields_grouping("users", ["id"])
///     .fields_grouping("orders", ["user_id"]);
/// let (rows, joined) = mpsc::channel();
/// let print = move || {
///     let rows = rows.clone();
///     move |tuple: &monsoon_topology::Tuple<'_>, _: &mut monsoon_topology::BasicCollector<'_, '_>| {
///         Ok(rows.send((tuple.text("name")?.to_owned(), tuple.get("id")?.clone()))?)
///     }
/// };
/// builder.set_bolt_fn("out", [""; 0], print).global_grouping("join");
/// let running = RunningTopology::start(&builder.build("example").unwrap(), StartOptions::default()).unwrap();
///
/// let mut found: Vec<(String, Value)> = joined.iter().take(3).collect();
/// found.sort_by_key(|(name, id)| (name.clone(), id.as_int()));
/// let expected = [("Ann", Value::Null), ("Bob", 10.into()), ("Bob", 11.into())];
/// assert_eq!(found, expected.map(|(name, id)| (name.to_owned(), id)));
/// # drop(running);
/// ```
#[derive(Debug, Clone)]
pub struct JoinBolt {
    named_by: NamedBy,
    first: Keyed,
    joins: Vec<Join>,
    select: Option<SmolStr>,
    plan: Option<Plan>,
}

impl JoinBolt {
    /// Begins with a stream and its key.
    pub fn new(stream: &str, key: &str) -> JoinBolt {
        let first = Keyed { stream: stream.into(), key: key.into() };
        JoinBolt { named_by: NamedBy::Component, first, joins: Vec::new(), select: None, plan: None }
    }

    /// Names in it are those of streams, not of the components that emit them.
    pub fn by_stream(mut self) -> JoinBolt {
        self.named_by = NamedBy::Stream;
        self
    }

    /// Joins a stream by its key with the key of the earlier stream `with`, and keeps the rows of both that match.
    pub fn join(self, stream: &str, key: &str, with: &str) -> JoinBolt {
        self.joined(Kind::Inner, stream, key, with)
    }

    /// As [`JoinBolt::join`], and keeps all rows joined so far.
    pub fn left_join(self, stream: &str, key: &str, with: &str) -> JoinBolt {
        self.joined(Kind::Left, stream, key, with)
    }

    /// As [`JoinBolt::join`], and keeps all rows of the stream.
    pub fn right_join(self, stream: &str, key: &str, with: &str) -> JoinBolt {
        self.joined(Kind::Right, stream, key, with)
    }

    /// As [`JoinBolt::join`], and keeps all rows joined so far and all rows of the stream.
    pub fn full_join(self, stream: &str, key: &str, with: &str) -> JoinBolt {
        self.joined(Kind::Full, stream, key, with)
    }

    /// The fields to emit: a comma list, with `stream:field` for a field that several streams have. The last call counts. Without, all fields of all
    /// streams are emitted, in order.
    ///
    /// They are emitted under the last part of their names: `users:address.city` as `city`. Fields that would have the same name are emitted as they
    /// are written in the list, and where there is no list as `stream:field`.
    pub fn select(mut self, fields: &str) -> JoinBolt {
        self.select = Some(fields.into());
        self
    }

    fn joined(mut self, kind: Kind, stream: &str, key: &str, with: &str) -> JoinBolt {
        let right = Keyed { stream: stream.into(), key: key.into() };
        self.joins.push(Join { right, kind, with: with.into() });
        self
    }
}

impl WindowedBolt for JoinBolt {
    /// The names of the fields; tells what is wrong with the join.
    fn declare_from(&self, inputs: &[Arc<StreamInfo>], streams: &mut Streams) -> Outcome {
        streams.declare(Plan::new(self, inputs)?.names());
        Ok(())
    }

    fn prepare(&mut self, context: &TaskContext) -> Outcome {
        let inputs: Vec<_> = context.component().inputs.iter().map(|input| input.stream.clone()).collect();
        self.plan = Some(Plan::new(self, &inputs)?);
        Ok(())
    }

    fn execute(&mut self, window: &TupleWindow<'_>, collector: &mut WindowCollector<'_>) -> Outcome {
        let plan = self.plan.as_ref().ok_or_else(|| Failure::new("a join that isn't prepared"))?;
        let mut rows = vec![Vec::new(); plan.streams()];
        for tuple in window {
            let stream = plan.place(tuple.stream());
            let stream = stream.ok_or_else(|| Failure::new(format!("{:?} isn't joined", tuple.stream().component)))?;
            rows[stream].push(tuple.values());
        }
        for row in plan.join(&rows).iter() {
            collector.emit(plan.project(row))?;
        }
        Ok(())
    }
}
