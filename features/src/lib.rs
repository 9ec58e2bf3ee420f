//! Nothing: the crate is its list of dependencies (see Cargo.toml).
