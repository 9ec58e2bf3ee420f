//! A panic in DataFusion's code is an error like any other: it must not take the task with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use datafusion::error::{DataFusionError, Result};

/// What `work` answers; an error if it panics. Whatever `work` was changing must not be used after that.
pub(crate) fn guard<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(DataFusionError::Execution(reason(panic.as_ref()))))
}

fn reason(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a reason"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(guard(|| Ok(1)).unwrap(), 1);
        let failed = guard(|| -> Result<()> { panic!("{} rows", 3) });
        assert!(failed.unwrap_err().to_string().ends_with("panic: 3 rows"));
    }
}
