//! Prices: 100 * 10^u cents, u uniform in [0, 6).
//!
//! 10^u is a product of table entries instead of a call of the system's `pow`, whose last bit differs between systems:
//! an event must be the same on every machine.

use crate::random::Random;

/// 10^(1/256) and 10^(1/65536).
const ROOT_256: f64 = 1.009_035_044_841_447_3;
const ROOT_65536: f64 = 1.000_035_135_277_462;

const COARSE: [f64; 256] = powers(ROOT_256);
const FINE: [f64; 256] = powers(ROOT_65536);
const DECADES: [f64; 6] = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7];

const fn powers(base: f64) -> [f64; 256] {
    let mut table = [1.0; 256];
    let mut index = 1;
    while index < 256 {
        table[index] = table[index - 1] * base;
        index += 1;
    }
    table
}

/// The next price.
#[inline]
pub(super) fn next_price(random: &mut Random) -> i64 {
    let decade = DECADES[random.below(6) as usize];
    let bits = random.bits();
    // Below the tables' resolution 10^x is a straight line.
    let rest = 1.0 + (ROOT_65536 - 1.0) * ((bits >> 16) & 0xFFFF) as f64 / 65_536.0;
    let power = COARSE[(bits & 0xFF) as usize] * FINE[((bits >> 8) & 0xFF) as usize] * rest;
    (decade * power + 0.5) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_powers_of_ten() {
        assert!((COARSE[255] * FINE[255] - 10f64.powf(65_535.0 / 65_536.0)).abs() < 1e-9);
        assert!((COARSE[128] - 10f64.sqrt()).abs() < 1e-10);
    }

    #[test]
    fn decades_are_equally_likely() {
        let mut counts = [0u32; 6];
        for index in 0..60_000 {
            let price = next_price(&mut Random::for_index(1, index));
            assert!((100..=100_000_000).contains(&price), "{price}");
            counts[(price as f64 / 100.0).log10().floor().min(5.0) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
