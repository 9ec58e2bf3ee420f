//! A full disk: writes wait or are refused, nothing is answered wrongly, and when there is room again all goes on by itself.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio_postgres::Client;

use super::process::{PATIENCE, Server, within};

const DISK_MB: usize = 320;
/// Freed when the disk is full.
const BALLAST_MB: usize = 120;
/// A write that takes longer than this is taken to be waiting for room.
const STALL: Duration = Duration::from_secs(5);
/// How long a read gets to answer while a write waits.
const READ: Duration = Duration::from_secs(3);
const ROWS: i64 = 500;

/// A small file system of its own.
struct Disk {
    path: PathBuf,
}

impl Disk {
    fn mount(path: &Path) -> Option<Disk> {
        let size = format!("size={DISK_MB}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "monsoon-chaos"]).arg(path).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Disk { path: path.to_owned() })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_writes_until_there_is_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let mount = directory.path().join("disk");
    fs::create_dir(&mount).expect("a directory");
    let Some(disk) = Disk::mount(&mount) else {
        println!("SKIPPED: a tmpfs can't be mounted here (it takes root)");
        return;
    };
    let log = directory.path().join("log");
    if let Err(error) = fill_and_free(&disk.path, &log).await {
        panic!("{error:?}\n{}", fs::read_to_string(&log).unwrap_or_default());
    }
}

async fn fill_and_free(disk: &Path, log: &Path) -> Result<()> {
    let ballast = disk.join("ballast");
    File::create(&ballast)?.write_all(&vec![1; BALLAST_MB << 20])?;
    let data = disk.join("data");
    let server = Server::start(&data, log).await?;
    let (writer, reader) = (server.client().await?, server.client().await?);
    within(writer.batch_execute("CREATE STREAM s (id BIGINT, batch BIGINT, note TEXT)")).await?;
    within(writer.batch_execute("CREATE MATERIALIZED VIEW v AS SELECT batch, count(*) AS n FROM s GROUP BY batch"))
        .await?;

    let mut acknowledged = Vec::new();
    let mut batch = 0;
    // Ends when a write is refused or waits: the disk is finite.
    let stopped = loop {
        batch += 1;
        let mut write = Box::pin(insert(&writer, batch));
        match tokio::time::timeout(STALL, &mut write).await {
            Ok(Ok(())) => acknowledged.push(batch),
            Ok(Err(error)) => {
                let code = error.as_db_error().map(|error| error.code().code().to_owned());
                ensure!(code.as_deref() == Some("53100"), "a write on a full disk is refused with {error:?}");
                break format!("refused: {error}");
            }
            Err(_) => {
                within(reader.query("SELECT 1", &[])).await.context("while a write waits")?;
                let before = acknowledged.clone();
                // A read is of the batch under way, and may wait for it; it must not answer wrongly.
                let mut read = Box::pin(has_all(&reader, &before, batch));
                let answered = tokio::time::timeout(READ, &mut read).await;
                fs::remove_file(&ballast)?;
                tokio::time::timeout(PATIENCE, write).await.context("there is room, and the write still waits")??;
                let reads = if answered.is_ok() { "went on" } else { "waited too" };
                match answered {
                    Ok(outcome) => outcome,
                    Err(_) => read.await,
                }
                .context("while a write waits")?;
                acknowledged.push(batch);
                break format!("waiting; reads {reads}");
            }
        }
    };
    has_all(&reader, &acknowledged, batch).await.context("on a full disk")?;
    if ballast.exists() {
        fs::remove_file(&ballast)?;
    }
    let freed = Instant::now();
    until_written(&writer, batch + 1).await?;
    acknowledged.push(batch + 1);
    let pause = freed.elapsed();
    has_all(&reader, &acknowledged, batch + 1).await.context("after the pause")?;
    drop((writer, reader));
    server.kill()?;
    let server = Server::start(&data, log).await?;
    has_all(&server.client().await?, &acknowledged, batch + 1).await.context("after a kill")?;
    println!(
        "{} batches acknowledged; then {stopped}; written again {} ms after there was room",
        acknowledged.len(),
        pause.as_millis()
    );
    Ok(())
}

async fn insert(client: &Client, batch: i64) -> Result<(), tokio_postgres::Error> {
    // Hardly compressible, so that the disk fills soon.
    let note = |row: i64| {
        (0..16).map(|part| format!("{:016x}", scramble(batch * 100_000 + row * 100 + part))).collect::<String>()
    };
    let rows = (0..ROWS).map(|row| format!("({}, {batch}, '{}')", batch * ROWS + row, note(row)));
    client.batch_execute(&format!("INSERT INTO s VALUES {}", rows.collect::<Vec<_>>().join(", "))).await
}

/// A bijection that looks like noise (the finaliser of splitmix64).
fn scramble(number: i64) -> u64 {
    let mixed = (number as u64 ^ (number as u64 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Tries until it is written; each try that is refused has written nothing.
async fn until_written(client: &Client, batch: i64) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match tokio::time::timeout(PATIENCE, insert(client, batch)).await? {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() > end => bail!("there is room for a minute, and still: {error:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Every acknowledged batch is there as a whole, once, in stream and view; no other, but perhaps the open one.
async fn has_all(client: &Client, acknowledged: &[i64], open: i64) -> Result<()> {
    for text in [
        "SELECT batch, count(*), count(DISTINCT id) FROM s GROUP BY batch ORDER BY 1",
        "SELECT batch, n, n FROM v ORDER BY 1",
    ] {
        let rows = within(client.query(text, &[])).await?;
        let whole = rows.iter().all(|row| row.get::<_, i64>(1) == ROWS && row.get::<_, i64>(2) == ROWS);
        ensure!(whole, "a batch is torn or doubled: {text}");
        let mut held: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        if !acknowledged.contains(&open) {
            held.retain(|batch| *batch != open);
        }
        ensure!(held == acknowledged, "{text}: {} batches acknowledged, {} there", acknowledged.len(), held.len());
    }
    Ok(())
}
