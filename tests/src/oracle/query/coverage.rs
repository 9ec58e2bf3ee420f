//! Every function that DataFusion knows is generated, or left out for a reason told here.

use std::collections::BTreeSet;

use datafusion::prelude::SessionContext;

use super::super::random::Random;
use super::super::world::{Scale, World};
use super::define_views;

/// Within so many seeds everything is generated at least once.
const SEEDS: u64 = 4_000;

/// Functions that no query has, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("current_date", "changes with time; a view refuses it"),
    ("current_time", "changes with time; a view refuses it"),
    ("file_row_index", "belongs to a scan of a file"),
    ("input_file_name", "belongs to a scan of a file"),
    ("now", "changes with time; a view refuses it"),
    ("random", "gives another value each time; a view refuses it"),
    ("to_char", "Monsoon has its own of this name, with Postgres's patterns"),
    ("union_extract", "no expression gives a union"),
    ("union_tag", "no expression gives a union"),
    ("uuid", "gives another value each time; a view refuses it"),
    ("version", "Monsoon has its own of this name"),
];

/// Names of what is called in queries of many seeds.
fn called() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for seed in 1..=SEEDS {
        let mut random = Random::new(seed);
        let world = World::new(Scale::Small, &mut random);
        for view in define_views(&world, &mut random) {
            let before_parenthesis =
                view.sql.split('(').map(|piece| piece.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next());
            names.extend(before_parenthesis.flatten().map(str::to_ascii_lowercase));
        }
    }
    names
}

#[test]
fn every_function_is_generated_or_left_out_for_a_reason() {
    let state = SessionContext::new().state();
    let scalars = state.scalar_functions().values().map(|function| (function.name(), function.aliases()));
    let aggregates = state.aggregate_functions().values().map(|function| (function.name(), function.aliases()));
    let called = called();
    let mut missing = BTreeSet::new();
    let mut known = BTreeSet::new();
    for (name, aliases) in scalars.chain(aggregates) {
        let generated = called.contains(name) || aliases.iter().any(|alias| called.contains(alias));
        let left_out = LEFT_OUT.iter().any(|(left_out, _)| *left_out == name);
        if generated == left_out {
            missing.insert(name);
        }
        known.insert(name);
    }
    assert!(missing.is_empty(), "neither generated nor left out, or both: {missing:?}");
    let unknown: Vec<_> = LEFT_OUT.iter().filter(|(name, _)| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "left out, but not functions of DataFusion: {unknown:?}");
}
