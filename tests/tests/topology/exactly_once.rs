//! State and inserted rows are exactly once: kill -9 while a topology counts, and the counts are those of the stream.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::client::Client;
use crate::server_process::ServerProcess;
use crate::setting;

/// Without being told otherwise.
const KILLS: u64 = 5;
/// Longest life of a server between two kills.
const LIFE_MS_MAX: u64 = 700;

const SETUP: &str = "
CREATE STREAM events (id BIGINT, k BIGINT);
CREATE TABLE counts (k BIGINT PRIMARY KEY, n BIGINT, total BIGINT);
CREATE STREAM copies (id BIGINT, k BIGINT);
CREATE TOPOLOGY counting WITH (checkpoint_interval = '100 ms') AS
  SPOUT source USING STREAM events PARALLELISM 2
  BOLT  same   USING SQL (SELECT id, k FROM input WHERE k >= 0) PARALLELISM 2 SHUFFLE GROUPING ON source
  BOLT  count  USING SQL (SELECT k, count(*) AS n, sum(id) AS total FROM input GROUP BY k)
               PARALLELISM 2 FIELDS GROUPING (k) ON same
  BOLT  store  USING INSERT INTO counts FIELDS GROUPING (k) ON count
  BOLT  copy   USING INSERT INTO copies SHUFFLE GROUPING ON same;
CREATE MATERIALIZED VIEW odd AS SELECT id, k FROM events WHERE k % 2 = 1;
CREATE STREAM odd_copies (id BIGINT, k BIGINT);
CREATE TOPOLOGY of_a_view WITH (checkpoint_interval = '100 ms') AS
  SPOUT source USING STREAM odd
  BOLT  copy   USING INSERT INTO odd_copies SHUFFLE GROUPING ON source";

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_through_kill_9() {
    let kills = setting("MONSOON_TOPOLOGY_KILLS", KILLS);
    let seed = setting("MONSOON_TOPOLOGY_SEED", 1);
    let mut random = StdRng::seed_from_u64(seed);
    let mut server = ServerProcess::start("topology-exactly-once");
    Client::connect(&server).await.run(SETUP).await;
    let mut next = 0;
    for kill in 0..kills {
        let writer = tokio::spawn(write(Client::connect(&server).await, next, seed ^ kill));
        tokio::time::sleep(Duration::from_millis(random.random_range(0..LIFE_MS_MAX))).await;
        server.crash_and_restart();
        next = writer.await.expect("the writer ends");
    }
    let client = Client::connect(&server).await;
    // The stream is the witness: whatever got in is counted once.
    let rows = client.rows("SELECT count(*) FROM events").await;
    assert_ne!(rows, ["0"], "nothing was written between the kills");
    println!("seed {seed}: {kills} kills, {} events", rows[0]);
    client.wait_for("SELECT count(*) FROM copies", &[&rows[0]]).await;
    let of_stream = client.rows("SELECT k, count(*), sum(id) FROM events GROUP BY k ORDER BY k").await;
    let of_stream: Vec<&str> = of_stream.iter().map(String::as_str).collect();
    client.wait_for("SELECT k, n, total FROM counts ORDER BY k", &of_stream).await;
    let odd = client.rows("SELECT count(*) FROM odd").await;
    client.wait_for("SELECT count(*) FROM odd_copies", &[&odd[0]]).await;
    for (stream, copies) in [("events", "copies"), ("odd", "odd_copies")] {
        let doubled = format!("SELECT id, count(*) FROM {copies} GROUP BY id HAVING count(*) > 1");
        assert_eq!(client.rows(&doubled).await, Vec::<String>::new());
        let missing = format!("SELECT id FROM {stream} EXCEPT SELECT id FROM {copies}");
        assert_eq!(client.rows(&missing).await, Vec::<String>::new());
    }
}

/// Inserts until the server is gone. Returns the next number that was not used.
async fn write(client: Client, mut next: u64, seed: u64) -> u64 {
    let mut random = StdRng::seed_from_u64(seed);
    loop {
        let rows: Vec<String> = (next..next + 50).map(|id| format!("({id}, {})", random.random_range(0..20))).collect();
        next += 50;
        if client.try_run(&format!("INSERT INTO events VALUES {}", rows.join(", "))).await.is_err() {
            return next;
        }
    }
}
