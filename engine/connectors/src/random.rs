//! Random numbers that depend on (seed, index) only.
//!
//! A generated row must come out the same whenever it is asked for, in whatever order; so each row starts its own
//! stream. The generator is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA
//! 2014): one addition and one mixing step per number, and a stream can be started at any index for the price of two.

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream of item `index` of a generator with this seed.
    #[inline]
    pub(crate) fn for_index(seed: u64, index: u64) -> Random {
        // Mixed twice, so that neighbouring indexes (or seeds) start at unrelated points of the cycle.
        Random { state: mix(mix(index.wrapping_add(STEP)) ^ seed) }
    }

    /// 64 random bits.
    #[inline]
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number in `0..bound`; 0 when `bound` is 0. The bias is below bound / 2^64.
    #[inline]
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `[0, 1)`.
    #[inline]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of the items.
    #[inline]
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len() as u64) as usize]
    }

    /// Appends `length` bytes, each looked up in a table by 8 random bits.
    #[inline]
    pub(crate) fn fill(&mut self, alphabet: &[u8; 256], length: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + length, 0);
        for chunk in out[start..].chunks_mut(8) {
            let bits = self.bits().to_le_bytes();
            for (byte, index) in chunk.iter_mut().zip(bits) {
                *byte = alphabet[index as usize];
            }
        }
    }
}

#[inline]
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// A table for [`Random::fill`]: the letters a-z, and `special` about as often as any letter is.
pub(crate) const fn letters_and(special: u8) -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let letter = (index * 27 / 256) as u8;
        table[index] = if letter == 26 { special } else { b'a' + letter };
        index += 1;
    }
    table
}

/// A table for [`Random::fill`]: the letters a-z only.
pub(crate) const fn letters() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        table[index] = b'a' + (index * 26 / 256) as u8;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_depends_on_seed_and_index_only() {
        let draw = |seed, index| Random::for_index(seed, index).bits();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn below_covers_its_range_evenly() {
        let mut counts = [0u32; 10];
        for index in 0..100_000 {
            counts[Random::for_index(7, index).below(10) as usize] += 1;
        }
        // The standard deviation of a binomial (100 000, 1/10) is 95.
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(Random::for_index(7, 0).below(0), 0);
    }

    #[test]
    fn fill_appends_letters() {
        let mut out = b"x".to_vec();
        Random::for_index(1, 1).fill(&letters(), 13, &mut out);
        assert_eq!(out.len(), 14);
        assert!(out.iter().all(u8::is_ascii_lowercase));
    }
}
