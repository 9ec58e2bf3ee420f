//! A disk that is really full: a small file system in memory, where this process may mount one.

use std::process::Command;

use super::*;
use crate::ModelStore;

const DISK_MEGABYTES: usize = 24;
const BALLAST_BYTES: usize = 10 << 20;

/// A mounted file system, unmounted when dropped.
struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={DISK_MEGABYTES}m");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "monsoon-test"]).arg(dir.path()).output();
        match mount {
            Ok(output) if output.status.success() => Some(SmallDisk { dir }),
            Ok(output) => {
                eprintln!("skipped: can't mount a small disk: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(e) => {
                eprintln!("skipped: can't run mount: {e}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(e) = Command::new("umount").arg("-l").arg(self.dir.path()).status() {
            eprintln!("can't unmount {}: {e}", self.dir.path().display());
        }
    }
}

fn big_commit(txid: TxId) -> Commit {
    let payload = Bytes::from(Random::new(txid.0).bytes(200_000));
    Commit { txid, writes: vec![Write::Append { table: TableId(txid.0 % 3), payload }] }
}

/// Commits to both until the disk is full; answers the commit that failed.
fn fill(store: &RocksStore, model: &ModelStore) -> Commit {
    loop {
        let commit = big_commit(model.last_txid().next());
        match store.commit(&commit) {
            Ok(_) => model.commit(&commit).map(|_| ()).unwrap(),
            Err(Error::DiskFull) => return commit,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn full_disk_pauses_commits_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ballast = disk.dir.path().join("ballast");
    fs::write(&ballast, vec![1; BALLAST_BYTES]).unwrap();
    let data = disk.dir.path().join("data");
    let store = open(&data).unwrap();
    let model = ModelStore::new();
    let failed = fill(&store, &model);

    assert!(matches!(store.commit(&failed), Err(Error::DiskFull)), "the handle stays closed to writes");
    assert!(matches!(store.reopen(), Err(Error::DiskFull)), "there is still no room");
    assert_eq!(content_of(&store).unwrap(), content_of(&model).unwrap(), "reads go on");

    fs::remove_file(&ballast).unwrap();
    let mut reading = store.chunks(TableId(1)).unwrap();
    assert!(reading.next().unwrap().is_ok());
    assert!(matches!(store.reopen(), Err(Error::DiskFull)), "the old handle is in use");
    assert!(reading.all(|chunk| chunk.is_ok()));
    drop(reading);

    store.reopen().unwrap();
    model.commit(&failed).unwrap();
    store.commit(&failed).unwrap();
    assert_eq!(content_of(&store).unwrap(), content_of(&model).unwrap());
    for _ in 0..3 {
        let next = big_commit(model.last_txid().next());
        model.commit(&next).unwrap();
        store.commit(&next).unwrap();
    }
    drop(store);
    assert!(check(&data).unwrap().is_whole());
    let store = open(&data).unwrap();
    assert_eq!(content_of(&store).unwrap(), content_of(&model).unwrap());
}
