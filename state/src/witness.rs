//! The witness: the last acknowledged commit, written down outside RocksDB.
//!
//! RocksDB can't always tell a damaged end of its log from one that was never written, and then opens with fewer commits than
//! were acknowledged. The witness can tell: a store that ends before it has lost commits.
//!
//! Two slots, each within its own 4 KiB page so that a torn write damages one of them at most:
//!
//! ```text
//! offset 0     slot of even txids
//! offset 4096  slot of odd txids
//!
//! slot: magic (8) | version (4) | zero (4) | txid (8) | running hash (8) | xxh3 of the 32 bytes before (8)
//! ```
//!
//! Invariants:
//! - it is written after the store has made a commit durable and before the commit is acknowledged, so it is never ahead of
//!   a whole store;
//! - it is synced at most once a second: a process that is killed leaves it exact; a machine that loses power may leave it
//!   a second old, which the store being ahead of it doesn't hide.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::content::{Header, checksum, u32_at, u64_at};
use crate::directory::io_error;
use crate::rocks::end_process;
use crate::{Error, Result, TxId};

const MAGIC: &[u8; 8] = b"MONSOONW";
const VERSION: u32 = 1;
const SLOT_BYTES: usize = 40;
const SLOT_STRIDE: u64 = 4096;
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// The witness file, open for recording.
#[derive(Debug)]
pub(crate) struct Witness {
    file: File,
    synced_at: Instant,
    unsynced: bool,
}

/// What the two slots hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Testimony {
    /// The newest commit a whole slot names.
    pub(crate) header: Header,
    /// How many of the two slots are damaged: 0 or 1.
    pub(crate) damaged_slots: usize,
}

impl Witness {
    /// Writes a new file for a store that stands at `header`.
    pub(crate) fn create(path: &Path, header: Header) -> Result<()> {
        let write = || {
            let file = File::create(path)?;
            file.set_len(2 * SLOT_STRIDE)?;
            let page = |slot: &[u8]| [slot, &vec![0; SLOT_STRIDE as usize - SLOT_BYTES]].concat();
            for slot in 0..2 {
                file.write_all_at(&page(&encode(header)), slot * SLOT_STRIDE)?;
            }
            file.sync_all()
        };
        write().map_err(|e| io_error("write", path, &e))
    }

    /// Opens the file to record in it, and says what it holds.
    pub(crate) fn open(path: &Path) -> Result<(Witness, Testimony)> {
        let testimony = read(path)?;
        let file = OpenOptions::new().write(true).open(path).map_err(|e| io_error("open", path, &e))?;
        Ok((Witness { file, synced_at: Instant::now(), unsynced: false }, testimony))
    }

    /// Notes that `header` is about to be acknowledged.
    ///
    /// Ends the process if the device fails. A full disk is not a failure: the note stays older than the store, as after a
    /// power loss (only copy-on-write file systems need space to overwrite a page).
    pub(crate) fn record(&mut self, header: Header) {
        let at = (header.txid.0 % 2) * SLOT_STRIDE;
        self.unsynced = true;
        if let Err(e) = self.file.write_all_at(&encode(header), at) {
            return tolerate_full_disk("write", &e);
        }
        if self.synced_at.elapsed() >= SYNC_INTERVAL {
            self.sync();
        }
    }

    /// Makes what was recorded survive a loss of power.
    pub(crate) fn sync(&mut self) {
        if !self.unsynced {
            return;
        }
        if let Err(e) = self.file.sync_data() {
            return tolerate_full_disk("sync", &e);
        }
        self.unsynced = false;
        self.synced_at = Instant::now();
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.sync();
    }
}

fn tolerate_full_disk(doing: &str, error: &io::Error) {
    if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
        tracing::warn!("cannot {doing} WITNESS, the disk is full; it stays behind the store for now");
        return;
    }
    end_process(&format!("cannot {doing} WITNESS: {error}"));
}

/// Reads both slots.
pub(crate) fn read(path: &Path) -> Result<Testimony> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::Corrupt(format!(
                "{} is missing; every complete data directory has one, so whether acknowledged commits are lost can't be told",
                path.display()
            )));
        }
        Err(e) => return Err(io_error("open", path, &e)),
    };
    let mut whole = Vec::new();
    for slot in 0..2 {
        let mut bytes = [0; SLOT_BYTES];
        match file.read_exact_at(&mut bytes, slot * SLOT_STRIDE) {
            Ok(()) => whole.extend(decode(&bytes)),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {}
            Err(e) => return Err(io_error("read", path, &e)),
        }
    }
    let damaged_slots = 2 - whole.len();
    let newest = whole.into_iter().max_by_key(|header| header.txid);
    let header = newest.ok_or_else(|| Error::Corrupt(format!("both slots of {} are damaged", path.display())))?;
    Ok(Testimony { header, damaged_slots })
}

/// Compares a store with its witness. A store may be ahead: it was killed between its commit and the note of it.
pub(crate) fn judge(store: Header, witness: Header) -> Result<()> {
    if store.txid < witness.txid {
        return Err(Error::BehindWitness { store: store.txid, witness: witness.txid });
    }
    if store.txid == witness.txid && store.hash != witness.hash {
        return Err(Error::Corrupt(format!(
            "the history up to txid {} has hash {:016x} in the store and {:016x} in WITNESS",
            store.txid, store.hash, witness.hash
        )));
    }
    Ok(())
}

fn encode(header: Header) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..12].copy_from_slice(&VERSION.to_le_bytes());
    slot[16..24].copy_from_slice(&header.txid.0.to_le_bytes());
    slot[24..32].copy_from_slice(&header.hash.to_le_bytes());
    let sum = checksum(&slot[..32]);
    slot[32..].copy_from_slice(&sum.to_le_bytes());
    slot
}

fn decode(slot: &[u8; SLOT_BYTES]) -> Option<Header> {
    let whole = &slot[..8] == MAGIC && u32_at(slot, 8) == VERSION && checksum(&slot[..32]) == u64_at(slot, 32);
    whole.then(|| Header { txid: TxId(u64_at(slot, 16)), hash: u64_at(slot, 24) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn header(txid: u64) -> Header {
        Header { txid: TxId(txid), hash: txid * 31 }
    }

    #[test]
    fn newest_record_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("WITNESS");
        Witness::create(&path, Header::default()).unwrap();
        let (mut witness, first) = Witness::open(&path).unwrap();
        assert_eq!(first, Testimony { header: Header::default(), damaged_slots: 0 });
        for txid in 1..=5 {
            witness.record(header(txid));
            assert_eq!(read(&path).unwrap().header, header(txid));
        }
    }

    #[test]
    fn one_damaged_slot_leaves_the_other_and_two_are_corrupt() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("WITNESS");
        Witness::create(&path, Header::default()).unwrap();
        let (mut witness, _) = Witness::open(&path).unwrap();
        witness.record(header(1));
        witness.record(header(2));
        drop(witness);
        let whole = fs::read(&path).unwrap();
        for at in 0..SLOT_BYTES {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).unwrap(), Testimony { header: header(1), damaged_slots: 1 });
            bytes[SLOT_STRIDE as usize + at] ^= 4;
            fs::write(&path, &bytes).unwrap();
            assert!(matches!(read(&path), Err(Error::Corrupt(_))));
        }
    }

    #[test]
    fn store_behind_its_witness_or_beside_it_is_refused() {
        assert!(judge(header(5), header(5)).is_ok());
        assert!(judge(header(6), header(5)).is_ok());
        assert!(matches!(judge(header(4), header(5)), Err(Error::BehindWitness { store: TxId(4), witness: TxId(5) })));
        assert!(matches!(judge(Header { hash: 1, ..header(5) }, header(5)), Err(Error::Corrupt(_))));
    }

    const CHILD: &str = "MONSOON_STATE_TEST_BROKEN_WITNESS";

    /// Not a test of its own: records through a handle that can't write.
    #[test]
    fn child_records_on_a_broken_device() {
        let Ok(path) = std::env::var(CHILD) else { return };
        let file = File::open(path).unwrap();
        Witness { file, synced_at: Instant::now(), unsynced: false }.record(header(1));
    }

    #[test]
    fn failed_device_ends_the_process_with_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("WITNESS");
        Witness::create(&path, Header::default()).unwrap();
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "witness::tests::child_records_on_a_broken_device", "--nocapture"])
            .env(CHILD, &path)
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("monsoon: state store: cannot write WITNESS"), "{said}");
    }
}
