//! `Graph`: the operations of a topology as they were declared. Parents come before children.

use std::sync::Arc;

use monsoon_topology::{Fields, Outcome};

use crate::drpc::DrpcServer;
use crate::operation::Operation;
use crate::spout::Spout;
use crate::tuple::Row;
use crate::{Error, Result};

pub(crate) type NodeId = usize;
pub(crate) type StateId = usize;

/// Where the tuples of a stream come from. Only streams of one origin can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The batches of the spouts.
    Spouts,
    /// The requests of a DRPC stream.
    Drpc(usize),
}

/// Decides to which partition a row goes: called with the row and the number of partitions.
pub type CustomPartitioning = Arc<dyn Fn(&[monsoon_topology::Value], usize) -> Outcome<usize> + Send + Sync>;

/// How rows move from the partitions of one operation to those of the next.
#[derive(Clone)]
pub(crate) enum Partitioning {
    Shuffle,
    Fields(Vec<usize>),
    Broadcast,
    Global,
    BatchGlobal,
    Identity,
    Custom(CustomPartitioning),
}

/// How a node gets the rows of its parent.
#[derive(Clone)]
pub(crate) enum Link {
    /// In the same partition, without a move.
    Local,
    Repartition(Partitioning),
}

/// What feeds a node that has no parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Spout(usize),
    Drpc(usize),
}

pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) parents: Vec<(NodeId, Link)>,
    pub(crate) source: Option<Source>,
    pub(crate) operation: Box<dyn Operation>,
    pub(crate) fields: Fields,
    pub(crate) origin: Origin,
    pub(crate) hint: Option<usize>,
    /// Runs in one partition whatever the hints say.
    pub(crate) single: bool,
    /// Acts when the batch commits, in the order of txids.
    pub(crate) commits: bool,
    pub(crate) state: Option<StateId>,
}

impl Node {
    /// A node with the usual attributes.
    pub(crate) fn new(name: &'static str, operation: impl Operation + 'static, fields: Fields) -> Node {
        Node {
            name,
            parents: Vec::new(),
            source: None,
            operation: Box::new(operation),
            fields,
            origin: Origin::Spouts,
            hint: None,
            single: false,
            commits: false,
            state: None,
        }
    }
}

pub(crate) struct DrpcStream {
    pub(crate) function: String,
    pub(crate) server: Arc<dyn DrpcServer>,
}

/// A topology under construction.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) spouts: Vec<(String, Spout)>,
    pub(crate) drpc: Vec<DrpcStream>,
    pub(crate) states: usize,
    /// Set when the topology runs: its streams can't grow any more.
    pub(crate) closed: bool,
}

impl Graph {
    pub(crate) fn add(&mut self, node: Node) -> Result<NodeId> {
        self.check_open()?;
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    /// Sets how many partitions a node asks for.
    pub(crate) fn hint(&mut self, node: NodeId, partitions: usize) -> Result<()> {
        self.check_open()?;
        self.nodes[node].hint = Some(partitions);
        Ok(())
    }

    fn check_open(&self) -> Result<()> {
        match self.closed {
            false => Ok(()),
            true => Err(Error::invalid("the topology is running, its streams can't be changed any more")),
        }
    }

    pub(crate) fn new_state(&mut self) -> StateId {
        self.states += 1;
        self.states - 1
    }
}

/// What a partition's rows become at a link: the rows for each partition of the target.
pub(crate) fn routed(
    partitioning: &Partitioning,
    rows: Vec<Row>,
    from: usize,
    txid: u64,
    partitions: usize,
) -> Outcome<Vec<Vec<Row>>> {
    let mut routed: Vec<Vec<Row>> = vec![Vec::new(); partitions];
    match partitioning {
        Partitioning::Shuffle => {
            let start = txid as usize % partitions + from;
            rows.into_iter().enumerate().for_each(|(place, row)| routed[(start + place) % partitions].push(row));
        }
        Partitioning::Fields(places) => {
            for row in rows {
                routed[hashed(places, &row, partitions)].push(row);
            }
        }
        Partitioning::Broadcast => routed.iter_mut().for_each(|target| target.clone_from(&rows)),
        Partitioning::Global => routed[0] = rows,
        Partitioning::BatchGlobal => routed[txid as usize % partitions] = rows,
        Partitioning::Identity => routed[from % partitions] = rows,
        Partitioning::Custom(choose) => {
            for row in rows {
                let target = choose(&row, partitions)?;
                let inbox = routed.get_mut(target).ok_or_else(|| {
                    monsoon_topology::Failure::new(format!("partition {target} was chosen of {partitions}"))
                })?;
                inbox.push(row);
            }
        }
    }
    Ok(routed)
}

/// The partition of a key: the same for every stream and every run.
fn hashed(places: &[usize], row: &Row, partitions: usize) -> usize {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    places.iter().for_each(|place| row[*place].hash(&mut hasher));
    (hasher.finish() % partitions as u64) as usize
}
