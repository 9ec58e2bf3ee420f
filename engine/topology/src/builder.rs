//! `TopologyBuilder`: components and groupings in, a validated topology out.

mod declaration;

use std::collections::HashMap;
use std::sync::Arc;

use declaration::{Declaration, Maker, Subscribed};
use smol_str::SmolStr;

use crate::anchor::SPOUT_TASKS_MAX;
use crate::collector::BasicCollector;
use crate::component::{Basic, BasicBolt, Bolt, Closure, Spout, Supplier};
use crate::config::{Config, Settings};
use crate::context::{ComponentInfo, Input, TopologyInfo};
use crate::grouping::{CustomGrouping, Grouping};
use crate::hook::{TaskHook, WorkerHook};
use crate::stateful::{Stateful, StatefulBolt};
use crate::stream::{DEFAULT_STREAM, StreamInfo, TaskId};
use crate::tuple::Tuple;
use crate::windowed::{Window, Windowed, WindowedBolt};
use crate::{Error, Fields, Outcome, Result, Value};

/// Makes the instances of a component: one per task, and one more whenever a task is restarted.
#[derive(Clone)]
pub(crate) enum Factory {
    Spout(Arc<dyn Fn() -> Box<dyn Spout> + Send + Sync>),
    Bolt(Arc<dyn Fn() -> Box<dyn Bolt> + Send + Sync>),
}

/// Makes a hook for each task.
pub(crate) type HookFactory = Arc<dyn Fn() -> Box<dyn TaskHook> + Send + Sync>;

/// A component of a topology.
#[derive(Clone)]
pub(crate) struct Component {
    pub factory: Factory,
    /// Executors that its tasks run on at first.
    pub executors: usize,
    pub config: Arc<Config>,
    pub settings: Settings,
}

/// A topology that can be started, any number of times.
#[derive(Clone)]
pub struct Topology {
    pub(crate) info: Arc<TopologyInfo>,
    /// As in `info.components`.
    pub(crate) components: Vec<Component>,
    pub(crate) task_hooks: Vec<HookFactory>,
    pub(crate) worker_hooks: Vec<Arc<dyn WorkerHook>>,
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topology").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Topology {
    /// The graph.
    pub fn info(&self) -> &Arc<TopologyInfo> {
        &self.info
    }
}

/// Components and groupings of a topology.
///
/// ```
/// use monsoon_topology::{TopologyBuilder, Value};
///
/// let mut builder = TopologyBuilder::new();
/// let mut words = ["to", "be", "or"].into_iter();
/// builder.set_spout_fn("words", ["word"], move || words.clone().next().map(|word| vec![Value::from(word)]));
/// builder
///     .set_bolt_fn("shout", ["word"], || |tuple, out| out.emit([format!("{}!", tuple.text("word")?)]).map(drop))
///     .parallelism(2)
///     .shuffle_grouping("words");
/// let topology = builder.build("example").unwrap();
/// assert_eq!(topology.info().components[1].tasks.len(), 2);
/// ```
#[derive(Default)]
pub struct TopologyBuilder {
    declarations: Vec<Declaration>,
    config: Config,
    failure: Option<Error>,
    task_hooks: Vec<HookFactory>,
    worker_hooks: Vec<Arc<dyn WorkerHook>>,
}

impl TopologyBuilder {
    /// Without components.
    pub fn new() -> TopologyBuilder {
        TopologyBuilder::default()
    }

    /// Sets a setting of the topology; a bad one is told by [`TopologyBuilder::build`].
    pub fn config(&mut self, name: &str, value: impl Into<Value>) -> &mut TopologyBuilder {
        if let Err(error) = self.config.set(name, value) {
            self.failure.get_or_insert(error);
        }
        self
    }

    /// Adds a spout.
    pub fn set_spout<S: Spout + 'static>(
        &mut self,
        name: &str,
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        self.add(name, Factory::Spout(Arc::new(move || Box::new(make()))))
    }

    /// Adds a spout that is boxed already.
    pub fn set_boxed_spout(
        &mut self,
        name: &str,
        make: impl Fn() -> Box<dyn Spout> + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        self.add(name, Factory::Spout(Arc::new(make)))
    }

    /// Adds an unreliable spout of a closure that makes the next tuple; each task has a copy of the closure.
    pub fn set_spout_fn<N: AsRef<str>, F>(
        &mut self,
        name: &str,
        fields: impl IntoIterator<Item = N>,
        next: F,
    ) -> ComponentBuilder<'_>
    where
        F: FnMut() -> Option<Vec<Value>> + Clone + Send + Sync + 'static,
    {
        let fields: Vec<SmolStr> = fields.into_iter().map(|field| SmolStr::new(field.as_ref())).collect();
        self.set_spout(name, move || Supplier { fields: fields.clone(), next: next.clone() })
    }

    /// Adds a bolt.
    pub fn set_bolt<B: Bolt + 'static>(
        &mut self,
        name: &str,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        self.add(name, Factory::Bolt(Arc::new(move || Box::new(make()))))
    }

    /// Adds a bolt that is boxed already.
    pub fn set_boxed_bolt(
        &mut self,
        name: &str,
        make: impl Fn() -> Box<dyn Bolt> + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        self.add(name, Factory::Bolt(Arc::new(make)))
    }

    /// Adds a bolt with a key-value state.
    pub fn set_stateful_bolt<B: StatefulBolt + 'static>(
        &mut self,
        name: &str,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        self.set_bolt(name, move || Stateful::new(make()))
    }

    /// Adds a basic bolt.
    pub fn set_basic_bolt<B: BasicBolt + 'static>(
        &mut self,
        name: &str,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        self.set_bolt(name, move || Basic(make()))
    }

    /// Adds a bolt that is given windows of tuples; a window that can't be is told by [`TopologyBuilder::build`].
    pub fn set_windowed_bolt<B: WindowedBolt + 'static>(
        &mut self,
        name: &str,
        window: Window,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        let failure = window.check().err();
        let component = self.set_bolt(name, move || Windowed::new(window.clone(), make()));
        component.declaration.failure = failure;
        component
    }

    /// Adds a bolt that is given the windows that its configuration tells by Storm's keys, as [`Window::from_config`] reads them: from the settings
    /// given here, under them what the bolt says itself, under that the topology's. What is wrong is told by [`TopologyBuilder::build`].
    pub fn set_windowed_bolt_by_config<B: WindowedBolt + 'static>(
        &mut self,
        name: &str,
        make: impl Fn() -> B + Send + Sync + 'static,
    ) -> ComponentBuilder<'_> {
        let make = Arc::new(make);
        let own = make.clone();
        let with = move |window: Window| -> Factory {
            let make = make.clone();
            Factory::Bolt(Arc::new(move || Box::new(Windowed::new(window.clone(), make()))))
        };
        self.declare(
            name,
            Maker::Windowed { configuration: Box::new(move || own().configuration()), with: Box::new(with) },
        )
    }

    /// Adds a basic bolt of a closure and the fields it emits; `make` makes a closure for each task.
    pub fn set_bolt_fn<N: AsRef<str>, F>(
        &mut self,
        name: &str,
        fields: impl IntoIterator<Item = N>,
        make: impl Fn() -> F + Send + Sync + 'static,
    ) -> ComponentBuilder<'_>
    where
        F: FnMut(&Tuple<'_>, &mut BasicCollector<'_, '_>) -> Outcome + Send + 'static,
    {
        let fields: Vec<SmolStr> = fields.into_iter().map(|field| SmolStr::new(field.as_ref())).collect();
        self.set_basic_bolt(name, move || Closure { fields: fields.clone(), work: make() })
    }

    /// Has a hook of this kind told of what each task does.
    pub fn add_task_hook<H: TaskHook + 'static>(&mut self, make: impl Fn() -> H + Send + Sync + 'static) {
        self.task_hooks.push(Arc::new(move || Box::new(make())));
    }

    /// Has a hook called when the topology starts and ends.
    pub fn add_worker_hook(&mut self, hook: impl WorkerHook + 'static) {
        self.worker_hooks.push(Arc::new(hook));
    }

    fn add(&mut self, name: &str, factory: Factory) -> ComponentBuilder<'_> {
        self.declare(name, Maker::Known(factory))
    }

    fn declare(&mut self, name: &str, maker: Maker) -> ComponentBuilder<'_> {
        let name = SmolStr::new(name);
        let declaration = Declaration {
            name,
            maker,
            parallelism: 1,
            tasks: None,
            config: Config::default(),
            inputs: Vec::new(),
            failure: None,
        };
        self.declarations.push(declaration);
        let last = self.declarations.len() - 1;
        ComponentBuilder { declaration: &mut self.declarations[last] }
    }

    /// The topology, or what is wrong with it.
    pub fn build(mut self, name: &str) -> Result<Topology> {
        check_name("topology", name)?;
        let failures = self.declarations.iter_mut().filter_map(|declaration| declaration.failure.take());
        if let Some(error) = self.failure.take().into_iter().chain(failures).next() {
            return Err(error);
        }
        self.check_names()?;
        let factories = self.declarations.iter().map(|declaration| declaration.factory(&self.config));
        let factories = factories.collect::<Result<Vec<_>>>()?;
        let parts = || self.declarations.iter().zip(&factories);
        let streams = self.streams(&factories)?;
        let inputs = self.inputs(&streams)?;
        let components = parts().map(|(declaration, factory)| declaration.component(factory, &self.config));
        let (components, tasks): (Vec<Component>, Vec<usize>) =
            components.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        check_spout_tasks(&components, &tasks)?;
        let mut next = 1;
        let parts = self.declarations.iter().zip(streams).zip(inputs).zip(tasks);
        let infos = parts.map(|(((declaration, streams), inputs), tasks)| {
            let first = next;
            next += tasks as i32;
            let tasks = (first..next).map(TaskId).collect();
            ComponentInfo { name: declaration.name.clone(), tasks, streams, inputs }
        });
        let info = Arc::new(TopologyInfo { name: name.into(), components: infos.collect() });
        let TopologyBuilder { task_hooks, worker_hooks, .. } = self;
        Ok(Topology { info, components, task_hooks, worker_hooks })
    }

    fn check_names(&self) -> Result<()> {
        if !self.declarations.iter().any(|declaration| declaration.is_spout()) {
            return Err(Error::invalid("there is no spout"));
        }
        let mut seen = HashMap::new();
        for declaration in &self.declarations {
            check_name("component", &declaration.name)?;
            if seen.insert(&declaration.name, ()).is_some() {
                return Err(Error::invalid(format!("component {:?} is declared twice", declaration.name)));
            }
        }
        Ok(())
    }

    /// The streams of each component. What a bolt makes of the streams it reads is declared as soon as they are known; one that reads what is never
    /// known is told with its inputs.
    fn streams(&self, factories: &[Factory]) -> Result<Vec<Vec<Arc<StreamInfo>>>> {
        let (mut streams, mut waiting) = (Vec::new(), Vec::new());
        for (place, (declaration, factory)) in self.declarations.iter().zip(factories).enumerate() {
            let (declared, bolt) = declaration.declared(factory, &self.config)?;
            streams.push(declaration.streams(declared.clone())?);
            waiting.extend(bolt.map(|bolt| (place, bolt, declared)));
        }
        let mut progress = true;
        while std::mem::take(&mut progress) {
            for (place, bolt, mut declared) in std::mem::take(&mut waiting) {
                let declaration = &self.declarations[place];
                let Some(inputs) = self.streams_read(declaration, &streams) else {
                    waiting.push((place, bolt, declared));
                    continue;
                };
                bolt.declare_from(&inputs, &mut declared)
                    .map_err(|failure| Error::invalid(format!("{:?}: {failure}", declaration.name)))?;
                streams[place] = declaration.streams(declared)?;
                progress = true;
            }
        }
        Ok(streams)
    }

    /// The streams that a bolt reads, if all of them are known.
    fn streams_read(&self, bolt: &Declaration, streams: &[Vec<Arc<StreamInfo>>]) -> Option<Vec<Arc<StreamInfo>>> {
        let stream = |input: &Subscribed| {
            let source = self.declarations.iter().position(|source| source.name == input.component)?;
            streams[source].iter().find(|stream| stream.stream == input.stream).cloned()
        };
        bolt.inputs.iter().map(stream).collect()
    }

    fn inputs(&self, streams: &[Vec<Arc<StreamInfo>>]) -> Result<Vec<Vec<Input>>> {
        let input = |declaration: &Declaration, input: &Subscribed| {
            let reader = &declaration.name;
            let source = self.declarations.iter().position(|source| source.name == input.component);
            let Some(source) = source else {
                let missing = &input.component;
                return Err(Error::invalid(format!(
                    "{reader:?} reads from component {missing:?}, which does not exist"
                )));
            };
            let stream = streams[source].iter().find(|stream| stream.stream == input.stream);
            let Some(stream) = stream else {
                let (component, missing) = (&input.component, &input.stream);
                return Err(Error::invalid(format!(
                    "{reader:?} reads stream {missing:?} of {component:?}, which it does not declare"
                )));
            };
            check_grouping(reader, stream, &input.grouping)?;
            Ok(Input { stream: stream.clone(), grouping: input.grouping.clone() })
        };
        let inputs = |declaration: &Declaration| match declaration.is_spout() {
            false if declaration.inputs.is_empty() => {
                Err(Error::invalid(format!("bolt {:?} reads no stream", declaration.name)))
            }
            true if !declaration.inputs.is_empty() => {
                Err(Error::invalid(format!("spout {:?} can't read a stream", declaration.name)))
            }
            _ => declaration.inputs.iter().map(|subscribed| input(declaration, subscribed)).collect(),
        };
        self.declarations.iter().map(inputs).collect()
    }
}

fn check_name(what: &str, name: &str) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || "_-. $".contains(c);
    if name.is_empty() || name.starts_with("__") || !name.chars().all(allowed) {
        return Err(Error::invalid(format!("{name:?} can't be the name of a {what}")));
    }
    Ok(())
}

fn check_grouping(reader: &SmolStr, stream: &StreamInfo, grouping: &Grouping) -> Result<()> {
    let of = format!("stream {:?} of {:?}", stream.stream, stream.component);
    match grouping {
        Grouping::Direct if !stream.direct => {
            Err(Error::invalid(format!("{reader:?} reads {of} by direct grouping, but it is not a direct stream")))
        }
        Grouping::Direct => Ok(()),
        _ if stream.direct => {
            Err(Error::invalid(format!("{of} is direct: {reader:?} must read it by direct grouping")))
        }
        Grouping::Fields(fields) | Grouping::PartialKey(fields) => {
            let known = stream.fields.select(fields);
            known.map(drop).map_err(|error| Error::invalid(format!("{reader:?} groups {of}: {error}")))
        }
        _ => Ok(()),
    }
}

fn check_spout_tasks(components: &[Component], tasks: &[usize]) -> Result<()> {
    let spouts = components.iter().zip(tasks).filter(|(component, _)| matches!(component.factory, Factory::Spout(_)));
    let total: usize = spouts.map(|(_, tasks)| tasks).sum();
    if total > SPOUT_TASKS_MAX {
        return Err(Error::invalid(format!("{total} spout tasks are more than the {SPOUT_TASKS_MAX} there can be")));
    }
    Ok(())
}

/// What else is said of a component.
pub struct ComponentBuilder<'a> {
    declaration: &'a mut Declaration,
}

impl ComponentBuilder<'_> {
    /// Executors (threads) that its tasks run on; 1 if nothing is said.
    pub fn parallelism(self, executors: usize) -> Self {
        self.declaration.parallelism = executors;
        self
    }

    /// Its tasks, fixed for the life of the topology; as many as executors if nothing is said.
    pub fn tasks(self, tasks: usize) -> Self {
        self.declaration.tasks = Some(tasks);
        self
    }

    /// Sets a setting of the component; a bad one is told by [`TopologyBuilder::build`].
    pub fn config(self, name: &str, value: impl Into<Value>) -> Self {
        if let Err(error) = self.declaration.config.set(name, value) {
            self.declaration.failure.get_or_insert(error);
        }
        self
    }

    /// Reads a stream of a component.
    pub fn grouping(self, component: &str, stream: &str, grouping: Grouping) -> Self {
        let input = Subscribed { component: component.into(), stream: stream.into(), grouping };
        self.declaration.inputs.push(input);
        self
    }

    /// Reads the default stream of a component by shuffle grouping.
    pub fn shuffle_grouping(self, component: &str) -> Self {
        self.grouping(component, DEFAULT_STREAM, Grouping::Shuffle)
    }

    /// Reads the default stream of a component by fields grouping.
    pub fn fields_grouping<N: AsRef<str>>(self, component: &str, fields: impl IntoIterator<Item = N>) -> Self {
        self.keyed(component, fields, Grouping::Fields)
    }

    /// Reads the default stream of a component by partial key grouping.
    pub fn partial_key_grouping<N: AsRef<str>>(self, component: &str, fields: impl IntoIterator<Item = N>) -> Self {
        self.keyed(component, fields, Grouping::PartialKey)
    }

    /// Has every task read the default stream of a component.
    pub fn all_grouping(self, component: &str) -> Self {
        self.grouping(component, DEFAULT_STREAM, Grouping::All)
    }

    /// Has the first task read the default stream of a component.
    pub fn global_grouping(self, component: &str) -> Self {
        self.grouping(component, DEFAULT_STREAM, Grouping::Global)
    }

    /// Reads the default stream of a component; any task gets any tuple.
    pub fn none_grouping(self, component: &str) -> Self {
        self.grouping(component, DEFAULT_STREAM, Grouping::None)
    }

    /// Reads a direct stream of a component.
    pub fn direct_grouping(self, component: &str, stream: &str) -> Self {
        self.grouping(component, stream, Grouping::Direct)
    }

    /// Reads the default stream of a component by shuffle grouping among the tasks in the same process.
    pub fn local_or_shuffle_grouping(self, component: &str) -> Self {
        self.grouping(component, DEFAULT_STREAM, Grouping::LocalOrShuffle)
    }

    /// Reads the default stream of a component as user code says.
    pub fn custom_grouping(self, component: &str, grouping: impl CustomGrouping + 'static) -> Self {
        self.grouping(component, DEFAULT_STREAM, Grouping::Custom(Arc::new(grouping)))
    }

    fn keyed<N: AsRef<str>>(
        self,
        component: &str,
        fields: impl IntoIterator<Item = N>,
        grouping: fn(Fields) -> Grouping,
    ) -> Self {
        match Fields::new(fields) {
            Ok(fields) => self.grouping(component, DEFAULT_STREAM, grouping(fields)),
            Err(error) => {
                self.declaration.failure.get_or_insert(error);
                self
            }
        }
    }
}
