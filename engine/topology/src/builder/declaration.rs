//! `Declaration`: a component as it was declared, until the topology is built.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{Component, Factory};
use crate::component::Bolt;
use crate::config::{Config, Settings};
use crate::grouping::Grouping;
use crate::skipping::{SKIPPED_FIELDS, SKIPPED_STREAM};
use crate::stream::{DEFAULT_STREAM, Declared, StreamInfo, Streams};
use crate::windowed::Window;
use crate::{Error, Fields, Result};

/// What is known of a component's factory before the configuration is.
pub(super) enum Maker {
    Known(Factory),
    /// A windowed bolt whose window its configuration tells.
    Windowed {
        /// What the bolt says itself.
        configuration: Box<dyn Fn() -> Config>,
        with: Box<dyn Fn(Window) -> Factory>,
    },
}

/// A component as it was declared.
pub(super) struct Declaration {
    pub name: SmolStr,
    pub maker: Maker,
    pub parallelism: usize,
    pub tasks: Option<usize>,
    pub config: Config,
    pub inputs: Vec<Subscribed>,
    pub failure: Option<Error>,
}

/// A subscription as it was declared.
pub(super) struct Subscribed {
    pub component: SmolStr,
    pub stream: SmolStr,
    pub grouping: Grouping,
}

impl Declaration {
    /// Whether it is a spout.
    pub fn is_spout(&self) -> bool {
        matches!(self.maker, Maker::Known(Factory::Spout(_)))
    }

    /// How its instances are made, under the topology's configuration.
    pub fn factory(&self, topology: &Config) -> Result<Factory> {
        match &self.maker {
            Maker::Known(factory) => Ok(factory.clone()),
            Maker::Windowed { configuration, with } => {
                match Window::from_config(&topology.overlaid(&configuration()).overlaid(&self.config)) {
                    Ok(window) => Ok(with(window)),
                    Err(Error::InvalidTopology(reason)) => {
                        Err(Error::invalid(format!("component {:?}: {reason}", self.name)))
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// What it declares by itself, and the bolt it is if it is one.
    pub fn declared(&self, factory: &Factory, topology: &Config) -> Result<(Streams, Option<Box<dyn Bolt>>)> {
        let mut streams = Streams::default();
        match factory {
            Factory::Spout(make) => {
                make().declare(&mut streams);
                Ok((streams, None))
            }
            Factory::Bolt(make) => {
                let bolt = make();
                bolt.declare(&mut streams);
                if Settings::of(&self.config(factory, topology)).error_attempts.is_some() {
                    self.declare_skipped(bolt.as_ref(), &mut streams)?;
                }
                Ok((streams, Some(bolt)))
            }
        }
    }

    /// The streams that it declares, the default one first.
    pub fn streams(&self, mut streams: Streams) -> Result<Vec<Arc<StreamInfo>>> {
        // The default stream is the first: emitting on it needs no search.
        streams.0.sort_by_key(|declared| declared.stream != DEFAULT_STREAM);
        let infos: Vec<_> = streams.0.into_iter().map(|declared| self.stream(declared)).collect::<Result<_>>()?;
        for (place, info) in infos.iter().enumerate() {
            if infos[..place].iter().any(|earlier| earlier.stream == info.stream) {
                return Err(Error::invalid(format!("{:?} declares stream {:?} twice", self.name, info.stream)));
            }
        }
        Ok(infos)
    }

    /// The stream for tuples that a bolt skips.
    fn declare_skipped(&self, bolt: &dyn Bolt, streams: &mut Streams) -> Result<()> {
        let name = &self.name;
        if !bolt.fails_by_tuple() {
            return Err(Error::invalid(format!(
                "{name:?} works on windows, so what it fails is no single tuple: its on_error can't be 'skip'; set it to 'replay' there"
            )));
        }
        if streams.0.iter().any(|declared| declared.stream == SKIPPED_STREAM) {
            return Err(Error::invalid(format!(
                "{name:?} declares stream {SKIPPED_STREAM:?}, which with on_error = 'skip' is that of the tuples it skips"
            )));
        }
        streams.declare_stream(SKIPPED_STREAM, SKIPPED_FIELDS);
        Ok(())
    }

    fn stream(&self, declared: Declared) -> Result<Arc<StreamInfo>> {
        let fields =
            Fields::new(&declared.fields).map_err(|error| Error::invalid(format!("{:?}: {error}", self.name)))?;
        let Declared { stream, direct, .. } = declared;
        Ok(Arc::new(StreamInfo { component: self.name.clone(), stream, fields, direct }))
    }

    /// Everything that is set for it.
    fn config(&self, factory: &Factory, topology: &Config) -> Config {
        let own = match factory {
            Factory::Spout(make) => make().configuration(),
            Factory::Bolt(make) => make().configuration(),
        };
        topology.overlaid(&own).overlaid(&self.config)
    }

    /// What the topology is to run, and its number of tasks.
    pub fn component(&self, factory: &Factory, topology: &Config) -> Result<(Component, usize)> {
        let config = self.config(factory, topology);
        let tasks = self.tasks.unwrap_or(self.parallelism).min(config.size("max_task_parallelism"));
        if tasks == 0 || self.parallelism == 0 {
            return Err(Error::invalid(format!(
                "component {:?} must have at least one task and one executor",
                self.name
            )));
        }
        let settings = Settings::of(&config);
        let executors = self.parallelism.min(tasks);
        Ok((Component { factory: factory.clone(), executors, config: Arc::new(config), settings }, tasks))
    }
}
