//! Which commit may come next, as a pure state machine that both implementations share.
//!
//! Usually that is `last + 1`. A commit that failed for lack of space is *in doubt*: its bytes may have reached the log
//! before the disk was full. Only reopening tells. If it landed, it is the last commit, and offering the same content again
//! succeeds without being applied twice, so nothing is lost and nothing doubled:
//!
//! ```text
//! commit(n+1) -> DiskFull     doubt = header(n+1)
//! reopen: store ends at n     doubt dropped; commit(n+1) is applied as usual
//! reopen: store ends at n+1   n+1 is committed; commit(n+1) with the same running hash is already done
//! reopen: anything else       corrupt
//! ```

use crate::content::{Digest, Header, digest};
use crate::{Commit, Error, Result};

/// What to do with a commit that is offered.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Apply it.
    Apply(Digest),
    /// It landed before the last reopen: answer success.
    AlreadyApplied(Digest),
}

/// The last commit, and what is uncertain about the one after it.
#[derive(Debug)]
pub(crate) struct Sequence {
    last: Header,
    /// The header the store would have if the failed commit had landed.
    doubt: Option<Header>,
    /// Set when a doubtful commit turned out to have landed: the header before it.
    before_landed: Option<Header>,
}

impl Sequence {
    pub(crate) fn new(last: Header) -> Sequence {
        Sequence { last, doubt: None, before_landed: None }
    }

    pub(crate) fn last(&self) -> Header {
        self.last
    }

    pub(crate) fn admit(&self, commit: &Commit) -> Result<Admission> {
        if commit.txid == self.last.txid.next() {
            return Ok(Admission::Apply(digest(self.last.hash, commit)?));
        }
        if let Some(before) = self.before_landed
            && commit.txid == self.last.txid
        {
            let again = digest(before.hash, commit)?;
            if again.header == self.last {
                return Ok(Admission::AlreadyApplied(again));
            }
        }
        Err(Error::OutOfOrder { got: commit.txid, expected: self.last.txid.next() })
    }

    /// The commit is durable.
    pub(crate) fn committed(&mut self, header: Header) {
        debug_assert_eq!(header.txid, self.last.txid.next());
        *self = Sequence::new(header);
    }

    /// The commit failed, and may or may not have landed.
    pub(crate) fn doubt(&mut self, header: Header) {
        self.doubt = Some(header);
    }

    /// What the store turned out to hold when it was opened again.
    pub(crate) fn reopened(&mut self, found: Header) -> Result<()> {
        if found == self.last {
            self.doubt = None;
            return Ok(());
        }
        if self.doubt == Some(found) {
            *self = Sequence { last: found, doubt: None, before_landed: Some(self.last) };
            return Ok(());
        }
        Err(Error::Corrupt(format!(
            "after reopening, the store ends at txid {} (hash {:016x}); it was at txid {} (hash {:016x})",
            found.txid, found.hash, self.last.txid, self.last.hash
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TxId, Write};

    fn commit(txid: u64, value: u8) -> Commit {
        Commit { txid: TxId(txid), writes: vec![Write::Put { key: vec![1], value: vec![value] }] }
    }

    fn header_of(sequence: &Sequence, commit: &Commit) -> Header {
        match sequence.admit(commit).unwrap() {
            Admission::Apply(digest) => digest.header,
            Admission::AlreadyApplied(_) => panic!("not applied yet"),
        }
    }

    #[test]
    fn only_the_successor_is_admitted() {
        let sequence = Sequence::new(Header { txid: TxId(4), hash: 9 });
        assert!(matches!(sequence.admit(&commit(5, 0)), Ok(Admission::Apply(_))));
        for txid in [0, 3, 4, 6] {
            assert!(matches!(sequence.admit(&commit(txid, 0)), Err(Error::OutOfOrder { expected: TxId(5), .. })));
        }
    }

    #[test]
    fn doubtful_commit_that_did_not_land_is_applied_again() {
        let mut sequence = Sequence::new(Header::default());
        sequence.doubt(header_of(&sequence, &commit(1, 7)));
        sequence.reopened(Header::default()).unwrap();
        assert!(matches!(sequence.admit(&commit(1, 7)), Ok(Admission::Apply(_))));
    }

    #[test]
    fn doubtful_commit_that_landed_is_not_applied_twice() {
        let mut sequence = Sequence::new(Header::default());
        let landed = header_of(&sequence, &commit(1, 7));
        sequence.doubt(landed);
        sequence.reopened(landed).unwrap();
        assert_eq!(sequence.last(), landed);
        assert!(matches!(sequence.admit(&commit(1, 7)), Ok(Admission::AlreadyApplied(_))));
        assert!(matches!(sequence.admit(&commit(1, 8)), Err(Error::OutOfOrder { .. })));
        let next = header_of(&sequence, &commit(2, 1));
        sequence.committed(next);
        assert!(matches!(sequence.admit(&commit(2, 1)), Err(Error::OutOfOrder { .. })));
    }

    #[test]
    fn store_that_changed_under_us_is_corrupt() {
        let mut sequence = Sequence::new(Header { txid: TxId(4), hash: 9 });
        let found = Header { txid: TxId(3), hash: 1 };
        assert!(matches!(sequence.reopened(found), Err(Error::Corrupt(_))));
    }
}
