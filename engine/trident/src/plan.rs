//! `Plan`: a graph cut into stages.
//!
//! A stage is a tree of operations that run in one task per partition, without a hand-over in between. A new stage begins
//! at each repartitioning, at each merge or join, and at each operation that acts when the batch commits. Operations that
//! are linked without a repartitioning, and all that use the same state, run in equally many partitions.

use crate::graph::{DrpcStream, Graph, Link, Node, NodeId, Origin, Partitioning, Source};
use crate::spout::Spout;
use crate::{Error, Result};

pub(crate) type StageId = usize;

/// When a stage runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// As soon as its input is there.
    Process,
    /// When the batch commits.
    Commit,
}

/// Where the rows of a node go at the end of its stage.
pub(crate) enum Target {
    /// To a stage: its parent of this number, whose inboxes start here.
    Stage { stage: StageId, parent: usize, partitioning: Partitioning },
    /// Into the answer of a DRPC request.
    Answer,
}

pub(crate) struct Stage {
    pub(crate) phase: Phase,
    pub(crate) origin: Origin,
    pub(crate) source: Option<Source>,
    pub(crate) partitions: usize,
    /// The operations, parents first; the first is the root.
    pub(crate) nodes: Vec<NodeId>,
    /// The stage each parent of the root is in.
    pub(crate) parents: Vec<StageId>,
    pub(crate) outputs: Vec<(NodeId, Target)>,
}

pub(crate) struct Plan {
    pub(crate) topology: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) drpc: Vec<DrpcStream>,
    pub(crate) partitions: Vec<usize>,
}

impl Plan {
    /// Cuts a graph; gives the spouts apart. [`Error::Invalid`] for a DRPC stream with more than one end.
    pub(crate) fn new(topology: String, graph: Graph) -> Result<(Plan, Vec<(String, Spout)>)> {
        let partitions = partitions_of(&graph);
        let (mut stages, stage_of) = stages_of(&graph, &partitions);
        link(&graph, &stage_of, &mut stages);
        for request in 0..graph.drpc.len() {
            let end = drpc_end(&graph, request)?;
            stages[stage_of[end]].outputs.push((end, Target::Answer));
        }
        let Graph { nodes, spouts, drpc, .. } = graph;
        Ok((Plan { topology, nodes, stages, drpc, partitions }, spouts))
    }

    /// How many partitions a source's stage has.
    pub(crate) fn source_partitions(&self, source: Source) -> usize {
        self.stages.iter().find(|stage| stage.source == Some(source)).map_or(1, |stage| stage.partitions)
    }

    /// The children of a node within its stage.
    pub(crate) fn is_parent(&self, parent: NodeId, child: NodeId) -> bool {
        self.nodes[child].parents.first().is_some_and(|(id, _)| *id == parent)
    }
}

fn starts_stage(node: &Node) -> bool {
    node.commits || !matches!(node.parents.as_slice(), [(_, Link::Local)])
}

fn stages_of(graph: &Graph, partitions: &[usize]) -> (Vec<Stage>, Vec<StageId>) {
    let mut stages: Vec<Stage> = Vec::new();
    let mut stage_of: Vec<StageId> = Vec::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        if !starts_stage(node) {
            let stage = stage_of[node.parents[0].0];
            stages[stage].nodes.push(id);
            stage_of.push(stage);
            continue;
        }
        let parents: Vec<StageId> = node.parents.iter().map(|(parent, _)| stage_of[*parent]).collect();
        let commits = node.commits || parents.iter().any(|parent| stages[*parent].phase == Phase::Commit);
        stage_of.push(stages.len());
        stages.push(Stage {
            phase: if commits { Phase::Commit } else { Phase::Process },
            origin: node.origin,
            source: node.source,
            partitions: partitions[id],
            nodes: vec![id],
            parents,
            outputs: Vec::new(),
        });
    }
    (stages, stage_of)
}

fn link(graph: &Graph, stage_of: &[StageId], stages: &mut [Stage]) {
    for (id, node) in graph.nodes.iter().enumerate().filter(|(_, node)| starts_stage(node)) {
        for (number, (parent, link)) in node.parents.iter().enumerate() {
            let partitioning = match link {
                Link::Local => Partitioning::Identity,
                Link::Repartition(partitioning) => partitioning.clone(),
            };
            let target = Target::Stage { stage: stage_of[id], parent: number, partitioning };
            stages[stage_of[*parent]].outputs.push((*parent, target));
        }
    }
}

/// The node whose rows are the answer of a DRPC stream.
fn drpc_end(graph: &Graph, request: usize) -> Result<NodeId> {
    let origin = Origin::Drpc(request);
    let is_parent = |id: NodeId| graph.nodes.iter().any(|node| node.parents.iter().any(|(parent, _)| *parent == id));
    let of_stream = graph.nodes.iter().enumerate().filter(|(_, node)| node.origin == origin);
    let ends: Vec<(NodeId, &str)> =
        of_stream.filter(|(id, _)| !is_parent(*id)).map(|(id, node)| (id, node.name)).collect();
    match ends.as_slice() {
        [(end, _)] => Ok(*end),
        several => Err(Error::invalid(format!(
            "the DRPC stream {:?} must have one end, whose tuples are the answer, but has {}: {:?}; merge them",
            graph.drpc[request].function,
            several.len(),
            several.iter().map(|(_, name)| name).collect::<Vec<_>>()
        ))),
    }
}

/// Classes of nodes that run in equally many partitions.
struct Classes(Vec<usize>);

impl Classes {
    fn find(&self, mut node: usize) -> usize {
        while self.0[node] != node {
            node = self.0[node];
        }
        node
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// How many partitions each node runs in: the greatest hint of its class, one without any. A merge without a hint has as
/// many as its widest parent.
fn partitions_of(graph: &Graph) -> Vec<usize> {
    let nodes = &graph.nodes;
    let mut classes = Classes((0..nodes.len()).collect());
    let mut first_of_state = vec![None; graph.states];
    for (id, node) in nodes.iter().enumerate() {
        if let [(parent, Link::Local)] = node.parents.as_slice() {
            classes.join(id, *parent);
        }
        if let Some(state) = node.state {
            classes.join(id, *first_of_state[state].get_or_insert(id));
        }
    }
    let class_of: Vec<usize> = (0..nodes.len()).map(|id| classes.find(id)).collect();
    let (mut hints, mut single) = (vec![None; nodes.len()], vec![false; nodes.len()]);
    for (node, class) in nodes.iter().zip(&class_of) {
        hints[*class] = hints[*class].max(node.hint);
        single[*class] |= node.single;
    }
    let mut partitions: Vec<usize> = hints.iter().map(|hint| hint.unwrap_or(1)).collect();
    // A merge can be in one class with a node before another merge, so widths are passed on until none changes.
    let mut changed = true;
    while changed {
        changed = false;
        for (id, node) in nodes.iter().enumerate().filter(|(_, node)| node.parents.len() > 1) {
            let class = class_of[id];
            let inherits = hints[class].is_none() && node.parents.iter().all(|(_, link)| matches!(link, Link::Local));
            let widest = node.parents.iter().map(|(parent, _)| partitions[class_of[*parent]]).max().unwrap_or(1);
            if inherits && partitions[class] < widest {
                partitions[class] = widest;
                changed = true;
            }
        }
    }
    class_of.iter().map(|class| if single[*class] { 1 } else { partitions[*class] }).collect()
}
