//! The cases of StormSQL's own tests (Q-1 to Q-10 in docs/storm-conformance.md) through the real binary.
//!
//! StormSQL's one statement is `INSERT INTO sink SELECT STREAM ... FROM source`. Here a source is a stream, and the SELECT a materialized view
//! over it, or a bolt of a topology that inserts into a table. Expected values are those that StormSQL's tests assert, over the rows of
//! their mock sources; where they differ from Postgres, Postgres' is expected and the test says so.
//!
//! ```text
//! cargo build --release -p monsoon && cargo test --release -p monsoon-tests --test storm_sql
//! ```

#[path = "../client/mod.rs"]
mod client;
mod expression;
mod group;
mod join;
mod nested;
#[path = "../server_process/mod.rs"]
mod server_process;
mod source;

use client::Client;
use server_process::ServerProcess;

/// The rows of StormSQL's mock source FOO.
const FOO: &str = "
CREATE STREAM foo (id BIGINT, name TEXT, addr TEXT);
INSERT INTO foo VALUES (0, 'x', NULL), (1, 'x', NULL), (2, 'x', NULL), (3, 'x', NULL), (4, 'x', NULL)";

/// A server that has run some statements.
async fn start(name: &str, setup: &str) -> (ServerProcess, Client) {
    let server = ServerProcess::start(name);
    let client = Client::connect(&server).await;
    client.run(setup).await;
    (server, client)
}

/// Makes a view of a query, reads it in an order, and drops it. The view must be what a batch query gives.
async fn view(client: &Client, query: &str, order: &str) -> Vec<String> {
    client.run(&format!("CREATE MATERIALIZED VIEW answer AS {query}")).await;
    let rows = client.rows(&format!("SELECT * FROM answer ORDER BY {order}")).await;
    assert_eq!(client.rows("VERIFY MATERIALIZED VIEW answer").await, ["ok|0|0"], "{query}");
    client.run("DROP MATERIALIZED VIEW answer").await;
    rows
}

/// Each statement is refused with its SQLSTATE.
async fn refused(client: &Client, cases: &[(&str, &str)]) {
    for (sql, expected) in cases {
        let (sqlstate, message) = client.refusal(sql).await;
        assert_eq!(sqlstate, *expected, "{sql}: {message}");
    }
}
