//! What a window is: its length, its slide and its time. Checked once, here.

use crate::{Error, Result};

/// How much a window holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// The last so many items.
    Count(u64),
    /// The items of the last so many ms.
    Duration(i64),
}

/// How often a window is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slide {
    /// At every so many items.
    Count(u64),
    /// At every multiple of so many ms.
    Duration(i64),
}

/// One of Storm's eight forms: a count or a duration, sliding by a count, by a duration, per item, or tumbling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSpec {
    length: Length,
    slide: Slide,
}

impl WindowSpec {
    /// The last `length` at every `slide`. [`Error::InvalidTopology`] when one of them isn't positive.
    pub fn sliding(length: Length, slide: Slide) -> Result<WindowSpec> {
        match length {
            Length::Count(count) => positive("window length", i128::from(count), "tuples")?,
            Length::Duration(ms) => positive("window length", i128::from(ms), "ms")?,
        }
        match slide {
            Slide::Count(count) => positive("sliding interval", i128::from(count), "tuples")?,
            Slide::Duration(ms) => positive("sliding interval", i128::from(ms), "ms")?,
        }
        Ok(WindowSpec { length, slide })
    }

    /// The last `length` at every item. Errors as [`WindowSpec::sliding`].
    pub fn per_tuple(length: Length) -> Result<WindowSpec> {
        WindowSpec::sliding(length, Slide::Count(1))
    }

    /// Windows side by side: every item in exactly one. Errors as [`WindowSpec::sliding`].
    pub fn tumbling(length: Length) -> Result<WindowSpec> {
        let slide = match length {
            Length::Count(count) => Slide::Count(count),
            Length::Duration(ms) => Slide::Duration(ms),
        };
        WindowSpec::sliding(length, slide)
    }

    /// How much a window holds.
    pub fn length(&self) -> Length {
        self.length
    }

    /// How often it is handed over.
    pub fn slide(&self) -> Slide {
        self.slide
    }

    /// Whether neither the length nor the slide counts items.
    pub fn is_by_duration(&self) -> bool {
        matches!((self.length, self.slide), (Length::Duration(_), Slide::Duration(_)))
    }
}

/// Sessions: items at most `gap` ms apart belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSpec {
    gap_ms: i64,
}

impl SessionSpec {
    /// With a gap in ms. [`Error::InvalidTopology`] when it isn't positive.
    pub fn new(gap_ms: i64) -> Result<SessionSpec> {
        positive("session gap", i128::from(gap_ms), "ms")?;
        Ok(SessionSpec { gap_ms })
    }

    /// The gap in ms.
    pub fn gap_ms(&self) -> i64 {
        self.gap_ms
    }
}

/// Which clock windows follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowTime {
    /// An item's timestamp is its arrival, and windows fire by the wall clock.
    #[default]
    Processing,
    /// An item brings its timestamp, and windows fire by the watermark.
    Event(EventTime),
}

/// How event time copes with disorder. All zero or absent by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventTime {
    lag_ms: i64,
    lateness_ms: i64,
    idle_timeout_ms: Option<i64>,
}

impl EventTime {
    /// `lag_ms`: how far the watermark stays behind the timestamps. `lateness_ms`: how far behind the watermark an item may
    /// be and still make its windows fire again. `idle_timeout_ms`: after how long an input that brings nothing no longer
    /// holds the watermark back. [`Error::InvalidTopology`] when the lag or the lateness is negative or the timeout isn't positive.
    pub fn new(lag_ms: i64, lateness_ms: i64, idle_timeout_ms: Option<i64>) -> Result<EventTime> {
        not_negative("watermark lag", lag_ms)?;
        not_negative("allowed lateness", lateness_ms)?;
        if let Some(timeout_ms) = idle_timeout_ms {
            positive("idle timeout", i128::from(timeout_ms), "ms")?;
        }
        Ok(EventTime { lag_ms, lateness_ms, idle_timeout_ms })
    }

    /// How far the watermark stays behind the timestamps, in ms.
    pub fn lag_ms(&self) -> i64 {
        self.lag_ms
    }

    /// How far behind the watermark an item may be, in ms.
    pub fn lateness_ms(&self) -> i64 {
        self.lateness_ms
    }

    /// After how many ms a silent input is left out.
    pub fn idle_timeout_ms(&self) -> Option<i64> {
        self.idle_timeout_ms
    }
}

/// Refuses zero and less.
fn positive(what: &str, value: i128, unit: &str) -> Result<()> {
    if value > 0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} is {value} {unit}: it must be at least 1")))
}

/// Refuses less than zero.
fn not_negative(what: &str, value_ms: i64) -> Result<()> {
    if value_ms >= 0 {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} is {value_ms} ms: it must not be negative")))
}
