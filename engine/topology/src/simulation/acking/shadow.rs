//! `Shadow`: what the test knows of every tree: tuples, parents, who was acked. The engine is checked against it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::SmolStr;
use crate::clock::Moment;
use crate::stream::TaskId;
use crate::tuple::Tuple;

/// The number of a tuple, and the stream it is emitted on.
pub(super) type Emission<'a> = (i64, &'a str);

/// A copy of a tuple, sent to one task.
#[derive(Default)]
struct Node {
    stream: SmolStr,
    roots: Vec<usize>,
    /// Neither acked nor failed.
    tracked: bool,
    acked: bool,
}

/// A spout tuple with a message id: its place among the roots.
struct Root {
    spout: TaskId,
    emitted_at: Moment,
    tree: Vec<usize>,
    told: Option<Fate>,
    /// A bolt failed a tuple of its tree.
    failed: bool,
    spout_died: bool,
}

/// What a spout was told of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Acked,
    Failed,
}

/// What the test knows of every tree.
#[derive(Default)]
pub(super) struct Shadow {
    nodes: Vec<Node>,
    roots: Vec<Root>,
    emissions: i64,
    /// Copies under way, by emission and receiver.
    arrivals: HashMap<(i64, TaskId), VecDeque<usize>>,
    /// The last emission of a task that another was given.
    last_arrived: HashMap<(TaskId, TaskId), i64>,
    /// The first thing that was wrong.
    pub wrong: Option<String>,
    acking: bool,
    timeout: Option<Duration>,
    pub acked: usize,
    pub failed: usize,
}

impl Shadow {
    pub fn new(acking: bool, timeout: Option<Duration>) -> Shadow {
        Shadow { acking, timeout, ..Shadow::default() }
    }

    pub fn note_wrong(&mut self, what: impl Into<String>) {
        self.wrong.get_or_insert(what.into());
    }

    /// The number of the next tuple.
    pub fn next_emission(&mut self) -> i64 {
        self.emissions += 1;
        self.emissions
    }

    /// A spout is about to emit a tuple with a message id: the root's place, which is the id.
    pub fn root(&mut self, spout: TaskId, now: Moment) -> usize {
        let root = Root { spout, emitted_at: now, tree: Vec::new(), told: None, failed: false, spout_died: false };
        self.roots.push(root);
        self.roots.len() - 1
    }

    pub fn emitted_by_spout(&mut self, emission: Emission<'_>, root: Option<usize>, receivers: &[TaskId]) {
        self.add_copies(emission, root.into_iter().collect(), receivers);
    }

    pub fn emitted(&mut self, emission: Emission<'_>, parents: &[usize], receivers: &[TaskId]) {
        let parents = parents.iter().map(|&parent| &self.nodes[parent]).filter(|parent| parent.tracked);
        let mut roots: Vec<usize> = parents.flat_map(|parent| parent.roots.iter().copied()).collect();
        roots.sort_unstable();
        roots.dedup();
        self.add_copies(emission, roots, receivers);
    }

    fn add_copies(&mut self, (emission, stream): Emission<'_>, roots: Vec<usize>, receivers: &[TaskId]) {
        for &receiver in receivers {
            let node = self.nodes.len();
            roots.iter().for_each(|&root| self.roots[root].tree.push(node));
            let (roots, tracked) = (roots.clone(), !roots.is_empty());
            self.nodes.push(Node { stream: stream.into(), roots, tracked, acked: false });
            self.arrivals.entry((emission, receiver)).or_default().push_back(node);
        }
    }

    /// A bolt is given a tuple: which copy it is. `None` if there is no such copy, which is wrong.
    pub fn arrived(&mut self, tuple: &Tuple<'_>, receiver: TaskId) -> Option<usize> {
        let emission = tuple.values()[0].as_int().unwrap_or(-1);
        let Some(node) = self.arrivals.get_mut(&(emission, receiver)).and_then(VecDeque::pop_front) else {
            self.note_wrong(format!("tuple {emission} came to task {receiver} more often than it was sent"));
            return None;
        };
        if self.nodes[node].stream != tuple.stream().stream {
            self.note_wrong(format!("tuple {emission} came on stream {:?}", tuple.stream()));
        }
        let last = self.last_arrived.entry((tuple.source(), receiver)).or_default();
        if std::mem::replace(last, emission) > emission {
            self.note_wrong(format!("tuple {emission} came to task {receiver} after a later one of the same sender"));
        }
        Some(node)
    }

    pub fn acked(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.acked |= std::mem::take(&mut node.tracked);
    }

    pub fn failed(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        if std::mem::take(&mut node.tracked) {
            node.roots.iter().for_each(|&root| self.roots[root].failed = true);
        }
    }

    /// Whether the engine should see this tuple in a tree.
    pub fn is_tracked(&self, node: usize) -> bool {
        self.nodes[node].tracked && self.acking
    }

    /// A spout has panicked: what it has emitted may fail.
    pub fn spout_died(&mut self, spout: TaskId) {
        self.roots.iter_mut().filter(|root| root.spout == spout).for_each(|root| root.spout_died = true);
    }

    /// A spout is told the fate of a root.
    pub fn told(&mut self, spout: TaskId, id: usize, fate: Fate, now: Moment) {
        let Some(root) = self.roots.get_mut(id) else {
            return self.note_wrong(format!("root {id} was never emitted, but is {fate:?}"));
        };
        let earlier = root.told.replace(fate);
        let timed_out = self.timeout.is_some_and(|timeout| now.since(root.emitted_at) >= timeout);
        let may_fail = root.failed || root.spout_died || timed_out;
        let of_another = root.spout != spout;
        let open = root.tree.iter().filter(|&&node| !self.nodes[node].acked).count();
        match fate {
            _ if of_another => self.note_wrong(format!("task {spout} is told of root {id} of another task")),
            _ if earlier.is_some() => self.note_wrong(format!("root {id} is {fate:?} after {earlier:?}")),
            Fate::Acked if open > 0 && self.acking => {
                self.note_wrong(format!("root {id} is acked, but {open} tuples of its tree are not"))
            }
            Fate::Failed if !may_fail => self.note_wrong(format!("root {id} failed for no reason")),
            Fate::Acked => self.acked += 1,
            Fate::Failed => self.failed += 1,
        }
    }

    /// Roots of which no spout was told.
    pub fn untold(&self) -> Vec<usize> {
        (0..self.roots.len()).filter(|&root| self.roots[root].told.is_none()).collect()
    }

    /// A root and its tree, for messages.
    pub fn describe(&self, root: usize) -> String {
        let Root { spout, emitted_at, tree, told, failed, spout_died } = &self.roots[root];
        let open: Vec<usize> = tree.iter().copied().filter(|&node| !self.nodes[node].acked).collect();
        format!(
            "root {root} of task {spout}, emitted at {emitted_at:?}, {} tuples, not acked {open:?}, told {told:?}, failed {failed}, \
             spout died {spout_died}",
            tree.len()
        )
    }

    /// Roots that failed although nothing of their tree did, and nothing of it was left undone.
    pub fn failed_though_complete(&self) -> Vec<usize> {
        let complete = |root: &Root| root.tree.iter().all(|&node| self.nodes[node].acked);
        let odd = |root: &Root| root.told == Some(Fate::Failed) && !root.failed && !root.spout_died && complete(root);
        (0..self.roots.len()).filter(|&root| odd(&self.roots[root])).collect()
    }
}
