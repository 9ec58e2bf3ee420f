//! Programs in other languages as components, from SQL.

use crate::client::Client;
use crate::server_process::ServerProcess;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/topology/split.py");

#[tokio::test(flavor = "multi_thread")]
async fn a_python_program_splits_sentences() {
    let server = ServerProcess::start_with("topology-shell", &["--shell-components=true"]);
    let client = Client::connect(&server).await;
    client
        .run(&format!(
            "CREATE STREAM sentences (sentence TEXT);
             CREATE TABLE counts (word TEXT PRIMARY KEY, n BIGINT);
             CREATE TOPOLOGY words WITH (checkpoint_interval = '100 ms') AS
               SPOUT lines USING STREAM sentences
               BOLT split USING SHELL ('python3', '{SCRIPT}') OUTPUT (word TEXT) PARALLELISM 2 SHUFFLE GROUPING ON lines
               BOLT count USING SQL (SELECT word, count(*) AS n FROM input GROUP BY word) FIELDS GROUPING (word) ON split
               BOLT store USING INSERT INTO counts GLOBAL GROUPING ON count;
             INSERT INTO sentences VALUES ('the cow jumped over the moon'), ('the man')"
        ))
        .await;
    let expected = ["cow|1", "jumped|1", "man|1", "moon|1", "over|1", "the|3"];
    client.wait_for("SELECT word, n FROM counts ORDER BY word", &expected).await;
}

/// What JSON has no type for comes back as it went, and lists as arrays.
#[tokio::test(flavor = "multi_thread")]
async fn values_go_through_a_program_and_come_back_as_they_were() {
    const ECHO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/topology/echo.py");
    let server = ServerProcess::start_with("topology-echo", &["--shell-components=true"]);
    let client = Client::connect(&server).await;
    let columns = "id BIGINT, b BYTEA, at TIMESTAMP, price NUMERIC(10, 2), day DATE, flag BOOLEAN, j JSONB, ids INT[]";
    client
        .run(&format!(
            "CREATE STREAM given ({columns}); CREATE STREAM back ({columns});
             INSERT INTO given VALUES
               (1, '\\x00ff80', '2026-01-02 03:04:05.000006', 12.30, '2026-01-02', true, '{{\"a\": [1, null]}}', '{{1,NULL,3}}'),
               (2, '\\x', NULL, NULL, NULL, NULL, NULL, '{{}}'), (3, NULL, NULL, -1, NULL, false, '1', NULL);
             CREATE TOPOLOGY echo WITH (checkpoint_interval = '100 ms') AS
               SPOUT rows USING STREAM given
               BOLT echo USING SHELL ('python3', '{ECHO}') OUTPUT ({columns}) SHUFFLE GROUPING ON rows
               BOLT same USING SQL (SELECT * FROM input) SHUFFLE GROUPING ON echo
               BOLT store USING INSERT INTO back SHUFFLE GROUPING ON same"
        ))
        .await;
    let given = client.rows("SELECT * FROM given ORDER BY id").await;
    assert!(given[0].contains("00ff80"), "{given:?}");
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    client.wait_for("SELECT * FROM back ORDER BY id", &given).await;
}

/// Programs may not be run any more: the server starts all the same, and the topology is there to be killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_topology_that_can_not_be_brought_back_is_broken() {
    let mut server = ServerProcess::start_with("topology-broken", &["--shell-components=true"]);
    let client = Client::connect(&server).await;
    client
        .run(&format!(
            "CREATE STREAM sentences (sentence TEXT); CREATE STREAM words (word TEXT);
             CREATE TOPOLOGY words AS
               SPOUT lines USING STREAM sentences
               BOLT split USING SHELL ('python3', '{SCRIPT}') OUTPUT (word TEXT) SHUFFLE GROUPING ON lines
               BOLT store USING INSERT INTO words SHUFFLE GROUPING ON split"
        ))
        .await;
    server.crash_and_restart_with(&[]);
    let client = Client::connect(&server).await;
    assert_eq!(client.rows("SELECT name, status FROM monsoon.topologies").await, ["words|broken"]);
    let errors = client.rows("SELECT error FROM monsoon.topology_errors").await;
    assert!(errors[0].contains("--shell-components"), "{errors:?}");
    assert_eq!(client.refusal("ACTIVATE TOPOLOGY words").await.0, "55000");
    assert_eq!(client.refusal("DROP STREAM sentences").await.0, "2BP01");
    client.run("INSERT INTO sentences VALUES ('the cow')").await;
    server.crash_and_restart_with(&["--shell-components=true"]);
    let client = Client::connect(&server).await;
    client.wait_for("SELECT word FROM words ORDER BY word", &["cow", "the"]).await;
    server.crash_and_restart_with(&[]);
    let client = Client::connect(&server).await;
    client.run("KILL TOPOLOGY words").await;
    assert_eq!(client.rows("SHOW TOPOLOGIES").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tuple_that_always_fails_is_shown_and_can_be_skipped() {
    let server = ServerProcess::start_with("topology-skip", &["--shell-components=true"]);
    let client = Client::connect(&server).await;
    let topology = |name: &str, on_error: &str| {
        format!(
            "TOPOLOGY {name} WITH (checkpoint_interval = '100 ms', on_error = '{on_error}', error_attempts = 2) AS
               SPOUT lines USING STREAM sentences
               BOLT split USING SHELL ('python3', '{SCRIPT}') OUTPUT (word TEXT) SHUFFLE GROUPING ON lines
               BOLT store USING INSERT INTO words SHUFFLE GROUPING ON split"
        )
    };
    let letters = "BOLT letters USING INSERT INTO dead_letters SHUFFLE GROUPING ON split STREAM skipped";
    client
        .run(
            "CREATE STREAM sentences (sentence TEXT);
             CREATE STREAM words (word TEXT);
             CREATE STREAM dead_letters (component TEXT, task BIGINT, source TEXT, stream TEXT, error TEXT, tuple TEXT)",
        )
        .await;
    client.run(&format!("CREATE {}", topology("words", "replay"))).await;
    client.run("INSERT INTO sentences VALUES ('the cow'), ('!'), ('the moon')").await;
    client.wait_for("SELECT status FROM monsoon.topologies", &["failing"]).await;
    let blamed = "SELECT DISTINCT component FROM monsoon.topology_errors";
    assert_eq!(client.rows(blamed).await, ["split"]);
    assert_eq!(client.rows("SELECT word FROM words").await, Vec::<String>::new());

    client.run(&format!("CREATE OR REPLACE {} {letters}", topology("words", "skip"))).await;
    client.wait_for("SELECT word FROM words ORDER BY word", &["cow", "moon", "the", "the"]).await;
    let letters = "SELECT component, source, stream, tuple FROM dead_letters";
    client.wait_for(letters, &["split|lines|default|{\"sentence\":\"!\"}"]).await;
    client.wait_for("SELECT status FROM monsoon.topologies", &["active"]).await;
    client.run("INSERT INTO sentences VALUES ('a man')").await;
    client.wait_for("SELECT count(*) FROM words", &["6"]).await;
    assert_eq!(client.rows("SELECT count(*) FROM dead_letters").await, ["1"]);
}
