//! How long a restart takes on a large directory: `MONSOON_CHAOS_RESTART_MB=1024`.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures::SinkExt;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_postgres::Client;

use super::process::{Server, within};
use super::verdict::verify_views;
use super::{schema, setting};

/// Size of the data directory, without being told otherwise.
const MEGABYTES: u64 = 64;
/// Rows of one COPY.
const ROWS: i64 = 50_000;
/// Every so many COPYs into the stream one goes to the table.
const TABLE_EVERY: i64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_directory_starts_again() {
    let megabytes = setting("MONSOON_CHAOS_RESTART_MB", MEGABYTES);
    let directory = tempfile::tempdir().expect("a directory");
    let outcome = fill_and_restart(directory.path(), megabytes).await;
    outcome.unwrap_or_else(|error| {
        panic!("{error:?}\n{}", std::fs::read_to_string(directory.path().join("log")).unwrap_or_default())
    });
}

async fn fill_and_restart(directory: &Path, megabytes: u64) -> Result<()> {
    let (data, log) = (directory.join("data"), directory.join("log"));
    let server = Server::start(&data, &log).await?;
    let client = server.client().await?;
    schema::create(&client).await?;
    let mut random = StdRng::seed_from_u64(1);
    let mut copies = 0;
    while size_mb(&data)? < megabytes {
        copy(&client, copies, &mut random).await?;
        copies += 1;
    }
    drop(client);
    server.kill()?;
    let size = size_mb(&data)?;
    let start = Instant::now();
    let server = Server::start(&data, &log).await?;
    let ready = start.elapsed();
    let client = server.client().await?;
    let row = within(client.query_one("SELECT n FROM sources WHERE source = 's'", &[])).await?;
    let first_answer = start.elapsed();
    let in_stream = copies - copies / TABLE_EVERY;
    ensure!(
        row.get::<_, i64>(0) == in_stream * ROWS,
        "{} rows, {} were copied",
        row.get::<_, i64>(0),
        in_stream * ROWS
    );
    println!(
        "{size} MB, {copies} COPYs of {ROWS} rows: ready {} ms after kill -9, first answer of a view at {} ms, {} MB resident",
        ready.as_millis(),
        first_answer.as_millis(),
        server.resident_kb()? / 1024
    );
    verify_views(&client).await?;
    server.stop()
}

async fn copy(client: &Client, number: i64, random: &mut StdRng) -> Result<()> {
    let to_table = number % TABLE_EVERY == TABLE_EVERY - 1;
    let relation = if to_table { "COPY t FROM STDIN" } else { "COPY s FROM STDIN" };
    let sink = within(client.copy_in(relation)).await?;
    futures::pin_mut!(sink);
    let mut lines = String::new();
    for row in 0..ROWS {
        let (id, key) = (number * ROWS + row, random.random_range(0..1_000_000_000_i64));
        if to_table {
            writeln!(lines, "{id}\t{}\t{number}\t{key}", id % 5)?;
        } else {
            writeln!(
                lines,
                "{id}\t{}\t{number}\t{key}\t{:032x}{:032x}",
                id % 5,
                random.random::<u128>(),
                random.random::<u128>()
            )?;
        }
        if lines.len() > 100_000 {
            sink.send(Bytes::from(std::mem::take(&mut lines))).await?;
        }
    }
    sink.send(Bytes::from(lines)).await?;
    within(sink.finish()).await?;
    Ok(())
}

fn size_mb(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        // A file may go while RocksDB compacts.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() { size_mb(&entry.path())? << 20 } else { metadata.len() };
    }
    Ok(bytes >> 20)
}
