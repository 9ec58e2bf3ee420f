//! Windows from SQL.

use crate::client::Client;
use crate::server_process::ServerProcess;

#[tokio::test(flavor = "multi_thread")]
async fn each_window_is_answered_by_itself() {
    let server = ServerProcess::start("topology-window");
    let client = Client::connect(&server).await;
    client
        .run(
            "CREATE STREAM events (k TEXT, v BIGINT, at TIMESTAMP);
             CREATE TABLE by_count (n BIGINT, total BIGINT);
             CREATE TABLE by_time (until TIMESTAMP, k TEXT, n BIGINT);
             CREATE TABLE visits (k TEXT, n BIGINT);
             CREATE TABLE late (late_tuple TEXT);
             CREATE TOPOLOGY windows WITH (checkpoint_interval = '100 ms') AS
               SPOUT source USING STREAM events
               BOLT three USING WINDOW (SELECT count(*) AS n, sum(v)::BIGINT AS total FROM input)
                    LENGTH 3 ROWS TUMBLING GLOBAL GROUPING ON source
               BOLT store_three USING INSERT INTO by_count GLOBAL GROUPING ON three
               BOLT ten USING WINDOW (SELECT max(window_end), k, count(*) FROM input GROUP BY k)
                    LENGTH INTERVAL '10 s' TUMBLING TIMESTAMP FIELD at WATERMARK INTERVAL '100 ms' LATE STREAM late
                    GLOBAL GROUPING ON source
               BOLT store_ten USING INSERT INTO by_time GLOBAL GROUPING ON ten
               BOLT store_late USING INSERT INTO late GLOBAL GROUPING ON ten STREAM late
               BOLT sessions USING WINDOW (SELECT k, count(*) FROM input GROUP BY k)
                    SESSION GAP INTERVAL '5 s' TIMESTAMP FIELD at WATERMARK INTERVAL '100 ms'
                    FIELDS GROUPING (k) ON source
               BOLT store_visits USING INSERT INTO visits GLOBAL GROUPING ON sessions;
             INSERT INTO events VALUES
               ('a', 1, '2026-01-01 10:00:01'), ('a', 2, '2026-01-01 10:00:02'), ('b', 3, '2026-01-01 10:00:03'),
               ('a', 4, '2026-01-01 10:00:12'), ('b', 5, '2026-01-01 10:00:13'), ('a', 6, '2026-01-01 10:00:40')",
        )
        .await;
    client.wait_for("SELECT * FROM by_count ORDER BY total", &["3|6", "3|15"]).await;
    let by_time =
        ["2026-01-01 10:00:10|a|2", "2026-01-01 10:00:10|b|1", "2026-01-01 10:00:20|a|1", "2026-01-01 10:00:20|b|1"];
    client.wait_for("SELECT * FROM by_time ORDER BY until, k", &by_time).await;
    client.wait_for("SELECT * FROM visits ORDER BY k, n", &["a|1", "a|2", "b|1", "b|1"]).await;
    client.run("INSERT INTO events VALUES ('c', 7, '2026-01-01 10:00:05')").await;
    client.wait_for("SELECT count(*) FROM late", &["1"]).await;
}

/// A window's answer is told also where it is what the query answers to nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_without_what_is_asked_for_has_an_answer_too() {
    let server = ServerProcess::start("topology-window-zero");
    let client = Client::connect(&server).await;
    client
        .run(
            "CREATE STREAM events (v BIGINT);
             CREATE STREAM sums (n BIGINT, total BIGINT);
             CREATE TOPOLOGY windows WITH (checkpoint_interval = '100 ms') AS
               SPOUT source USING STREAM events
               BOLT two USING WINDOW (SELECT count(*) FILTER (WHERE v > 100) AS n, sum(v)::BIGINT AS total FROM input)
                    LENGTH 2 ROWS TUMBLING GLOBAL GROUPING ON source
               BOLT store USING INSERT INTO sums GLOBAL GROUPING ON two;
             INSERT INTO events VALUES (1), (200), (NULL), (NULL), (2), (3)",
        )
        .await;
    client.wait_for("SELECT * FROM sums ORDER BY total NULLS LAST", &["0|5", "1|201", "0|null"]).await;
}

/// The keys of Storm's configuration say the windows. Of 2,000 tuples in a window only 10 stay in memory.
#[tokio::test(flavor = "multi_thread")]
async fn windows_by_storms_keys_in_yaml() {
    const YAML: &str = r#"
name: by-yaml
spouts:
  - {id: source, className: stream, constructorArgs: [events]}
bolts:
  - id: window
    className: window
    constructorArgs: ["SELECT count(*), sum(v)::BIGINT, min(v), max(v) FROM input"]
    config: {topology.bolts.window.length.count: 2000, topology.bolts.sliding.interval.count: 1000, window_tuples_in_memory: 10}
  - {id: store, className: insert, constructorArgs: [sums]}
streams:
  - {from: source, to: window, grouping: {type: GLOBAL}}
  - {from: window, to: store, grouping: {type: GLOBAL}}
config: {topology.state.checkpoint.interval.ms: 100}
"#;
    let mut server = ServerProcess::start("topology-window-yaml");
    let client = Client::connect(&server).await;
    client
        .run("CREATE STREAM events (v BIGINT); CREATE TABLE sums (n BIGINT, total BIGINT, least BIGINT, most BIGINT)")
        .await;
    let none = YAML.replace("topology.bolts.window.length.count: 2000, ", "");
    let (sqlstate, message) = client.refusal(&format!("CREATE TOPOLOGY by_yaml AS FLUX '{none}'")).await;
    assert!(message.contains("set topology.bolts.window.length.count or"), "{sqlstate} {message}");
    client.run(&format!("CREATE TOPOLOGY by_yaml AS FLUX '{YAML}'")).await;
    client.run("INSERT INTO events SELECT v FROM generate_series(1, 2500) AS series(v)").await;
    let first = ["1000|500500|1|1000", "2000|2001000|1|2000"];
    client.wait_for("SELECT * FROM sums ORDER BY most", &first).await;
    // What is in files goes on in those of another process.
    server.crash_and_restart();
    let client = Client::connect(&server).await;
    client.run("INSERT INTO events SELECT v FROM generate_series(2501, 3000) AS series(v)").await;
    client.wait_for("SELECT * FROM sums ORDER BY most", &[first[0], first[1], "2000|4001000|1001|3000"]).await;
}
