//! Programs in other languages as components, from SQL.

use crate::client::Client;
use crate::server_process::ServerProcess;

#[tokio::test(flavor = "multi_thread")]
async fn a_python_program_splits_sentences() {
    let server = ServerProcess::start_with("topology-shell", &["--shell-components=true"]);
    let client = Client::connect(&server).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/topology/split.py");
    client
        .run(&format!(
            "CREATE STREAM sentences (sentence TEXT);
             CREATE TABLE counts (word TEXT PRIMARY KEY, n BIGINT);
             CREATE TOPOLOGY words WITH (checkpoint_interval = '100 ms') AS
               SPOUT lines USING STREAM sentences
               BOLT split USING SHELL ('python3', '{script}') OUTPUT (word TEXT) PARALLELISM 2 SHUFFLE GROUPING ON lines
               BOLT count USING SQL (SELECT word, count(*) AS n FROM input GROUP BY word) FIELDS GROUPING (word) ON split
               BOLT store USING INSERT INTO counts GLOBAL GROUPING ON count;
             INSERT INTO sentences VALUES ('the cow jumped over the moon'), ('the man')"
        ))
        .await;
    let expected = ["cow|1", "jumped|1", "man|1", "moon|1", "over|1", "the|3"];
    client.wait_for("SELECT word, n FROM counts ORDER BY word", &expected).await;
}
