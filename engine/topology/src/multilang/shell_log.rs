//! What children say for the log and for the operator.

use super::Level;
use crate::Value;

/// Who says it.
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    pub component: String,
    pub task: i32,
}

impl Speaker {
    pub fn of(task: &crate::TaskContext) -> Speaker {
        Speaker { component: task.component().name.to_string(), task: task.task().0 }
    }

    /// A line for the log.
    pub fn log(&self, level: Level, message: &str) {
        let (component, task) = (self.component.as_str(), self.task);
        match level {
            Level::Trace => tracing::trace!(component, task, "{message}"),
            Level::Debug => tracing::debug!(component, task, "{message}"),
            Level::Info => tracing::info!(component, task, "{message}"),
            Level::Warn => tracing::warn!(component, task, "{message}"),
            Level::Error => tracing::error!(component, task, "{message}"),
        }
    }

    /// A reading of a metric. Any name will do: Storm's have to be registered with Java code.
    pub fn metric(&self, name: &str, params: &Value) {
        let (component, task) = (self.component.as_str(), self.task);
        tracing::debug!(component, task, metric = name, "{params}");
    }
}
