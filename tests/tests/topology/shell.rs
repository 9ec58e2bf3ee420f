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
