//! What a restarted server holds, against the ledgers; its views, against their queries.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, ensure};
use tokio_postgres::Client;

use super::ledger::Content;
use super::process::within;
use super::schema::VIEWS;
use super::workload::Writer;

/// Compares everything that the clients wrote; returns how many open writes had been applied.
pub async fn settle(client: &Client, writers: &mut [Writer]) -> Result<usize> {
    let mut held = held(client).await?;
    let mut applied = 0;
    for writer in writers {
        let content = held.remove(&(writer.number as i32)).unwrap_or_default();
        let settled = writer.ledger.settle(content);
        applied += usize::from(settled.map_err(|difference| anyhow!("client {}: {difference}", writer.number))?);
    }
    ensure!(held.is_empty(), "rows of clients that don't exist: {held:?}");
    Ok(applied)
}

async fn held(client: &Client) -> Result<BTreeMap<i32, Content>> {
    let mut held: BTreeMap<i32, Content> = BTreeMap::new();
    let rows = "SELECT client, statement, count(*) AS n, count(DISTINCT id) AS ids FROM s GROUP BY client, statement";
    for row in within(client.query(rows, &[])).await? {
        let (client, statement, n, ids): (i32, i64, i64, i64) = (row.get(0), row.get(1), row.get(2), row.get(3));
        ensure!(n == ids, "client {client}, statement {statement}: {n} rows, {ids} different ids");
        held.entry(client).or_default().stream.insert(statement, n);
    }
    for row in within(client.query("SELECT id, client, statement, version FROM t", &[])).await? {
        let table = &mut held.entry(row.get(1)).or_default().table;
        let twice = table.insert(row.get(0), (row.get(2), row.get(3)));
        ensure!(twice.is_none(), "two rows of the table with id {}", row.get::<_, i64>(0));
    }
    Ok(held)
}

/// Each view against its query; the counts of the sources against the sources, at one instant.
pub async fn verify_views(client: &Client) -> Result<()> {
    for (name, _) in VIEWS {
        let verify = format!("VERIFY MATERIALIZED VIEW {name}");
        let row = within(client.query_one(&verify, &[])).await.context(verify)?;
        let (status, missing, unexpected): (&str, i64, i64) = (row.get(0), row.get(1), row.get(2));
        ensure!(status == "ok", "view {name}: {missing} rows missing, {unexpected} unexpected");
    }
    Ok(())
}

/// How far the generator is, by its stream and two views: one number at any instant.
pub async fn bids(client: &Client) -> Result<i64> {
    let counts = "SELECT (SELECT count(*) FROM bids), (SELECT n FROM sources WHERE source = 'bids'), \
                  (SELECT CAST(n AS BIGINT) FROM channel_total)";
    let row = within(client.query_one(counts, &[])).await?;
    let views: [Option<i64>; 2] = [row.get(1), row.get(2)];
    let stream: i64 = row.get(0);
    ensure!(views.iter().all(|n| n.unwrap_or(0) == stream), "{stream} bids in the stream, {views:?} in the views");
    Ok(stream)
}

/// No event of the generator is missing or twice: its times say which events there should be.
pub async fn no_gap_in_bids(client: &Client) -> Result<()> {
    let text = "SELECT count(*), count(DISTINCT date_time), max(date_time) FROM bids";
    let row = within(client.query_one(text, &[])).await?;
    let (count, times): (i64, i64) = (row.get(0), row.get(1));
    let latest: Option<std::time::SystemTime> = row.get(2);
    let Some(latest) = latest else { return Ok(()) };
    // Event n is at start + n / rate; of 50 events the first is a person, three are auctions, the others bids.
    let start = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_767_225_600);
    let events = latest.duration_since(start)?.as_micros() as i64 * super::schema::RATE / 1_000_000 + 1;
    let wanted = events / 50 * 46 + (events % 50 - 4).max(0);
    ensure!(
        count == wanted && times == count,
        "{count} bids at {times} times, {wanted} of the {events} events are bids"
    );
    Ok(())
}
