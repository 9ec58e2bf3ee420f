//! `Histogram`: durations in buckets 1/32 of a power of two wide, so a quantile is at most 3 % too high.

/// Bits below the highest that a bucket goes by.
const STEP_BITS: u32 = 5;
const STEPS: usize = 1 << STEP_BITS;
const BUCKETS: usize = (64 - STEP_BITS as usize + 1) * STEPS;

/// How often each duration was seen, in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Box<[u64]>,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: vec![0; BUCKETS].into() }
    }
}

impl Histogram {
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.counts[bucket_of(nanos)] += 1;
    }

    pub fn add(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }

    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The duration in microseconds that this share (0 to 1) of those seen doesn't exceed; `None` if there are none.
    pub fn quantile_us(&self, share: f64) -> Option<f64> {
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(upper_bound(bucket) as f64 / 1000.0)
    }
}

fn bucket_of(nanos: u64) -> usize {
    if nanos < STEPS as u64 {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - STEP_BITS;
    (shift as usize + 1) * STEPS + (nanos >> shift) as usize - STEPS
}

fn upper_bound(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let (shift, step) = (bucket / STEPS - 1, bucket % STEPS);
    let next = ((STEPS + step + 1) as u128) << shift;
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_they_say() {
        for nanos in (0..100_000).chain([1 << 40, u64::MAX - 1, u64::MAX]) {
            let bucket = bucket_of(nanos);
            assert!(nanos <= upper_bound(bucket), "{nanos}");
            assert!(bucket == 0 || nanos > upper_bound(bucket - 1), "{nanos}");
        }
    }

    #[test]
    fn quantiles_are_close() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile_us(0.5), None);
        (1..=1000).for_each(|micros| histogram.record(micros * 1000));
        let median = histogram.quantile_us(0.5).unwrap();
        assert!((500.0..=516.0).contains(&median), "{median}");
        assert!(histogram.quantile_us(1.0).unwrap() >= 1000.0);
    }
}
