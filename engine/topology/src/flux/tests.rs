//! The promises of Flux, on whole files (in `testdata`) and on wrong ones.

use std::path::Path;

use super::*;
use crate::{Fields, SmolStr, Value};

mod refused;

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/flux/testdata"))
}

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(directory().join(path))
}

const NATIVE: [&str; 5] = ["mine", "stage", "ring", "hook", "com.example.Ported"];

fn options() -> FluxOptions<'static> {
    FluxOptions { read: &read, is_registered: &|name| NATIVE.contains(&name), ..FluxOptions::default() }
}

fn parse_file(file: &str, options: &FluxOptions<'_>) -> Result<FluxTopology, FluxError> {
    parse(file, &read(Path::new(file)).unwrap(), options)
}

fn component<'a>(topology: &'a FluxTopology, id: &str) -> &'a Component {
    topology.components().find(|component| component.id == id).unwrap()
}

fn fields(names: &[&str]) -> Fields {
    Fields::new(names).unwrap()
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| (SmolStr::new(key), value.clone())).collect())
}

fn list(items: &[Value]) -> Value {
    Value::List(items.into())
}

#[test]
fn every_part_of_the_language_is_read() {
    let topology = parse_file("tck.yaml", &options()).unwrap();
    assert_eq!(topology.name, "yaml-topology");
    assert_eq!(topology.config["topology.workers"], Value::Int(2));
    let own = list(&[1.into(), "two".into(), map(&[("three", 3.0.into())])]);
    assert_eq!(topology.config["my.own.key"], own);
    let words = component(&topology, "words");
    assert_eq!((words.parallelism, words.tasks), (2, Some(4)));
    let test_words = ComponentKind::BuiltIn { built_in: BuiltIn::TestWords, properties: Default::default() };
    assert_eq!(words.kind, test_words);
    assert_eq!(component(&topology, "count").parallelism, 3);
    assert_eq!(component(&topology, "log").parallelism, 1);
    assert_eq!(topology.worker_hooks.len(), 1);
    assert_eq!(topology.worker_hooks[0].instance.name, "hook");
    assert_eq!(
        topology.notes,
        [
            "tck.yaml:34:5: component \"count\": onHeapMemoryLoad, cpuLoad ignored, Monsoon has no scheduler by resources",
            "tck.yaml:76:5: worker hook \"idle\" ignored, it does nothing",
        ]
    );
}

#[test]
fn references_stand_for_descriptions_of_beans() {
    let topology = parse_file("tck.yaml", &options()).unwrap();
    let inner = map(&[
        ("className", "com.example.Inner".into()),
        ("constructorArgs", list(&["a".into(), 1.into(), true.into()])),
    ]);
    let properties = map(&[("inner", inner.clone()), ("size", 5.0.into())]);
    let outer = map(&[("className", "com.example.Outer".into()), ("properties", properties)]);
    let timer = map(&[
        ("className", "java.time.Duration".into()),
        ("factory", "ofSeconds".into()),
        ("factoryArgs", list(&[10.into()])),
    ]);
    let with_foo = MethodCall { name: "withFoo".into(), arguments: vec!["foo".into()] };
    let with_foo_bar = MethodCall { name: "withFooBar".into(), arguments: vec!["foo".into(), timer.clone()] };
    let expected = Instance {
        name: "mine".into(),
        arguments: vec![outer, list(&[inner, timer]), "plain".into()],
        properties: Default::default(),
        methods: vec![with_foo, with_foo_bar],
    };
    assert_eq!(component(&topology, "mine").kind, ComponentKind::Native(expected));
}

#[test]
fn groupings_and_streams_are_read() {
    let topology = parse_file("tck.yaml", &options()).unwrap();
    let streams: Vec<_> =
        topology.streams.iter().map(|s| (&*s.from, &*s.to, &*s.stream_id, s.grouping.clone())).collect();
    let ring = Instance { name: "ring".into(), arguments: vec![3.into()], ..Instance::default() };
    assert_eq!(
        streams,
        [
            ("words", "count", "default", Grouping::Fields(fields(&["word"]))),
            ("words", "mine", "default", Grouping::PartialKey(fields(&["word"]))),
            ("count", "log", "default", Grouping::Shuffle),
            ("mine", "log", "errors", Grouping::All),
            ("mine", "mine", "default", Grouping::Custom(ring)),
        ]
    );
    assert_eq!(topology.streams[0].name.as_deref(), Some("words --> count"));
}

#[test]
fn a_component_value_overrides_the_topology_value() {
    let topology = parse_file("tck.yaml", &options()).unwrap();
    let config = topology.config_of(component(&topology, "words"));
    assert_eq!(config["topology.max.spout.pending"], Value::Int(10));
    assert_eq!(config["topology.workers"], Value::Int(2));
    let other = topology.config_of(component(&topology, "count"));
    assert_eq!(other["topology.max.spout.pending"], Value::Int(1000));
}

#[test]
fn a_setting_of_the_topology_has_no_effect_on_a_component() {
    let text = "
name: x
config: {topology.workers: 2}
spouts: [{id: words, className: test_words, config: {topology.workers: 3, topology.debug: true}}]
bolts: [{id: log, className: log}]
streams: [{from: words, to: log, grouping: {type: SHUFFLE}}]
";
    let notes = parse("t.yaml", text, &options()).unwrap().notes;
    assert_eq!(notes, ["t.yaml:4:10: component \"words\": topology.workers ignored, it is of the whole topology"]);
}

#[test]
fn multilang_word_count_is_read() {
    let topology = parse_file("shell.yaml", &options()).unwrap();
    let ComponentKind::Shell(spout) = &component(&topology, "sentences").kind else { panic!("not a shell") };
    assert_eq!(spout.command, ["node", "randomsentence.js"]);
    assert_eq!(spout.streams, [OutputStream { id: "default".into(), fields: fields(&["word"]) }]);
    let split = component(&topology, "split");
    let ComponentKind::Shell(shell) = &split.kind else { panic!("not a shell") };
    assert_eq!(shell.command, ["python3", "splitsentence.py", "8080"]);
    assert_eq!(
        shell.streams,
        [
            OutputStream { id: "default".into(), fields: fields(&["word"]) },
            OutputStream { id: "rejected".into(), fields: fields(&["line", "reason"]) },
        ]
    );
    assert!(shell.starts_in_resources);
    let config: Vec<_> = split.config.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(
        config,
        [
            ("paths", list(&["a".into(), "b".into()])),
            ("topology.debug", false.into()),
            ("topology.tick.tuple.freq.secs", 5.into()),
        ]
    );
    assert_eq!(topology.notes, [] as [&str; 0]);
}

#[test]
fn a_bare_shell_bolt_takes_words_and_its_process_settings() {
    let text = "
name: x
spouts: [{id: words, className: test_words}]
bolts:
  - id: shell
    className: org.apache.storm.task.ShellBolt
    constructorArgs: [python3, bolt.py]
    parallelism: 3
    numTasks: 2
    configMethods:
      - {name: setEnv, args: [{LANG: C, LEVEL: 3}]}
      - {name: changeChildCWD, args: [false]}
      - {name: setNamedStream, args: [out, [a]]}
      - {name: setNamedStream, args: [out, [b]]}
streams: [{from: words, to: shell, grouping: {type: SHUFFLE}}]
";
    let topology = parse("t.yaml", text, &options()).unwrap();
    let bolt = &topology.bolts[0];
    let ComponentKind::Shell(shell) = &bolt.kind else { panic!("not a shell") };
    assert_eq!(shell.command, ["python3", "bolt.py"]);
    assert_eq!(shell.streams, [OutputStream { id: "out".into(), fields: fields(&["b"]) }]);
    let environment: Vec<_> = shell.environment.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(environment, [("LANG", "C"), ("LEVEL", "3")]);
    assert!(!shell.starts_in_resources);
    assert_eq!((bolt.parallelism, bolt.tasks), (2, Some(2)));
    assert_eq!(topology.notes, ["t.yaml:5:5: component \"shell\" has 2 tasks, so as many executors, not 3"]);
}

#[test]
fn a_diamond_with_anchors_is_read() {
    let topology = parse_file("diamond.yaml", &options()).unwrap();
    let right = component(&topology, "right");
    assert_eq!(right.parallelism, 2);
    assert_eq!(right.kind, ComponentKind::Native(Instance { name: "stage".into(), ..Instance::default() }));
    let types: Vec<_> = topology.streams.iter().map(|stream| stream.grouping.type_name()).collect();
    assert_eq!(types, ["SHUFFLE", "NONE", "GLOBAL", "DIRECT"]);
}

#[test]
fn built_ins_are_read_with_arguments_and_properties() {
    let topology = parse_file("built_in.yaml", &options()).unwrap();
    let built_in = |id| match &component(&topology, id).kind {
        ComponentKind::BuiltIn { built_in, properties } => (built_in.clone(), properties.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(built_in("orders").0, BuiltIn::Stream { relation: "shop.orders".into() });
    assert_eq!(built_in("prices").0, BuiltIn::Sql { query: Some("SELECT item, price FROM prices".into()) });
    assert_eq!(built_in("write").0, BuiltIn::Insert { table: "totals".into() });
    let query = "SELECT item, max(price) AS price FROM input GROUP BY item";
    assert_eq!(built_in("last").0, BuiltIn::Window { query: query.into() });
    assert_eq!(component(&topology, "last").config["topology.bolts.window.length.duration.ms"], Value::Int(10_000));
}

#[test]
fn a_registered_java_class_and_partial_key_grouping_are_mapped() {
    let text = "
name: x
components:
  - {id: key, className: org.apache.storm.tuple.Fields, constructorArgs: [[word]]}
spouts: [{id: words, className: test_words}]
bolts: [{id: ported, className: com.example.Ported}]
streams:
  - from: words
    to: ported
    grouping:
      type: CUSTOM
      customClass: {className: org.apache.storm.grouping.PartialKeyGrouping, constructorArgs: [{ref: key}]}
";
    let topology = parse("t.yaml", text, &options()).unwrap();
    assert!(
        matches!(&topology.bolts[0].kind, ComponentKind::Native(instance) if instance.name == "com.example.Ported")
    );
    assert_eq!(topology.streams[0].grouping, Grouping::PartialKey(fields(&["word"])));
}

#[test]
fn properties_and_environment_are_substituted() {
    let properties = Properties::parse("test.properties", &read(Path::new("test.properties")).unwrap()).unwrap();
    let environment = |name: &str| (name == "HOME").then(|| "/home/storm".to_owned());
    let options = FluxOptions { properties: Some(&properties), environment: Some(&environment), ..options() };
    let topology = parse_file("substitution.yaml", &options).unwrap();
    assert_eq!(topology.name, "substituted");
    assert_eq!(component(&topology, "words").parallelism, 4);
    let config: Vec<_> = topology.config.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(
        config,
        [
            ("both", "one:1,two:2".into()),
            ("first", "one:1".into()),
            ("home", "/home/storm".into()),
            ("hosts", list(&["one:1".into(), "two:2".into()])),
            ("topology.workers", 4.into()),
            ("unknown", "${nothing}".into()),
        ]
    );
    assert_eq!(topology.notes, ["substitution.yaml:8:1: ${nothing} has no value and is left as it is"]);
}

#[test]
fn an_include_adds_what_the_file_lacks() {
    let topology = parse_file("include.yaml", &options()).unwrap();
    assert_eq!(topology.name, "shell-topology");
    assert_eq!(topology.config["topology.workers"], Value::Int(3));
    assert_eq!(component(&topology, "count").parallelism, 7);
    assert_eq!((topology.spouts.len(), topology.bolts.len(), topology.streams.len()), (1, 3, 4));
    assert_eq!(&*component(&topology, "split").place.file, "shell.yaml");
}

#[test]
fn an_overriding_include_replaces_what_the_file_has() {
    let topology = parse_file("include_override.yaml", &options()).unwrap();
    assert_eq!(topology.name, "shell-topology");
    assert_eq!(topology.config["topology.workers"], Value::Int(1));
    assert_eq!(topology.config["topology.debug"], Value::Bool(true));
    assert_eq!(component(&topology, "count").parallelism, 1);
}

#[test]
fn includes_go_one_level_deep() {
    let topology = parse_file("include_nested.yaml", &options()).unwrap();
    assert_eq!(topology.name, "nested");
    assert_eq!(topology.components().count(), 2);
    assert_eq!(topology.notes, ["include.yaml:5:5: an included file's own includes are ignored"]);
}

#[test]
fn the_topology_is_described_in_tables() {
    let topology = parse_file("shell.yaml", &options()).unwrap();
    let expected = "\
topology shell-topology
config
  topology.workers  1
spouts
  sentences  shell node randomsentence.js  1 executor  1 task
bolts
  split  shell python3 splitsentence.py 8080  2 executors  2 tasks  paths=[\"a\", \"b\"] topology.debug=false topology.tick.tuple.freq.secs=5
  count  test_word_count                      1 executor   1 task
  log    log                                  1 executor   1 task
streams
  sentences         -> split  SHUFFLE
  split             -> count  FIELDS [\"word\"]
  split [rejected]  -> log    LOCAL_OR_SHUFFLE
  count             -> log    SHUFFLE
";
    assert_eq!(topology.describe(), expected);
}
