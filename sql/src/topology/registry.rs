//! `Topologies`: the topologies of a database, by name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use monsoon_circuit::RelationId;
use parking_lot::Mutex;

use super::deployed::Deployed;

/// The topologies of a database, by name.
#[derive(Default)]
pub(crate) struct Topologies(Mutex<BTreeMap<String, Arc<Deployed>>>);

impl Topologies {
    /// A topology by name.
    pub fn get(&self, name: &str) -> Option<Arc<Deployed>> {
        self.0.lock().get(name).cloned()
    }

    /// All, by name.
    pub fn all(&self) -> Vec<Arc<Deployed>> {
        self.0.lock().values().cloned().collect()
    }

    /// Adds one, in the place of one of its name.
    pub fn put(&self, deployed: Arc<Deployed>) {
        self.0.lock().insert(deployed.stored().name, deployed);
    }

    /// Takes one out.
    pub fn remove(&self, name: &str) {
        self.0.lock().remove(name);
    }

    /// A topology that reads or inserts into a relation.
    pub fn user_of(&self, relation: RelationId) -> Option<String> {
        let all = self.0.lock();
        let user = all.values().find(|deployed| deployed.uses(relation));
        user.map(|deployed| deployed.stored().name)
    }

    /// Ends all of them at once and in order, within `wait`.
    pub async fn stop(&self, wait: Duration) {
        let stop = |deployed: Arc<Deployed>| async move {
            if let Err(error) = deployed.stop(wait).await {
                tracing::warn!(topology = %deployed.stored().name, "did not end in order: {}", error.message);
            }
        };
        futures::future::join_all(self.all().into_iter().map(stop)).await;
    }
}

impl std::fmt::Debug for Topologies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.lock().keys()).finish()
    }
}
