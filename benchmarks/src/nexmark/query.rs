//! The queries, as files.

use anyhow::{Result, bail};

/// A query by name.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// `q0` ...
    pub name: &'static str,
    /// Its text, without `CREATE MATERIALIZED VIEW`.
    pub sql: &'static str,
}

macro_rules! queries {
    ($($name:literal),*) => {
        &[$(Query { name: $name, sql: include_str!(concat!("../../queries/", $name, ".sql")) }),*]
    };
}

/// All queries that can be kept.
pub const QUERIES: &[Query] = queries!(
    "q0", "q1", "q2", "q3", "q4", "q5", "q7", "q8", "q9", "q14", "q15", "q16", "q17", "q18", "q19", "q20", "q21", "q22"
);

/// The queries of these names; all for none.
pub(crate) fn select(names: &[String]) -> Result<Vec<&'static Query>> {
    if names.is_empty() {
        return Ok(QUERIES.iter().collect());
    }
    let mut selected = Vec::new();
    for name in names {
        match QUERIES.iter().find(|query| query.name == name) {
            Some(query) => selected.push(query),
            None => {
                let known: Vec<&str> = QUERIES.iter().map(|query| query.name).collect();
                bail!("no query {name:?}; there are {}", known.join(", "));
            }
        }
    }
    Ok(selected)
}
