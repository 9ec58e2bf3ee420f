//! Shuffle that moves away from tasks whose queues are fuller, a step at a time.
//!
//! Each target has a weight from 1 to 100 percent, and the deck holds it that often. When loads are told, targets within 5 points of the least loaded
//! one gain 1 percent, others lose 1 (the steps and bounds of Storm's load-aware shuffle).

use super::balance::RoundRobin;

const WEIGHT_MAX: u32 = 100;
/// How much more loaded than the least loaded target one may be and still gain.
const CLOSE: f64 = 0.05;

/// Shuffle by load.
pub(crate) struct LoadAware {
    weights: Vec<u32>,
    round: RoundRobin,
}

impl LoadAware {
    pub fn new(targets: u32, seed: u64) -> LoadAware {
        LoadAware { weights: vec![WEIGHT_MAX; targets as usize], round: RoundRobin::even(targets, seed) }
    }

    pub fn next(&mut self) -> u32 {
        self.round.next()
    }

    /// Tells the fill of each target's queue, 0 to 1.
    pub fn refresh(&mut self, loads: &[f64]) {
        let least = loads.iter().copied().fold(f64::INFINITY, f64::min);
        let mut changed = false;
        for (weight, load) in self.weights.iter_mut().zip(loads) {
            let step = if load - least <= CLOSE { (*weight + 1).min(WEIGHT_MAX) } else { (*weight - 1).max(1) };
            changed |= step != *weight;
            *weight = step;
        }
        if changed {
            self.deal();
        }
    }

    fn deal(&mut self) {
        let even = self.weights.iter().all(|weight| *weight == self.weights[0]);
        let times = |weight: u32| if even { 1 } else { weight };
        let weights = self.weights.iter().zip(0..);
        let deck = weights.flat_map(|(weight, place)| std::iter::repeat_n(place, times(*weight) as usize)).collect();
        self.round.set_deck(deck);
    }
}
