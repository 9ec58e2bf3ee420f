//! `Window`: which tuples belong together, in Storm's words.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use super::event_clock::Timestamps;
use super::item::Item;
use crate::tuple::Tuple;
use crate::window::{EventTime, Length, SessionSpec, Slide, WindowManager, WindowSpec, WindowTime};
use crate::{Error, Fields, Outcome, Result};

/// How often the watermark moves if nothing else is said.
const WATERMARK_INTERVAL: Duration = Duration::from_secs(1);

impl From<u64> for Length {
    fn from(tuples: u64) -> Length {
        Length::Count(tuples)
    }
}

impl From<Duration> for Length {
    fn from(duration: Duration) -> Length {
        Length::Duration(millis(duration))
    }
}

impl From<u64> for Slide {
    fn from(tuples: u64) -> Slide {
        Slide::Count(tuples)
    }
}

impl From<Duration> for Slide {
    fn from(duration: Duration) -> Slide {
        Slide::Duration(millis(duration))
    }
}

/// Whole milliseconds; those that don't fit are the most there can be.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The form as it was asked for.
#[derive(Clone, Copy)]
enum Form {
    Windows(Length, Slide),
    Sessions(Duration),
}

/// The form, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Windows(WindowSpec),
    Sessions(SessionSpec),
}

/// Which tuples belong together, and when they are handed over. Lengths and slides are numbers of tuples or durations in whole milliseconds.
///
/// Without a timestamp field or extractor a tuple's time is its arrival, and windows with durations fire by the clock. With one, windows fire by the
/// watermark: the least over all input streams of the greatest timestamp seen, minus the lag. Tuples older than the watermark are late: they are
/// acked and dropped, unless there is a late stream or lateness is allowed.
///
/// A window may be longer than the message time-out: while a tuple waits in a window its time-out is begun anew. The time-out is that of the
/// component's configuration, so a spout with a shorter one of its own needs the same said of the windowed component. A window that counts more
/// tuples than may be pending never fills.
///
/// ```
/// use std::time::Duration;
/// use monsoon_topology::windowed::Window;
///
/// let last_five_every_second_tuple = Window::sliding(5, 2);
/// let minutes = Window::tumbling(Duration::from_secs(60))
///     .timestamp_field("ts")
///     .lag(Duration::from_secs(5))
///     .late_stream("late");
/// let visits = Window::session(Duration::from_secs(1800)).timestamp_field("ts").key(["visitor"]);
/// ```
#[derive(Clone)]
pub struct Window {
    form: Form,
    pub(super) timestamps: Option<Timestamps>,
    lag: Duration,
    allowed_lateness: Duration,
    idle_timeout: Option<Duration>,
    pub(super) watermark_interval: Duration,
    pub(super) late_stream: Option<SmolStr>,
    key: Vec<SmolStr>,
    pub(super) items_in_memory: Option<usize>,
}

impl Window {
    /// The last `length` at every `slide`.
    pub fn sliding(length: impl Into<Length>, slide: impl Into<Slide>) -> Window {
        Window::new(Form::Windows(length.into(), slide.into()))
    }

    /// The last `length` at every tuple.
    pub fn per_tuple(length: impl Into<Length>) -> Window {
        Window::new(Form::Windows(length.into(), Slide::Count(1)))
    }

    /// Windows side by side: every tuple in exactly one.
    pub fn tumbling(length: impl Into<Length>) -> Window {
        let length = length.into();
        let slide = match length {
            Length::Count(count) => Slide::Count(count),
            Length::Duration(ms) => Slide::Duration(ms),
        };
        Window::new(Form::Windows(length, slide))
    }

    /// Tuples at most `gap` apart belong together. Usually with a [`Window::key`].
    pub fn session(gap: Duration) -> Window {
        Window::new(Form::Sessions(gap))
    }

    fn new(form: Form) -> Window {
        Window {
            form,
            timestamps: None,
            lag: Duration::ZERO,
            allowed_lateness: Duration::ZERO,
            idle_timeout: None,
            watermark_interval: WATERMARK_INTERVAL,
            late_stream: None,
            key: Vec::new(),
            items_in_memory: None,
        }
    }

    /// Event time from a field: an integer in ms, or a timestamp. A tuple without it fails.
    pub fn timestamp_field(mut self, field: &str) -> Window {
        self.timestamps = Some(Timestamps::Field(field.into()));
        self
    }

    /// Event time from a closure, in ms. A tuple for which it gives an error fails.
    pub fn timestamp_extractor(
        mut self,
        extract: impl Fn(&Tuple<'_>) -> Outcome<i64> + Send + Sync + 'static,
    ) -> Window {
        self.timestamps = Some(Timestamps::Extractor(Arc::new(extract)));
        self
    }

    /// How far the watermark stays behind the timestamps: how much out of order tuples may come.
    pub fn lag(mut self, lag: Duration) -> Window {
        self.lag = lag;
        self
    }

    /// How often the watermark moves; a second if nothing is said.
    pub fn watermark_interval(mut self, interval: Duration) -> Window {
        self.watermark_interval = interval;
        self
    }

    /// Emits late tuples on this stream, in one field `late_tuple` that is the list of the tuple's values, anchored to the late tuple.
    pub fn late_stream(mut self, stream: &str) -> Window {
        self.late_stream = Some(stream.into());
        self
    }

    /// How far behind the watermark a tuple may be and still make its windows fire again. For sessions, and for durations that slide by durations.
    pub fn allowed_lateness(mut self, lateness: Duration) -> Window {
        self.allowed_lateness = lateness;
        self
    }

    /// After how long an input that brings nothing no longer holds the watermark back; without, it does so for ever.
    pub fn idle_timeout(mut self, timeout: Duration) -> Window {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Windows of their own for the tuples of each key. All tuples of a key must come to the same task, as by fields grouping.
    pub fn key<N: AsRef<str>>(mut self, fields: impl IntoIterator<Item = N>) -> Window {
        self.key = fields.into_iter().map(|field| SmolStr::new(field.as_ref())).collect();
        self
    }

    /// How many tuples a task keeps in memory (else as the setting `window_tuples_in_memory` says), of all keys together, besides two pages of 1000 of the key at hand. The pages beyond go to temporary
    /// files, below the directory that the setting `spill_directory` names or the system's: first the oldest of the key at hand, then those of the
    /// keys that had no tuple for longest. All tuples of a key's windows that fire at once are in memory while they are handed over, and where
    /// state is exactly once what has come since the last checkpoint is too.
    pub fn items_in_memory(mut self, items: usize) -> Window {
        self.items_in_memory = Some(items);
        self
    }

    /// The field that event time comes from; `None`: there is no event time, or a closure tells it.
    pub fn timestamp_field_name(&self) -> Option<&str> {
        match &self.timestamps {
            Some(Timestamps::Field(field)) => Some(field),
            _ => None,
        }
    }

    /// Whether its windows are sessions.
    pub fn is_session(&self) -> bool {
        matches!(self.form, Form::Sessions(_))
    }

    /// The stream that late tuples are emitted on, in one field `late_tuple`.
    pub fn late_stream_name(&self) -> Option<&str> {
        self.late_stream.as_deref()
    }

    /// What is wrong with it, if anything is.
    pub fn check(&self) -> Result<()> {
        let (shape, time) = (self.shape()?, self.time()?);
        self.key_fields()?;
        if let Shape::Windows(spec) = shape {
            WindowManager::<Item>::new(spec, time)?;
        }
        if self.watermark_interval.is_zero() {
            return Err(Error::invalid("watermark interval is 0: it must be longer"));
        }
        Ok(())
    }

    /// The form. [`Error::InvalidTopology`] when a length, slide or gap isn't positive.
    pub(super) fn shape(&self) -> Result<Shape> {
        Ok(match self.form {
            Form::Windows(length, slide) => Shape::Windows(WindowSpec::sliding(length, slide)?),
            Form::Sessions(gap) => Shape::Sessions(SessionSpec::new(millis(gap))?),
        })
    }

    /// The clock that windows follow. [`Error::InvalidTopology`] when something is said of event time but no timestamps are.
    pub(super) fn time(&self) -> Result<WindowTime> {
        if self.timestamps.is_some() {
            let (lag_ms, lateness_ms) = (millis(self.lag), millis(self.allowed_lateness));
            return Ok(WindowTime::Event(EventTime::new(lag_ms, lateness_ms, self.idle_timeout.map(millis))?));
        }
        let said = [
            ("late stream", self.late_stream.is_some()),
            ("lag", !self.lag.is_zero()),
            ("allowed lateness", !self.allowed_lateness.is_zero()),
            ("idle timeout", self.idle_timeout.is_some()),
        ];
        match said.into_iter().find(|(_, said)| *said) {
            Some((what, _)) => Err(Error::invalid(format!("{what} needs a timestamp field or extractor"))),
            None => Ok(WindowTime::Processing),
        }
    }

    /// The key fields.
    pub(super) fn key_fields(&self) -> Result<Fields> {
        Fields::new(&self.key)
    }

    /// Tuples that must be there at once before a window of tuples can fire.
    pub(super) fn tuples_needed(&self) -> u64 {
        match self.form {
            Form::Windows(Length::Count(length), Slide::Count(slide)) => length.saturating_add(slide),
            _ => 0,
        }
    }
}

/// Its form: `5 tuples sliding by 10000 ms`, `sessions with gaps of 500 ms`. Windows of the same form in the same time can go on from each other's
/// checkpoints.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Sessions(gap) => write!(f, "sessions with gaps of {} ms", millis(gap)),
            Form::Windows(length, slide) => {
                match length {
                    Length::Count(count) => write!(f, "{count} tuples sliding by ")?,
                    Length::Duration(ms) => write!(f, "{ms} ms sliding by ")?,
                }
                match slide {
                    Slide::Count(count) => write!(f, "{count} tuples"),
                    Slide::Duration(ms) => write!(f, "{ms} ms"),
                }
            }
        }
    }
}
