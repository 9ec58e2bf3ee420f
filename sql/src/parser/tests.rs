//! Tests of the parser: what is said, and where it is wrong.

use super::*;
use crate::statement::*;

/// The only statement of `sql`.
fn one(sql: &str) -> Body {
    let mut statements = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0).body
}

/// `SQLSTATE@position message` of what is refused.
pub(super) fn refused(sql: &str) -> String {
    match parse(sql) {
        Ok(statements) => format!("{sql} was accepted: {statements:?}"),
        Err(error) => {
            let position = error.position.map_or_else(String::new, |position| position.to_string());
            format!("{}@{position} {}", error.sqlstate, error.message)
        }
    }
}

/// A short form of what a statement says.
fn shown(sql: &str) -> String {
    let list = |names: Vec<String>| names.join(",");
    match one(sql) {
        Body::CreateStream(it) => {
            let columns =
                it.columns.iter().map(|column| format!("{} {}", column.name.value, column.data_type)).collect();
            let watermark = it.watermark.map_or_else(String::new, |mark| {
                format!(
                    " watermark {} = {}",
                    mark.column.value,
                    mark.expression.map_or_else(|| "itself".to_owned(), |it| it.to_string())
                )
            });
            let options = it.options.iter().map(|(name, value)| format!("{}={value}", name.value)).collect();
            format!("stream {} ({}){watermark} [{}]", it.name, list(columns), list(options))
        }
        Body::CreateTable(it) => {
            let columns = it.columns.iter().map(|column| {
                let required = if column.not_null { "!" } else { "" };
                format!("{} {}{required}", column.name.value, column.data_type)
            });
            let key = it.primary_key.iter().map(|ident| ident.value.clone()).collect();
            let query = it.query.map_or_else(String::new, |query| format!(" as {query}"));
            format!("table {} ({}) key ({}){query}", it.name, list(columns.collect()), list(key))
        }
        Body::CreateMaterializedView(it) | Body::CreateView(it) => {
            let columns = it.columns.iter().map(|ident| ident.value.clone()).collect();
            format!(
                "view {} ({}) emit {} replace {}: {}",
                it.name,
                list(columns),
                it.emit_on_window_close,
                it.or_replace,
                it.query_sql
            )
        }
        Body::CreateSink(it) => {
            let options = it.options.iter().map(|(name, value)| format!("{}={value}", name.value)).collect();
            format!("sink {} [{}] emit {}: {}", it.name, list(options), it.emit_on_window_close, it.query_sql)
        }
        Body::Drop(it) => {
            format!(
                "drop {:?} {} exists {} cascade {}",
                it.kind,
                list(it.names.iter().map(ToString::to_string).collect()),
                it.if_exists,
                it.cascade
            )
        }
        Body::Comment(it) => {
            format!("comment {:?} {} {:?} {:?}", it.kind, it.name, it.column.map(|ident| ident.value), it.text)
        }
        Body::Subscribe(it) => format!("subscribe snapshot {} progress {}: {}", it.snapshot, it.progress, it.query_sql),
        Body::Query(it) => format!("query {it}"),
        Body::Insert(it) => format!("insert {it}"),
        Body::Update(it) => format!("update {it}"),
        Body::Delete(it) => format!("delete {it}"),
        Body::Copy(Copy { direction, format }) => {
            let what = match direction {
                CopyDirection::FromStdin { name, columns } => {
                    format!("from stdin {name} ({})", list(columns.iter().map(|ident| ident.value.clone()).collect()))
                }
                CopyDirection::QueryToStdout(query) => format!("to stdout {query}"),
                CopyDirection::SubscribeToStdout(it) => format!("to stdout subscribe {}", it.query_sql),
            };
            let (delimiter, quote) = (char::from(format.delimiter), char::from(format.quote));
            format!("copy {what} {:?} {delimiter:?} {:?} {} {quote}", format.kind, format.null, format.header)
        }
        Body::Explain(it) => {
            let target = match it.target {
                ExplainTarget::Statement(statement) => format!("{}@{}", statement.sql, statement.offset),
                ExplainTarget::Relation(name) => format!("relation {name}"),
            };
            format!("explain {} {} {target}", it.analyze, it.verbose)
        }
        Body::Declare(it) => {
            format!("declare {} hold {}: {}@{}", it.name, it.hold, it.statement.sql, it.statement.offset)
        }
        Body::Prepare { name, types, statement } => format!("prepare {name} {types:?}: {}", statement.sql),
        Body::Execute { name, values } => {
            format!("execute {name} {}", list(values.iter().map(ToString::to_string).collect()))
        }
        other => format!("{other:?}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(shown(sql), *expected, "{sql}");
    }
}

fn check_refused(cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        assert_eq!(refused(sql), *expected, "{sql}");
    }
}

#[test]
fn streams() {
    check(&[
        ("CREATE STREAM s (a INT, B text)", "stream s (a INT,b TEXT) []"),
        ("create source if not exists \"S\" (a int)", "stream \"S\" (a INT) []"),
        (
            "CREATE STREAM bids (ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5 seconds', p BIGINT)",
            "stream bids (ts TIMESTAMP,p BIGINT) watermark ts = ts - INTERVAL '5 seconds' []",
        ),
        ("CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts)", "stream s (ts TIMESTAMP) watermark ts = itself []"),
        (
            "CREATE STREAM s (a INT) WITH (connector = 'kafka', \"Topic\" = 'b', properties.group.id = 'g', n = -5, on = true, 'x.y' = 'z')",
            "stream s (a INT) [connector=kafka,topic=b,properties.group.id=g,n=-5,on=true,x.y=z]",
        ),
        ("CREATE STREAM s WITH (connector = 'nexmark')", "stream s () [connector=nexmark]"),
    ]);
}

#[test]
fn tables() {
    check(&[
        ("CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT NOT NULL)", "table t (id BIGINT!,name TEXT!) key (id)"),
        ("CREATE TABLE public.t (A int, b int, PRIMARY KEY (a, \"b\"))", "table public.t (a INT!,b INT!) key (a,b)"),
        ("CREATE TABLE t AS SELECT 1 AS x", "table t () key () as SELECT 1 AS x"),
    ]);
    check_refused(&[
        ("CREATE TABLE t (a INT, a INT)", "42701@24 column \"a\" specified more than once"),
        ("CREATE TABLE t (a INT, PRIMARY KEY (b))", "42703@24 column \"b\" named in key does not exist"),
        ("CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)", "42P16@36 multiple primary keys are not allowed"),
        ("CREATE TABLE t (a INT UNIQUE)", "0A000@23 column option UNIQUE is not supported"),
        ("CREATE TABLE t (a INT) WITH (connector = 'kafka')", "0A000@24 a table has no connector"),
        ("CREATE STREAM s (a INT PRIMARY KEY)", "0A000@18 a stream has no primary key"),
        ("CREATE TABLE t", "42601@15 syntax error at end of input"),
        ("CREATE TABLE t ()", "42601@17 syntax error at or near \")\""),
        ("CREATE TABLE select (a INT)", "42601@14 syntax error at or near \"select\""),
        ("CREATE TEMP TABLE t (a INT)", "0A000@8 CREATE TEMP is not supported"),
        ("CREATE INDEX i ON t (a)", "0A000@8 CREATE INDEX is not supported"),
        ("CREATE OR REPLACE TABLE t (a INT)", "0A000@19 OR REPLACE is supported for views and topologies only"),
    ]);
}

#[test]
fn views_and_sinks() {
    check(&[
        (
            "CREATE MATERIALIZED VIEW IF NOT EXISTS v (a, B) AS SELECT 1, 2",
            "view v (a,b) emit false replace false: SELECT 1, 2",
        ),
        (
            "CREATE MATERIALIZED VIEW v AS SELECT count(*) FROM t EMIT ON WINDOW CLOSE",
            "view v () emit true replace false: SELECT count(*) FROM t",
        ),
        ("CREATE OR REPLACE VIEW v AS (SELECT 1);", "view v () emit false replace true: (SELECT 1)"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1 WITH DATA", "view v () emit false replace false: SELECT 1"),
        (
            "CREATE SINK s FROM Hot WITH (connector = 'file')",
            "sink s [connector=file] emit false: SELECT * FROM \"hot\"",
        ),
        (
            "CREATE SINK s AS SELECT a FROM t WHERE a > 1 EMIT ON WINDOW CLOSE WITH (connector = 'file')",
            "sink s [connector=file] emit true: SELECT a FROM t WHERE a > 1",
        ),
    ]);
    check_refused(&[
        ("CREATE MATERIALIZED VIEW v AS SELECT FROM WHERE", "42601@43 syntax error at or near \"WHERE\""),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1 EMIT ON", "42601@47 syntax error at end of input"),
        ("CREATE MATERIALIZED VIEW v AS SELECT a + EMIT ON WINDOW CLOSE", "42601@42 syntax error at or near \"EMIT\""),
        ("CREATE VIEW v AS SELECT 1) x", "42601@26 syntax error at or near \")\""),
        ("CREATE SINK s FROM t", "42601@21 syntax error at end of input"),
    ]);
}

#[test]
fn drops_and_comments() {
    check(&[
        ("DROP MATERIALIZED VIEW IF EXISTS a, B CASCADE", "drop MaterializedView a,b exists true cascade true"),
        ("drop source s restrict", "drop Stream s exists false cascade false"),
        ("COMMENT ON TABLE t IS 'x'", "comment Table t None Some(\"x\")"),
        ("COMMENT ON COLUMN public.t.A IS NULL", "comment Column public.t Some(\"a\") None"),
    ]);
    check_refused(&[
        ("DROP FUNCTION f", "0A000@6 DROP FUNCTION is not supported"),
        ("DROP TABLE", "42601@11 syntax error at end of input"),
        ("COMMENT ON COLUMN a IS 'x'", "42601@19 column name must be qualified"),
    ]);
}

#[test]
fn queries_and_changes() {
    check(&[
        ("SELECT 1", "query SELECT 1"),
        ("(SELECT 1) UNION ALL (SELECT 2)", "query (SELECT 1) UNION ALL (SELECT 2)"),
        ("VALUES (1), (2)", "query VALUES (1), (2)"),
        ("TABLE t", "query TABLE t"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "query WITH x AS (SELECT 1) SELECT * FROM x"),
        ("INSERT INTO T (A, b) VALUES (1, 'x')", "insert INSERT INTO t (a, b) VALUES (1, 'x')"),
        ("INSERT INTO t DEFAULT VALUES", "insert INSERT INTO t DEFAULT VALUES"),
        (
            "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING RETURNING a",
            "insert INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING RETURNING a",
        ),
        (
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
            "insert INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
        ),
        ("UPDATE t SET a = 1 WHERE b = 2", "update UPDATE t SET a = 1 WHERE b = 2"),
        ("DELETE FROM t WHERE a = 1", "delete DELETE FROM t WHERE a = 1"),
        ("SELECT stream FROM t", "query SELECT stream FROM t"),
        ("SELECT $1::int, 'a' || $2", "query SELECT $1::INT, 'a' || $2"),
        ("SELECT current_schema, a.current_schema", "query SELECT current_schema(), a.current_schema"),
    ]);
    check_refused(&[
        ("SELECT 1 +", "42601@11 syntax error at end of input"),
        ("SELECT * FORM t", "42601@15 syntax error at or near \"t\""),
        ("SELEC 1", "42601@1 syntax error at or near \"SELEC\""),
        ("SELECT 'é' FROM t WHERE )", "42601@25 syntax error at or near \")\""),
        ("SELECT 1;\n\n  SELECT , 2", "42601@21 syntax error at or near \",\""),
        ("SELECT 1 2", "42601@10 syntax error at or near \"2\""),
        ("SELECT * FROM order", "42601@15 syntax error at or near \"order\""),
        ("SELECT 'abc", "42601@8 unterminated quoted string at or near \"'abc\""),
        ("SELECT 1 INTO x", "0A000@1 SELECT INTO is not supported"),
        ("ALTER TABLE t ADD COLUMN a INT", "0A000@1 ALTER TABLE is not supported"),
        ("ALTER SYSTEM SET x = 1", "0A000@1 ALTER SYSTEM is not supported"),
        ("VACUUM", "0A000@1 VACUUM is not supported"),
        ("INSERT OVERWRITE t VALUES (1)", "0A000@1 this form of INSERT is not supported"),
    ]);
}

#[test]
fn subscriptions() {
    check(&[
        ("SUBSCRIBE TO V", "subscribe snapshot true progress false: SELECT * FROM \"v\""),
        (
            "SUBSCRIBE v WITH (snapshot = false, progress)",
            "subscribe snapshot false progress true: SELECT * FROM \"v\"",
        ),
        ("SUBSCRIBE (SELECT 1)", "subscribe snapshot true progress false: SELECT 1"),
        ("SUBSCRIBE TO SELECT a FROM t WITH (progress = on)", "subscribe snapshot true progress true: SELECT a FROM t"),
        ("SELECT STREAM a FROM t", "subscribe snapshot true progress false: SELECT a FROM t"),
        ("SELECT STREAM * FROM t", "subscribe snapshot true progress false: SELECT * FROM t"),
    ]);
    check_refused(&[
        ("SUBSCRIBE v WITH (nosuch = 1)", "22023@13 SUBSCRIBE has no option \"nosuch\""),
        ("SUBSCRIBE v WITH (snapshot = 5)", "22023@13 option \"snapshot\" takes true or false, not \"5\""),
    ]);
}

#[test]
fn copies() {
    check(&[
        ("COPY t FROM STDIN", "copy from stdin t () Text '\\t' \"\\\\N\" false \""),
        (
            "COPY T (a, B) FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';', NULL 'x')",
            "copy from stdin t (a,b) Csv ';' \"x\" true \"",
        ),
        ("COPY t FROM STDIN (FORMAT csv, HEADER false)", "copy from stdin t () Csv ',' \"\" false \""),
        ("COPY t FROM STDIN CSV HEADER", "copy from stdin t () Csv ',' \"\" true \""),
        ("copy t from stdin with delimiter as E'|' null as ''", "copy from stdin t () Text '|' \"\" false \""),
        ("COPY t TO STDOUT WITH CSV QUOTE '''' ", "copy to stdout SELECT * FROM \"t\" Csv ',' \"\" false '"),
        ("COPY t (a) TO STDOUT", "copy to stdout SELECT \"a\" FROM \"t\" Text '\\t' \"\\\\N\" false \""),
        ("COPY (SELECT 1) TO STDOUT (FORMAT binary)", "copy to stdout SELECT 1 Binary '\\t' \"\\\\N\" false \""),
        (
            "COPY (SUBSCRIBE TO v) TO STDOUT",
            "copy to stdout subscribe SELECT * FROM \"v\" Text '\\t' \"\\\\N\" false \"",
        ),
    ]);
    check_refused(&[
        ("COPY t FROM '/etc/passwd'", "0A000@13 COPY FROM a file or program is not supported"),
        ("COPY t FROM STDIN (FORMAT xml)", "22023@19 COPY format \"xml\" not recognized"),
        ("COPY t FROM STDIN (nosuch 1)", "42601@19 option \"nosuch\" not recognized"),
        ("COPY t FROM STDIN (DELIMITER ';;')", "0A000@19 COPY delimiter must be a single one-byte character"),
        ("COPY t FROM STDIN QUOTE 'x'", "0A000@ COPY QUOTE requires CSV mode"),
    ]);
}

#[test]
fn settings_and_transactions() {
    let set = |name: &str, value: Option<&str>| format!("Set {{ name: {name:?}, value: {value:?}, local: false }}");
    for (sql, name, value) in [
        ("SET x TO y", "x", Some("y")),
        ("SET SESSION datestyle = ISO, mdy", "datestyle", Some("iso, mdy")),
        ("SET extra_float_digits = 3", "extra_float_digits", Some("3")),
        ("SET application_name TO 'My App'", "application_name", Some("My App")),
        ("SET monsoon.batch_rows = 10", "monsoon.batch_rows", Some("10")),
        ("SET x TO DEFAULT", "x", None),
        ("SET TIME ZONE 'Europe/Berlin'", "timezone", Some("Europe/Berlin")),
        ("SET TIME ZONE UTC", "timezone", Some("UTC")),
        ("SET TIME ZONE LOCAL", "timezone", None),
        ("SET NAMES 'utf8'", "client_encoding", Some("utf8")),
        ("SET search_path TO \"A\", public", "search_path", Some("A, public")),
    ] {
        assert_eq!(shown(sql), set(name, value), "{sql}");
    }
    check(&[
        ("SET LOCAL x = 1", "Set { name: \"x\", value: Some(\"1\"), local: true }"),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SetCharacteristics { read_only: None }",
        ),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SetCharacteristics { read_only: Some(true) }"),
        ("SET TRANSACTION READ ONLY", "SetTransaction { read_only: Some(true) }"),
        ("RESET ALL", "Reset(None)"),
        ("RESET TIME ZONE", "Reset(Some(\"timezone\"))"),
        ("BEGIN", "Begin { read_only: None }"),
        ("begin transaction isolation level repeatable read, read only", "Begin { read_only: Some(true) }"),
        ("START TRANSACTION READ WRITE", "Begin { read_only: Some(false) }"),
        ("COMMIT WORK", "Commit"),
        ("END", "Commit"),
        ("ABORT", "Rollback"),
        ("ROLLBACK TO SAVEPOINT \"_pg3_1\"", "RollbackTo(\"_pg3_1\")"),
        ("SAVEPOINT A", "Savepoint(\"a\")"),
        ("RELEASE SAVEPOINT a", "Release(\"a\")"),
        ("DISCARD ALL", "DiscardAll"),
        ("DISCARD TEMPORARY", "Accepted(\"DISCARD TEMP\")"),
        ("LISTEN x", "Accepted(\"LISTEN\")"),
        ("UNLISTEN *", "Accepted(\"UNLISTEN\")"),
        ("FLUSH", "Flush"),
    ]);
    check_refused(&[
        ("SET x", "42601@6 syntax error at end of input"),
        ("BEGIN x", "42601@7 syntax error at or near \"x\""),
        ("COMMIT AND CHAIN", "0A000@8 AND CHAIN is not supported"),
        ("NOTIFY x", "0A000@1 NOTIFY is not supported"),
    ]);
}

#[test]
fn shows_and_describes() {
    check(&[
        ("SHOW STREAMS", "Show(Objects(Stream))"),
        ("SHOW MATERIALIZED VIEWS", "Show(Objects(MaterializedView))"),
        ("SHOW ALL", "Show(All)"),
        ("SHOW TimeZone", "Show(Setting(\"timezone\"))"),
        ("SHOW TIME ZONE", "Show(Setting(\"timezone\"))"),
        ("SHOW TRANSACTION ISOLATION LEVEL", "Show(Setting(\"transaction_isolation\"))"),
    ]);
    assert!(shown("SHOW CREATE MATERIALIZED VIEW v").starts_with("Show(Create("));
    assert!(shown("SHOW COLUMNS FROM v").starts_with("Show(Columns("));
    assert!(shown("DESCRIBE v").starts_with("Describe("));
    assert!(shown("VERIFY MATERIALIZED VIEW v").starts_with("Verify("));
    assert!(shown("TRUNCATE TABLE a, b").starts_with("Truncate("));
    assert_eq!(refused("SHOW STREAMS x"), "42601@14 syntax error at or near \"x\"");
}

#[test]
fn statements_within_statements() {
    check(&[
        ("EXPLAIN SELECT 1", "explain false false SELECT 1@8"),
        ("EXPLAIN ANALYZE VERBOSE SELECT 1", "explain true true SELECT 1@24"),
        ("EXPLAIN (ANALYZE, COSTS off) SELECT 1", "explain true false SELECT 1@29"),
        ("EXPLAIN (SELECT 1)", "explain false false (SELECT 1)@8"),
        ("EXPLAIN MATERIALIZED VIEW V", "explain false false relation v"),
        ("EXPLAIN CREATE VIEW v AS SELECT 1", "explain false false CREATE VIEW v AS SELECT 1@8"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "declare c hold true: SELECT 1@31"),
        ("DECLARE C BINARY INSENSITIVE NO SCROLL CURSOR FOR SUBSCRIBE v", "declare c hold false: SUBSCRIBE v@50"),
        ("PREPARE p (int, text) AS SELECT $1", "prepare p [Int(None), Text]: SELECT $1"),
        ("EXECUTE p (1, 'x')", "execute p 1,'x'"),
        ("DEALLOCATE PREPARE p", "Deallocate(Some(\"p\"))"),
        ("DEALLOCATE ALL", "Deallocate(None)"),
        ("CLOSE ALL", "Close(None)"),
    ]);
    let fetch = |count: Option<u64>, timeout: Option<u64>| {
        format!("Fetch {{ name: \"c\", count: {count:?}, timeout_ms: {timeout:?} }}")
    };
    for (sql, count, timeout) in [
        ("FETCH c", Some(1), None),
        ("FETCH NEXT FROM c", Some(1), None),
        ("FETCH 10 FROM c", Some(10), None),
        ("FETCH 10 c", Some(10), None),
        ("FETCH FORWARD 5 IN c", Some(5), None),
        ("FETCH FORWARD ALL FROM c", None, None),
        ("FETCH ALL c WITH (timeout = '1s')", None, Some(1000)),
        ("FETCH c WITH (timeout = '250ms')", Some(1), Some(250)),
    ] {
        assert_eq!(shown(sql), fetch(count, timeout), "{sql}");
    }
    check_refused(&[
        ("EXPLAIN SELECT , 1", "42601@16 syntax error at or near \",\""),
        ("EXPLAIN", "42601@8 syntax error at end of input"),
        ("PREPARE p AS BEGIN", "42601@14 only queries, INSERT, UPDATE, DELETE and SUBSCRIBE can be prepared"),
        ("FETCH BACKWARD 1 FROM c", "55000@ cursor can only scan forward, not BACKWARD"),
        ("MOVE 1 FROM c", "0A000@1 MOVE is not supported"),
    ]);
}

#[test]
fn statements_keep_their_text_and_place() {
    let statements = parse("-- first\nSELECT 1 ; ;/* two */ SELECT 'ä;b' ;\n\tSELECT 3 -- end").unwrap();
    let places: Vec<(&str, usize)> = statements.iter().map(|it| (it.sql.as_str(), it.offset)).collect();
    assert_eq!(places, [("SELECT 1", 9), ("SELECT 'ä;b'", 31), ("SELECT 3", 47)]);
    assert!(matches!(parse("  -- nothing\n;").unwrap().as_slice(), [Statement { body: Body::Empty, .. }]));
}

#[test]
fn spans_are_places_in_the_statement() {
    use datafusion::sql::sqlparser::ast::Spanned;
    let statements = parse("SELECT 1;\n\n  SELECT\n x FROM t").unwrap();
    let Body::Query(query) = &statements[1].body else { panic!("a query") };
    let span = query.body.as_select().unwrap().projection[0].span();
    assert_eq!((span.start.line, span.start.column), (2, 2));
}

#[test]
fn flink_windows_parse() {
    let sql = "SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' MINUTES))";
    assert!(
        shown(sql).starts_with("query SELECT * FROM TABLE(TUMBLE(bids, DESCRIPTOR(ts), INTERVAL '10' MINUTES))"),
        "{}",
        shown(sql)
    );
}

#[test]
fn limits() {
    let check =
        |sql: String, sqlstate: &str| assert_eq!(parse(&sql).unwrap_err().sqlstate, sqlstate, "{}...", &sql[..40]);
    check(format!("SELECT '{}'", "x".repeat(TEXT_BYTES_MAX)), "54000");
    check(format!("SELECT {}1{}", "(".repeat(100), ")".repeat(100)), "54001");
    check(format!("SELECT {}", vec!["1"; 5_000].join(" + ")), "54001");
    check(vec!["SELECT 1"; 5_000].join(" UNION ALL "), "54001");
    check(format!("SELECT {}1{}", "f(".repeat(300), ")".repeat(300)), "54001");
    check(format!("SELECT {}1", "CAST(".repeat(45)), "42601");
    check(format!("SELECT {}'1 s'", "INTERVAL ".repeat(5_000)), "54001");
    check(format!("SELECT {}'1 s'", "INTERVAL DAY ".repeat(5_000)), "54001");
    check(format!("SELECT {}'1 s'", "INTERVAL -".repeat(400)), "54001");
    check(format!("{}SELECT 1", "EXPLAIN ".repeat(50_000)), "54001");
    check(format!("{}SELECT 1", "PREPARE p AS DECLARE c CURSOR FOR ".repeat(5_000)), "54001");
    assert!(parse(&format!("SELECT {}", vec!["INTERVAL '1 s'"; 490].join(" + "))).is_ok());
    let values = vec!["(1, -2, 'x')"; 20_000].join(", ");
    assert!(parse(&format!("INSERT INTO t VALUES {values}")).is_ok());
    let list: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    assert!(parse(&format!("SELECT 1 WHERE x IN ({})", list.join(", "))).is_ok());
    assert!(parse(&format!("SELECT {}", vec!["a = 1"; 490].join(" OR "))).is_ok());
    let nested = format!("SELECT {}x{}", "lower(".repeat(20), ")".repeat(20));
    assert!(parse(&nested).is_ok(), "{:?}", parse(&nested));
}

#[test]
fn longest_chain_is_dropped_and_cloned_on_a_small_stack() {
    let sql = format!("SELECT {}", vec!["1"; 500].join(" + "));
    let statements = parse(&sql).unwrap();
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        let copy = statements.clone();
        drop(statements);
        copy.len()
    });
    assert_eq!(thread.unwrap().join().unwrap(), 1);
}
