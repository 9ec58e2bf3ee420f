//! What can be done to a topology from psql, and what is refused.

use crate::client::Client;
use crate::server_process::ServerProcess;

const SETUP: &str = "
CREATE STREAM events (k BIGINT);
CREATE TABLE counts (k BIGINT PRIMARY KEY, n BIGINT);
CREATE TABLE plain (k BIGINT)";

const COUNTING: &str = "TOPOLOGY counting WITH (checkpoint_interval = '100 ms') AS
  SPOUT source USING STREAM events
  BOLT  count  USING SQL (SELECT k, count(*) AS n FROM input GROUP BY k) PARALLELISM 2 TASKS 4 FIELDS GROUPING (k) ON source
  BOLT  store  USING INSERT INTO counts GLOBAL GROUPING ON count";

const COUNTS: &str = "SELECT k, n FROM counts ORDER BY k";

async fn start(name: &str) -> (ServerProcess, Client) {
    let server = ServerProcess::start(name);
    let client = Client::connect(&server).await;
    client.run(SETUP).await;
    (server, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topology_is_deactivated_rebalanced_replaced_restarted_and_killed() {
    let (mut server, client) = start("topology-lifecycle").await;
    client.run("INSERT INTO events VALUES (1), (2)").await;
    client.run(&format!("CREATE {COUNTING}")).await;
    client.wait_for(COUNTS, &["1|1", "2|1"]).await;

    client.run("DEACTIVATE TOPOLOGY counting; INSERT INTO events VALUES (1)").await;
    assert_eq!(client.rows("SELECT status FROM monsoon.topologies").await, ["inactive"]);
    // An inactive topology stays so through a crash, and has counted nothing meanwhile.
    server.crash_and_restart();
    let client = Client::connect(&server).await;
    assert_eq!(client.rows("SELECT status FROM monsoon.topologies").await, ["inactive"]);
    assert_eq!(client.rows(COUNTS).await, ["1|1", "2|1"]);
    client.run("ACTIVATE TOPOLOGY counting").await;
    client.wait_for(COUNTS, &["1|2", "2|1"]).await;

    client.run("ALTER TOPOLOGY counting REBALANCE (count = 4); INSERT INTO events VALUES (2)").await;
    client.wait_for(COUNTS, &["1|2", "2|2"]).await;
    client.run("RESTART TOPOLOGY counting; INSERT INTO events VALUES (3)").await;
    client.wait_for(COUNTS, &["1|2", "2|2", "3|1"]).await;
    client.run(&format!("CREATE OR REPLACE {COUNTING}; INSERT INTO events VALUES (3)")).await;
    client.wait_for(COUNTS, &["1|2", "2|2", "3|2"]).await;

    // What is kept by task can't go to another number of tasks, and another query can't go on from it.
    let three = &COUNTING.replace("TASKS 4", "TASKS 3");
    let other = &COUNTING.replace("count(*)", "count(*) + 1");
    for changed in [three, other] {
        let (sqlstate, message) = client.refusal(&format!("CREATE OR REPLACE {changed}")).await;
        assert_eq!(sqlstate, "55000", "{message}");
    }
    client.run("INSERT INTO events VALUES (1)").await;
    client.wait_for(COUNTS, &["1|3", "2|2", "3|2"]).await;

    client.run("KILL TOPOLOGY counting WAIT '5 s'").await;
    assert_eq!(client.rows("SHOW TOPOLOGIES").await, Vec::<String>::new());
    // Nothing of it is left: a new one of the name counts from the first row.
    client.run(&format!("TRUNCATE counts; CREATE {COUNTING}")).await;
    client.wait_for(COUNTS, &["1|3", "2|2", "3|2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_with_its_reason() {
    let (_server, client) = start("topology-refused").await;
    client.run(&format!("CREATE {COUNTING}")).await;
    let cases = [
        (format!("CREATE {COUNTING}"), "42710", "topology \"counting\" already exists"),
        ("KILL TOPOLOGY missing".into(), "42704", "topology \"missing\" does not exist"),
        ("DROP STREAM events".into(), "2BP01", "cannot drop stream events because topology counting uses it"),
        ("CREATE TOPOLOGY t AS SPOUT s USING STREAM nothing".into(), "42P01", "relation \"nothing\" does not exist"),
        (
            "CREATE TOPOLOGY t AS SPOUT s USING STREAM plain".into(),
            "42809",
            "\"plain\" is not a stream: its rows can change, and a tuple can't be taken back",
        ),
        (
            "CREATE TOPOLOGY t AS SPOUT s USING STREAM events BOLT b USING INSERT INTO plain FIELDS GROUPING (x) ON s".into(),
            "42P17",
            "invalid topology: \"b\" groups stream \"default\" of \"s\": invalid topology: there is no field \"x\" among [\"k\"]",
        ),
        (
            "CREATE TOPOLOGY t AS SPOUT s USING STREAM events BOLT b USING SQL (SELECT nope FROM input) SHUFFLE GROUPING ON s".into(),
            "42703",
            "column \"nope\" does not exist",
        ),
        (
            "CREATE TOPOLOGY t AS SPOUT s USING STREAM events BOLT b USING NATIVE 'nope' SHUFFLE GROUPING ON s".into(),
            "42704",
            "there is no native bolt \"nope\"",
        ),
        (
            "CREATE TOPOLOGY t AS SPOUT s USING STREAM events BOLT b USING INSERT INTO counts GLOBAL GROUPING ON s".into(),
            "42601",
            "\"s\" emits 1 values, and \"counts\" has 2 columns",
        ),
        (
            "CREATE TOPOLOGY t AS SPOUT s USING STREAM events BOLT b USING SQL (SELECT k FROM input) SHUFFLE GROUPING ON s STREAM x".into(),
            "42704",
            "component \"s\" has no stream \"x\"",
        ),
        (
            "CREATE TOPOLOGY t WITH (no_such = 1) AS SPOUT s USING STREAM events".into(),
            "22023",
            "there is no setting \"no_such\" of topologies",
        ),
        (
            "CREATE TOPOLOGY t AS SPOUT s USING SHELL ('python3', 'x.py') OUTPUT (word TEXT)".into(),
            "42501",
            "components USING SHELL run programs on the server, which is not allowed",
        ),
        ("ALTER TOPOLOGY counting REBALANCE (count = 5)".into(), "42P17", "invalid topology: component \"count\" has 4 tasks: it can have 1 to 4 executors, not 5"),
    ];
    for (sql, sqlstate, message) in cases {
        assert_eq!(client.refusal(&sql).await, (sqlstate.to_owned(), message.to_owned()), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spout_from_the_latest_row_begins_where_it_was_created_also_after_a_crash() {
    const LATEST: &str = "TOPOLOGY latest WITH (initial_status = 'inactive', checkpoint_interval = '100 ms') AS
      SPOUT source USING STREAM events WITH (start = 'latest')
      BOLT  store  USING INSERT INTO plain GLOBAL GROUPING ON source";
    let (mut server, client) = start("topology-latest").await;
    client.run("INSERT INTO events VALUES (1), (2)").await;
    client.run(&format!("CREATE {LATEST}; INSERT INTO events VALUES (3)")).await;
    // It has emitted nothing yet, so no checkpoint says where it is.
    server.crash_and_restart();
    let client = Client::connect(&server).await;
    client.run("INSERT INTO events VALUES (4); ACTIVATE TOPOLOGY latest").await;
    client.wait_for("SELECT k FROM plain ORDER BY k", &["3", "4"]).await;
    client.run(&format!("CREATE OR REPLACE {LATEST}; INSERT INTO events VALUES (5); ACTIVATE TOPOLOGY latest")).await;
    client.wait_for("SELECT k FROM plain ORDER BY k", &["3", "4", "5"]).await;
}
