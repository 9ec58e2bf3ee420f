//! `Window::from_config`: a window out of Storm's configuration keys.

use std::time::Duration;

use super::Window;
use crate::setting::{
    LATE_STREAM, SLIDE_COUNT, SLIDE_MS, TIMESTAMP_FIELD, TIMESTAMP_LAG_MS, WATERMARK_INTERVAL_MS, WINDOW_LENGTH_COUNT,
    WINDOW_LENGTH_MS,
};
use crate::window::{Length, Slide};
use crate::{Config, Error, Result, Value};

impl Window {
    /// What Storm's keys `topology.bolts.*` in a component's configuration say: a length; a slide, without which there is a window for every
    /// tuple; and for event time the timestamp field, the lag, the late stream and the watermark interval. Keys, sessions and lateness have no
    /// key of Storm's.
    ///
    /// [`Error::InvalidTopology`], with the names of keys, when there is no length, when length or slide are given twice, and when something is
    /// said of event time without a timestamp field.
    ///
    /// ```
    /// use monsoon_topology::Config;
    /// use monsoon_topology::windowed::Window;
    ///
    /// let config = Config::default()
    ///     .with("topology.bolts.window.length.duration.ms", 10_000)?
    ///     .with("topology.bolts.sliding.interval.duration.ms", 5_000)?;
    /// assert_eq!(Window::from_config(&config)?.to_string(), "10000 ms sliding by 5000 ms");
    /// # Ok::<(), monsoon_topology::Error>(())
    /// ```
    pub fn from_config(config: &Config) -> Result<Window> {
        let length = one_of::<Length>(config, WINDOW_LENGTH_COUNT, WINDOW_LENGTH_MS)?;
        let length = length.ok_or_else(|| {
            Error::invalid(format!("a window has no length: set {WINDOW_LENGTH_COUNT} or {WINDOW_LENGTH_MS}"))
        })?;
        let slide = one_of(config, SLIDE_COUNT, SLIDE_MS)?.unwrap_or(Slide::Count(1));
        let mut window = Window::sliding(length, slide);
        let lag = config.duration(TIMESTAMP_LAG_MS);
        let late_stream = text(config, LATE_STREAM)?;
        match text(config, TIMESTAMP_FIELD)? {
            Some(field) => window = window.timestamp_field(field),
            None => {
                let said = [(TIMESTAMP_LAG_MS, lag.is_some()), (LATE_STREAM, late_stream.is_some())];
                if let Some((key, _)) = said.into_iter().find(|(_, said)| *said) {
                    return Err(Error::invalid(format!(
                        "{key} needs {TIMESTAMP_FIELD}: without it there is no event time"
                    )));
                }
            }
        }
        if let Some(lag) = lag {
            window = window.lag(lag);
        }
        if let Some(stream) = late_stream {
            window = window.late_stream(stream);
        }
        if let Some(interval) = config.duration(WATERMARK_INTERVAL_MS) {
            window = window.watermark_interval(interval);
        }
        window.check()?;
        Ok(window)
    }
}

/// A length or slide, of tuples or of time.
fn one_of<T: From<u64> + From<Duration>>(config: &Config, count: &str, ms: &str) -> Result<Option<T>> {
    match (config.integer(count), config.duration(ms)) {
        (Some(_), Some(_)) => Err(Error::invalid(format!("{count} and {ms} are both set: it is one of them"))),
        (Some(tuples), None) => Ok(Some(tuples.unsigned_abs().into())),
        (None, duration) => Ok(duration.map(T::from)),
    }
}

/// A name; not empty.
fn text<'a>(config: &'a Config, key: &str) -> Result<Option<&'a str>> {
    match config.get(key).and_then(Value::as_str) {
        Some("") => Err(Error::invalid(format!("{key} is empty"))),
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings without the beginning that all have.
    fn window(settings: &[(&str, Value)]) -> std::result::Result<Window, String> {
        let mut config = Config::default();
        let set = |(key, value): &(&str, Value)| config.set(&format!("topology.bolts.{key}"), value.clone());
        let refused = |error: Error| error.to_string().replace("topology.bolts.", "");
        settings.iter().try_for_each(set).map_err(refused)?;
        Window::from_config(&config).map_err(refused)
    }

    #[test]
    fn all_eight_forms_can_be_said() {
        let (count, ms) = (("window.length.count", 5.into()), ("window.length.duration.ms", 5000.into()));
        let (by_count, by_ms) = (("sliding.interval.count", 2.into()), ("sliding.interval.duration.ms", 2000.into()));
        let check = |settings: &[(&str, Value)], expected: Window| {
            assert_eq!(window(settings).unwrap().to_string(), expected.to_string());
        };
        let s = Duration::from_secs;
        check(std::slice::from_ref(&count), Window::per_tuple(5));
        check(std::slice::from_ref(&ms), Window::per_tuple(s(5)));
        check(&[count.clone(), by_count.clone()], Window::sliding(5, 2));
        check(&[count.clone(), by_ms.clone()], Window::sliding(5, s(2)));
        check(&[ms.clone(), by_count], Window::sliding(s(5), 2));
        check(&[ms.clone(), by_ms], Window::sliding(s(5), s(2)));
        check(&[count, ("sliding.interval.count", 5.into())], Window::tumbling(5));
        check(&[ms, ("sliding.interval.duration.ms", "5 s".into())], Window::tumbling(s(5)));
    }

    #[test]
    fn event_time_can_be_said() {
        let window = window(&[
            ("window.length.duration.ms", 20.into()),
            ("tuple.timestamp.field", "ts".into()),
            ("tuple.timestamp.max.lag.ms", 5.into()),
            ("late.tuple.stream", "late".into()),
            ("watermark.event.interval.ms", 10.into()),
        ]);
        let window = window.unwrap();
        assert_eq!((window.timestamp_field_name(), window.late_stream_name()), (Some("ts"), Some("late")));
        assert_eq!(window.watermark_interval, Duration::from_millis(10));
        let crate::window::WindowTime::Event(event) = window.time().unwrap() else { panic!("no event time") };
        assert_eq!(event.lag_ms(), 5);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        let length = || ("window.length.count", Value::Int(5));
        let check = |settings: &[(&str, Value)], expected: &str| {
            assert_eq!(window(settings).err(), Some(format!("invalid topology: {expected}")));
        };
        let none = "a window has no length: set window.length.count or window.length.duration.ms";
        check(&[], none);
        check(&[("sliding.interval.count", 5.into())], none);
        let both = "window.length.count and window.length.duration.ms are both set: it is one of them";
        check(&[length(), ("window.length.duration.ms", 5.into())], both);
        let both = "sliding.interval.count and sliding.interval.duration.ms are both set: it is one of them";
        check(&[length(), ("sliding.interval.count", 1.into()), ("sliding.interval.duration.ms", 5.into())], both);
        check(&[("window.length.count", 0.into())], "setting window.length.count must be at least 1, found 0");
        let text = "setting window.length.count must be of type Integer, found text \"5 s\"";
        check(&[("window.length.count", "5 s".into())], text);
        let number = "setting tuple.timestamp.field must be of type String, found integer 1";
        check(&[length(), ("tuple.timestamp.field", 1.into())], number);
        check(&[length(), ("tuple.timestamp.field", "".into())], "tuple.timestamp.field is empty");
        let negative = "setting tuple.timestamp.max.lag.ms must be at least 0, found -1";
        check(&[length(), ("tuple.timestamp.max.lag.ms", (-1).into())], negative);
        for (key, value) in [("tuple.timestamp.max.lag.ms", Value::Int(0)), ("late.tuple.stream", "late".into())] {
            let expected = format!("{key} needs tuple.timestamp.field: without it there is no event time");
            check(&[length(), (key, value)], &expected);
        }
        let zero = "setting watermark.event.interval.ms must be at least 1, found 0";
        check(&[length(), ("watermark.event.interval.ms", 0.into())], zero);
    }
}
