//! `WatermarkGenerator`: how far event time has come, over all inputs of a bolt.
//!
//! Invariants: the watermark only grows; it is at most the least of the inputs' greatest timestamps minus the lag, where an
//! input that has been silent for longer than the idle timeout is left out. When all are silent, the greatest timestamp
//! of all counts: nobody is waited for.

use super::EventTime;

/// What is known of one input stream.
#[derive(Debug, Clone, Copy)]
struct Input {
    ts_max: Option<i64>,
    seen_ms: i64,
}

/// The watermark over a known number of input streams.
#[derive(Debug, Clone)]
pub struct WatermarkGenerator {
    time: EventTime,
    inputs: Vec<Input>,
    watermark: Option<i64>,
}

impl WatermarkGenerator {
    /// Over `inputs` streams, none of which has delivered anything yet; `now_ms` is when their silence begins.
    pub fn new(inputs: u32, time: EventTime, now_ms: i64) -> WatermarkGenerator {
        let inputs = vec![Input { ts_max: None, seen_ms: now_ms }; inputs as usize];
        WatermarkGenerator { time, inputs, watermark: None }
    }

    /// An item with timestamp `ts` came from an input at `now_ms`.
    ///
    /// # Panics
    /// When the input isn't below the number given to [`WatermarkGenerator::new`].
    pub fn track(&mut self, input: u32, ts: i64, now_ms: i64) {
        let input = &mut self.inputs[input as usize];
        input.ts_max = Some(input.ts_max.map_or(ts, |max| max.max(ts)));
        input.seen_ms = input.seen_ms.max(now_ms);
    }

    /// The watermark at `now_ms`, if it has grown since it was asked last.
    pub fn advance(&mut self, now_ms: i64) -> Option<i64> {
        let candidate = self.candidate(now_ms)?.saturating_sub(self.time.lag_ms());
        if self.watermark.is_some_and(|watermark| candidate <= watermark) {
            return None;
        }
        self.watermark = Some(candidate);
        self.watermark
    }

    /// The watermark last returned by [`WatermarkGenerator::advance`].
    pub fn current(&self) -> Option<i64> {
        self.watermark
    }

    /// Goes on from a watermark kept by the caller, so that it doesn't fall back after a restart.
    pub fn restore(&mut self, watermark: Option<i64>) {
        self.watermark = self.watermark.max(watermark);
    }

    /// The timestamp that the inputs vouch for, before the lag.
    fn candidate(&self, now_ms: i64) -> Option<i64> {
        let mut live = self.inputs.iter().filter(|input| !self.is_idle(input, now_ms)).peekable();
        if live.peek().is_none() {
            return self.inputs.iter().filter_map(|input| input.ts_max).max();
        }
        live.map(|input| input.ts_max).min().flatten()
    }

    /// Whether an input has been silent for longer than the timeout.
    fn is_idle(&self, input: &Input, now_ms: i64) -> bool {
        self.time.idle_timeout_ms().is_some_and(|timeout_ms| now_ms.saturating_sub(input.seen_ms) > timeout_ms)
    }
}
