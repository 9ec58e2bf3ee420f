//! The oracle finds a broken operator:
//! `cargo test --release -p monsoon-tests --features broken-operator --test broken_operator`.

use monsoon_tests::oracle::{Outcome, run_seed};

#[test]
fn a_join_that_forgets_pairs_is_found() {
    monsoon_circuit::break_joins();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let found = (1..101).find(|&seed| matches!(runtime.block_on(run_seed(seed)).outcome, Outcome::Different(_)));
    let seed = found.expect("a difference within a hundred seeds");
    println!("found by seed {seed}");
}
