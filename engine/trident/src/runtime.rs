//! Running a topology in this process: threads around the coordinator.
//!
//! | thread | does |
//! |---|---|
//! | master | asks the coordinator, carries out its effects, records commits |
//! | one for each spout | emits batches in the order of txids |
//! | workers | run the stages of batches, any partition of any batch |
//! | one for each DRPC stream | fetches requests and makes batches of them |

mod drpc;
mod handle;
mod master;
mod pool;
mod run;
mod spout;

pub use handle::{BatchError, TridentHandle, run_local};

use std::panic::{AssertUnwindSafe, catch_unwind};

use monsoon_topology::Outcome;

/// Calls user code: a panic is a failure like any other.
pub(crate) fn guarded<R>(work: impl FnOnce() -> Outcome<R>) -> Result<R, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(|failure| failure.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!("panic: {}", text.unwrap_or_else(|| "without a message".to_owned())))
        }
    }
}
