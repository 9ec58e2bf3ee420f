//! A table in FROM, without any of what may be said beside its name.

use datafusion::sql::sqlparser::ast::{ObjectName, TableFactor};

/// `name` as it stands in FROM.
pub(crate) fn table_factor(name: ObjectName) -> TableFactor {
    TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}
