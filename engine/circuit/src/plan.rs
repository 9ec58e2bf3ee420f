//! `CircuitPlan`: the description of the operators that keep one relation, as lowering hands it over.
//!
//! Invariants: nodes are in topological order (inputs have smaller ids); the last node is the output; a plan is plain data
//! that every task instantiates for itself.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

/// A relation (stream, table, view) by number. Stable for the relation's life, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationId(pub u32);

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A node of a plan, by its place.
pub type NodeId = usize;

/// The operators that keep one relation up to date.
#[derive(Debug, Clone)]
pub struct CircuitPlan {
    /// In topological order; the last is the output.
    pub nodes: Vec<Node>,
    /// Columns of the output that identify a row, ascending; empty when only the whole row does.
    pub key: Vec<usize>,
}

/// One operator.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it does.
    pub operator: Operator,
    /// Which nodes it reads.
    pub inputs: Vec<NodeId>,
    /// What it yields.
    pub schema: SchemaRef,
}

/// What a node does with the deltas of its inputs. Expressions refer to columns of the node's input.
#[derive(Debug, Clone)]
pub enum Operator {
    /// The delta of another relation.
    Input {
        /// Which.
        relation: RelationId,
        /// Columns taken, in order; `None` for all.
        projection: Option<Vec<usize>>,
    },
    /// A constant relation.
    Values {
        /// Its rows.
        rows: RecordBatch,
    },
    /// One expression per output column.
    Project {
        /// Output columns.
        expressions: Vec<Arc<dyn PhysicalExpr>>,
    },
    /// Keeps rows for which the predicate is true.
    Filter {
        /// A boolean expression.
        predicate: Arc<dyn PhysicalExpr>,
    },
    /// One output row per element of a list column; other columns repeat. An empty or NULL list yields no row unless
    /// `preserve_nulls`.
    Unnest {
        /// The list column (one), by place in the input. The output column stands at the same place.
        column: usize,
        /// Whether a NULL list yields one row with NULL.
        preserve_nulls: bool,
    },
    /// The sum of all inputs (UNION ALL).
    Union,
    /// GROUP BY; with no aggregates it is DISTINCT over the group columns.
    Aggregate(AggregatePlan),
    /// Joins, semi and anti joins of two inputs.
    Join(JoinPlan),
    /// The first rows of each partition.
    TopN(TopNPlan),
}

/// GROUP BY. Output columns: the group expressions, then the aggregates.
#[derive(Debug, Clone)]
pub struct AggregatePlan {
    /// Group expressions over the input; empty for one global group, which always has a row.
    pub group: Vec<Arc<dyn PhysicalExpr>>,
    /// The aggregates, in output order.
    pub aggregates: Vec<AggregateCall>,
    /// When groups are bounded by time.
    pub window: Option<WindowBound>,
}

/// One aggregate of a GROUP BY.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// The function with its arguments, DISTINCT, ORDER BY, and names, as DataFusion plans it (over the node's input schema).
    pub function: Arc<AggregateFunctionExpr>,
    /// FILTER (WHERE ...), over the input.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
}

/// A key column that ends with event time: of groups, of what is joined on, of partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowBound {
    /// Place of the key expression whose value is the end of the window (timestamp, microseconds or nanoseconds as typed).
    pub end: usize,
    /// The streams whose watermarks must all have passed the end: the minimum counts.
    pub watermarks: Vec<RelationId>,
    /// What happens when it passes.
    pub on_close: OnClose,
}

/// What an operator does when the watermark passes the end of a key's window. Joins and top-n only drop state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnClose {
    /// Results were emitted as they changed; only the state is dropped.
    DropState,
    /// Nothing was emitted before; the final row is emitted once, then the state is dropped (EMIT ON WINDOW CLOSE).
    Emit,
}

/// A join of inputs 0 (left) and 1 (right).
#[derive(Debug, Clone)]
pub struct JoinPlan {
    /// Inner, Left, Right, Full, LeftSemi, RightSemi, LeftAnti, RightAnti, LeftMark, RightMark.
    pub join_type: JoinType,
    /// Equal pairs: expression over the left input, expression over the right input, of the same type. Empty: a cross or theta join.
    pub on: Vec<(Arc<dyn PhysicalExpr>, Arc<dyn PhysicalExpr>)>,
    /// Further condition over the concatenation of all left and all right columns.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// Whether NULL keys match each other (IS NOT DISTINCT FROM).
    pub null_equals_null: bool,
    /// NOT IN semantics of a LeftAnti join: a NULL on the right removes every left row, a NULL left key never passes (unless the right is empty).
    pub null_aware: bool,
    /// When pairs are bounded by time, on both sides: the place of the pair. Never of a null-aware join.
    pub window: Option<WindowBound>,
}

/// ROW_NUMBER() OVER (PARTITION BY partition ORDER BY order) <= limit.
#[derive(Debug, Clone)]
pub struct TopNPlan {
    /// Partition expressions; empty for one partition.
    pub partition: Vec<Arc<dyn PhysicalExpr>>,
    /// The order; ties are broken by the whole row, so that the result is a function of the content.
    pub order: Vec<PhysicalSortExpr>,
    /// Rows skipped at the start of each partition.
    pub offset: usize,
    /// Rows kept per partition after the offset.
    pub limit: usize,
    /// Whether the output has a last column with the row number (UInt64, from 1).
    pub with_rank: bool,
    /// When partitions are bounded by time.
    pub window: Option<WindowBound>,
}
