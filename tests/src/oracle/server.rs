//! `Server`: an engine over a store that remembers, and how it dies and comes back.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::array::RecordBatch;
use futures::{FutureExt, StreamExt};
use monsoon_batch::{
    Engine, EngineConfig, ReadRequest, RelationKind, RelationSpec, Rows, SubscribeOptions, Subscription,
};
use monsoon_circuit::RelationId;
use monsoon_state::ModelSnapshot;

use super::compare::Multiset;
use super::plan::watermark;
use super::recorder::Recorder;
use super::view::View;
use super::world::{Base, Form, World};

/// A running engine.
pub struct Server {
    /// The engine.
    pub engine: Engine,
    /// Its store.
    pub store: Arc<Recorder>,
    listeners: HashMap<RelationId, Listener>,
}

/// Somebody who subscribes to a view and adds up what it hears.
struct Listener {
    subscription: Subscription,
    heard: Multiset,
}

impl Server {
    /// A new engine over nothing.
    pub async fn start(tasks: usize) -> Result<Server> {
        let server = Server::over(Recorder::empty(), tasks)?;
        server.engine.start().await?;
        Ok(server)
    }

    fn over(store: Arc<Recorder>, tasks: usize) -> Result<Server> {
        let config = EngineConfig { tasks, ..EngineConfig::default() };
        let engine = Engine::open(store.clone(), config)?;
        Ok(Server { engine, store, listeners: HashMap::new() })
    }

    /// A new engine over what a crash left.
    pub async fn restart(self, left: &ModelSnapshot, tasks: usize, world: &World, views: &[&View]) -> Result<Server> {
        self.stop().await;
        let server = Server::over(Recorder::after_crash(left), tasks)?;
        for base in &world.bases {
            server.engine.restore(base_spec(base)?).await.with_context(|| format!("restoring {}", base.name))?;
        }
        for view in views {
            server
                .engine
                .restore(view_spec(view))
                .await
                .with_context(|| format!("restoring {}", view.definition.name))?;
        }
        server.engine.start().await?;
        Ok(server)
    }

    /// Ends the engine's threads. What it still commits is in a store nobody looks at any more.
    pub async fn stop(self) {
        // An engine that failed has told so before.
        let _ = self.engine.stop().await;
    }

    /// Creates a relation that is written to.
    pub async fn create_base(&self, base: &Base) -> Result<()> {
        self.engine.create(base_spec(base)?, Vec::new()).await.with_context(|| format!("creating {}", base.name))?;
        Ok(())
    }

    /// Creates a view, and fills it with what there is.
    pub async fn create_view(&self, view: &View) -> monsoon_batch::Result<()> {
        self.engine.create(view_spec(view), Vec::new()).await.map(drop)
    }

    /// Drops a view that nothing reads.
    pub async fn drop_view(&mut self, view: &View) -> Result<()> {
        self.listeners.remove(&view.definition.id);
        let name = &view.definition.name;
        self.engine
            .drop_relations(vec![view.definition.id], Vec::new())
            .await
            .with_context(|| format!("dropping {name}"))?;
        Ok(())
    }

    /// Begins to listen to a view.
    pub async fn listen(&mut self, view: &View, snapshot: &Multiset) -> Result<()> {
        let options = SubscribeOptions { snapshot: true, progress: false, buffer_rows_max: 1 << 20 };
        let subscription = self.engine.subscribe(view.definition.id, options).await?;
        let mut listener = Listener { subscription, heard: Multiset::default() };
        listener.hear()?;
        if let Some(difference) = listener.heard.difference(snapshot, &[]) {
            bail!("SUBSCRIBE begins with another snapshot than the view's content:\n{difference}");
        }
        self.listeners.insert(view.definition.id, listener);
        Ok(())
    }

    /// What a view's listener has heard of it, added up; `None` if nobody listens.
    pub fn heard(&mut self, view: RelationId) -> Result<Option<&Multiset>> {
        let Some(listener) = self.listeners.get_mut(&view) else { return Ok(None) };
        listener.hear()?;
        Ok(Some(&listener.heard))
    }

    /// The content of relations at one txid.
    pub async fn read(&self, relations: &[RelationId]) -> Result<HashMap<RelationId, Vec<RecordBatch>>> {
        let requests = relations.iter().map(|&relation| ReadRequest { relation, keys: None }).collect();
        let snapshot = self.engine.read(requests).await.context("reading")?;
        let mut contents = HashMap::new();
        for (relation, rows) in snapshot.relations {
            let batches = match rows {
                Rows::Batches(batches) => batches,
                Rows::Log(open) => {
                    let rows: Vec<_> = open().collect().await;
                    rows.into_iter().collect::<monsoon_batch::Result<_>>()?
                }
            };
            contents.insert(relation, batches);
        }
        Ok(contents)
    }
}

impl Listener {
    fn hear(&mut self) -> Result<()> {
        while let Some(Some(committed)) = self.subscription.changes.next().now_or_never() {
            for batch in committed?.batches {
                self.heard.add(&batch.rows, |row| batch.weight(row))?;
            }
        }
        Ok(())
    }
}

fn base_spec(base: &Base) -> Result<RelationSpec> {
    let kind = match &base.form {
        Form::Keyed(key) => RelationKind::Table { key: key.clone() },
        Form::Bag => RelationKind::Table { key: Vec::new() },
        Form::Stream | Form::Timed(_) => RelationKind::Stream { watermark: watermark(base)? },
    };
    Ok(RelationSpec { id: base.id, name: base.name.clone(), schema: base.schema.clone(), kind })
}

fn view_spec(view: &View) -> RelationSpec {
    RelationSpec {
        id: view.definition.id,
        name: view.definition.name.clone(),
        schema: view.schema.clone(),
        kind: RelationKind::View { plan: view.plan.clone(), ephemeral: false },
    }
}
