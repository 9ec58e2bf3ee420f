//! Round robin over a shuffled deck: even, but not in lockstep with the other emitters.

use crate::anchor::EdgeIds;

/// A deck of places, dealt in a random order that stays until the deck is changed.
pub(crate) struct RoundRobin {
    deck: Vec<u32>,
    dealt: usize,
    random: EdgeIds,
}

impl RoundRobin {
    /// Each place once.
    pub fn even(targets: u32, seed: u64) -> RoundRobin {
        let mut round = RoundRobin { deck: Vec::new(), dealt: 0, random: EdgeIds::new(seed) };
        round.set_deck((0..targets).collect());
        round
    }

    /// Deals from this deck from now on.
    pub fn set_deck(&mut self, mut deck: Vec<u32>) {
        // Fisher-Yates.
        for last in (1..deck.len()).rev() {
            deck.swap(last, (self.random.next() % (last as u64 + 1)) as usize);
        }
        self.deck = deck;
        self.dealt = 0;
    }

    /// The next place.
    pub fn next(&mut self) -> u32 {
        if self.dealt == self.deck.len() {
            self.dealt = 0;
        }
        self.dealt += 1;
        self.deck[self.dealt - 1]
    }
}
