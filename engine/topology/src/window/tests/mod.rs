//! Tests of windows: Storm's cases, random events against the definition, pages, snapshots.

mod cases;
mod pages;
mod random;
mod session;
mod time;

use super::*;

/// A window without its boundaries: items, new, expired.
type Shown = (Vec<u32>, Vec<u32>, Vec<u32>);

/// A manager whose items are numbered 1, 2, ... in the order they are added.
struct Run {
    manager: WindowManager<u32>,
    added: u32,
    fired: Vec<FiredWindow<u32>>,
}

impl Run {
    fn new(spec: crate::Result<WindowSpec>, time: WindowTime) -> Run {
        Run { manager: WindowManager::new(spec.unwrap(), time).unwrap(), added: 0, fired: Vec::new() }
    }

    fn event(spec: crate::Result<WindowSpec>) -> Run {
        Run::new(spec, WindowTime::Event(EventTime::default()))
    }

    fn processing(spec: crate::Result<WindowSpec>) -> Run {
        Run::new(spec, WindowTime::Processing)
    }

    /// Adds one item per timestamp; none may be late.
    fn add(&mut self, timestamps: impl IntoIterator<Item = i64>) -> &mut Run {
        for ts in timestamps {
            self.added += 1;
            assert_eq!(self.manager.add(self.added, ts, &mut self.fired).unwrap(), None, "{ts} is late");
        }
        self
    }

    fn watermark(&mut self, ts: i64) -> &mut Run {
        self.manager.on_watermark(ts, &mut self.fired).unwrap();
        self
    }

    fn time(&mut self, now_ms: i64) -> &mut Run {
        self.manager.on_time(now_ms, &mut self.fired).unwrap();
        self
    }

    /// Compares the windows fired since the last check with those expected.
    fn check(&mut self, expected: &[Shown]) -> &mut Run {
        let shown: Vec<Shown> = self.fired.drain(..).map(|window| (window.items, window.new, window.expired)).collect();
        assert_eq!(shown, expected);
        self
    }

    /// As [`Run::check`], the items only.
    fn check_items(&mut self, expected: &[Vec<u32>]) -> &mut Run {
        let shown: Vec<Vec<u32>> = self.fired.drain(..).map(|window| window.items).collect();
        assert_eq!(shown, expected);
        self
    }

    /// Compares the items that left since the last check with those expected.
    fn check_left(&mut self, expected: &[u32]) -> &mut Run {
        assert_eq!(self.manager.take_expired(), expected);
        self
    }
}

/// The numbers from one to another, both included; none when the first is greater.
fn seq(from: u32, to: u32) -> Vec<u32> {
    (from..=to).collect()
}

/// No items.
fn none() -> Vec<u32> {
    Vec::new()
}

/// Storm's `withWindow` of two counts.
fn counts(length: u64, slide: u64) -> crate::Result<WindowSpec> {
    WindowSpec::sliding(Length::Count(length), Slide::Count(slide))
}

/// Storm's `withWindow` of two durations in ms.
fn durations(length_ms: i64, slide_ms: i64) -> crate::Result<WindowSpec> {
    WindowSpec::sliding(Length::Duration(length_ms), Slide::Duration(slide_ms))
}
