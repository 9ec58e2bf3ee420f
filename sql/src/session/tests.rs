//! Sessions over a real database in a directory of its own: the tour, and what must not go wrong on the way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use monsoon_state::{Commit, RocksOptions, RocksStore, StateStore, Write};

use super::*;
use crate::database::DatabaseConfig;
use crate::pg_text::value_text;

/// A data directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        Directory(std::env::temp_dir().join(format!("monsoon-session-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(directory: &Path) -> DatabaseConfig {
    DatabaseConfig {
        data_dir: directory.to_path_buf(),
        tasks: 2,
        memory_limit_bytes: 512 << 20,
        ..DatabaseConfig::default()
    }
}

async fn open(directory: &Path) -> Arc<Database> {
    open_as(config(directory)).await
}

async fn open_as(config: DatabaseConfig) -> Arc<Database> {
    // The engine's threads let go of the store a moment after it has stopped.
    for _ in 0..200 {
        match Database::open(config.clone()).await {
            Err(crate::OpenError::State(monsoon_state::Error::Locked { .. })) => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await
            }
            other => return other.expect("a database"),
        }
    }
    panic!("the store was never let go")
}

fn lines(batch: &arrow::array::RecordBatch) -> Vec<String> {
    let schema = batch.schema();
    let value = |row: usize, column: usize| {
        let text = value_text(batch.column(column), schema.field(column), row).expect("text");
        text.unwrap_or_else(|| "NULL".to_owned())
    };
    (0..batch.num_rows())
        .map(|row| (0..batch.num_columns()).map(|column| value(row, column)).collect::<Vec<_>>().join("|"))
        .collect()
}

async fn answer(session: &mut Session, statement: &Statement, parameters: &[ScalarValue]) -> Result<String> {
    let prepared = session.prepare(statement, &[]).await?;
    match session.execute(&prepared, parameters).await? {
        Response::Empty => Ok(String::new()),
        Response::Complete { tag } => Ok(tag),
        Response::Rows(mut rows) => {
            let mut all = Vec::new();
            while let Some(batch) = rows.batches.next().await {
                let batch = batch?;
                assert_eq!(
                    batch.schema().fields().len(),
                    prepared.columns.as_ref().map_or(0, |columns| columns.fields().len())
                );
                all.extend(lines(&batch));
            }
            Ok(all.join("\n"))
        }
        Response::CopyOut(mut copy) => {
            let mut text = Vec::new();
            while let Some(piece) = copy.data.next().await {
                text.extend_from_slice(&piece?.0);
            }
            Ok(String::from_utf8(text).expect("text"))
        }
        Response::CopyIn(_) => Ok("copy".to_owned()),
    }
}

/// Runs statements; the last one's answer, or the error as `SQLSTATE message`.
async fn run(session: &mut Session, sql: &str) -> String {
    let statements = match session.parse(sql) {
        Ok(statements) => statements,
        Err(error) => return format!("{} {}", error.sqlstate, error.message),
    };
    let mut last = String::new();
    for statement in &statements {
        match answer(session, statement, &[]).await {
            Ok(text) => last = text,
            Err(error) => {
                session.fail_transaction();
                return format!("{} {}", error.sqlstate, error.message);
            }
        }
    }
    last
}

async fn check(session: &mut Session, steps: &[(&str, &str)]) {
    for (sql, expected) in steps {
        assert_eq!(run(session, sql).await, *expected, "{sql}");
    }
}

/// Fails where a statement waits for somebody who doesn't move.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), work).await.expect("nobody to wait for")
}

/// The SQLSTATE of what is wrong with a statement, and its text from there on.
async fn fault(session: &mut Session, sql: &str) -> String {
    let error = match session.parse(sql) {
        Ok(statements) => answer(session, &statements[0], &[]).await.expect_err(sql),
        Err(error) => error,
    };
    let start = error.position.unwrap_or_else(|| panic!("no position: {error:?}"));
    format!("{} {}", error.sqlstate, sql.chars().skip(start - 1).collect::<String>())
}

async fn begin_copy(session: &mut Session, sql: &str) -> Box<dyn crate::response::CopyIn> {
    let statement = session.parse(sql).unwrap().remove(0);
    let prepared = session.prepare(&statement, &[]).await.unwrap();
    match session.execute(&prepared, &[]).await.unwrap() {
        Response::CopyIn(copy) => copy,
        _ => panic!("a copy"),
    }
}

/// The wire runs sessions on any thread.
#[allow(dead_code)]
fn statements_can_move_between_threads(session: &mut Session, statement: &Statement, prepared: &Prepared) {
    fn is_send(_: impl Send) {}
    is_send(session.prepare(statement, &[]));
    is_send(session.execute(prepared, &[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("SELECT 1, 'x', 1 + 1, 1", "1|x|2|1"),
            (
                "CREATE TABLE users (id BIGINT PRIMARY KEY, name TEXT NOT NULL, age INT DEFAULT 18, doc JSONB)",
                "CREATE TABLE",
            ),
            ("CREATE TABLE users (id BIGINT)", "42P07 relation \"users\" already exists"),
            ("CREATE TABLE IF NOT EXISTS users (id BIGINT)", "CREATE TABLE"),
            ("INSERT INTO users (id, name) VALUES (1, 'ann'), (2, 'bob')", "INSERT 0 2"),
            ("SELECT * FROM users ORDER BY id", "1|ann|18|NULL\n2|bob|18|NULL"),
            (
                "CREATE MATERIALIZED VIEW ages AS SELECT age, count(*) AS n FROM users GROUP BY age",
                "CREATE MATERIALIZED VIEW",
            ),
            ("SELECT * FROM ages", "18|2"),
            ("INSERT INTO users VALUES (3, 'cy', 1.6 + 20, '{\"a\": 1}')", "INSERT 0 1"),
            ("SELECT * FROM ages ORDER BY age", "18|2\n22|1"),
            ("UPDATE users SET age = age + 4 WHERE id = 2", "UPDATE 1"),
            ("SELECT * FROM ages ORDER BY age", "18|1\n22|2"),
            ("SELECT name FROM users WHERE id IN (2, 3) ORDER BY 1", "bob\ncy"),
            ("DELETE FROM users WHERE name = 'ann'", "DELETE 1"),
            ("SELECT * FROM ages", "22|2"),
            ("INSERT INTO users VALUES (2, 'bea', 30, NULL)", "INSERT 0 1"),
            ("SELECT count(*), max(age) FROM users", "2|30"),
            ("VERIFY MATERIALIZED VIEW ages", "ok|0|0"),
            ("CREATE VIEW old AS SELECT name FROM users WHERE age > 25", "CREATE VIEW"),
            ("SELECT * FROM old", "bea"),
            ("DROP TABLE users", "2BP01 cannot drop table users because other objects depend on it"),
            ("INSERT INTO ages VALUES (1, 2)", "42809 cannot change materialized view \"ages\""),
            (
                "INSERT INTO users (id) VALUES (9)",
                "23502 null value in column \"name\" of relation \"users\" violates not-null constraint",
            ),
            ("INSERT INTO users VALUES ('x', 'y')", "22P02 invalid input syntax for type bigint: \"x\""),
            ("SELECT * FROM nosuch", "42P01 relation \"nosuch\" does not exist"),
            ("INSERT INTO users VALUES (2, 'no') ON CONFLICT (id) DO NOTHING", "INSERT 0 0"),
            ("COMMENT ON TABLE users IS 'people'", "COMMENT"),
            ("SHOW TABLES", "users|id|people"),
            ("PREPARE p AS SELECT name FROM users WHERE id = $1", "PREPARE"),
            ("DISCARD PLANS", "DISCARD PLANS"),
            ("DISCARD TEMP", "DISCARD TEMP"),
            ("EXECUTE p(3)", "cy"),
            ("DISCARD ALL", "DISCARD ALL"),
            ("EXECUTE p(3)", "26000 prepared statement \"p\" does not exist"),
            ("SELECT relname FROM pg_class WHERE relname = 'ages'", "ages"),
            ("SHOW server_encoding", "UTF8"),
        ],
    )
    .await;
    database.shutdown().await;
    drop((session, database));
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("SELECT id, name, doc FROM users ORDER BY id", "2|bea|NULL\n3|cy|{\"a\": 1}"),
            ("SELECT * FROM ages ORDER BY age", "22|1\n30|1"),
            ("INSERT INTO users VALUES (4, 'dan', 30)", "INSERT 0 1"),
            ("SELECT * FROM ages ORDER BY age", "22|1\n30|2"),
            ("TRUNCATE users", "TRUNCATE TABLE"),
            ("SELECT * FROM ages", ""),
            ("DROP TABLE users CASCADE", "DROP TABLE"),
            ("SELECT * FROM ages", "42P01 relation \"ages\" does not exist"),
        ],
    )
    .await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_write_at_commit_as_one() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    check(&mut one, &[("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE"), ("BEGIN", "BEGIN")]).await;
    assert_eq!(one.transaction_status(), TransactionStatus::InTransaction);
    check(
        &mut one,
        &[
            ("INSERT INTO t VALUES (1, 10), (2, 20)", "INSERT 0 2"),
            ("UPDATE t SET v = v + 1 WHERE id = 1", "UPDATE 1"),
            ("SELECT * FROM t ORDER BY id", "1|11\n2|20"),
            ("SAVEPOINT s", "SAVEPOINT"),
            ("DELETE FROM t", "DELETE 2"),
            ("ROLLBACK TO s", "ROLLBACK"),
        ],
    )
    .await;
    assert_eq!(run(&mut two, "SELECT count(*) FROM t").await, "0");
    check(&mut one, &[("COMMIT", "COMMIT")]).await;
    assert_eq!(run(&mut two, "SELECT * FROM t ORDER BY id").await, "1|11\n2|20");
    check(
        &mut one,
        &[
            ("BEGIN", "BEGIN"),
            ("INSERT INTO t VALUES (3, 30)", "INSERT 0 1"),
            ("SELECT 1/0 FROM t", "22012 division by zero"),
            ("SELECT 1", "25P02 current transaction is aborted, commands ignored until end of transaction block"),
            ("COMMIT", "ROLLBACK"),
            ("SELECT count(*) FROM t", "2"),
        ],
    )
    .await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_begins_with_the_content_and_follows_commits() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    check(
        &mut one,
        &[("CREATE STREAM s (k TEXT, v INT)", "CREATE STREAM"), ("INSERT INTO s VALUES ('a', 1)", "INSERT 0 1")],
    )
    .await;
    for sql in ["SUBSCRIBE TO s", "SELECT STREAM k, sum(v) AS v FROM s GROUP BY k"] {
        let statement = two.parse(sql).unwrap().remove(0);
        let prepared = two.prepare(&statement, &[]).await.unwrap();
        let Response::Rows(mut rows) = two.execute(&prepared, &[]).await.unwrap() else { panic!("rows") };
        let first = rows.batches.next().await.unwrap().unwrap();
        assert!(lines(&first)[0].contains("|1|a|1"), "{:?}", lines(&first));
        check(&mut one, &[("INSERT INTO s VALUES ('b', 2)", "INSERT 0 1")]).await;
        let next = loop {
            let batch = rows.batches.next().await.unwrap().unwrap();
            if lines(&batch).iter().any(|line| line.contains("|b|")) {
                break batch;
            }
        };
        assert!(lines(&next).iter().any(|line| line.ends_with("|1|b|2")), "{:?}", lines(&next));
        drop(rows);
        check(
            &mut one,
            &[
                ("DROP STREAM s", "DROP STREAM"),
                ("CREATE STREAM s (k TEXT, v INT)", "CREATE STREAM"),
                ("INSERT INTO s VALUES ('a', 1)", "INSERT 0 1"),
            ],
        )
        .await;
    }
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_in_and_out() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(&mut session, &[("CREATE TABLE t (id INT, name TEXT)", "CREATE TABLE")]).await;
    let statement = session.parse("COPY t FROM STDIN WITH (FORMAT csv)").unwrap().remove(0);
    let prepared = session.prepare(&statement, &[]).await.unwrap();
    let Response::CopyIn(mut copy) = session.execute(&prepared, &[]).await.unwrap() else { panic!("a copy") };
    copy.write(Bytes::from_static(b"1,ann\n2,b")).await.unwrap();
    copy.write(Bytes::from_static(b"ob\n")).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    check(&mut session, &[("COPY (SELECT * FROM t ORDER BY id) TO STDOUT", "1\tann\n2\tbob\n")]).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_rows_of_a_copy_are_told() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("CREATE STREAM s (at TIMESTAMP, WATERMARK FOR at AS at)", "CREATE STREAM"),
            ("INSERT INTO s VALUES ('2024-01-01 00:01:00')", "INSERT 0 1"),
        ],
    )
    .await;
    let mut copy = begin_copy(&mut session, "COPY s FROM STDIN").await;
    copy.write(Bytes::from_static(b"2024-01-01 00:00:00\n2024-01-01 00:02:00\n")).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 2);
    let told: Vec<String> = session.take_notices().into_iter().map(|notice| notice.message).collect();
    assert_eq!(told, ["1 rows are behind the stream's watermark and were dropped"]);
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_wait_for_their_commit_keep_nobody_from_writing() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    check(&mut one, &[("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE")]).await;
    check(&mut one, &[("BEGIN", "BEGIN"), ("INSERT INTO t VALUES (1, 1)", "INSERT 0 1")]).await;
    let mut copying = database.session(SessionStart::default());
    let mut copy = begin_copy(&mut copying, "COPY t FROM STDIN").await;
    copy.write(Bytes::from_static(b"2\t2\n")).await.unwrap();
    let others = [
        ("INSERT INTO t VALUES (3, 3)", "INSERT 0 1"),
        ("UPDATE t SET v = v + 1", "UPDATE 1"),
        ("INSERT INTO t VALUES (3, 9), (4, 4) ON CONFLICT DO NOTHING", "INSERT 0 1"),
        ("DELETE FROM t WHERE id = 4", "DELETE 1"),
    ];
    soon(check(&mut two, &others)).await;
    assert_eq!(soon(copy.finish()).await.unwrap(), 1);
    soon(check(&mut one, &[("COMMIT", "COMMIT"), ("SELECT * FROM t ORDER BY id", "1|1\n2|2\n3|4")])).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rows_that_wait_for_their_commit_are_not_overwritten() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    let mut copying = database.session(SessionStart::default());
    check(
        &mut one,
        &[
            ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE"),
            ("INSERT INTO t VALUES (1, 1)", "INSERT 0 1"),
            ("BEGIN", "BEGIN"),
            ("UPDATE t SET v = v + 1", "UPDATE 1"),
        ],
    )
    .await;
    let mut copy = begin_copy(&mut copying, "COPY t FROM STDIN").await;
    copy.write(Bytes::from_static(b"2\t2\n")).await.unwrap();
    let mut finish = copy.finish();
    let mut update = Box::pin(run(&mut two, "UPDATE t SET v = v + 10"));
    let early = Duration::from_millis(100);
    assert!(tokio::time::timeout(early, &mut update).await.is_err(), "an update of rows that are being changed");
    assert!(tokio::time::timeout(early, &mut finish).await.is_err(), "a copy over rows that are being changed");
    check(&mut one, &[("COMMIT", "COMMIT")]).await;
    assert_eq!(soon(update).await, "UPDATE 1");
    assert_eq!(soon(finish).await.unwrap(), 1);
    check(&mut one, &[("SELECT * FROM t ORDER BY id", "1|12\n2|2")]).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_of_what_its_table_holds_loses_no_update() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    check(
        &mut one,
        &[
            ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE"),
            ("CREATE VIEW w AS SELECT id, v FROM t", "CREATE VIEW"),
            ("CREATE MATERIALIZED VIEW m AS SELECT id, v FROM t", "CREATE MATERIALIZED VIEW"),
        ],
    )
    .await;
    let early = Duration::from_millis(100);
    for source in ["t", "w", "m"] {
        let add_one = format!("INSERT INTO t SELECT id, v + 1 FROM {source}");
        let begin = [("INSERT INTO t VALUES (1, 1)", "INSERT 0 1"), ("BEGIN", "BEGIN"), (&*add_one, "INSERT 0 1")];
        check(&mut one, &begin).await;
        let mut update = Box::pin(run(&mut two, "UPDATE t SET v = v + 10"));
        assert!(tokio::time::timeout(early, &mut update).await.is_err(), "an update of rows read from {source}");
        check(&mut one, &[("COMMIT", "COMMIT")]).await;
        assert_eq!(soon(update).await, "UPDATE 1", "{source}");
        check(&mut two, &[("BEGIN", "BEGIN"), ("UPDATE t SET v = v + 100", "UPDATE 1")]).await;
        let mut insert = Box::pin(run(&mut one, &add_one));
        assert!(tokio::time::timeout(early, &mut insert).await.is_err(), "an insert over rows read from {source}");
        check(&mut two, &[("COMMIT", "COMMIT")]).await;
        assert_eq!(soon(insert).await, "INSERT 0 1", "{source}");
        // 1 + 1 + 10 + 100 + 1.
        check(&mut one, &[("SELECT * FROM t", "1|113")]).await;
    }
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_of_what_another_table_holds_keeps_nobody_from_writing() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    check(
        &mut one,
        &[
            ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE"),
            ("CREATE TABLE u (id INT PRIMARY KEY, v INT)", "CREATE TABLE"),
            ("INSERT INTO t VALUES (1, 1)", "INSERT 0 1"),
            ("INSERT INTO u VALUES (2, 2)", "INSERT 0 1"),
            ("BEGIN", "BEGIN"),
            ("INSERT INTO t SELECT id, v + 1 FROM u", "INSERT 0 1"),
            ("INSERT INTO t VALUES (3, 1 + 2)", "INSERT 0 1"),
        ],
    )
    .await;
    soon(check(&mut two, &[("UPDATE t SET v = v + 10", "UPDATE 1")])).await;
    check(&mut one, &[("COMMIT", "COMMIT"), ("SELECT * FROM t ORDER BY id", "1|11\n2|3\n3|3")]).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_commit_leaves_the_settings_as_they_were() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    check(
        &mut one,
        &[
            ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE"),
            ("INSERT INTO t VALUES (1, 1)", "INSERT 0 1"),
            ("BEGIN", "BEGIN"),
            ("UPDATE t SET v = 2", "UPDATE 1"),
        ],
    )
    .await;
    check(
        &mut two,
        &[
            ("BEGIN READ WRITE", "BEGIN"),
            ("SET LOCAL lock_timeout = '7'", "SET"),
            ("SET work_mem = '16MB'", "SET"),
            ("INSERT INTO t VALUES (2, 2)", "INSERT 0 1"),
        ],
    )
    .await;
    let commit = tokio::time::timeout(Duration::from_millis(100), run(&mut two, "COMMIT")).await;
    assert!(commit.is_err(), "a commit to a table that another transaction has alone");
    assert_eq!(two.transaction_status(), TransactionStatus::Idle);
    check(&mut two, &[("SHOW lock_timeout", "0"), ("SHOW work_mem", "4MB")]).await;
    check(&mut one, &[("COMMIT", "COMMIT"), ("SELECT * FROM t", "1|2")]).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_undone_at_rollback_and_leaves_a_transaction_read_only() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE TABLE"),
            ("SET work_mem = '16MB'", "SET"),
            ("SET lock_timeout = '7'", "SET"),
            ("SET my.own = 'x'", "SET"),
            ("BEGIN READ ONLY", "BEGIN"),
            ("RESET work_mem", "RESET"),
            ("RESET ALL", "RESET"),
            ("SHOW work_mem", "4MB"),
            ("SHOW lock_timeout", "0"),
            ("SHOW transaction_read_only", "on"),
            ("INSERT INTO t VALUES (1)", "25006 cannot execute INSERT in a read-only transaction"),
            ("ROLLBACK", "ROLLBACK"),
            ("SHOW work_mem", "16MB"),
            ("SHOW lock_timeout", "7"),
            ("SHOW my.own", "x"),
            ("BEGIN READ ONLY", "BEGIN"),
            ("RESET transaction_read_only", "0A000 parameter \"transaction_read_only\" cannot be reset"),
            ("ROLLBACK", "ROLLBACK"),
            ("BEGIN", "BEGIN"),
            ("RESET ALL", "RESET"),
            ("COMMIT", "COMMIT"),
            ("SHOW work_mem", "4MB"),
            ("SHOW lock_timeout", "0"),
        ],
    )
    .await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_undone_in_the_order_they_were_made() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    let set = |mb: u32| format!("SET work_mem = '{mb}MB'");
    let local = |mb: u32| format!("SET LOCAL work_mem = '{mb}MB'");
    let reset = || "RESET work_mem".to_owned();
    // What is set in a transaction that begins with 10 MB, and what is left after COMMIT. ROLLBACK leaves 10 MB.
    let cases = [
        (vec![local(11), set(12)], "12MB"),
        (vec![set(11), local(12)], "11MB"),
        (vec![local(11), local(12)], "10MB"),
        (vec![local(11), set(12), local(13)], "12MB"),
        (vec![set(11), local(12), set(13)], "13MB"),
        (vec![local(11), reset()], "4MB"),
        (vec![reset(), local(11)], "4MB"),
    ];
    for (statements, left) in &cases {
        for (end, left) in [("COMMIT", *left), ("ROLLBACK", "10MB")] {
            run(&mut session, &set(10)).await;
            run(&mut session, &format!("BEGIN; {}", statements.join("; "))).await;
            assert_eq!(run(&mut session, end).await, end, "{statements:?}");
            assert_eq!(run(&mut session, "SHOW work_mem").await, left, "{statements:?} {end}");
        }
    }
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transaction_lets_go_of_its_tables() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let (mut one, mut two) = (database.session(SessionStart::default()), database.session(SessionStart::default()));
    check(
        &mut one,
        &[
            ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE"),
            ("INSERT INTO t VALUES (1, 1)", "INSERT 0 1"),
            ("BEGIN", "BEGIN"),
            ("UPDATE t SET v = 5", "UPDATE 1"),
            ("SELECT 1 / 0 FROM t", "22012 division by zero"),
        ],
    )
    .await;
    soon(check(&mut two, &[("UPDATE t SET v = v + 1", "UPDATE 1")])).await;
    check(&mut one, &[("COMMIT", "ROLLBACK"), ("SELECT * FROM t", "1|2")]).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_have_the_types_of_their_columns() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(&mut session, &[("CREATE TABLE t (id BIGINT PRIMARY KEY, at TIMESTAMP)", "CREATE TABLE")]).await;
    let statement = session.parse("INSERT INTO t VALUES ($1, $2)").unwrap().remove(0);
    let prepared = session.prepare(&statement, &[]).await.unwrap();
    let types: Vec<String> = prepared.parameters.iter().map(|field| crate::pg_type::sql_name(field)).collect();
    assert_eq!(types, ["bigint", "timestamp without time zone"]);
    let values = [ScalarValue::Int64(Some(7)), ScalarValue::TimestampMicrosecond(Some(1_000_000), None)];
    assert_eq!(answer(&mut session, &statement, &values).await.unwrap(), "INSERT 0 1");
    let statement = session.parse("SELECT at FROM t WHERE id = $1").unwrap().remove(0);
    assert_eq!(answer(&mut session, &statement, &values[..1]).await.unwrap(), "1970-01-01 00:00:01");
    let statement = session.parse("UPDATE t SET at = $1 WHERE id = $2").unwrap().remove(0);
    assert_eq!(answer(&mut session, &statement, &[values[1].clone(), values[0].clone()]).await.unwrap(), "UPDATE 1");
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_sinks_windows_and_what_is_said_of_them() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    let out = directory.0.join("out.csv");
    check(
        &mut session,
        &[
            ("CREATE STREAM bid (auction BIGINT, price BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '1 second')", "CREATE STREAM"),
            (
                "CREATE MATERIALIZED VIEW per AS SELECT window_start, count(*) AS n FROM TUMBLE(bid, ts, INTERVAL '10 seconds') \
                 GROUP BY window_start, window_end EMIT ON WINDOW CLOSE",
                "CREATE MATERIALIZED VIEW",
            ),
            ("INSERT INTO bid VALUES (1, 5, '2024-01-01 00:00:01'), (1, 6, '2024-01-01 00:00:02')", "INSERT 0 2"),
            ("SELECT * FROM per", ""),
            ("INSERT INTO bid VALUES (1, 5, '2024-01-01 00:00:30')", "INSERT 0 1"),
            ("SELECT * FROM per", "2024-01-01 00:00:00|2"),
            ("SELECT count(*) FROM bid", "3"),
            ("SELECT name, late_rows FROM monsoon.streams", "bid|0"),
            ("SELECT stream, watermark FROM monsoon.watermarks", "bid|2024-01-01 00:00:29"),
            ("UPDATE bid SET price = 1", "42809 cannot update stream \"bid\": rows are only added to it"),
            ("CREATE STREAM nex WITH (connector = 'nexmark', table = 'bid', event_count = '1000')", "CREATE STREAM"),
            ("CREATE SINK hole FROM per WITH (connector = 'blackhole')", "CREATE SINK"),
            ("SHOW SINKS", "hole|blackhole|exactly once|NULL"),
            ("CREATE SINK bad FROM per WITH (connector = 'kafka')", "22023 there is no sink connector \"kafka\"; known connectors: blackhole, file"),
            ("SELECT * FROM hole", "42809 \"hole\" is a sink: it can't be read"),
            ("CREATE MATERIALIZED VIEW top AS SELECT auction, price FROM bid ORDER BY price DESC LIMIT 1", "CREATE MATERIALIZED VIEW"),
            ("SELECT * FROM top", "1|6"),
        ],
    )
    .await;
    let sink = format!(
        "CREATE SINK f AS SELECT auction, price FROM bid WITH (connector = 'file', path = '{}', format = 'csv')",
        out.display()
    );
    assert_eq!(run(&mut session, &sink).await, "CREATE SINK");
    let plan = run(&mut session, "EXPLAIN MATERIALIZED VIEW per").await;
    assert!(plan.starts_with("Materialize:") && plan.ends_with("Guarantee: exactly once from bid"), "{plan}");
    let plan = run(&mut session, "EXPLAIN SELECT * FROM bid WHERE price = 1").await;
    assert!(plan.contains("TableScan: bid") && plan.contains("FilterExec"), "{plan}");
    let refusal = run(&mut session, "CREATE MATERIALIZED VIEW r AS SELECT random() FROM bid").await;
    assert!(refusal.starts_with("0A000 "), "{refusal}");
    check(
        &mut session,
        &[
            ("DECLARE c CURSOR FOR SUBSCRIBE TO top", "DECLARE CURSOR"),
            ("CREATE VIEW v AS SELECT * FROM top", "CREATE VIEW"),
            ("SET application_name = 'x'", "SET"),
            ("SHOW application_name", "x"),
            ("DROP MATERIALIZED VIEW nosuch", "42P01 materialized view \"nosuch\" does not exist"),
            ("DROP VIEW top", "42809 \"top\" is not a view"),
        ],
    )
    .await;
    let fetched = run(&mut session, "FETCH 1 FROM c").await;
    assert!(fetched.ends_with("|1|1|6"), "{fetched}");
    assert_eq!(run(&mut session, "FETCH ALL FROM c WITH (timeout = '10ms')").await, "");
    assert_eq!(run(&mut session, "CLOSE c").await, "CLOSE CURSOR");
    database.shutdown().await;
    drop((session, database));
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("SELECT * FROM v", "1|6"),
            ("INSERT INTO bid VALUES (2, 9, '2024-01-01 00:00:50')", "INSERT 0 1"),
            ("SELECT * FROM v", "2|9"),
            ("SELECT * FROM per ORDER BY 1", "2024-01-01 00:00:00|2\n2024-01-01 00:00:30|1"),
            ("INSERT INTO bid VALUES (2, 9, '2024-01-01 00:00:01')", "INSERT 0 1"),
            ("SELECT late_rows FROM monsoon.watermarks", "1"),
        ],
    )
    .await;
    assert_eq!(session.take_notices().len(), 1);
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_can_be_deleted_and_come_again() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("CREATE TABLE k (id BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now())", "CREATE TABLE"),
            ("CREATE MATERIALIZED VIEW n AS SELECT count(*) FROM k", "CREATE MATERIALIZED VIEW"),
            ("INSERT INTO k VALUES (1), (2), (10), (11)", "INSERT 0 4"),
            ("DELETE FROM k WHERE id > 5", "DELETE 2"),
            ("INSERT INTO k VALUES (5)", "INSERT 0 1"),
            ("INSERT INTO k VALUES (101), (102), (105)", "INSERT 0 3"),
            ("UPDATE k SET at = now() WHERE id < 3", "UPDATE 2"),
            ("UPDATE k SET id = id + 1", "UPDATE 6"),
            ("SELECT id FROM k ORDER BY id", "2\n3\n6\n102\n103\n106"),
            ("SELECT * FROM n", "6"),
            ("VERIFY MATERIALIZED VIEW n", "ok|0|0"),
        ],
    )
    .await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_about_several_rows_or_tables_happen_whole_or_not_at_all() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("CREATE TABLE a (id INT PRIMARY KEY, name TEXT)", "CREATE TABLE"),
            ("CREATE TABLE b (id INT)", "CREATE TABLE"),
            ("INSERT INTO a VALUES (1, '7'), (2, 'x')", "INSERT 0 2"),
            ("INSERT INTO b VALUES (1), (2), (2)", "INSERT 0 3"),
            ("CREATE TABLE c AS SELECT name::json AS doc FROM a", "22P02 invalid input syntax for type json"),
            ("SELECT * FROM c", "42P01 relation \"c\" does not exist"),
            ("CREATE TABLE c AS SELECT name::json AS doc FROM a WHERE id = 1", "SELECT 1"),
            ("SELECT * FROM c", "7"),
            ("CREATE MATERIALIZED VIEW v AS SELECT id FROM b", "CREATE MATERIALIZED VIEW"),
            ("TRUNCATE a, v", "42809 cannot truncate materialized view \"v\""),
            ("SELECT count(*) FROM a", "2"),
        ],
    )
    .await;
    let txid = database.engine.store().last_txid();
    check(&mut session, &[("TRUNCATE a, b, a", "TRUNCATE TABLE")]).await;
    assert_eq!(database.engine.store().last_txid(), txid.next());
    check(&mut session, &[("SELECT count(*) FROM a", "0"), ("SELECT count(*) FROM b", "0")]).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_gathered_for_a_commit_are_bounded() {
    let directory = Directory::new();
    let database = open_as(DatabaseConfig { memory_limit_bytes: 64 << 20, ..config(&directory.0) }).await;
    let mut session = database.session(SessionStart::default());
    let too_large = |what: &str| format!("53200 {what} is one commit, and its rows need more than 16 MB of memory");
    let endless = "SELECT value FROM generate_series(1, 10000000000) AS g(value)";
    let half = "INSERT INTO t SELECT value FROM generate_series(1, 1200000) AS g(value)";
    check(
        &mut session,
        &[
            ("CREATE TABLE t (id BIGINT)", "CREATE TABLE"),
            (&format!("INSERT INTO t {endless}"), &too_large("INSERT")),
            (&format!("CREATE TABLE u AS {endless}"), &too_large("CREATE TABLE AS")),
            ("SELECT * FROM u", "42P01 relation \"u\" does not exist"),
            ("BEGIN", "BEGIN"),
            (half, "INSERT 0 1200000"),
            ("SAVEPOINT s", "SAVEPOINT"),
            (half, &too_large("the transaction")),
            ("ROLLBACK TO s", "ROLLBACK"),
            ("INSERT INTO t VALUES (0)", "INSERT 0 1"),
            ("ROLLBACK", "ROLLBACK"),
            ("SELECT count(*) FROM t", "0"),
        ],
    )
    .await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_statements_are_told_where() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("CREATE TABLE t (a INT, b INT)", "CREATE TABLE"),
            ("CREATE STREAM s (a INT)", "CREATE STREAM"),
            ("CREATE MATERIALIZED VIEW v AS SELECT a FROM t", "CREATE MATERIALIZED VIEW"),
        ],
    )
    .await;
    let cases = [
        ("INSERT INTO v VALUES (1)", "42809 v VALUES (1)"),
        ("COPY v FROM STDIN", "42809 v FROM STDIN"),
        ("UPDATE s SET a = 1", "42809 s SET a = 1"),
        ("DELETE FROM v", "42809 v"),
        ("TRUNCATE t, v", "42809 v"),
        ("VERIFY MATERIALIZED VIEW t", "42809 t"),
        ("INSERT INTO t VALUES (1, 2), (3)", "42601 3)"),
        ("INSERT INTO t VALUES (1, 2, 3)", "42601 3)"),
        ("INSERT INTO t (a) VALUES (1, 2)", "42601 2)"),
        ("INSERT INTO t (a, b) VALUES (1)", "42601 b) VALUES (1)"),
        ("INSERT INTO t (b, a) SELECT 1", "42601 a) SELECT 1"),
        ("INSERT INTO t (a) SELECT a, b + 1 FROM t", "42601 b + 1 FROM t"),
        ("INSERT INTO t (a) SELECT * FROM t", "42601 SELECT * FROM t"),
        ("INSERT INTO t VALUES (1, 2) RETURNING a", "0A000 a"),
        ("UPDATE t SET a = s.a FROM s", "0A000 s"),
        ("UPDATE t SET a = 1 RETURNING b", "0A000 b"),
        ("DELETE FROM t USING s", "0A000 s"),
        ("DELETE FROM t RETURNING b", "0A000 b"),
    ];
    for (sql, expected) in cases {
        assert_eq!(fault(&mut session, sql).await, expected, "{sql}");
    }
    let statement = session.parse("SELECT 1; SELECT a FROM t WHERE b = $2").unwrap().remove(1);
    let error = session.prepare(&statement, &[]).await.unwrap().refuse_parameters().unwrap_err();
    assert_eq!(
        (error.sqlstate, error.message.as_str(), error.position),
        ("42P02", "there is no parameter $2", Some(37))
    );
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_transactions_write_nothing() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    let refused = |word: &str| format!("25006 cannot execute {word} in a read-only transaction");
    check(&mut session, &[("CREATE TABLE t (a INT)", "CREATE TABLE")]).await;
    for begin in
        ["BEGIN READ ONLY", "START TRANSACTION READ ONLY", "BEGIN; SET TRANSACTION READ ONLY", "BEGIN; BEGIN READ ONLY"]
    {
        run(&mut session, begin).await;
        check(
            &mut session,
            &[
                ("SHOW transaction_read_only", "on"),
                ("SELECT count(*) FROM t", "0"),
                ("INSERT INTO t VALUES (1)", &refused("INSERT")),
                ("ROLLBACK", "ROLLBACK"),
                ("INSERT INTO t VALUES (1)", "INSERT 0 1"),
                ("DELETE FROM t", "DELETE 1"),
            ],
        )
        .await;
    }
    check(
        &mut session,
        &[
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"),
            ("SHOW default_transaction_read_only", "on"),
            ("INSERT INTO t VALUES (1)", &refused("INSERT")),
            ("UPDATE t SET a = 2", &refused("UPDATE")),
            ("DELETE FROM t", &refused("DELETE")),
            ("TRUNCATE t", &refused("TRUNCATE TABLE")),
            ("COPY t FROM STDIN", &refused("COPY FROM")),
            ("CREATE TABLE u (a INT)", &refused("CREATE TABLE")),
            ("BEGIN", "BEGIN"),
            ("RESET ALL", "RESET"),
            ("DROP TABLE t", &refused("DROP")),
            ("ROLLBACK", "ROLLBACK"),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"),
            ("BEGIN READ WRITE", "BEGIN"),
            ("INSERT INTO t VALUES (1)", "INSERT 0 1"),
            ("COMMIT", "COMMIT"),
            (
                "SET default_transaction_read_only = maybe",
                "22023 parameter \"default_transaction_read_only\" requires a Boolean value",
            ),
            ("SET default_transaction_read_only = false", "SET"),
            ("INSERT INTO t VALUES (1)", "INSERT 0 1"),
            ("BEGIN", "BEGIN"),
            ("INSERT INTO t VALUES (1)", "INSERT 0 1"),
            ("COMMIT", "COMMIT"),
        ],
    )
    .await;
    database.shutdown().await;
}

/// Changes the catalog's entry of a relation, as another Monsoon might have left it.
fn edit_entry(directory: &Path, relation: &str, edit: impl FnOnce(&mut serde_json::Value)) {
    let store = RocksStore::open(directory, RocksOptions::default()).expect("a store");
    let entries = store.scan(b"c/relation/").expect("a catalog");
    let is_it = |entry: &serde_json::Value| entry["name"] == relation;
    let parsed = entries.into_iter().map(|(key, value)| (key, serde_json::from_slice(&value).expect("JSON")));
    let (key, mut entry): (Vec<u8>, serde_json::Value) =
        parsed.into_iter().find(|(_, entry)| is_it(entry)).expect("the entry");
    edit(&mut entry);
    let put = Write::Put { key, value: entry.to_string().into_bytes() };
    store.commit(&Commit { txid: store.last_txid().next(), writes: vec![put] }).expect("a commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_planned_otherwise_now_is_built_anew() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("CREATE TABLE t (id BIGINT PRIMARY KEY, v INT)", "CREATE TABLE"),
            ("CREATE MATERIALIZED VIEW a AS SELECT v, count(*) AS n FROM t GROUP BY v", "CREATE MATERIALIZED VIEW"),
            ("CREATE MATERIALIZED VIEW b AS SELECT sum(n) AS total FROM a", "CREATE MATERIALIZED VIEW"),
            ("INSERT INTO t VALUES (1, 1), (2, 1), (3, 2)", "INSERT 0 3"),
        ],
    )
    .await;
    drop(session);
    database.shutdown().await;
    drop(database);
    edit_entry(&directory.0, "a", |entry| {
        assert!(entry["fingerprint"].is_string(), "{entry}");
        entry["fingerprint"] = "plan 0".into();
    });
    // The second start finds the fingerprint of the first.
    for inserted in ["(4, 2)", "(5, 3)"] {
        let database = open(&directory.0).await;
        let mut session = database.session(SessionStart::default());
        check(
            &mut session,
            &[
                (&format!("INSERT INTO t VALUES {inserted}"), "INSERT 0 1"),
                ("VERIFY MATERIALIZED VIEW a", "ok|0|0"),
                ("VERIFY MATERIALIZED VIEW b", "ok|0|0"),
            ],
        )
        .await;
        drop(session);
        database.shutdown().await;
    }
    let database = open(&directory.0).await;
    check(&mut database.session(SessionStart::default()), &[("SELECT total FROM b", "5")]).await;
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_of_a_newer_version_is_told_as_newer() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    check(&mut database.session(SessionStart::default()), &[("CREATE TABLE t (id INT)", "CREATE TABLE")]).await;
    database.shutdown().await;
    drop(database);
    edit_entry(&directory.0, "t", |entry| *entry = serde_json::json!({ "version": 2, "title": "t" }));
    let error = Database::open(config(&directory.0)).await.expect_err("a newer catalog");
    assert!(matches!(error, crate::OpenError::NewerCatalog(_)), "{error:?}");
    assert!(error.to_string().contains("has version 2"), "{error}");
}

/// Flips a bit in the middle of the largest file of chunks.
fn damage_chunks(directory: &Path) {
    let files = std::fs::read_dir(directory.join("store")).unwrap().map(|entry| entry.unwrap().path());
    let chunks = files.filter(|path| path.extension().is_some_and(|end| end == "blob"));
    let largest = chunks.max_by_key(|path| path.metadata().unwrap().len()).expect("a file of chunks");
    let mut bytes = std::fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&largest, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_met_while_bringing_a_relation_back_is_told_as_damage() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    let fill = "INSERT INTO t SELECT value FROM generate_series(1, 100000) AS g(value)";
    check(&mut session, &[("CREATE TABLE t (id BIGINT)", "CREATE TABLE"), (fill, "INSERT 0 100000")]).await;
    database.shutdown().await;
    drop((session, database));
    // What is in the log goes to files when the store is opened again.
    let database = open(&directory.0).await;
    database.shutdown().await;
    drop(database);
    damage_chunks(&directory.0);
    let error = Database::open(config(&directory.0)).await.expect_err("a damaged store");
    let crate::OpenError::Relation { source: Some(source), .. } = &error else { panic!("{error:?}") };
    assert!(
        matches!(source, monsoon_state::Error::Corrupt(_) | monsoon_state::Error::CorruptChunk { .. }),
        "{source:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_server_are_shown_and_not_set() {
    let directory = Directory::new();
    let of_server = crate::function::Setting {
        name: "max-connections".to_owned(),
        value: "7".to_owned(),
        default: "2000".to_owned(),
        description: "Clients at a time".to_owned(),
    };
    let database = open_as(DatabaseConfig { server_settings: Arc::new([of_server]), ..config(&directory.0) }).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("SHOW \"max-connections\"", "7"),
            ("SELECT value, default_value FROM monsoon.settings WHERE name = 'max-connections'", "7|2000"),
            (
                "SET \"max-connections\" = 9",
                "55P02 parameter \"max-connections\" cannot be changed without restarting the server",
            ),
        ],
    )
    .await;
    let all = run(&mut session, "SHOW ALL").await;
    assert!(all.lines().any(|line| line == "max-connections|7|Clients at a time"), "{all}");
    assert!(all.lines().any(|line| line.starts_with("application_name|")), "{all}");
    database.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn casts_to_text_types_are_checked_in_queries_and_in_views() {
    let directory = Directory::new();
    let database = open(&directory.0).await;
    let mut session = database.session(SessionStart::default());
    check(
        &mut session,
        &[
            ("CREATE TABLE t (id INT PRIMARY KEY, name TEXT, short VARCHAR(3))", "CREATE TABLE"),
            (
                "CREATE MATERIALIZED VIEW v AS SELECT id, name::uuid AS u, name::varchar(2) AS s FROM t",
                "CREATE MATERIALIZED VIEW",
            ),
            ("INSERT INTO t VALUES (1, 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'x'), (2, 'no', 'y')", "INSERT 0 2"),
            ("SELECT * FROM v ORDER BY id", "1|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|A0\n2|NULL|no"),
            ("SELECT count(*) FROM monsoon.errors WHERE reason LIKE '%for type uuid: \"no\"'", "1"),
            ("SELECT name::uuid FROM t WHERE id = 2", "22P02 invalid input syntax for type uuid: \"no\""),
            ("SELECT name FROM t WHERE name::varchar(1) = 'n'::varchar(1)", "no"),
            ("INSERT INTO t (id, short) SELECT 3, 'abcdef'::varchar(3)", "INSERT 0 1"),
            ("SELECT short FROM t WHERE id = 3", "abc"),
        ],
    )
    .await;
    let statement = session.parse("UPDATE t SET short = $1 WHERE id = 3").unwrap().remove(0);
    let error = answer(&mut session, &statement, &[ScalarValue::from("abcdef")]).await.expect_err("too long");
    assert_eq!((error.sqlstate, error.message.as_str()), ("22001", "value too long for type character varying(3)"));
    database.shutdown().await;
}
