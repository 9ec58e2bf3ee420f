//! Hooks: user code that is told what tasks and topologies do.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use crate::Value;

/// Told what one task does. Every method runs in the task's thread.
pub trait TaskHook: Send {
    /// It emitted a tuple.
    fn on_emit(&mut self) {}
    /// A spout's tree is complete.
    fn on_spout_ack(&mut self, _id: &Value, _took: Duration) {}
    /// A spout's tree failed or timed out.
    fn on_spout_fail(&mut self, _id: &Value, _took: Duration) {}
    /// A bolt was given a tuple.
    fn on_execute(&mut self) {}
    /// A bolt acked.
    fn on_ack(&mut self) {}
    /// A bolt failed a tuple.
    fn on_fail(&mut self) {}
    /// The topology ends in order.
    fn cleanup(&mut self) {}
}

/// Called when a topology starts, before any component, and when it ends, after them.
pub trait WorkerHook: Send + Sync {
    /// The topology starts; what is put into `resources` every task can get.
    fn start(&self, _resources: &Resources) {}
    /// The topology has ended in order.
    fn shutdown(&self) {}
}

/// Things that the tasks of a topology share, by name.
#[derive(Clone, Default)]
pub struct Resources(Arc<RwLock<HashMap<String, Arc<dyn Any + Send + Sync>>>>);

impl Resources {
    /// Puts a thing in, in the place of one of that name.
    pub fn put<T: Send + Sync + 'static>(&self, name: &str, thing: Arc<T>) {
        self.0.write().insert(name.into(), thing);
    }

    /// The thing of that name, if it is of that type.
    pub fn get<T: Send + Sync + 'static>(&self, name: &str) -> Option<Arc<T>> {
        self.0.read().get(name).cloned()?.downcast().ok()
    }
}
