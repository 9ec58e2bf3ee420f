//! Tests that every implementation of [`StateStore`] must pass, driven by seeds against a fresh [`ModelStore`].
//!
//! A failure names its seed; `MONSOON_STATE_SEED=n` runs that one alone.

use bytes::Bytes;

use crate::{
    ChunkId, Commit, ModelSnapshot, ModelStore, RocksOptions, RocksStore, StateStore, TableId, TxId, Write, fold_table,
};

/// A small deterministic generator (SplitMix64, Steele et al. 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn bytes(&mut self, len: u64) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

pub(crate) type KeyValue = (Vec<u8>, Vec<u8>);

/// Txid, place, tier, payload.
pub(crate) type ChunkContent = (u64, u32, u8, Bytes);

/// Everything a store holds, comparable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) last_txid: TxId,
    pub(crate) keys: Vec<KeyValue>,
    pub(crate) chunks: Vec<(TableId, Vec<ChunkContent>)>,
}

/// Reads everything, and checks that the ways of reading agree.
pub(crate) fn content_of(store: &dyn StateStore) -> crate::Result<Content> {
    let keys = store.scan(&[])?;
    for (key, value) in &keys {
        assert_eq!(store.get(key)?.as_ref(), Some(value));
    }
    let mut chunks = Vec::new();
    for table in store.tables()? {
        let read = store.chunks(table)?.collect::<crate::Result<Vec<_>>>()?;
        let sizes: Vec<_> = read.iter().map(|chunk| (chunk.id, chunk.tier, chunk.payload.len() as u64)).collect();
        assert_eq!(store.chunk_sizes(table)?, sizes);
        for chunk in &read {
            assert_eq!(store.chunk(table, chunk.id)?.as_ref(), Some(chunk));
            let missing = ChunkId { place: u32::MAX, ..chunk.id };
            assert_eq!(store.chunk(table, missing)?, None);
        }
        let read = read.into_iter().map(|chunk| (chunk.id.txid.0, chunk.id.place, chunk.tier, chunk.payload));
        chunks.push((table, read.collect()));
    }
    Ok(Content { last_txid: store.last_txid(), keys, chunks })
}

/// A random commit. Payload sizes lie on both sides of the limit for blob files.
pub(crate) fn random_commit(random: &mut Random, txid: TxId) -> Commit {
    let mut writes = Vec::new();
    for _ in 0..random.below(6) {
        let key = vec![b'k', random.below(3) as u8, random.below(4) as u8];
        let table = TableId([0, 1, 7, 0x6865_6164_6572_0000, u64::MAX][random.below(5) as usize]);
        writes.push(match random.below(16) {
            0..=3 => {
                let len = random.below(40);
                Write::Put { key, value: random.bytes(len) }
            }
            4 => Write::Delete { key },
            5 => Write::Clear { table },
            _ => {
                let len = [0, 1, 300, 4095, 4096, 9000][random.below(6) as usize];
                Write::Append { table, payload: Bytes::from(random.bytes(len)) }
            }
        });
    }
    Commit { txid, writes }
}

fn concatenate(chunks: &[crate::Chunk]) -> crate::Result<Option<Bytes>> {
    let all: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.payload.iter().copied()).collect();
    Ok((!all.is_empty()).then(|| Bytes::from(all)))
}

/// How the suite stops and starts an implementation.
trait Subject {
    fn store(&self) -> &dyn StateStore;
    /// Ends it without any goodbye the implementation could do, and starts it again.
    fn restart(self) -> Self;
}

struct ModelSubject(ModelStore);

impl Subject for ModelSubject {
    fn store(&self) -> &dyn StateStore {
        &self.0
    }

    fn restart(self) -> ModelSubject {
        let crash: ModelSnapshot = self.0.snapshot();
        ModelSubject(ModelStore::restore(&crash))
    }
}

struct RocksSubject {
    store: RocksStore,
    dir: tempfile::TempDir,
}

/// Small memtables, so that flushes, blob files and compactions happen within a test.
pub(crate) fn small_options() -> RocksOptions {
    RocksOptions { memtable_bytes: 64 << 10, ..RocksOptions::default() }
}

impl RocksSubject {
    fn new() -> RocksSubject {
        let dir = tempfile::tempdir().unwrap();
        RocksSubject { store: RocksStore::open(dir.path(), small_options()).unwrap(), dir }
    }
}

impl Subject for RocksSubject {
    fn store(&self) -> &dyn StateStore {
        &self.store
    }

    fn restart(self) -> RocksSubject {
        drop(self.store);
        RocksSubject { store: RocksStore::open(self.dir.path(), small_options()).unwrap(), dir: self.dir }
    }
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("MONSOON_STATE_SEED") {
        Ok(seed) => vec![seed.parse().expect("MONSOON_STATE_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

/// Runs one seed's history on the subject and on a model that is never restarted, and compares them after each step.
fn run_history<S: Subject>(mut subject: S, seed: u64, steps: u64) {
    let model = ModelStore::new();
    let mut random = Random::new(seed);
    for step in 0..steps {
        match random.below(20) {
            0 => subject = subject.restart(),
            1..=3 => {
                for table in model.tables().unwrap() {
                    let folded = fold_table(&model, table, TxId(0)..=TxId(u64::MAX), &concatenate).unwrap();
                    assert_eq!(
                        fold_table(subject.store(), table, TxId(0)..=TxId(u64::MAX), &concatenate).unwrap(),
                        folded
                    );
                }
            }
            4 => {
                let wrong = Commit { txid: TxId(model.last_txid().0 + 2), writes: vec![] };
                assert!(matches!(subject.store().commit(&wrong), Err(crate::Error::OutOfOrder { .. })));
            }
            _ => {
                let commit = random_commit(&mut random, model.last_txid().next());
                let stats = model.commit(&commit).unwrap();
                assert_eq!(subject.store().commit(&commit).unwrap(), stats);
            }
        }
        let (found, expected) = (content_of(subject.store()).unwrap(), content_of(&model).unwrap());
        assert!(found == expected, "step {step}; repeat with MONSOON_STATE_SEED={seed}\n{found:?}\n{expected:?}");
        let prefix = [b'k', random.below(4) as u8];
        assert_eq!(subject.store().scan(&prefix).unwrap(), model.scan(&prefix).unwrap());
    }
}

#[test]
fn model_agrees_with_itself_across_crashes() {
    for seed in seeds(20) {
        run_history(ModelSubject(ModelStore::new()), seed, 150);
    }
}

#[test]
fn rocks_agrees_with_the_model() {
    for seed in seeds(6) {
        run_history(RocksSubject::new(), seed, 120);
    }
}

fn iterator_is_a_snapshot(store: &dyn StateStore) {
    let table = TableId(4);
    let append = |payload: &'static [u8]| Write::Append { table, payload: Bytes::from_static(payload) };
    store.commit(&Commit { txid: TxId(1), writes: vec![append(b"a"), append(b"b"), append(b"c")] }).unwrap();
    let ids: Vec<_> = store.chunk_sizes(table).unwrap().into_iter().map(|(id, _, _)| id).collect();

    let mut before = store.chunks(table).unwrap();
    assert_eq!(before.next().unwrap().unwrap().payload, "a");
    assert!(store.replace_chunks(table, &ids[..2], Some((1, Bytes::from_static(b"ab")))).unwrap());
    store.commit(&Commit { txid: TxId(2), writes: vec![Write::Clear { table }, append(b"d")] }).unwrap();
    let rest: Vec<_> = before.map(|chunk| chunk.unwrap().payload).collect();
    assert_eq!(rest, ["b", "c"]);
    let now: Vec<_> = store.chunks(table).unwrap().map(|chunk| chunk.unwrap().payload).collect();
    assert_eq!(now, ["d"]);
}

#[test]
fn iterator_does_not_see_later_commits_and_folds() {
    iterator_is_a_snapshot(&ModelStore::new());
    iterator_is_a_snapshot(&RocksSubject::new().store);
}

fn replacing_needs_all_old_chunks(store: &dyn StateStore) {
    let table = TableId(4);
    let append = |payload: &'static [u8]| Write::Append { table, payload: Bytes::from_static(payload) };
    store.commit(&Commit { txid: TxId(1), writes: vec![append(b"a"), append(b"b"), append(b"c")] }).unwrap();
    let ids: Vec<_> = store.chunk_sizes(table).unwrap().into_iter().map(|(id, _, _)| id).collect();
    let before = content_of(store).unwrap();

    let new = || Some((1, Bytes::from_static(b"x")));
    assert!(!store.replace_chunks(table, &[], new()).unwrap());
    assert!(!store.replace_chunks(TableId(5), &ids, new()).unwrap());
    assert!(!store.replace_chunks(table, &[ids[0], ids[2]], new()).unwrap(), "not adjacent");
    assert!(!store.replace_chunks(table, &[ids[1], ids[0]], new()).unwrap(), "not ascending");
    let missing = crate::ChunkId { txid: TxId(1), place: 9 };
    assert!(!store.replace_chunks(table, &[ids[2], missing], new()).unwrap());
    assert_eq!(content_of(store).unwrap(), before);

    assert!(store.replace_chunks(table, &ids[..2], new()).unwrap());
    let sizes = store.chunk_sizes(table).unwrap();
    assert_eq!(sizes, vec![(ids[1], 1, 1), (ids[2], 0, 1)], "the new chunk stands where the last old one stood");
    assert!(store.replace_chunks(table, &ids[1..], None).unwrap());
    assert!(store.tables().unwrap().is_empty());
}

#[test]
fn replacing_chunks_needs_all_of_them() {
    replacing_needs_all_old_chunks(&ModelStore::new());
    replacing_needs_all_old_chunks(&RocksSubject::new().store);
}

fn chunks_from_skips_older_ones(store: &dyn StateStore) {
    let table = TableId(4);
    for txid in 1..=3 {
        let payload = Bytes::from(vec![txid as u8]);
        store.commit(&Commit { txid: TxId(txid), writes: vec![Write::Append { table, payload }] }).unwrap();
    }
    let from = crate::ChunkId { txid: TxId(2), place: 0 };
    let found: Vec<_> = store.chunks_from(table, from).unwrap().map(|chunk| chunk.unwrap().payload[0]).collect();
    assert_eq!(found, [2, 3]);
}

#[test]
fn chunks_can_be_read_from_the_middle() {
    chunks_from_skips_older_ones(&ModelStore::new());
    chunks_from_skips_older_ones(&RocksSubject::new().store);
}
