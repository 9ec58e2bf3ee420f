//! What is refused, and with which words.

use super::*;

/// The whole file is refused with this error.
fn check(text: &str, expected: &str) {
    match parse("t.yaml", text, &options()) {
        Ok(topology) => panic!("accepted:\n{text}\n{topology:?}"),
        Err(error) => assert_eq!(error.to_string(), expected, "\n{text}"),
    }
}

const BASE: &str = "name: x
spouts:
  - {id: words, className: test_words}
bolts:
  - {id: count, className: test_word_count}
streams:
  - {from: words, to: count, grouping: {type: SHUFFLE}}
";

/// A topology that works is refused with this error once a part of it is replaced.
fn check_with(part: &str, replacement: &str, expected: &str) {
    assert!(parse("t.yaml", BASE, &options()).is_ok());
    assert!(BASE.contains(part), "{part}");
    check(&BASE.replace(part, replacement), expected);
}

/// It is refused once this is added.
fn check_added(added: &str, expected: &str) {
    check(&format!("{BASE}{added}\n"), expected);
}

/// It is refused once its bolt is of this class.
fn check_bolt(class: &str, expected: &str) {
    check_with("className: test_word_count", class, &format!("t.yaml:5:28: component \"count\": {expected}"));
}

#[test]
fn what_is_not_a_map_of_the_known_keys() {
    check("", "t.yaml:1:1: found an empty file, expected a map with name, spouts, bolts and streams");
    check("- a", "t.yaml:1:1: found a list, expected a topology as a map");
    check(
        "name: x\nbolt: []",
        "t.yaml:2:1: found key \"bolt\" in a topology, expected one of name, config, components, includes, spouts, bolts, \
         streams, workerHooks, topologySource",
    );
    check("name: x\nspouts: 5", "t.yaml:2:9: spouts: found integer 5, expected a list");
    check("name: [x]", "t.yaml:1:7: name: found a list, expected text");
    check("a: 1\n---\nb: 2", "t.yaml:2:1: found a second document, expected one in a file");
    check("name: x\nname: y", "t.yaml:2:1: key \"name\" is there twice, first in line 1");
    check(
        "name: !!java.net.URL [x]",
        "t.yaml:1:7: tag tag:yaml.org,2002:java.net.URL isn't supported; use !!str, !!int, !!float, !!bool or none",
    );
}

#[test]
fn what_is_not_yaml() {
    let error = parse("t.yaml", "name: x\nspouts: [a, b\n", &options()).unwrap_err();
    assert!(error.message.starts_with("not YAML: "), "{error}");
    assert_eq!(error.place.line, 3);
}

#[test]
fn aliases_and_nesting_without_bounds() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb += &format!("a{level}: &a{level} [{before}]\n");
    }
    let error = parse("t.yaml", &bomb, &options()).unwrap_err();
    assert_eq!(error.message, "the file has more than 100000 nodes");
    let error = parse("t.yaml", &"[".repeat(60), &options()).unwrap_err();
    assert_eq!(error.message, "lists and maps nest deeper than 50");
    let chain: String = (1..100).map(|level| format!("a{level}: &a{level} [*a{}]\n", level - 1)).collect();
    let error = parse("t.yaml", &format!("a0: &a0 x\n{chain}"), &options()).unwrap_err();
    assert_eq!(error.message, "lists and maps nest deeper than 50");
    check("a: &a [*a]", "t.yaml:1:8: found an alias within its own anchor, which has no end");
}

#[test]
fn names_and_ids() {
    check_with("name: x\n", "", "t.yaml:1:1: the topology has no name");
    check_with("name: x", "name: a/b", "t.yaml:1:7: found topology name \"a/b\", expected one without any of / . : \\");
    check_with("name: x", "name: ' '", "t.yaml:1:7: the topology's name is empty");
    check_with("id: count", "id: words", "t.yaml:5:5: id \"words\" is there twice, first at t.yaml:3:5");
    check_with("id: count", "id: __count", "t.yaml:5:5: found id \"__count\", expected one without __ at its start");
    check_with("id: count, ", "", "t.yaml:5:5: a bolt has no id");
    check_with("className: test_word_count", "x: 1", &unknown_component_key());
    let twice = "components:\n  - {id: a, className: A}\n  - {id: a, className: B}";
    check_added(twice, "t.yaml:10:5: id \"a\" is there twice, first at t.yaml:9:5");
}

fn unknown_component_key() -> String {
    "t.yaml:5:17: found key \"x\" in a bolt, expected one of id, className, constructorArgs, properties, configMethods, \
     factory, factoryArgs, parallelism, numTasks, onHeapMemoryLoad, offHeapMemoryLoad, cpuLoad, config"
        .to_owned()
}

#[test]
fn numbers_of_executors_and_tasks() {
    let bolt = "className: test_word_count";
    let with = |more: &str| format!("{bolt}, {more}");
    let at = "t.yaml:5:5: ";
    check_with(bolt, &with("parallelism: 0"), &format!("{at}parallelism of \"count\" is 0, expected at least 1"));
    check_with(bolt, &with("numTasks: -2"), &format!("{at}numTasks of \"count\" is -2, expected at least 1"));
    check_with(bolt, &with("parallelism: two"), "t.yaml:5:58: parallelism: found text \"two\", expected an integer");
    check_with(bolt, &with("cpuLoad: much"), "t.yaml:5:54: cpuLoad: found text \"much\", expected a number");
}

#[test]
fn streams() {
    check_with("to: count", "to: nobody", "t.yaml:7:23: to: found \"nobody\", expected the id of a bolt");
    check_with(
        "to: count",
        "to: words",
        "t.yaml:7:23: to: found the spout \"words\", expected a bolt: a spout has no input",
    );
    check_with(
        "from: words",
        "from: nobody",
        "t.yaml:7:12: from: found \"nobody\", expected the id of a spout or bolt",
    );
    check_with("from: words, ", "", "t.yaml:7:5: a stream has no from");
    check_with(", grouping: {type: SHUFFLE}", "", "t.yaml:7:5: the stream from \"words\" to \"count\" has no grouping");
    check_added(
        "  - {from: words, to: count, grouping: {type: ALL}}",
        "t.yaml:8:5: bolt \"count\" receives stream \"default\" of \"words\" twice, first at t.yaml:7:5",
    );
    let without = BASE.split("streams").next().unwrap();
    check(without, "t.yaml:5:5: bolt \"count\" has no input: no stream has it as its to");
    check("name: x", "t.yaml:1:1: the topology has no spouts");
    check_with(
        "type: SHUFFLE",
        "type: SHUFFLE, streamId: more",
        "t.yaml:7:5: component \"words\" has no stream \"more\", its streams are [\"default\"]",
    );
}

#[test]
fn groupings() {
    let at = "t.yaml:7:40: ";
    let fields = "a grouping of type FIELDS has no args, expected a list of field names";
    check_with("type: SHUFFLE", "type: FIELDS", &format!("{at}{fields}"));
    check_with("type: SHUFFLE", "type: FIELDS, args: []", &format!("{at}{fields}"));
    check_with(
        "type: SHUFFLE",
        "type: FIELDS, args: [line]",
        "t.yaml:7:5: stream \"default\" of \"words\" has no field \"line\", its fields are [\"word\"]",
    );
    check_with("type: SHUFFLE", "type: CUSTOM", &format!("{at}a grouping of type CUSTOM has no customClass"));
    check_with(
        "type: SHUFFLE",
        "type: CUSTOM, customClass: {className: a.B}",
        "t.yaml:7:80: custom grouping: class a.B can't run in Monsoon; register a native object of that name",
    );
    check_with(
        "type: SHUFFLE",
        "type: shuffle",
        &format!(
            "{at}found grouping type \"shuffle\", expected one of ALL, CUSTOM, DIRECT, SHUFFLE, LOCAL_OR_SHUFFLE, FIELDS, \
             PARTIAL_KEY, GLOBAL, NONE"
        ),
    );
}

#[test]
fn references() {
    let bean = |rest: &str| format!("components:\n  - {{id: a, className: A, {rest}}}");
    check_added(&bean("constructorArgs: [{ref: b}]"), "t.yaml:9:51: found ref \"b\", expected the id of a component");
    check_added(
        &bean("constructorArgs: [{reflist: [b]}]"),
        "t.yaml:9:56: found ref \"b\", expected the id of a component",
    );
    check_added(
        &bean("constructorArgs: [{reflist: b}]"),
        "t.yaml:9:55: reflist: found text \"b\", expected a list of ids",
    );
    check_added(&bean("constructorArgs: [{ref: a}]"), "t.yaml:9:51: component \"a\" refers to itself");
    let both = "t.yaml:9:40: property \"p\" has both value and ref, expected one of them";
    check_added(&bean("properties: [{name: p, value: 1, ref: a}]"), both);
    let mut doubled = "components:\n  - {id: b0, className: A, constructorArgs: [1]}\n".to_owned();
    for level in 1..40 {
        let before = level - 1;
        doubled +=
            &format!("  - {{id: b{level}, className: A, constructorArgs: [{{reflist: [b{before}, b{before}]}}]}}\n");
    }
    let error = parse("t.yaml", &format!("{BASE}{doubled}"), &options()).unwrap_err();
    assert_eq!(error.message, "component \"b16\" has more than 100000 values, references included");
}

#[test]
fn configuration_of_the_wrong_type() {
    check_added("config:\n  topology.debug: 1", "t.yaml:9:19: topology.debug must be of type Boolean, found integer 1");
    check_added(
        "config: {topology.workers: four}",
        "t.yaml:8:28: topology.workers must be of type Integer, found text \"four\"",
    );
    check_with(
        "className: test_word_count",
        "className: test_word_count, config: {topology.debug: 'false'}",
        "t.yaml:5:70: topology.debug must be of type Boolean, found text \"false\"",
    );
    check_bolt(
        "className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, constructorArgs: [[a]], configMethods: [{name: f}]",
        "unable to find configuration method f() of org.apache.storm.flux.wrappers.bolts.FluxShellBolt, expected one of \
         setDefaultStream, setNamedStream, addComponentConfig, setEnv, changeChildCWD with its arguments",
    );
}

#[test]
fn windows_that_can_not_be() {
    let window = |rest: &str| format!("className: window, constructorArgs: [SELECT 1 AS one]{rest}");
    let check = |rest: &str, expected: &str| {
        let expected = format!("t.yaml:5:5: component \"count\": {expected}");
        check_with("className: test_word_count", &window(rest), &expected);
    };
    let (count, ms) = ("topology.bolts.window.length.count", "topology.bolts.window.length.duration.ms");
    check("", &format!("a window has no length: set {count} or {ms}"));
    let both = format!(", config: {{{count}: 5, {ms}: 5}}");
    check(&both, &format!("{count} and {ms} are both set: it is one of them"));
    let late = format!(", config: {{{count}: 5, topology.bolts.late.tuple.stream: late}}");
    let field = "topology.bolts.tuple.timestamp.field";
    check(&late, &format!("topology.bolts.late.tuple.stream needs {field}: without it there is no event time"));
    check_bolt("className: window", &no_constructor("window", "0 arguments, expected the text of a query"));
    check_bolt(
        &window(", properties: [{name: length, value: 5}]"),
        "window has no properties: its config says which windows",
    );
}

/// What the topology says counts for a window that says nothing itself.
#[test]
fn a_windows_length_may_be_the_topologys() {
    let bolt = BASE.replace("className: test_word_count", "className: window, constructorArgs: [SELECT 1 AS one]");
    let text = format!("{bolt}config: {{topology.bolts.window.length.count: 5}}\n");
    assert!(parse("t.yaml", &text, &options()).is_ok());
}

#[test]
fn classes_that_can_not_run() {
    let all = "stream, sql, insert, window, log, test_words, test_word_count";
    check_bolt(
        "className: a.b.C",
        &format!(
            "Java class a.b.C can't run in Monsoon; use a shell component (FluxShellBolt), a built-in ({all}) or register a \
             native component"
        ),
    );
    check_bolt("className: native:nobody", "no native component \"nobody\" is registered");
    check_bolt("className: nobody", &format!("nobody is neither a built-in ({all}) nor a registered native component"));
    check_bolt("className: stream, constructorArgs: [a]", "stream is a spout, found among the bolts");
    check_bolt("className: insert", &no_constructor("insert", "0 arguments, expected the name of a table"));
    check_bolt("className: log, constructorArgs: [1]", &no_constructor("log", "1 arguments, expected none"));
    let factory = "a factory method is Java and can't be called; use constructorArgs";
    check_bolt("className: log, factory: make", factory);
    check_bolt("className: native:mine, factory: make", factory);
    check_bolt(
        "className: log, configMethods: [{name: withPrefix, args: [a]}]",
        "unable to find configuration method \"withPrefix\" of log, which has none",
    );
    check_bolt(
        "className: org.apache.storm.task.ShellBolt",
        &no_constructor("org.apache.storm.task.ShellBolt", "(), expected a command as a list of words"),
    );
    let hook = "t.yaml:8:34: worker hook \"h\": class a.H can't run in Monsoon; register a native object of that name";
    check_added("workerHooks: [{id: h, className: a.H}]", hook);
}

fn no_constructor(class: &str, rest: &str) -> String {
    format!("couldn't find a suitable constructor of {class}: found {rest}")
}

#[test]
fn kafka_and_java_builders_with_the_way_to_go() {
    let error = |file| parse_file(file, &options()).unwrap_err().to_string();
    assert_eq!(
        error("kafka.yaml"),
        "kafka.yaml:7:16: component \"kafka\": Java class org.apache.storm.kafka.spout.KafkaSpout can't run in Monsoon; \
         create a relation over the topic with the Kafka connector and read it by the built-in stream (className: stream, \
         constructorArgs: [relation])"
    );
    assert_eq!(
        error("topology_source.yaml"),
        "topology_source.yaml:3:3: topologySource: Java class com.example.SimpleTopology can't run in Monsoon; define spouts, \
         bolts and streams in this file"
    );
    check_added(
        "topologySource: {className: a.B}",
        "t.yaml:8:17: found both topologySource and spouts, bolts or streams, expected one way to define the topology",
    );
}

#[test]
fn includes_that_are_not_there() {
    let error = parse("t.yaml", "includes: [{file: none.yaml}]", &options()).unwrap_err().to_string();
    assert!(error.starts_with("t.yaml:1:12: can't include none.yaml: "), "{error}");
    let error = parse("t.yaml", "includes: [{file: /none.yaml, resource: true}]", &options()).unwrap_err().to_string();
    assert!(error.ends_with("; Monsoon has no class path: put the resource beside the including file"), "{error}");
    let error = parse("t.yaml", "includes: [{file: a.yaml}]", &FluxOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "t.yaml:1:12: can't include a.yaml: files can't be included here");
}

/// Whatever is in a file, reading it ends with a topology or an error. A failure prints its seed.
#[test]
fn a_damaged_file_never_panics() {
    let files = ["tck.yaml", "shell.yaml", "diamond.yaml", "built_in.yaml", "include.yaml"];
    let texts: Vec<Vec<char>> = files.iter().map(|file| read(Path::new(file)).unwrap().chars().collect()).collect();
    let damage: Vec<char> = "{}[]:,&*!|>'\"%@`#-? \n\t\\é\u{0}${}<<a0".chars().collect();
    for seed in 0..3000_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % bound as u64) as usize
        };
        let mut text = texts[below(texts.len())].clone();
        for _ in 0..1 + below(8) {
            let at = below(text.len());
            match below(3) {
                0 => text[at] = damage[below(damage.len())],
                1 => text.insert(at, damage[below(damage.len())]),
                _ => drop(text.drain(at..(at + below(20)).min(text.len()))),
            }
        }
        let text: String = text.into_iter().collect();
        let result = std::panic::catch_unwind(|| parse("t.yaml", &text, &options()).is_ok());
        assert!(result.is_ok(), "seed {seed} panics on:\n{text}");
    }
}
