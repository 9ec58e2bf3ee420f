//! What is said about topologies, and where it is wrong.

use super::super::tests::refused;
use super::super::{parse, split, tokenize};
use crate::sql_text::SqlText;
use crate::statement::*;

/// A short form of the only statement of `sql`; the statement's own text says the same.
fn shown(sql: &str) -> String {
    let read = |sql: &str| {
        let mut statements = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(statements.len(), 1, "{sql}");
        let statement = statements.remove(0);
        let Body::Topology(topology) = statement.body else { panic!("{sql}: {statement:?}") };
        (topology_shown(&statement.sql, &topology), statement.sql)
    };
    let (shown, text) = read(sql);
    assert_eq!(read(&text).0, shown, "{sql}");
    shown
}

fn topology_shown(sql: &str, topology: &TopologyStatement) -> String {
    match topology {
        TopologyStatement::Create(it) => {
            let mut lines = vec![format!(
                "{} replace {} exists {} {}",
                it.name,
                it.or_replace,
                it.if_not_exists,
                options_shown(&it.options)
            )];
            lines.extend(it.components.iter().map(|component| component_shown(sql, component)));
            lines.join("\n")
        }
        TopologyStatement::Rebalance { name, options } => format!("rebalance {name} {}", options_shown(options)),
        TopologyStatement::Activate(name) => format!("activate {name}"),
        TopologyStatement::Deactivate(name) => format!("deactivate {name}"),
        TopologyStatement::Kill(it) => format!("{} {} exists {} wait {:?}", it.tag, it.name, it.if_exists, it.wait_ms),
        TopologyStatement::Restart(name) => format!("restart {name}"),
        TopologyStatement::Show => "show".to_owned(),
        TopologyStatement::ShowCreate(name) => format!("show create {name}"),
        TopologyStatement::Describe(name) => format!("describe {name}"),
    }
}

fn options_shown(options: &[(datafusion::sql::sqlparser::ast::Ident, String)]) -> String {
    let options: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("[{}]", options.join(","))
}

fn component_shown(sql: &str, it: &Component) -> String {
    let (code, inputs) = match &it.role {
        Role::Spout(SpoutCode::Stream(name)) => (format!("spout {} stream {name}", it.name), &[] as &[Input]),
        Role::Spout(SpoutCode::Shell(shell)) => (format!("spout {} {shell:?}", it.name), &[] as &[Input]),
        Role::Spout(SpoutCode::Native(native)) => {
            (format!("spout {} {}", it.name, native_shown(native)), &[] as &[Input])
        }
        Role::Bolt { code, inputs } => (format!("bolt {} {}", it.name, code_shown(sql, code)), inputs.as_slice()),
    };
    let mut parts = vec![code];
    parts.extend(it.parallelism.map(|executors| format!("executors {executors}")));
    parts.extend(it.tasks.map(|tasks| format!("tasks {tasks}")));
    parts.extend(it.outputs.iter().map(output_shown));
    parts.extend((!it.options.is_empty()).then(|| options_shown(&it.options)));
    parts.extend(inputs.iter().map(input_shown));
    parts.join("; ")
}

fn code_shown(sql: &str, code: &BoltCode) -> String {
    // The offset is the place of the query in the statement.
    let query = |query: &ComponentQuery| {
        let there: String = sql.chars().skip(query.offset).take(query.sql.chars().count()).collect();
        assert_eq!(there, query.sql);
        query.query.to_string()
    };
    match code {
        BoltCode::Shell(shell) => format!("{shell:?}"),
        BoltCode::Native(native) => native_shown(native),
        BoltCode::Sql(it) => format!("sql {}", query(it)),
        BoltCode::Window(it, window) => format!("window {}; {}", query(it), window_shown(window)),
        BoltCode::Insert(name) => format!("insert {name}"),
    }
}

fn native_shown(native: &Native) -> String {
    format!("native {} {:?}", native.name.value, native.arguments)
}

fn window_shown(window: &Window) -> String {
    let mut parts = vec![format!("{:?}", window.form)];
    let name = |name: &Option<datafusion::sql::sqlparser::ast::Ident>| name.as_ref().map(ToString::to_string);
    let ms = |ms: Option<u64>| ms.map(|ms| ms.to_string());
    for (clause, value) in [
        ("timestamp", name(&window.timestamp_field)),
        ("lag", ms(window.lag_ms)),
        ("watermark", ms(window.watermark_interval_ms)),
        ("late", name(&window.late_stream)),
        ("lateness", ms(window.allowed_lateness_ms)),
        ("idle", ms(window.idle_timeout_ms)),
    ] {
        parts.extend(value.map(|value| format!("{clause} {value}")));
    }
    parts.join(" ")
}

fn output_shown(it: &OutputStream) -> String {
    let name = it.name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let fields: Vec<String> = it.fields.iter().map(|field| format!("{} {}", field.name, field.data_type)).collect();
    format!("output{} {name} ({})", if it.direct { " direct" } else { "" }, fields.join(","))
}

fn input_shown(it: &Input) -> String {
    let names = |names: &[datafusion::sql::sqlparser::ast::Ident]| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    let grouping = match &it.grouping {
        Grouping::Fields(fields) => format!("Fields({})", names(fields)),
        Grouping::PartialKey(fields) => format!("PartialKey({})", names(fields)),
        Grouping::Custom(native) => format!("Custom({})", native_shown(native)),
        plain => format!("{plain:?}"),
    };
    let stream = it.stream.as_ref().map_or_else(String::new, |stream| format!(".{stream}"));
    format!("{grouping} {}{stream}", it.source)
}

fn check(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(shown(sql), *expected, "{sql}");
    }
}

/// The cases' `^` stands before the place of the error.
fn check_refused(cases: &[(&str, &str)]) {
    for (marked, expected) in cases {
        let before = marked.split('^').next().unwrap_or("").chars().count();
        let (sqlstate, message) = expected.split_once(' ').unwrap();
        assert_eq!(refused(&marked.replace('^', "")), format!("{sqlstate}@{} {message}", before + 1), "{marked}");
    }
}

/// A topology of one component.
fn component(text: &str) -> String {
    let shown = shown(&format!("CREATE TOPOLOGY t AS {text}"));
    shown.split_once('\n').unwrap().1.to_owned()
}

fn check_components(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(component(text), *expected, "{text}");
    }
}

#[test]
fn word_count() {
    check(&[(
        "CREATE OR REPLACE TOPOLOGY IF NOT EXISTS WordCount WITH (Ackers = 1, message_timeout = '30 s', initial_status = 'inactive') AS
           SPOUT lines USING STREAM sentences PARALLELISM 2
           BOLT split  USING SHELL ('python3', 'split.py') OUTPUT (word TEXT) PARALLELISM 4 SHUFFLE GROUPING ON lines -- é
           BOLT counts USING SQL (SELECT word, count(*) FROM input WHERE word <> ';' GROUP BY word) FIELDS GROUPING (word) ON split
           BOLT out    USING INSERT INTO word_counts GLOBAL GROUPING ON counts;",
        "wordcount replace true exists true [ackers=1,message_timeout=30 s,initial_status=inactive]
spout lines stream sentences; executors 2
bolt split Shell { command: [\"python3\", \"split.py\"], directory: None }; executors 4; output - (word TEXT); Shuffle lines
bolt counts sql SELECT word, count(*) FROM input WHERE word <> ';' GROUP BY word; Fields(word) split
bolt out insert word_counts; Global counts",
    )]);
}

#[test]
fn spouts_and_their_clauses_in_any_order() {
    let shell = "spout s Shell { command: [\"p\"], directory: Some(\"d\") }";
    check_components(&[
        (
            "SPOUT \"S\" USING STREAM public.\"X\" WITH (tick_interval = '1 s', a.b = c) TASKS 4 PARALLELISM 2",
            "spout \"S\" stream public.\"X\"; executors 2; tasks 4; [tick_interval=1 s,a.b=c]",
        ),
        (
            "SPOUT s USING SHELL ('p') DIRECTORY 'd' OUTPUT (word TEXT, n NUMERIC(10, 2)) OUTPUT STREAM E (m TEXT) OUTPUT DIRECT STREAM d (x INT)",
            &format!("{shell}; output - (word TEXT,n NUMERIC(10,2)); output e (m TEXT); output direct d (x INT)"),
        ),
        (
            "SPOUT s USING SHELL ('p') TASKS 1 OUTPUT DIRECT STREAM default (x INT) DIRECTORY $$d$$",
            &format!("{shell}; tasks 1; output direct - (x INT)"),
        ),
        ("SPOUT s USING NATIVE 'Name' ('a', 'b')", "spout s native Name [\"a\", \"b\"]"),
        ("SPOUT s USING NATIVE 'Name' OUTPUT (a TEXT)", "spout s native Name []; output - (a TEXT)"),
    ]);
}

#[test]
fn groupings() {
    check_components(&[(
        "BOLT b USING NATIVE 'n'
           SHUFFLE GROUPING ON a, FIELDS GROUPING (W, \"X\") ON a STREAM s, PARTIAL KEY GROUPING (w) ON c
           ALL GROUPING ON d GLOBAL GROUPING ON e NONE GROUPING ON f PARALLELISM 3
           DIRECT GROUPING ON g LOCAL OR SHUFFLE GROUPING ON \"H\" STREAM default
           CUSTOM GROUPING 'Mine' ON i, CUSTOM 'Mine' ('x') GROUPING ON j, FIELDS (w) GROUPING ON k",
        "bolt b native n []; executors 3; Shuffle a; Fields(w,\"X\") a.s; PartialKey(w) c; \
         All d; Global e; None f; Direct g; LocalOrShuffle \"H\"; \
         Custom(native Mine []) i; Custom(native Mine [\"x\"]) j; Fields(w) k",
    )]);
}

#[test]
fn windows() {
    let window = |clauses: &str| {
        let text = component(&format!("BOLT w USING WINDOW (SELECT 1 FROM input) {clauses} ALL GROUPING ON a"));
        let shown = text.strip_prefix("bolt w window SELECT 1 FROM input; ").unwrap();
        shown.strip_suffix("; All a").unwrap().to_owned()
    };
    for (clauses, expected) in [
        ("LENGTH INTERVAL '10 s'", "Sliding { length: TimeMs(10000), slide: None }"),
        ("LENGTH 100 ROWS", "Sliding { length: Rows(100), slide: None }"),
        (
            "LENGTH INTERVAL '10' MINUTES SLIDE INTERVAL '5 s'",
            "Sliding { length: TimeMs(600000), slide: Some(TimeMs(5000)) }",
        ),
        ("SLIDE 1 ROW LENGTH '1 hour'", "Sliding { length: TimeMs(3600000), slide: Some(Rows(1)) }"),
        ("LENGTH 5 ROWS SLIDE INTERVAL '00:00:02'", "Sliding { length: Rows(5), slide: Some(TimeMs(2000)) }"),
        ("LENGTH 5 ROWS SLIDE 2 ROWS", "Sliding { length: Rows(5), slide: Some(Rows(2)) }"),
        ("LENGTH 5 ROWS TUMBLING", "Tumbling(Rows(5))"),
        ("TUMBLING LENGTH INTERVAL '1 day'", "Tumbling(TimeMs(86400000))"),
        ("SESSION GAP INTERVAL '5 s'", "Session { gap_ms: 5000 }"),
        (
            "LENGTH 5 ROWS TIMESTAMP FIELD Ts LAG INTERVAL '0 s' WATERMARK INTERVAL '1 s' LATE STREAM late ALLOWED LATENESS INTERVAL '2 s' IDLE TIMEOUT INTERVAL '3 s'",
            "Sliding { length: Rows(5), slide: None } timestamp ts lag 0 watermark 1000 late late lateness 2000 idle 3000",
        ),
    ] {
        assert_eq!(window(clauses), expected, "{clauses}");
    }
}

#[test]
fn life_cycle() {
    check(&[
        (
            "ALTER TOPOLOGY T REBALANCE (Parallelism = 8, \"Split\" = 4, wait = '10 s')",
            "rebalance t [parallelism=8,\"Split\"=4,wait=10 s]",
        ),
        ("ALTER TOPOLOGY t REBALANCE WITH (parallelism = 8)", "rebalance t [parallelism=8]"),
        ("ALTER TOPOLOGY t REBALANCE", "rebalance t []"),
        ("ACTIVATE TOPOLOGY t", "activate t"),
        ("DEACTIVATE TOPOLOGY \"T\"", "deactivate \"T\""),
        ("KILL TOPOLOGY t", "KILL TOPOLOGY t exists false wait None"),
        ("kill topology if exists T wait '10 s'", "KILL TOPOLOGY t exists true wait Some(10000)"),
        ("KILL TOPOLOGY t WAIT INTERVAL '1' MINUTE", "KILL TOPOLOGY t exists false wait Some(60000)"),
        ("DROP TOPOLOGY IF EXISTS t", "DROP TOPOLOGY t exists true wait None"),
        ("RESTART TOPOLOGY t", "restart t"),
        ("SHOW TOPOLOGIES", "show"),
        ("SHOW CREATE TOPOLOGY t", "show create t"),
        ("DESCRIBE TOPOLOGY t", "describe t"),
    ]);
    // A relation may have this name.
    assert!(matches!(parse("DESCRIBE topology").unwrap()[0].body, Body::Describe(_)));
    check_refused(&[
        ("ALTER TOPOLOGY t ^STOP", "42601 syntax error at or near \"STOP\""),
        ("ALTER TOPOLOGY t REBALANCE ^8", "42601 syntax error at or near \"8\""),
        ("ALTER TOPOLOGY t REBALANCE WITH^", "42601 syntax error at end of input"),
        ("ALTER TOPOLOGY t REBALANCE (a = 1, ^A = 2)", "42601 option \"a\" is given twice"),
        ("ACTIVATE ^t", "42601 syntax error at or near \"t\""),
        ("DEACTIVATE TOPOLOGY^", "42601 syntax error at end of input"),
        ("RESTART TOPOLOGY public^.t", "42601 syntax error at or near \".\""),
        ("KILL TOPOLOGY t WAIT ^10", "42601 syntax error at or near \"10\""),
        ("KILL TOPOLOGY t WAIT ^'10'", "22023 WAIT takes a duration such as '10 s', not \"10\""),
        ("KILL TOPOLOGY t WAIT INTERVAL ^'1 month'", "22023 WAIT takes a duration such as '10 s', not \"1 month\""),
        ("DROP TOPOLOGY ^table", "42601 syntax error at or near \"table\""),
        ("SHOW TOPOLOGIES ^t", "42601 syntax error at or near \"t\""),
        ("COMMENT ON ^TOPOLOGY t IS 'x'", "0A000 COMMENT ON TOPOLOGY is not supported"),
    ]);
}

#[test]
fn wrong_topologies() {
    check_refused(&[
        ("CREATE TOPOLOGY^", "42601 syntax error at end of input"),
        ("CREATE TOPOLOGY public^.t AS SPOUT a USING STREAM s", "42601 syntax error at or near \".\""),
        ("CREATE TOPOLOGY t AS^", "42601 syntax error at end of input"),
        ("CREATE TOPOLOGY t ^SPOUT a USING STREAM s", "42601 syntax error at or near \"SPOUT\""),
        ("CREATE TOPOLOGY t AS ^SELECT 1", "42601 syntax error at or near \"SELECT\""),
        ("CREATE TOPOLOGY t WITH (a = 1, ^a = 2) AS SPOUT a USING STREAM s", "42601 option \"a\" is given twice"),
        (
            "CREATE TOPOLOGY t AS SPOUT a USING STREAM s BOLT ^A USING SHELL ('x') ALL GROUPING ON a",
            "42710 component \"a\" specified more than once",
        ),
        (
            "CREATE TOPOLOGY t AS ^BEGIN CREATE MATERIALIZED VIEW v AS SELECT 1; END",
            "0A000 a topology of continuous queries (AS BEGIN ... END) is not supported",
        ),
        (
            "SELECT 1; CREATE TOPOLOGY t AS SPOUT é USING STREAM s\n  SPOUT f ^STREAM s",
            "42601 syntax error at or near \"STREAM\"",
        ),
    ]);
}

#[test]
fn wrong_components() {
    let cases = [
        ("SPOUT ^USING STREAM s", "42601 syntax error at or near \"USING\""),
        ("SPOUT a^", "42601 syntax error at end of input"),
        ("SPOUT a ^STREAM s", "42601 syntax error at or near \"STREAM\""),
        ("SPOUT a USING ^SQL (SELECT 1)", "42601 syntax error at or near \"SQL\""),
        ("BOLT a USING ^STREAM s ALL GROUPING ON b", "42601 syntax error at or near \"STREAM\""),
        ("SPOUT a USING STREAM s ^SHUFFLE GROUPING ON b", "42601 a spout reads no component: it has no grouping"),
        ("SPOUT a USING STREAM s ^OUTPUT (x INT)", "42601 OUTPUT is for a component USING SHELL or NATIVE"),
        ("SPOUT a USING NATIVE 'x' ^DIRECTORY 'd'", "42601 DIRECTORY is for a component USING SHELL"),
        ("SPOUT a USING STREAM s ^LENGTH 5 ROWS", "42601 LENGTH is for a component USING WINDOW"),
        ("SPOUT a USING SHELL ^'x'", "42601 syntax error at or near \"'x'\""),
        ("SPOUT a USING SHELL (^)", "42601 syntax error at or near \")\""),
        ("SPOUT a USING SHELL ('x', ^y)", "42601 syntax error at or near \"y\""),
        ("SPOUT a USING NATIVE ^x", "42601 syntax error at or near \"x\""),
        ("SPOUT a USING STREAM s PARALLELISM ^TASKS 2", "42601 syntax error at or near \"TASKS\""),
        ("SPOUT a USING STREAM s TASKS ^0", "22023 TASKS takes a whole number from 1 to 4294967295, not 0"),
        (
            "SPOUT a USING STREAM s PARALLELISM ^1.5",
            "22023 PARALLELISM takes a whole number from 1 to 4294967295, not 1.5",
        ),
        ("SPOUT a USING STREAM s PARALLELISM 1 ^PARALLELISM 2", "42601 PARALLELISM is given twice"),
        ("SPOUT a USING STREAM s TASKS 1 PARALLELISM 2 ^TASKS 1", "42601 TASKS is given twice"),
        ("SPOUT a USING STREAM s WITH (a = 1) ^WITH (b = 1)", "42601 WITH is given twice"),
        ("SPOUT a USING SHELL ('x') DIRECTORY 'a' ^DIRECTORY 'b'", "42601 DIRECTORY is given twice"),
        ("SPOUT a USING SHELL ('x') OUTPUT ^word", "42601 syntax error at or near \"word\""),
        ("SPOUT a USING SHELL ('x') OUTPUT (word^)", "42601 syntax error at or near \")\""),
        ("SPOUT a USING SHELL ('x') OUTPUT (a INT, ^A INT)", "42701 field \"a\" specified more than once"),
        (
            "SPOUT a USING SHELL ('x') OUTPUT (a INT) ^OUTPUT STREAM \"default\" (b INT)",
            "42601 OUTPUT of stream \"default\" is given twice",
        ),
        (
            "SPOUT a USING SHELL ('x') OUTPUT STREAM e (a INT) ^OUTPUT DIRECT STREAM e (b INT)",
            "42601 OUTPUT of stream \"e\" is given twice",
        ),
        ("SPOUT a USING STREAM s ^COLOUR 'red'", "42601 syntax error at or near \"COLOUR\""),
        ("BOLT a USING INSERT ^t ALL GROUPING ON b", "42601 syntax error at or near \"t\""),
        ("BOLT a USING SQL ^SELECT 1 ALL GROUPING ON b", "42601 syntax error at or near \"SELECT\""),
        ("BOLT a USING SQL (^) ALL GROUPING ON b", "42601 syntax error at or near \")\""),
        ("BOLT a USING SQL (SELECT ^, 1 FROM input) ALL GROUPING ON b", "42601 syntax error at or near \",\""),
        ("BOLT a USING SQL (SELECT 1 FROM input^ ; SELECT 2) ALL GROUPING ON b", "42601 syntax error at end of input"),
        ("BOLT a USING SQL (^SELECT 1 INTO x FROM input) ALL GROUPING ON b", "0A000 SELECT INTO is not supported"),
        (
            "BOLT a USING SQL (^WITH x AS (SELECT 1) DELETE FROM input) ALL GROUPING ON b",
            "0A000 the query of a bolt can't change anything",
        ),
        ("SPOUT s USING STREAM s BOLT ^a USING SHELL ('x') PARALLELISM 2", "42601 bolt \"a\" has no grouping"),
    ];
    check_in_topology(&cases);
}

#[test]
fn wrong_groupings() {
    let cases = [
        ("BOLT a USING SHELL ('x') ^RANDOM GROUPING ON b", "42601 there is no grouping \"RANDOM\""),
        ("BOLT a USING SHELL ('x') ALL GROUPING ON b, ^RANDOM GROUPING ON b", "42601 there is no grouping \"RANDOM\""),
        ("BOLT a USING SHELL ('x') ALL GROUPING ON b, ^PARALLELISM 1", "42601 syntax error at or near \"PARALLELISM\""),
        ("BOLT a USING SHELL ('x') SHUFFLE ^ON b", "42601 syntax error at or near \"ON\""),
        ("BOLT a USING SHELL ('x') SHUFFLE GROUPING ^b", "42601 syntax error at or near \"b\""),
        ("BOLT a USING SHELL ('x') SHUFFLE GROUPING ON^", "42601 syntax error at end of input"),
        ("BOLT a USING SHELL ('x') SHUFFLE GROUPING ON b STREAM^", "42601 syntax error at end of input"),
        ("BOLT a USING SHELL ('x') SHUFFLE GROUPING ^(w) ON b", "42601 syntax error at or near \"(\""),
        ("BOLT a USING SHELL ('x') FIELDS GROUPING ^ON b", "42601 syntax error at or near \"ON\""),
        ("BOLT a USING SHELL ('x') FIELDS GROUPING (^) ON b", "42601 syntax error at or near \")\""),
        ("BOLT a USING SHELL ('x') PARTIAL KEY GROUPING ^ON b", "42601 syntax error at or near \"ON\""),
        ("BOLT a USING SHELL ('x') CUSTOM GROUPING ^mine ON b", "42601 syntax error at or near \"mine\""),
        (
            "BOLT a USING SHELL ('x') ALL GROUPING ON b, SHUFFLE GROUPING ON ^b",
            "42601 stream \"default\" of \"b\" has two groupings",
        ),
        (
            "BOLT a USING SHELL ('x') ALL GROUPING ON b STREAM s ALL GROUPING ON b SHUFFLE GROUPING ON ^b STREAM s",
            "42601 stream \"s\" of \"b\" has two groupings",
        ),
    ];
    check_in_topology(&cases);
}

#[test]
fn wrong_windows() {
    let cases = [
        ("TUMBLING", "42601 the window of bolt \"w\" has no LENGTH and no SESSION GAP"),
        ("LENGTH ^TUMBLING", "42601 syntax error at or near \"TUMBLING\""),
        ("LENGTH 5 ^TUMBLING", "42601 syntax error at or near \"TUMBLING\""),
        ("LENGTH INTERVAL ^5", "42601 syntax error at or near \"5\""),
        ("LENGTH INTERVAL ^'5'", "22023 LENGTH takes a duration such as '10 s', not \"5\""),
        ("LENGTH INTERVAL ^'5 s' SECOND", "22023 LENGTH takes a duration such as '10 s', not \"5 s\""),
        ("LENGTH ^INTERVAL '0 s'", "22023 LENGTH takes a duration of at least 1 ms"),
        ("LENGTH ^0 ROWS", "22023 LENGTH takes a whole number from 1 to 4294967295, not 0"),
        ("LENGTH 5 ROWS ^LENGTH 5 ROWS", "42601 LENGTH is given twice"),
        ("LENGTH 5 ROWS TUMBLING ^SLIDE 2 ROWS", "42601 a window has one of SLIDE, TUMBLING and SESSION GAP, once"),
        ("SESSION GAP '1 s' ^LENGTH 5 ROWS", "42601 a window with SESSION GAP has no LENGTH"),
        ("^SESSION '1 s'", "42601 syntax error at or near \"SESSION\""),
        ("LENGTH 5 ROWS LAG '1 s' ^LAG '1 s'", "42601 LAG is given twice"),
        ("LENGTH 5 ROWS LAG ^'-1 s'", "22023 LAG takes a duration such as '10 s', not \"-1 s\""),
        ("LENGTH 5 ROWS WATERMARK ^'0 s'", "22023 WATERMARK takes a duration of at least 1 ms"),
        ("LENGTH 5 ROWS TIMESTAMP FIELD a ^TIMESTAMP FIELD b", "42601 TIMESTAMP FIELD is given twice"),
        ("LENGTH 5 ROWS LATE STREAM ^'x'", "42601 syntax error at or near \"'x'\""),
    ];
    let marked = |clauses: &str| {
        let name = if clauses.contains('^') { "w" } else { "^w" };
        format!("CREATE TOPOLOGY t AS BOLT {name} USING WINDOW (SELECT 1 FROM input) {clauses} ALL GROUPING ON a")
    };
    for (clauses, expected) in cases {
        check_refused(&[(&marked(clauses), expected)]);
    }
}

fn check_in_topology(cases: &[(&str, &str)]) {
    for (component, expected) in cases {
        check_refused(&[(&format!("CREATE TOPOLOGY t AS {component}"), expected)]);
    }
}

#[test]
fn body_of_a_topology_is_one_statement() {
    let split = |sql: &str| -> Vec<String> {
        let text = SqlText::new(sql);
        let parts = split::split(&text, tokenize(&text).unwrap()).unwrap();
        parts.into_iter().map(|part| part.text).collect()
    };
    let body = "CREATE TOPOLOGY t WITH (a = 1) AS BEGIN CREATE VIEW v AS SELECT CASE WHEN a THEN b END; ; SELECT ';', $$;$$; END";
    assert_eq!(split(&format!("SELECT 1; {body}; SELECT 2")), ["SELECT 1", body, "SELECT 2"]);
    assert_eq!(split(body), [body]);
    assert_eq!(
        split("create or replace topology t as begin end; END"),
        ["create or replace topology t as begin end", "END"]
    );
    // Not closed: the rest belongs to it.
    assert_eq!(
        split("CREATE TOPOLOGY t AS BEGIN SELECT 1; SELECT 2"),
        ["CREATE TOPOLOGY t AS BEGIN SELECT 1; SELECT 2"]
    );
    // `begin` is a name here.
    let components =
        "CREATE TOPOLOGY begin WITH (x = begin) AS BOLT b USING SQL (SELECT 1 AS begin FROM input) ALL GROUPING ON a";
    assert_eq!(split(&format!("{components}; BEGIN; END")), [components, "BEGIN", "END"]);
    assert_eq!(split("CREATE VIEW v AS BEGIN; SELECT 1"), ["CREATE VIEW v AS BEGIN", "SELECT 1"]);
}

#[test]
fn places_of_names_and_queries_are_in_the_statement() {
    let sql = "SELECT 1;\n CREATE TOPOLOGY t AS\n BOLT b USING SQL (SELECT é FROM input)\n ALL GROUPING ON a";
    let statement = parse(sql).unwrap().remove(1);
    let Body::Topology(topology) = statement.body else { panic!("a topology") };
    let TopologyStatement::Create(create) = *topology else { panic!("CREATE") };
    let Role::Bolt { code: BoltCode::Sql(query), inputs } = &create.components[0].role else { panic!("a bolt") };
    let place = |ident: &datafusion::sql::sqlparser::ast::Ident| (ident.span.start.line, ident.span.start.column);
    assert_eq!((place(&create.name), place(&create.components[0].name)), ((1, 17), (2, 7)));
    assert_eq!(place(&inputs[0].source), (3, 18));
    // "CREATE TOPOLOGY t AS\n" has 21 characters, " BOLT b USING SQL (" 19.
    assert_eq!((query.offset, query.sql.as_str()), (40, "SELECT é FROM input"));
}

#[test]
fn large_topologies_are_not_too_complex() {
    let bolt = |n: usize| {
        format!(
            "BOLT b{n} USING SHELL ('x') OUTPUT (a INT) WITH (b = 1) FIELDS GROUPING (a) ON b{}",
            n.saturating_sub(1)
        )
    };
    let bolts: Vec<String> = (1..2_000).map(bolt).collect();
    assert!(parse(&format!("CREATE TOPOLOGY t AS {}", bolts.join(" "))).is_ok());
    let query = format!("SELECT {}", vec!["1"; 5_000].join(" + "));
    let error = parse(&format!("CREATE TOPOLOGY t AS BOLT b USING SQL ({query}) ALL GROUPING ON a")).unwrap_err();
    assert_eq!(error.sqlstate, "54001");
}
