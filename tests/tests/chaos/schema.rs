//! What the workload writes to, and the views over it.

use anyhow::{Context, Result};
use tokio_postgres::Client;

use super::process::within;

/// Events of the generator per second; 46 of 50 are bids.
pub const RATE: i64 = 2_000;

/// Relations that are written to.
const RELATIONS: [&str; 3] = [
    "CREATE STREAM s (id BIGINT, client INT, statement BIGINT, key BIGINT, note TEXT)",
    "CREATE TABLE t (id BIGINT PRIMARY KEY, client INT, statement BIGINT, version BIGINT)",
    "CREATE STREAM bids WITH (connector = 'nexmark', \"table\" = 'bid', rate = 2000, start = '2026-01-01 00:00:00')",
];

/// Views by name: an aggregate, a join under an aggregate, counts of every source, an aggregate over the generator, and a
/// view on a view.
pub const VIEWS: [(&str, &str); 6] = [
    (
        "by_client",
        "SELECT client, count(*) AS n, count(DISTINCT key) AS keys, min(id) AS low, max(id) AS high FROM s GROUP BY client",
    ),
    (
        "joined",
        "SELECT t.client, count(*) AS n, sum(t.version) AS versions, max(s.id) AS high FROM s JOIN t ON s.key = t.id GROUP BY t.client",
    ),
    ("unmatched", "SELECT t.id, t.client FROM t LEFT JOIN by_client b ON t.client = b.client WHERE b.client IS NULL"),
    (
        "sources",
        "SELECT 's' AS source, count(id) AS n FROM s UNION ALL SELECT 't', count(id) FROM t \
         UNION ALL SELECT 'bids', count(auction) FROM bids",
    ),
    (
        "channels",
        "SELECT channel, count(*) AS n, sum(price) AS total, max(date_time) AS latest FROM bids GROUP BY channel",
    ),
    ("channel_total", "SELECT 'all' AS channel, sum(n) AS n FROM channels"),
];

/// Creates everything.
pub async fn create(client: &Client) -> Result<()> {
    for statement in RELATIONS {
        within(client.batch_execute(statement)).await.context(statement)?;
    }
    for (name, query) in VIEWS {
        let statement = format!("CREATE MATERIALIZED VIEW {name} AS {query}");
        within(client.batch_execute(&statement)).await.context(statement)?;
    }
    Ok(())
}
