//! Folding: merging runs of small adjacent chunks of a table into one, so that the number of chunks stays small.
//!
//! Size-tiered, as in log-structured merge trees: eight chunks of tier n become one of tier n + 1, so each byte is rewritten
//! once per tier, and a table of N commits has about 8 log8(N) chunks. Only the writer of the chunks knows how to merge
//! their contents; this module knows which, and when.

use std::ops::{Range, RangeInclusive};

use bytes::Bytes;

use crate::{Chunk, ChunkId, Result, StateStore, TableId, TxId};

/// When chunks are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldPolicy {
    /// So many adjacent chunks of one tier make a fold.
    pub chunks_min: usize,
    /// Chunks with more payload than this are large enough to be left alone.
    pub payload_bytes_max: u64,
    /// A fold reads at most so many bytes of payload, which bounds its memory.
    pub fold_bytes_max: u64,
}

impl Default for FoldPolicy {
    fn default() -> FoldPolicy {
        FoldPolicy { chunks_min: 8, payload_bytes_max: 8 << 20, fold_bytes_max: 64 << 20 }
    }
}

impl FoldPolicy {
    /// The chunks to merge next, as a range of `sizes` (what [`StateStore::chunk_sizes`] answers); `None` if all is well.
    /// Prefers the lowest tier: its chunks are the cheapest to merge and the most numerous.
    pub fn pick(&self, sizes: &[(ChunkId, u8, u64)]) -> Option<Range<usize>> {
        let mut best: Option<Range<usize>> = None;
        for run in self.runs(sizes) {
            let lower = best.as_ref().is_none_or(|best| sizes[run.start].1 < sizes[best.start].1);
            if run.len() >= self.chunks_min.max(2) && lower {
                best = Some(run);
            }
        }
        best
    }

    /// Adjacent chunks of one tier that fit into a fold together.
    fn runs(&self, sizes: &[(ChunkId, u8, u64)]) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let mut bytes = 0;
        for (at, (_, tier, size)) in sizes.iter().enumerate() {
            if *size > self.payload_bytes_max {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == at && sizes[run.start].1 == *tier && bytes + size <= self.fold_bytes_max => {
                    run.end = at + 1;
                    bytes += size;
                }
                _ => {
                    runs.push(at..at + 1);
                    bytes = *size;
                }
            }
        }
        runs
    }

    /// Does one fold of `table`'s chunks of these txids, if there is one to do. `merge` gets the chunks, oldest first,
    /// and answers what takes their place (`None`: nothing is left of them). Answers whether anything was folded: call again
    /// until it says no.
    ///
    /// Safe beside commits: if any of the chunks is gone by the time they are merged, nothing changes.
    pub fn fold(
        &self,
        store: &dyn StateStore,
        table: TableId,
        txids: RangeInclusive<TxId>,
        merge: &dyn Fn(&[Chunk]) -> Result<Option<Bytes>>,
    ) -> Result<bool> {
        let mut sizes = store.chunk_sizes(table)?;
        sizes.retain(|(id, ..)| txids.contains(&id.txid));
        let Some(range) = self.pick(&sizes) else { return Ok(false) };
        let tier = sizes[range.start].1.saturating_add(1);
        let ids: Vec<_> = sizes[range].iter().map(|(id, _, _)| *id).collect();
        let chunks = store.chunks_from(table, ids[0])?.take(ids.len()).collect::<Result<Vec<_>>>()?;
        if !chunks.iter().map(|chunk| &chunk.id).eq(&ids) {
            return Ok(false);
        }
        let merged = merge(&chunks)?;
        store.replace_chunks(table, &ids, merged.map(|payload| (tier, payload)))
    }
}

/// [`FoldPolicy::fold`] with the default policy.
pub fn fold_table(
    store: &dyn StateStore,
    table: TableId,
    txids: RangeInclusive<TxId>,
    merge: &dyn Fn(&[Chunk]) -> Result<Option<Bytes>>,
) -> Result<bool> {
    FoldPolicy::default().fold(store, table, txids, merge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Commit, ModelStore, Write};

    const ALL: RangeInclusive<TxId> = TxId(0)..=TxId(u64::MAX);
    const POLICY: FoldPolicy = FoldPolicy { chunks_min: 3, payload_bytes_max: 100, fold_bytes_max: 250 };

    fn pick(tiers_and_sizes: &[(u8, u64)]) -> Option<Range<usize>> {
        let sizes: Vec<_> = tiers_and_sizes
            .iter()
            .enumerate()
            .map(|(at, (tier, size))| (ChunkId { txid: TxId(at as u64), place: 0 }, *tier, *size))
            .collect();
        POLICY.pick(&sizes)
    }

    #[test]
    fn run_of_one_tier_is_picked_when_long_enough() {
        assert_eq!(pick(&[]), None);
        assert_eq!(pick(&[(0, 1), (0, 1)]), None);
        assert_eq!(pick(&[(0, 1), (0, 1), (0, 1)]), Some(0..3));
        assert_eq!(pick(&[(1, 9), (1, 9), (0, 1), (0, 1), (0, 1), (0, 1)]), Some(2..6));
    }

    #[test]
    fn lowest_tier_goes_first() {
        assert_eq!(pick(&[(1, 9), (1, 9), (1, 9), (0, 1), (0, 1), (0, 1)]), Some(3..6));
        assert_eq!(pick(&[(1, 9), (1, 9), (1, 9), (0, 1), (0, 1)]), Some(0..3));
    }

    #[test]
    fn large_chunks_are_left_alone_and_never_merged_across() {
        assert_eq!(pick(&[(0, 1), (0, 1), (0, 101), (0, 1), (0, 1)]), None);
        assert_eq!(pick(&[(0, 101), (0, 101), (0, 101), (0, 101)]), None);
    }

    #[test]
    fn fold_is_bounded_in_bytes() {
        assert_eq!(pick(&[(0, 80), (0, 80), (0, 80), (0, 80)]), Some(0..3));
    }

    #[test]
    fn folding_keeps_the_content_and_bounds_the_number_of_chunks() {
        let store = ModelStore::new();
        let table = TableId(1);
        let merge =
            |chunks: &[Chunk]| Ok(Some(chunks.iter().flat_map(|chunk| chunk.payload.to_vec()).collect::<Bytes>()));
        for txid in 1..=500_u64 {
            let payload = Bytes::from(vec![txid as u8]);
            store.commit(&Commit { txid: TxId(txid), writes: vec![Write::Append { table, payload }] }).unwrap();
            while fold_table(&store, table, ALL, &merge).unwrap() {}
            assert!(store.chunk_sizes(table).unwrap().len() <= 7 * 3);
        }
        let content: Vec<u8> = store.chunks(table).unwrap().flat_map(|chunk| chunk.unwrap().payload.to_vec()).collect();
        assert_eq!(content, (1..=500_u64).map(|txid| txid as u8).collect::<Vec<_>>());
    }

    #[test]
    fn fold_of_which_nothing_is_left_removes_the_chunks() {
        let store = ModelStore::new();
        let table = TableId(1);
        let append = || Write::Append { table, payload: Bytes::from_static(b"x") };
        store.commit(&Commit { txid: TxId(1), writes: (0..8).map(|_| append()).collect() }).unwrap();
        assert!(fold_table(&store, table, ALL, &|_| Ok(None)).unwrap());
        assert!(store.tables().unwrap().is_empty());
    }

    #[test]
    fn only_chunks_of_the_given_txids_are_folded() {
        let store = ModelStore::new();
        let table = TableId(1);
        for txid in 1..=24_u64 {
            let append = Write::Append { table, payload: Bytes::from_static(b"x") };
            store.commit(&Commit { txid: TxId(txid), writes: vec![append] }).unwrap();
        }
        let merge = |_: &[Chunk]| Ok(Some(Bytes::from_static(b"folded")));
        while fold_table(&store, table, TxId(10)..=TxId(20), &merge).unwrap() {}
        let sizes = store.chunk_sizes(table).unwrap();
        let folded = sizes.iter().filter(|(_, tier, _)| *tier > 0).count();
        let left = sizes.iter().filter(|(id, tier, _)| *tier == 0 && !(TxId(10)..=TxId(20)).contains(&id.txid)).count();
        assert_eq!((left, folded, sizes.len()), (13, 1, 14), "{sizes:?}");
    }
}
