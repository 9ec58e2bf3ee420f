//! Sources and sinks, functions of users, and what the parser takes.

use crate::{FOO, refused, start, view};

#[tokio::test(flavor = "multi_thread")]
async fn q01_a_select_over_a_stream_ends_in_a_sink() {
    let (_server, client) = start("storm-sql-q01", FOO).await;
    assert_eq!(view(&client, "SELECT id + 1 AS id FROM foo WHERE id > 2", "id").await, ["4", "5"]);

    // A topology, as StormSQL made it: its sink is keyed by the primary key.
    client
        .run(
            "CREATE TABLE bar (id BIGINT PRIMARY KEY);
             CREATE TOPOLOGY foo_to_bar WITH (checkpoint_interval = '100 ms') AS
               SPOUT foo  USING STREAM foo
               BOLT  plus USING SQL (SELECT id + 1 AS id FROM input WHERE id > 2) SHUFFLE GROUPING ON foo
               BOLT  bar  USING INSERT INTO bar GLOBAL GROUPING ON plus",
        )
        .await;
    client.wait_for("SELECT id FROM bar ORDER BY id", &["4", "5"]).await;
    // It goes on: a row of the same key replaces the first.
    client.run("INSERT INTO foo VALUES (3, 'y', NULL), (5, 'y', NULL)").await;
    client.wait_for("SELECT id FROM bar ORDER BY id", &["4", "5", "6"]).await;

    // INSERT ... SELECT without STREAM copies what is there now, once.
    client.run("CREATE TABLE copy (id BIGINT PRIMARY KEY); INSERT INTO copy SELECT id + 1 FROM foo WHERE id = 4").await;
    assert_eq!(client.rows("SELECT id FROM copy").await, ["5"]);
    // Streams take rows, and no other change.
    refused(&client, &[("UPDATE foo SET id = 1", "42809"), ("DELETE FROM foo", "42809")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q04_there_are_no_functions_of_users() {
    let (_server, client) = start("storm-sql-q04", FOO).await;
    refused(
        &client,
        &[
            ("CREATE FUNCTION myplus AS 'org.apache.storm.sql.TestUtils$MyPlus'", "0A000"),
            ("CREATE FUNCTION myplus AS 'org.apache.storm.sql.TestUtils$MyPlus' USING JAR 'foo'", "0A000"),
            ("CREATE FUNCTION myplus(a INT, b INT) RETURNS INT LANGUAGE sql AS 'SELECT a + b'", "0A000"),
            ("CREATE MATERIALIZED VIEW v AS SELECT myplus(id, 1) AS id FROM foo WHERE id > 2", "42883"),
            // What MYPLUS(NAME, 1) and MYPLUS(ID, 1) = 'x' stand for: wrong types are told before anything runs.
            ("CREATE MATERIALIZED VIEW v AS SELECT name + 1 AS id FROM foo WHERE id = 0", "42883"),
            ("SELECT id FROM foo WHERE id + 1 = 'x'", "22P02"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn q06_external_tables_and_functions_are_refused_by_name() {
    let (_server, client) = start("storm-sql-q06", "SELECT 1").await;
    refused(
        &client,
        &[
            (
                "CREATE EXTERNAL TABLE foo (name VARCHAR(255), age INT PRIMARY KEY) STORED AS
                 INPUTFORMAT 'storm.sql.InputFormat' OUTPUTFORMAT 'storm.sql.OutputFormat' LOCATION 'file://home/foo'",
                "0A000",
            ),
            ("CREATE EXTERNAL TABLE foo (id INT PRIMARY KEY)", "0A000"),
            ("CREATE FUNCTION foo AS 'org.apache.storm.sql.MyUDF'", "0A000"),
            ("CREATE FUNCTION foo AS 'org.apache.storm.sql.MyUDF' USING JAR 'foo.jar'", "0A000"),
            // What takes their place is parsed as strictly as LOCATION was.
            ("CREATE STREAM foo", "42601"),
            ("CREATE STREAM foo (id BIGINT PRIMARY KEY)", "0A000"),
            ("CREATE TABLE foo (id NOSUCHTYPE)", "42704"),
        ],
    )
    .await;
}
