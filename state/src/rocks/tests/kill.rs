//! `kill -9` of a real process that commits, again and again in one directory.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;
use crate::{ModelStore, fold_table};

const CHILD_DIR: &str = "MONSOON_STATE_TEST_CHILD_DIR";
const ROUNDS: u64 = 8;

fn commit_of(txid: TxId) -> Commit {
    random_commit(&mut Random::new(txid.0), txid)
}

/// Not a test of its own: what the child process runs. Commits for ever, and says so after each.
#[test]
fn child_commits_until_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let store = open(Path::new(&dir)).unwrap();
    let merge = |chunks: &[Chunk]| Ok(Some(chunks.iter().flat_map(|chunk| chunk.payload.to_vec()).collect::<Bytes>()));
    loop {
        let txid = store.last_txid().next();
        store.commit(&commit_of(txid)).unwrap();
        println!("\nacked {txid}");
        if txid.0.is_multiple_of(10) {
            for table in store.tables().unwrap() {
                fold_table(&store, table, TxId(0)..=TxId(u64::MAX), &merge).unwrap();
            }
        }
    }
}

fn start_child(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "rocks::tests::kill::child_commits_until_killed", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the child after it has acknowledged `commits`, and answers the last txid it acknowledged.
fn run_child(dir: &Path, commits: u64) -> u64 {
    let mut child = start_child(dir);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0;
    let mut count = 0;
    for line in lines {
        let Ok(line) = line else { break };
        if let Some(txid) = line.strip_prefix("acked ") {
            last = txid.parse().unwrap();
            count += 1;
        }
        if count == commits {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last
}

#[test]
fn acked_commit_survives_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new(42);
    for round in 0..ROUNDS {
        let commits = 1 + random.below(40);
        let acked = run_child(dir.path(), commits);
        assert!(acked > 0);
        let report = check(dir.path()).unwrap();
        assert!(report.is_whole(), "round {round}: {report:?}");
        let store = open(dir.path()).unwrap();
        let last = store.last_txid();
        assert!(last.0 >= acked, "round {round}: acked {acked}, store ends at {last}");
        let model = ModelStore::new();
        for txid in 1..=last.0 {
            model.commit(&commit_of(TxId(txid))).unwrap();
        }
        assert_eq!(meaning_of(&content_of(&store).unwrap()), meaning_of(&content_of(&model).unwrap()), "round {round}");
    }
}

/// Kills at growing delays from the very start, counted in directory entries that appeared instead of time.
#[test]
fn killed_first_start_leaves_a_directory_that_opens() {
    for entries in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = start_child(dir.path());
        while fs::read_dir(dir.path()).unwrap().count() < entries {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = open(dir.path()).unwrap();
        commit_some(&store, 1);
    }
}
