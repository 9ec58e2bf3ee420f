//! Figures of the RocksDB store on a given disk: `cargo run --release -p monsoon-state --example figures -- DIR`.
//!
//! Prints one JSON object: commit latency of 1 KB commits with sync, throughput and CPU of 4 MB commits, the time to open
//! the directory that leaves, and the resident memory of an empty store.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use monsoon_state::{Commit, Result, RocksOptions, RocksStore, StateStore, TableId, Write};

const SMALL_COMMITS: usize = 1000;
const SMALL_BYTES: usize = 1 << 10;
const LARGE_COMMITS: usize = 256;
const LARGE_BYTES: usize = 4 << 20;

fn main() -> Result<()> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "figures-data".to_owned());
    let dir = Path::new(&dir);
    let store = RocksStore::open(dir, RocksOptions::default())?;
    let empty_rss_mb = rss_mb();
    let mut latencies = small_commits(&store)?;
    latencies.sort();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    let (commit_p50_ms, commit_p99_ms) = (at(0.5), at(0.99));
    let (large_mb_per_s, large_cpu_s_per_gb) = large_commits(&store)?;
    let loaded_rss_mb = rss_mb();
    drop(store);
    let started = Instant::now();
    let store = RocksStore::open(dir, RocksOptions::default())?;
    let open_ms = started.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    let mut read_bytes = 0;
    for chunk in store.chunks(TableId(2))? {
        read_bytes += chunk?.payload.len();
    }
    let read_mb_per_s = read_bytes as f64 / 1e6 / started.elapsed().as_secs_f64();
    println!(
        "{{\"commit_p50_ms\":{commit_p50_ms:.2},\"commit_p99_ms\":{commit_p99_ms:.2},\"large_mb_per_s\":{large_mb_per_s:.0},\
         \"large_cpu_s_per_gb\":{large_cpu_s_per_gb:.2},\"open_ms\":{open_ms:.0},\"read_mb_per_s\":{read_mb_per_s:.0},\
         \"empty_rss_mb\":{empty_rss_mb:.0},\"loaded_rss_mb\":{loaded_rss_mb:.0}}}"
    );
    Ok(())
}

fn append(store: &RocksStore, table: u64, payload: Bytes) -> Result<()> {
    let writes = vec![Write::Append { table: TableId(table), payload }];
    store.commit(&Commit { txid: store.last_txid().next(), writes }).map(|_| ())
}

/// Bytes that don't compress (xorshift64, Marsaglia 2003).
fn noise(len: usize) -> Bytes {
    let mut word: u64 = 0x2545_f491_4f6c_dd1d;
    let words = (0..len / 8).flat_map(|_| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()
    });
    words.collect()
}

fn small_commits(store: &RocksStore) -> Result<Vec<Duration>> {
    let payload = noise(SMALL_BYTES);
    let mut latencies = Vec::new();
    for _ in 0..SMALL_COMMITS {
        let started = Instant::now();
        append(store, 1, payload.clone())?;
        latencies.push(started.elapsed());
    }
    Ok(latencies)
}

/// Megabytes per second, and CPU seconds per gigabyte, of the whole process.
fn large_commits(store: &RocksStore) -> Result<(f64, f64)> {
    let payload = noise(LARGE_BYTES);
    let (started, cpu) = (Instant::now(), cpu_s());
    for _ in 0..LARGE_COMMITS {
        append(store, 2, payload.clone())?;
    }
    let gigabytes = (LARGE_COMMITS * LARGE_BYTES) as f64 / 1e9;
    Ok((gigabytes * 1e3 / started.elapsed().as_secs_f64(), (cpu_s() - cpu) / gigabytes))
}

/// User and system time of this process, of all its threads; 0 where /proc doesn't say.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn rss_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}
