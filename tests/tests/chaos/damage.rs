//! One flipped byte in a data directory: reported, or harmless; never silently fewer rows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio_postgres::Client;

use super::process::{Server, check, within};
use super::setting;

/// Files that hold what users wrote, or say which files do.
const KINDS: [&str; 4] = ["log", "sst", "blob", "MANIFEST"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Stop,
    Kill,
}

/// What became of one flip.
#[derive(Debug, Default)]
struct Tally {
    reported: u64,
    harmless: u64,
    /// The server itself didn't open it.
    refused: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_is_reported_or_harmless() {
    let seed = setting("MONSOON_CHAOS_SEED", 1);
    let flips = setting("MONSOON_CHAOS_FLIPS", 12);
    let mut random = StdRng::seed_from_u64(seed);
    for end in [End::Stop, End::Kill] {
        let tally = flip_all(end, flips.div_ceil(2), &mut random).await;
        println!("after {end:?}: {:?}", tally.unwrap_or_else(|error| panic!("seed {seed}, {end:?}: {error:?}")));
    }
}

async fn flip_all(end: End, flips: u64, random: &mut StdRng) -> Result<Tally> {
    let directory = tempfile::tempdir()?;
    let (data, log) = (directory.path().join("data"), directory.path().join("log"));
    let whole = fill(&data, &log, end).await?;
    ensure!(check(&data)?.status.success(), "an undamaged directory is not whole");
    let mut tally = Tally::default();
    for number in 0..flips {
        let copy = directory.path().join(format!("copy{number}"));
        copy_tree(&data, &copy)?;
        let damage = flip(&copy, KINDS[number as usize % KINDS.len()], random)?;
        judge(&copy, &log, &whole, &mut tally).await.context(damage)?;
        fs::remove_dir_all(&copy)?;
    }
    Ok(tally)
}

/// Rows in two lives, so that there are files of both kinds; returns what is in them.
async fn fill(data: &Path, log: &Path, end: End) -> Result<Vec<String>> {
    let server = Server::start(data, log).await?;
    let client = server.client().await?;
    let tables = "CREATE STREAM s (id BIGINT, note TEXT); CREATE TABLE t (id BIGINT PRIMARY KEY, note TEXT); \
                  CREATE MATERIALIZED VIEW v AS SELECT note, count(*) AS n FROM s GROUP BY note";
    within(client.batch_execute(tables)).await?;
    write(&client, 0..60).await?;
    server.stop()?;
    let server = Server::start(data, log).await?;
    let client = server.client().await?;
    write(&client, 60..120).await?;
    let whole = read(&client).await?;
    match end {
        End::Stop => server.stop()?,
        End::Kill => server.kill()?,
    }
    Ok(whole)
}

async fn write(client: &Client, rounds: std::ops::Range<i64>) -> Result<()> {
    for round in rounds {
        let row =
            |row: i64| format!("({}, 'note {} {}')", round * 100 + row, row % 7, "x".repeat((round % 5) as usize * 20));
        let rows = (0..50).map(row).collect::<Vec<_>>().join(", ");
        within(client.batch_execute(&format!("INSERT INTO s VALUES {rows}; INSERT INTO t VALUES {rows}"))).await?;
    }
    Ok(())
}

/// Everything, in an order of its own.
async fn read(client: &Client) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for text in
        ["SELECT id, note FROM s ORDER BY 1", "SELECT id, note FROM t ORDER BY 1", "SELECT n, note FROM v ORDER BY 2"]
    {
        for row in within(client.query(text, &[])).await? {
            all.push(format!("{} {}", row.get::<_, i64>(0), row.get::<_, &str>(1)));
        }
    }
    Ok(all)
}

/// Flips one bit pattern in a file of this kind, or of any if there is none; says where.
fn flip(data: &Path, kind: &str, random: &mut StdRng) -> Result<String> {
    let files = files(data)?;
    let of_kind = |path: &&PathBuf| path.extension().is_some_and(|end| end == kind) || name(path).starts_with(kind);
    let chosen: Vec<&PathBuf> = files.iter().filter(of_kind).collect();
    let any: Vec<&PathBuf> = files.iter().filter(|path| KINDS.iter().any(|kind| name(path).contains(kind))).collect();
    let path = chosen.choose(random).or_else(|| any.choose(random)).context("no file to damage")?;
    let mut bytes = fs::read(path)?;
    let at = random.random_range(0..bytes.len());
    let mask = random.random_range(1..=255);
    bytes[at] ^= mask;
    fs::write(path, &bytes)?;
    Ok(format!("byte {at} of {} in {} xor {mask:#x}", bytes.len(), name(path)))
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// All files that are not empty.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type()))?;
        if kind?.is_dir() {
            found.extend(files(&path)?);
        } else if fs::metadata(&path)?.len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The check first, as it changes nothing; then the server, which must have all rows or say that it has not.
async fn judge(data: &Path, log: &Path, whole: &[String], tally: &mut Tally) -> Result<()> {
    let is_reported = !check(data)?.status.success();
    let has_all = match Server::start(data, log).await {
        Err(_) => {
            tally.refused += 1;
            None
        }
        Ok(server) => read(&server.client().await?).await.ok().map(|rows| rows == whole),
    };
    ensure!(
        has_all != Some(false),
        "the server opens it and answers with other rows (reported by check: {is_reported})"
    );
    ensure!(is_reported || has_all.is_some(), "check calls it whole, and the server can't read it");
    if is_reported {
        tally.reported += 1;
    } else {
        tally.harmless += 1;
    }
    Ok(())
}
