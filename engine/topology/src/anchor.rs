//! `Anchor`: a tuple's place in the trees it belongs to.
//!
//! A spout tuple with a message id is the root of a tree. Every tuple that is sent to a task is an edge with a random 64-bit id. The
//! ledger of a root holds the XOR of the ids it has heard of; each id is told twice, by who made the edge and by who acked it, so a
//! tree is complete when its ledger is zero (Storm's acking algorithm). While a tuple isn't acked its anchor gathers its own id XORed with
//! those of the tuples anchored to it; the ack tells all that at once, so a lost message can never make a ledger zero too early.

use std::cell::Cell;
use std::fmt;

use crate::stream::TaskId;
use crate::tuple::{HeldTuple, Tuple};

/// A root tuple: the spout task that emitted it (the upper 12 bits) and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RootId(u64);

/// Spout tasks a topology may have.
pub(crate) const SPOUT_TASKS_MAX: usize = 1 << 12;
const NUMBER_BITS: u32 = 52;

impl RootId {
    /// Of the spout task in this place among the topology's spout tasks.
    pub fn new(spout: usize, number: u64) -> RootId {
        debug_assert!(spout < SPOUT_TASKS_MAX, "the builder refuses more spout tasks");
        RootId((spout as u64) << NUMBER_BITS | (number & ((1 << NUMBER_BITS) - 1)))
    }

    /// The place of its spout task.
    pub fn spout(self) -> usize {
        (self.0 >> NUMBER_BITS) as usize
    }

    /// Its number at that task.
    pub fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }
}

/// Per root, what the ledger has yet to hear from this tuple.
#[derive(Debug, Default)]
pub(crate) enum Roots {
    /// Not tracked.
    #[default]
    None,
    /// Acked, failed or taken out, whether it was tracked or not.
    Gone,
    /// In one tree.
    One(RootId, u64),
    /// In several; each root is there once.
    Many(Box<[(RootId, u64)]>),
}

/// A tuple's place in the trees it belongs to. Acking or failing it takes it out of them; doing so twice has no effect.
#[derive(Default)]
pub struct Anchor(Cell<Roots>);

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = self.0.take();
        let outcome = f.debug_tuple("Anchor").field(&roots).finish();
        self.0.set(roots);
        outcome
    }
}

impl Anchor {
    /// In these trees.
    pub(crate) fn of(roots: Roots) -> Anchor {
        Anchor(Cell::new(roots))
    }

    /// Out of every tree; what the ledgers are to be told.
    pub(crate) fn take(&self) -> Roots {
        self.0.replace(Roots::Gone)
    }

    /// Whether it is in a tree and neither acked nor failed.
    pub fn is_tracked(&self) -> bool {
        let roots = self.0.take();
        let tracked = matches!(roots, Roots::One(..) | Roots::Many(_));
        self.0.set(roots);
        tracked
    }

    /// Whether it was neither acked nor failed nor taken out; it may be in no tree.
    pub(crate) fn is_open(&self) -> bool {
        let roots = self.0.take();
        let open = !matches!(roots, Roots::Gone);
        self.0.set(roots);
        open
    }

    /// Calls `visit` with each root.
    pub(crate) fn each_root(&self, mut visit: impl FnMut(RootId)) {
        let roots = self.0.take();
        match &roots {
            Roots::None | Roots::Gone => {}
            Roots::One(root, _) => visit(*root),
            Roots::Many(many) => many.iter().for_each(|(root, _)| visit(*root)),
        }
        self.0.set(roots);
    }

    /// The same tuple's anchor elsewhere; this one is left without.
    pub(crate) fn moved(&self) -> Anchor {
        Anchor(Cell::new(self.take()))
    }

    /// An edge to a new tuple: its id goes to this anchor and to `child`, for every root.
    fn grow(&self, child: &mut Gathered, edges: &mut EdgeIds) {
        let mut roots = self.0.take();
        match &mut roots {
            Roots::None | Roots::Gone => {}
            Roots::One(root, sum) => child.add(*root, sum, edges),
            Roots::Many(many) => many.iter_mut().for_each(|(root, sum)| child.add(*root, sum, edges)),
        }
        self.0.set(roots);
    }
}

/// The place of a new tuple while its parents are visited. A window's tuple has as many parents as the window has tuples, so roots are put
/// together once, at the end.
#[derive(Default)]
struct Gathered {
    first: Option<(RootId, u64)>,
    /// Of other roots; several of one root are XORed in the end.
    more: Vec<(RootId, u64)>,
}

impl Gathered {
    fn add(&mut self, root: RootId, parent: &mut u64, edges: &mut EdgeIds) {
        let edge = edges.next();
        *parent ^= edge;
        match &mut self.first {
            None => self.first = Some((root, edge)),
            Some((known, sum)) if *known == root => *sum ^= edge,
            Some(_) => self.more.push((root, edge)),
        }
    }

    fn roots(mut self) -> Roots {
        let Some((root, sum)) = self.first else { return Roots::None };
        if self.more.is_empty() {
            return Roots::One(root, sum);
        }
        self.more.push((root, sum));
        self.more.sort_unstable_by_key(|(root, _)| *root);
        self.more.dedup_by(|(root, sum), (kept, kept_sum)| {
            let same = root == kept;
            if same {
                *kept_sum ^= *sum;
            }
            same
        });
        Roots::Many(self.more.into())
    }
}

/// The tuples a new one descends from: `()`, a tuple, or several.
pub trait Anchors {
    /// Calls `visit` with the anchor of each that is in a tree.
    fn each(&self, visit: &mut dyn FnMut(&Anchor));

    /// How many tuples there are, in a tree or not. Ticks, which are no data, don't count.
    fn count(&self) -> usize;
}

/// The place of a new tuple that descends from `parents`.
pub(crate) fn descend(parents: &impl Anchors, edges: &mut EdgeIds) -> Roots {
    let mut gathered = Gathered::default();
    parents.each(&mut |parent| parent.grow(&mut gathered, edges));
    gathered.roots()
}

impl Anchors for () {
    fn each(&self, _: &mut dyn FnMut(&Anchor)) {}

    fn count(&self) -> usize {
        0
    }
}

impl Anchors for Tuple<'_> {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        self.anchor().into_iter().for_each(visit);
    }

    fn count(&self) -> usize {
        usize::from(self.source() != TaskId::SYSTEM)
    }
}

impl Anchors for HeldTuple {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        visit(self.anchor());
    }

    fn count(&self) -> usize {
        usize::from(self.source() != TaskId::SYSTEM)
    }
}

impl<A: Anchors + ?Sized> Anchors for &A {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        (**self).each(visit);
    }

    fn count(&self) -> usize {
        (**self).count()
    }
}

impl<A: Anchors> Anchors for [A] {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        self.iter().for_each(|anchor| anchor.each(visit));
    }

    fn count(&self) -> usize {
        self.iter().map(Anchors::count).sum()
    }
}

impl<A: Anchors> Anchors for Vec<A> {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        self.as_slice().each(visit);
    }

    fn count(&self) -> usize {
        self.as_slice().count()
    }
}

impl<A: Anchors> Anchors for std::sync::Arc<A> {
    fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
        (**self).each(visit);
    }

    fn count(&self) -> usize {
        (**self).count()
    }
}

/// Random edge ids: xorshift64*, seeded per task. An id is never 0, which would be an edge the ledger can't see.
#[derive(Debug)]
pub(crate) struct EdgeIds(u64);

impl EdgeIds {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> EdgeIds {
        // The finaliser of splitmix64 spreads neighbouring seeds over all 64 bits.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        EdgeIds((mixed ^ (mixed >> 31)) | 1)
    }

    /// The next id.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OneParent<'a>(&'a Anchor);

    impl Anchors for OneParent<'_> {
        fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
            visit(self.0);
        }

        fn count(&self) -> usize {
            1
        }
    }

    #[test]
    fn an_anchor_gathers_the_ids_of_its_children() {
        let root = RootId::new(3, 7);
        let parent = Anchor::of(Roots::One(root, 1));
        let mut edges = EdgeIds::new(5);
        let Roots::One(of_child, edge) = descend(&OneParent(&parent), &mut edges) else { panic!("one root") };
        assert_eq!((of_child, edge), (root, EdgeIds::new(5).next()));
        assert!(matches!(parent.take(), Roots::One(r, sum) if r == root && sum == 1 ^ edge));
        assert!(!parent.is_tracked());
    }

    /// A root that two parents share is there once, with both edges; each parent's ledger hears of the edges it made.
    #[test]
    fn a_child_of_several_roots_has_each_once() {
        let (a, b) = (RootId::new(0, 1), RootId::new(0, 2));
        let parents = [Roots::One(b, 1), Roots::One(a, 2), Roots::Many([(a, 4), (b, 8)].into())].map(Anchor::of);
        struct All<'a>(&'a [Anchor]);
        impl Anchors for All<'_> {
            fn each(&self, visit: &mut dyn FnMut(&Anchor)) {
                self.0.iter().for_each(visit);
            }

            fn count(&self) -> usize {
                self.0.len()
            }
        }
        let mut ids = EdgeIds::new(5);
        let [e1, e2, e3, e4] = std::array::from_fn(|_| ids.next());
        let Roots::Many(child) = descend(&All(&parents), &mut EdgeIds::new(5)) else { panic!("two roots") };
        assert_eq!(*child, [(a, e2 ^ e3), (b, e1 ^ e4)]);
        assert!(matches!(parents[0].take(), Roots::One(_, sum) if sum == 1 ^ e1));
        assert!(matches!(parents[2].take(), Roots::Many(sums) if *sums == [(a, 4 ^ e3), (b, 8 ^ e4)]));
    }

    #[test]
    fn a_root_id_keeps_both_parts() {
        let root = RootId::new(SPOUT_TASKS_MAX - 1, 1 << 51);
        assert_eq!((root.spout(), root.number()), (SPOUT_TASKS_MAX - 1, 1 << 51));
    }
}
