//! The real binary under kill -9, damaged files, a full disk and hostile clients.
//!
//! ```text
//! cargo build --release -p monsoon && cargo test --release -p monsoon-tests --test chaos
//! MONSOON_CHAOS_KILLS=200 cargo test --release -p monsoon-tests --test chaos kill -- --nocapture     the long run
//! MONSOON_CHAOS_SEED=7 ...                     other instants, other rows
//! MONSOON_CHAOS_FLIPS=100 ... damage           more flipped bytes
//! MONSOON_BINARY=/path/to/monsoon ...          another binary than the one beside the tests
//! ```
//!
//! A seed fixes what the clients do and when the kills come; what the machine makes of it differs from run to run.
//! Nothing here waits for a fixed time and then hopes: a wait is for an event, or is the random instant of a kill.

mod damage;
mod full_disk;
mod hostile;
mod kill;
mod ledger;
mod process;
mod restart;
mod schema;
mod verdict;
mod workload;

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    let Ok(text) = std::env::var(name) else { return default };
    text.parse().unwrap_or_else(|_| panic!("{name}={text}: wanted is a number"))
}
