//! Deterministic simulation of the tuple path: real tasks on one thread, with a clock and a wire of its own.
//!
//! Everything that happens is a function of a seed: which task is stepped next, which message is delivered, delayed or lost, how much time passes,
//! what the components do and when they fail. A failing seed prints the command that repeats it. `MONSOON_SIM_SEED=n` runs one seed,
//! `MONSOON_SIM_SEEDS=a..b` a range.

mod acking;
mod exactly_once;
mod random;
mod scheduler;
mod wire;

use std::ops::Range;
use std::panic::AssertUnwindSafe;

/// Runs a test for each seed asked for, or for the first `default` ones. Says how to repeat a seed that fails.
fn for_each_seed(name: &str, default: u64, test: impl Fn(u64)) {
    for seed in seeds(default) {
        if let Err(payload) = std::panic::catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("repeat with: MONSOON_SIM_SEED={seed} cargo test -p monsoon-topology {name}");
            std::panic::resume_unwind(payload);
        }
    }
}

fn seeds(default: u64) -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a number");
    if let Ok(seed) = std::env::var("MONSOON_SIM_SEED") {
        let seed = number(&seed);
        return seed..seed + 1;
    }
    let Ok(range) = std::env::var("MONSOON_SIM_SEEDS") else { return 1..default + 1 };
    let (first, end) = range.split_once("..").expect("a range of seeds is written 1..1001");
    number(first)..number(end)
}
