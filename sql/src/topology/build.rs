//! From a [`TopologySpec`] to a topology that can be started: names are looked up, queries planned, types carried from stream to stream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use monsoon_circuit::RelationId;
use monsoon_topology::drpc::{DrpcSpout, ReturnResult};
use monsoon_topology::multilang::{ShellBolt, ShellSpec, ShellSpout};
use monsoon_topology::windowed::Window;
use monsoon_topology::{
    Basic, Bolt, ComponentBuilder, Config, DEFAULT_STREAM, Grouping, SKIPPED_FIELDS, SKIPPED_STREAM, Spout, Streams,
    Topology, TopologyBuilder, Value,
};
use tokio::runtime::Handle;

use super::from_sql::invalid;
use super::insert_bolt::{InsertBolt, InsertTarget};
use super::native::Natives;
use super::shell::shell_spec;
use super::spec::{Code, ComponentSpec, InputSpec, QuerySpec, TopologySpec};
use super::sql_bolt::{BoltQuery, SqlBolt};
use super::stream_spout::{StreamSource, StreamSpout};
use super::window_bolt::{window_bolt, window_schema};
use crate::catalog::{Kind, Relation, Snapshot};
use crate::database::{Database, Scope, Text, ViewDefinition, engine_error, plan_view_query};
use crate::error::{Result, SqlError};

/// The name that a bolt's query has for what the bolt reads.
const INPUT: &str = "input";
/// The number it goes by; no relation has it, and fingerprints of plans stay the same.
const INPUT_ID: RelationId = RelationId((1 << 28) - 1);

/// Tuples of windows that a task keeps in memory, where nothing is said.
const WINDOW_TUPLES_IN_MEMORY: i64 = 1_000_000;

/// A topology, and what it has to do with relations.
pub(crate) struct Built {
    pub topology: Topology,
    /// Relations that it reads or inserts into.
    pub relations: Vec<RelationId>,
    /// What makes the checkpoints of each component that is in them: another maker can't go on from them.
    pub kept_by: BTreeMap<String, String>,
    /// The first row of each spout that begins with the rows that come after it was created.
    pub first_rows: BTreeMap<String, u64>,
}

/// What a topology is built with.
pub(crate) struct Surroundings<'a> {
    pub database: &'a Arc<Database>,
    pub scope: &'a Arc<Scope>,
    pub snapshot: &'a Arc<Snapshot>,
    pub natives: &'a Natives,
    pub runtime: Handle,
    /// The first rows of spouts that have been created before ([`Built::first_rows`]).
    pub first_rows: BTreeMap<String, u64>,
}

/// The columns of each stream that is known: by component and stream.
type Schemas = HashMap<(String, String), SchemaRef>;

/// What is found out while components are made.
#[derive(Default)]
struct Notes {
    schemas: Schemas,
    relations: Vec<RelationId>,
    /// See [`Built::kept_by`], without the number of tasks.
    makers: BTreeMap<String, String>,
    first_rows: BTreeMap<String, u64>,
    /// Components that are made.
    made: HashSet<String>,
}

type MakeSpout = Box<dyn Fn() -> Box<dyn Spout> + Send + Sync>;
type MakeBolt = Box<dyn Fn() -> Box<dyn Bolt> + Send + Sync>;

/// A component that can be made.
enum Made {
    Spout(MakeSpout),
    Bolt(MakeBolt),
}

impl Made {
    /// Whether checkpoints hold something of it.
    fn is_kept(&self) -> bool {
        match self {
            Made::Spout(make) => make().replayable(),
            Made::Bolt(make) => make().stateful(),
        }
    }
}

impl Surroundings<'_> {
    /// Builds a topology.
    pub(crate) async fn build(&self, spec: TopologySpec) -> Result<Built> {
        let mut notes = Notes::default();
        let mut made: HashMap<String, Made> = HashMap::new();
        // A query can be planned once the columns of its input are known, in whatever order the components were written.
        while made.len() < spec.components.len() {
            let before = made.len();
            for component in &spec.components {
                if !made.contains_key(&component.name)
                    && let Some(one) = self.make(component, &spec, &mut notes).await?
                {
                    made.insert(component.name.clone(), one);
                    notes.made.insert(component.name.clone());
                }
            }
            if made.len() == before {
                return Err(self.stuck(&spec, &made));
            }
        }
        let mut builder = TopologyBuilder::new();
        for (name, value) in spec.config.iter() {
            builder.config(name, value.clone());
        }
        for component in &spec.components {
            if let Some(one) = made.remove(&component.name) {
                add(&mut builder, component, one, &self.standards(component, &spec))?;
            }
        }
        let topology = builder.build(&spec.name).map_err(invalid)?;
        let Notes { relations, makers, first_rows, .. } = notes;
        // Keys and rows are spread over tasks by their number.
        let tasks = topology.info().components.iter().map(|component| (component.name.as_str(), component.tasks.len()));
        let kept_by =
            tasks.filter_map(|(name, tasks)| Some((name.to_owned(), format!("{tasks} tasks {}", makers.get(name)?))));
        let kept_by = kept_by.collect();
        Ok(Built { topology, relations, kept_by, first_rows })
    }

    /// What the engine wouldn't do by itself and nobody has said: windows have a bound on what they keep in memory, and the rest is beside the data.
    fn standards(&self, component: &ComponentSpec, spec: &TopologySpec) -> Config {
        let mut standards = Config::default();
        if !matches!(component.code, Code::Window(..)) {
            return standards;
        }
        let directory = self.database.config.scratch_directory();
        let own = [
            ("window_tuples_in_memory", Value::Int(WINDOW_TUPLES_IN_MEMORY)),
            ("spill_directory", Value::from(&*directory.to_string_lossy())),
        ];
        let said = spec.config.overlaid(&component.config);
        for (name, value) in own.into_iter().filter(|(name, _)| said.get(name).is_none()) {
            // Both are settings, of these types.
            let _ = standards.set(name, value);
        }
        standards
    }

    /// What keeps queries from being planned: they read each other.
    fn stuck(&self, spec: &TopologySpec, made: &HashMap<String, Made>) -> SqlError {
        let open = spec.components.iter().find(|component| !made.contains_key(&component.name));
        let Some(component) = open else { return SqlError::internal("every component is made, and one is not") };
        let message = format!("the columns that {:?} reads depend on its own query", component.name);
        SqlError::new("42P17", message).at_place(component.position)
    }

    /// `None`: the columns of its input aren't known yet.
    async fn make(&self, component: &ComponentSpec, spec: &TopologySpec, notes: &mut Notes) -> Result<Option<Made>> {
        let Notes { schemas, relations, makers, first_rows, made } = notes;
        for input in &component.inputs {
            check_source(input, spec)?;
        }
        if !component.is_spout() && skips(component, spec) {
            schemas.insert((component.name.clone(), SKIPPED_STREAM.into()), skipped_schema());
        }
        Ok(Some(match &component.code {
            Code::Stream { relation, position, from_latest } => {
                let relation = self.readable(relation).map_err(|error| error.at_place(*position))?;
                relations.push(relation.id);
                makers.insert(component.name.clone(), format!("stream {}", relation.id));
                schemas.insert((component.name.clone(), DEFAULT_STREAM.into()), Arc::clone(&relation.schema));
                let first_row = match (from_latest, self.first_rows.get(&component.name)) {
                    (false, _) => 0,
                    (true, Some(known)) => *known,
                    (true, None) => self.database.engine.row_count(relation.id).await.map_err(engine_error)?,
                };
                if *from_latest {
                    first_rows.insert(component.name.clone(), first_row);
                }
                Made::Spout(self.stream_spout(&relation, first_row))
            }
            Code::Insert { relation, position } => {
                let relation = self.insertable(relation).map_err(|error| error.at_place(*position))?;
                check_columns(component, &relation, schemas).map_err(|error| error.at_place(*position))?;
                let given = match input_schema(component, schemas) {
                    Ok(None) if component.inputs.iter().any(|input| !made.contains(&input.source)) => return Ok(None),
                    Ok(given) => given,
                    // Streams of different columns: each value goes to its column as it is.
                    Err(error) if error.sqlstate == "42804" => None,
                    Err(error) => return Err(error),
                };
                relations.push(relation.id);
                let (engine, runtime) = (self.database.engine.clone(), self.runtime.clone());
                let target = InsertTarget { engine, runtime, relation, given };
                Made::Bolt(Box::new(move || Box::new(InsertBolt::new(target.clone()))))
            }
            Code::Native { name, arguments, position } => {
                let made = self.native(component, name, arguments).map_err(|error| error.at_place(*position))?;
                if made.is_kept() {
                    makers.insert(component.name.clone(), format!("native {name}"));
                }
                note_native(component, &made, schemas);
                made
            }
            Code::Shell { .. } => {
                self.check_shell().map_err(|error| error.at_place(component.position))?;
                note_outputs(component, schemas);
                let scratch = self.database.config.scratch_directory();
                let shell = ShellSpec { scratch: Some(scratch), ..shell_spec(component).unwrap_or_default() };
                match component.is_spout() {
                    true => Made::Spout(Box::new(move || Box::new(ShellSpout::new(shell.clone())))),
                    false => Made::Bolt(Box::new(move || Box::new(ShellBolt::new(shell.clone())))),
                }
            }
            Code::Sql(query) => {
                let Some(input) = input_schema(component, schemas)? else { return Ok(None) };
                let query = self.plan(query, input).await?;
                schemas.insert((component.name.clone(), DEFAULT_STREAM.into()), Arc::clone(&query.output_schema));
                let fingerprint = query.fingerprint();
                let made = Made::Bolt(Box::new(move || Box::new(SqlBolt::new(query.clone()))));
                if made.is_kept() {
                    makers.insert(component.name.clone(), fingerprint);
                }
                made
            }
            Code::Window(query, window) => {
                let Some(input) = input_schema(component, schemas)? else { return Ok(None) };
                let columns = input.fields().len();
                let window = match window {
                    Some(window) => window.clone(),
                    None => Window::from_config(&spec.config.overlaid(&component.config))
                        .map_err(|error| SqlError::new("42P17", format!("component {:?}: {error}", component.name)))?,
                };
                check_time(&window, &input).map_err(|error| error.at_place(component.position))?;
                let query = self.plan(query, window_schema(&input)).await?;
                schemas.insert((component.name.clone(), DEFAULT_STREAM.into()), Arc::clone(&query.output_schema));
                if let Some(late) = window.late_stream_name() {
                    let late_tuple = Field::new("late_tuple", DataType::Utf8, true);
                    let late = (component.name.clone(), late.to_owned());
                    schemas.insert(late, Arc::new(Schema::new(vec![late_tuple])));
                }
                makers.insert(component.name.clone(), format!("{window} {}", query.fingerprint()));
                let made = window_bolt(query, columns, window, &key_of(component));
                Made::Bolt(made.map_err(|error| invalid(error).at_place(component.position))?)
            }
        }))
    }

    fn stream_spout(&self, relation: &Arc<Relation>, first_row: u64) -> MakeSpout {
        let source = StreamSource {
            engine: self.database.engine.clone(),
            runtime: self.runtime.clone(),
            relation: relation.id,
            name: relation.name.clone(),
            fields: relation.schema.fields().iter().map(|field| field.name().clone()).collect(),
            first_row,
        };
        Box::new(move || Box::new(StreamSpout::new(source.clone())))
    }

    fn native(&self, component: &ComponentSpec, name: &str, arguments: &[String]) -> Result<Made> {
        let arguments = arguments.to_vec();
        let drpc = Arc::clone(&self.database.drpc);
        Ok(match component.is_spout() {
            true if name == "drpc" => {
                let [function] = arguments.as_slice() else {
                    return Err(SqlError::new("22023", "the spout drpc has one argument, the function that it serves"));
                };
                let function = function.clone();
                Made::Spout(Box::new(move || Box::new(DrpcSpout::new(Arc::clone(&drpc), &function))))
            }
            false if name == "return_result" => {
                Made::Bolt(Box::new(move || Box::new(Basic(ReturnResult::new(Arc::clone(&drpc))))))
            }
            true => {
                let make = Arc::clone(self.natives.spout(name)?);
                Made::Spout(Box::new(move || make(&arguments)))
            }
            false => {
                let make = Arc::clone(self.natives.bolt(name)?);
                Made::Bolt(Box::new(move || make(&arguments)))
            }
        })
    }

    fn check_shell(&self) -> Result<()> {
        if self.database.config.shell_components {
            return Ok(());
        }
        Err(SqlError::new("42501", "components USING SHELL run programs on the server, which is not allowed")
            .with_hint("start the server with --shell-components to allow it"))
    }

    fn relation(&self, name: &str) -> Result<Arc<Relation>> {
        let found = self.snapshot.by_name(name).cloned();
        found.ok_or_else(|| SqlError::new("42P01", format!("relation \"{name}\" does not exist")))
    }

    fn readable(&self, name: &str) -> Result<Arc<Relation>> {
        let relation = self.relation(name)?;
        let runs = matches!(relation.kind, Kind::Stream | Kind::MaterializedView);
        if runs && relation.append_only {
            return Ok(relation);
        }
        Err(SqlError::new(
            "42809",
            format!("\"{name}\" is not a stream: its rows can change, and a tuple can't be taken back"),
        )
        .with_hint("a spout reads a stream, or a materialized view whose rows are only ever added"))
    }

    fn insertable(&self, name: &str) -> Result<Arc<Relation>> {
        let relation = self.relation(name)?;
        match relation.kind {
            Kind::Table => Ok(relation),
            Kind::Stream if !relation.is_source() => Ok(relation),
            _ => Err(SqlError::new("42809", format!("cannot insert into {} \"{name}\"", relation.kind.word()))
                .with_hint("a bolt inserts into a table, or into a stream without a connector")),
        }
    }

    /// Plans a bolt's query over its input.
    async fn plan(&self, query: &QuerySpec, input_schema: SchemaRef) -> Result<BoltQuery> {
        let input = INPUT_ID;
        let mut relation = Relation::new(INPUT, Kind::Stream, Arc::clone(&input_schema), "");
        relation.id = input;
        let others = self.snapshot.by_name(INPUT).map(|hidden| hidden.id);
        let snapshot = Arc::new(self.snapshot.without(others.as_slice()).with(relation));
        let text = Text { sql: &query.text, offset: query.offset };
        let view = ViewDefinition { query: &query.query, column_names: &[], emit_on_window_close: false, text };
        let view = plan_view_query(self.scope, &snapshot, view).await?;
        if let Some(other) = view.depends_on.iter().find(|id| **id != input) {
            let name = snapshot.by_id(*other).map_or_else(String::new, |relation| relation.name.clone());
            return Err(SqlError::unsupported(format!(
                "a bolt's query reads {INPUT} alone, and this one reads \"{name}\""
            ))
            .with_hint("join in a materialized view, and let a spout read that"));
        }
        Ok(BoltQuery { plan: Arc::new(view.plan), input, input_schema, output_schema: view.schema })
    }
}

/// What is inserted must have a value for each column, as far as it is known yet.
fn check_columns(component: &ComponentSpec, relation: &Relation, schemas: &Schemas) -> Result<()> {
    for input in &component.inputs {
        let Some(schema) = schemas.get(&(input.source.clone(), input.stream.clone())) else { continue };
        let (given, wanted) = (schema.fields().len(), relation.schema.fields().len());
        if given != wanted {
            let (source, name) = (&input.source, &relation.name);
            let message = format!("\"{source}\" emits {given} values, and \"{name}\" has {wanted} columns");
            return Err(SqlError::syntax(message).with_hint("values go to columns by their place"));
        }
    }
    Ok(())
}

/// The timestamp field of a window must be there, and a time.
fn check_time(window: &Window, input: &Schema) -> Result<()> {
    let Some(field) = window.timestamp_field_name() else { return Ok(()) };
    let Ok(column) = input.field_with_name(field) else {
        return Err(SqlError::new("42703", format!("timestamp field \"{field}\" is no column of the window's input")));
    };
    match column.data_type() {
        DataType::Timestamp(..) | DataType::Int64 | DataType::Int32 => Ok(()),
        _ => {
            let given = crate::pg_type::sql_name(column);
            let message = format!(
                "timestamp field \"{field}\" is {given}, and must be a timestamp or an integer in milliseconds"
            );
            Err(SqlError::new("42804", message))
        }
    }
}

/// The fields that all the streams a bolt reads are grouped by; none if they aren't.
fn key_of(component: &ComponentSpec) -> Vec<String> {
    let fields = |input: &InputSpec| match &input.grouping {
        Grouping::Fields(fields) => Some(fields.iter().map(str::to_owned).collect::<Vec<_>>()),
        _ => None,
    };
    let mut keys = component.inputs.iter().map(fields);
    let first = keys.next().flatten().unwrap_or_default();
    if keys.all(|key| key.as_ref() == Some(&first)) { first } else { Vec::new() }
}

fn check_source(input: &InputSpec, spec: &TopologySpec) -> Result<()> {
    match spec.components.iter().any(|component| component.name == input.source) {
        true => Ok(()),
        false => {
            Err(SqlError::new("42704", format!("there is no component \"{}\"", input.source)).at_place(input.position))
        }
    }
}

fn note_outputs(component: &ComponentSpec, schemas: &mut Schemas) {
    for output in &component.outputs {
        let schema = Arc::new(Schema::new(output.fields.clone()));
        schemas.insert((component.name.clone(), output.stream.clone()), schema);
    }
}

/// Whether a bolt skips tuples that it fails again and again.
fn skips(component: &ComponentSpec, spec: &TopologySpec) -> bool {
    let set = component.config.get("on_error").or_else(|| spec.config.get("on_error"));
    set.and_then(|value| value.as_str()) == Some("skip")
}

/// The columns of the stream of skipped tuples.
fn skipped_schema() -> SchemaRef {
    let column = |name: &str| {
        let kind = if name == "task" { DataType::Int64 } else { DataType::Utf8 };
        Field::new(name, kind, true)
    };
    Arc::new(Schema::new(SKIPPED_FIELDS.map(column).to_vec()))
}

/// A native component says itself what it emits; the author may say the types, which are text otherwise.
fn note_native(component: &ComponentSpec, made: &Made, schemas: &mut Schemas) {
    let mut streams = Streams::default();
    match made {
        Made::Spout(make) => make().declare(&mut streams),
        Made::Bolt(make) => make().declare(&mut streams),
    }
    for (stream, fields) in streams.iter() {
        let field = |name: &str| Field::new(name, DataType::Utf8, true);
        let schema = Arc::new(Schema::new(fields.map(field).collect::<Vec<_>>()));
        schemas.insert((component.name.clone(), stream.to_owned()), schema);
    }
    note_outputs(component, schemas);
}

/// The columns that all the streams a bolt reads have. `None`: not known yet.
fn input_schema(component: &ComponentSpec, schemas: &Schemas) -> Result<Option<SchemaRef>> {
    let mut common: Option<SchemaRef> = None;
    for input in &component.inputs {
        let Some(schema) = schemas.get(&(input.source.clone(), input.stream.clone())) else {
            let known = schemas.keys().any(|(source, _)| *source == input.source);
            let message = format!("component \"{}\" has no stream \"{}\"", input.source, input.stream);
            return if known { Err(SqlError::new("42704", message).at_place(input.position)) } else { Ok(None) };
        };
        match &common {
            None => common = Some(Arc::clone(schema)),
            Some(first) if same_columns(first, schema) => {}
            Some(first) => {
                let message = format!(
                    "{:?} reads streams of different columns ({}) and ({})",
                    component.name,
                    names(first),
                    names(schema)
                );
                return Err(SqlError::new("42804", message).at_place(input.position));
            }
        }
    }
    // What a bolt is given may hold a null anywhere.
    Ok(common.map(|schema| {
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        Arc::new(Schema::new(schema.fields().iter().map(nullable).collect::<Vec<_>>()))
    }))
}

fn same_columns(one: &Schema, other: &Schema) -> bool {
    let same = |(a, b): (&Arc<Field>, &Arc<Field>)| a.name() == b.name() && a.data_type() == b.data_type();
    one.fields().len() == other.fields().len() && one.fields().iter().zip(other.fields()).all(same)
}

fn names(schema: &Schema) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}

fn add(builder: &mut TopologyBuilder, component: &ComponentSpec, made: Made, standards: &Config) -> Result<()> {
    let mut added = match made {
        Made::Spout(make) => builder.set_boxed_spout(&component.name, make),
        Made::Bolt(make) => builder.set_boxed_bolt(&component.name, make),
    };
    added = described(added, component, standards);
    for input in &component.inputs {
        added = added.grouping(&input.source, &input.stream, input.grouping.clone());
    }
    drop(added);
    Ok(())
}

fn described<'a>(
    mut added: ComponentBuilder<'a>,
    component: &ComponentSpec,
    standards: &Config,
) -> ComponentBuilder<'a> {
    if let Some(parallelism) = component.parallelism {
        added = added.parallelism(parallelism as usize);
    }
    if let Some(tasks) = component.tasks {
        added = added.tasks(tasks as usize);
    }
    for (name, value) in standards.overlaid(&component.config).iter() {
        added = added.config(name, value.clone());
    }
    added
}
