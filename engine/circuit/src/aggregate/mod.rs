//! `aggregate`: GROUP BY, DISTINCT, and what windowed groups do when their window closes.
//!
//! Each aggregate is a column of states indexed by group id. What a batch touched is evaluated before and after, and the
//! difference is the output. Trident's persistentAggregate, vectorised.

mod by_group;
mod call;
mod codec;
mod column;
mod count;
mod distinct;
mod extreme;
mod failure;
mod float;
mod group_table;
mod grouped_set;
mod merged;
mod moment;
mod multiset;
mod operator;
mod ordered;
mod partial;
mod sum;
#[cfg(test)]
mod tests;

pub(crate) use operator::{AggregateOperator, InputForm};
pub(crate) use partial::PartialAggregate;
