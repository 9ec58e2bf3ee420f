//! Raw topologies through the real binary: what users type, kill -9, and programs in other languages.
//!
//! ```text
//! cargo build --release -p monsoon && cargo test --release -p monsoon-tests --test topology
//! MONSOON_TOPOLOGY_KILLS=100 cargo test --release -p monsoon-tests --test topology exactly_once -- --nocapture     the long run
//! ```

#[path = "../client/mod.rs"]
mod client;
mod drpc;
mod exactly_once;
mod lifecycle;
#[path = "../server_process/mod.rs"]
mod server_process;
mod shell;
mod submit;
mod window;
mod word_count;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text}: wanted is a number"))
}
