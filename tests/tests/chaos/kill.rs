//! kill -9 at random instants, also during start-up: what was acknowledged is there once, and every view is right.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::process::{Server, check, spawn, within};
use super::verdict::{bids, no_gap_in_bids, settle, verify_views};
use super::workload::Writer;
use super::{schema, setting};

/// Without being told otherwise.
const KILLS: u64 = 8;
/// Longest life of a server between two kills.
const LIFE_MS_MAX: u64 = 800;
/// A kill during start-up comes within this of the start.
const STARTUP_MS_MAX: u64 = 400;
/// The data directory is checked offline after so many kills.
const CHECK_EVERY: u64 = 10;

struct Torture {
    /// Removed at the end, unless something is wrong with what is in it.
    directory: TempDir,
    data: PathBuf,
    log: PathBuf,
    random: StdRng,
    writers: Vec<Writer>,
    /// Bids that were seen: a commit that was read is as durable as one that was acknowledged.
    bids_seen: i64,
    kills: u64,
    kills_during_startup: u64,
    open_writes_applied: usize,
    restarts: Vec<Duration>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_rows_survive_kills_once_and_views_stay_right() {
    let seed = setting("MONSOON_CHAOS_SEED", 1);
    let kills = setting("MONSOON_CHAOS_KILLS", KILLS);
    let mut torture = Torture::new(seed).expect("a directory");
    let outcome = torture.run(kills).await;
    let done = torture.kills;
    if let Err(error) = outcome {
        let log = std::fs::read_to_string(&torture.log).unwrap_or_default();
        let kept = torture.directory.keep();
        panic!("seed {seed}, after {done} kills: {error:?}\ndata kept in {}\n{log}", kept.display());
    }
    torture.print();
}

impl Torture {
    fn new(seed: u64) -> Result<Torture> {
        let directory = tempfile::tempdir()?;
        Ok(Torture {
            data: directory.path().join("data"),
            log: directory.path().join("log"),
            directory,
            random: StdRng::seed_from_u64(seed),
            writers: Writer::all(seed),
            bids_seen: 0,
            kills: 0,
            kills_during_startup: 0,
            open_writes_applied: 0,
            restarts: Vec::new(),
        })
    }

    async fn run(&mut self, kills: u64) -> Result<()> {
        let server = Server::start(&self.data, &self.log).await?;
        schema::create(&server.client().await?).await?;
        self.live_and_die(server).await?;
        while self.kills < kills {
            if self.random.random_ratio(1, 4) {
                self.die_during_startup()?;
            } else {
                let server = self.restart().await?;
                self.live_and_die(server).await?;
            }
            if self.kills % CHECK_EVERY == 0 {
                check_is_whole(&self.data)?;
            }
        }
        let server = self.restart().await?;
        no_gap_in_bids(&server.client().await?).await?;
        server.stop()?;
        check_is_whole(&self.data)
    }

    /// Starts on what the last kill left; compares everything.
    async fn restart(&mut self) -> Result<Server> {
        let start = Instant::now();
        let server = Server::start(&self.data, &self.log).await?;
        let client = server.client().await?;
        within(client.query("SELECT n FROM by_client WHERE client = 1", &[])).await?;
        self.restarts.push(start.elapsed());
        self.open_writes_applied += settle(&client, &mut self.writers).await?;
        verify_views(&client).await?;
        let bids = bids(&client).await?;
        ensure!(bids >= self.bids_seen, "{bids} bids after the restart, {} were seen before", self.bids_seen);
        self.bids_seen = bids;
        Ok(server)
    }

    async fn live_and_die(&mut self, server: Server) -> Result<()> {
        let mut work = JoinSet::new();
        for mut writer in std::mem::take(&mut self.writers) {
            let client = server.client().await?;
            work.spawn(async move {
                let outcome = writer.run(client).await;
                (writer, outcome)
            });
        }
        let reader = server.client().await?;
        let reading = tokio::spawn(async move { read_on(&reader).await });
        let life = Duration::from_millis(self.random.random_range(5..LIFE_MS_MAX));
        tokio::time::sleep(life).await;
        server.kill()?;
        self.kills += 1;
        let mut outcomes = Vec::new();
        while let Some(ended) = work.join_next().await {
            let (writer, outcome) = ended?;
            self.writers.push(writer);
            outcomes.push(outcome);
        }
        self.writers.sort_by_key(|writer| writer.number);
        self.bids_seen = self.bids_seen.max(reading.await??);
        outcomes.into_iter().collect::<Result<()>>()
    }

    fn die_during_startup(&mut self) -> Result<()> {
        let mut child = spawn(&self.data, &self.log)?;
        std::thread::sleep(Duration::from_millis(self.random.random_range(0..STARTUP_MS_MAX)));
        child.kill()?;
        child.wait()?;
        self.kills += 1;
        self.kills_during_startup += 1;
        Ok(())
    }

    fn print(&mut self) {
        self.restarts.sort();
        let acknowledged: u64 = self.writers.iter().map(|writer| writer.ledger.acknowledgements).sum();
        let restart = |part: usize| self.restarts[(self.restarts.len() - 1) * part / 100].as_millis();
        println!(
            "{} kills, {} of them during start-up; {acknowledged} writes acknowledged, each there once; {} open writes had \
             been applied as a whole; {} bids seen; restart to first answer: median {} ms, worst {} ms",
            self.kills,
            self.kills_during_startup,
            self.open_writes_applied,
            self.bids_seen,
            restart(50),
            restart(100)
        );
    }
}

/// Reads the generator's progress until the server is gone. Stream and views must agree at every instant.
async fn read_on(client: &Client) -> Result<i64> {
    let mut seen = 0;
    loop {
        match bids(client).await {
            Ok(bids) => {
                ensure!(bids >= seen, "{bids} bids, {seen} before");
                seen = bids;
            }
            Err(_) if client.is_closed() => return Ok(seen),
            Err(error) => match error.downcast_ref::<tokio_postgres::Error>() {
                Some(broken) if broken.as_db_error().is_none() => return Ok(seen),
                _ => return Err(error),
            },
        }
    }
}

fn check_is_whole(data: &Path) -> Result<()> {
    let output = check(data).context("check runs")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "check finds damage where there was only a kill: {text}");
    Ok(())
}
