//! `Setting`: the one table of settings, ours and Storm's, that [`crate::Config`] and Flux read.
//!
//! Each has a name of its own, Storm's key, or both; a kind with its least value; a default; and a scope. Those that the engine obeys only under
//! Storm's key have no name of their own, nor have those that nothing comes of, but for `debug` and `workers`. Integers are at most Storm's greatest,
//! 2^31 - 1; durations under our names have no such bound.

use crate::Value;

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    /// A boolean of which Storm's key says the opposite.
    Negated,
    /// An integer, at least this. A float without a fraction is one too, as in Storm.
    Integer {
        min: i64,
    },
    /// A duration of at least `min_ms`: a number, of `storm_unit_ms` under Storm's key and of milliseconds under our name; in [`crate::Config`]
    /// also `'30 s'`.
    Duration {
        storm_unit_ms: i64,
        min_ms: i64,
    },
    /// One of these words, in whatever case.
    Choice(&'static [&'static str]),
    /// A number of at least zero.
    Number,
    Text,
    List,
    Map,
}

/// What holds where a setting isn't set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standard {
    None,
    Boolean(bool),
    /// Also of a duration, in milliseconds.
    Integer(i64),
}

/// What a setting is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole topology. Nothing comes of it where it is said of a component.
    Topology,
    /// Each component. Said of the topology it holds for all that say nothing themselves.
    Component,
}

/// A setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its own name.
    pub name: Option<&'static str>,
    /// Storm's key.
    pub storm: Option<&'static str>,
    pub kind: Kind,
    pub standard: Standard,
    pub scope: Scope,
    /// Storm refuses null for it.
    required: bool,
}

/// One that the engine obeys.
const fn obeyed(name: &'static str, storm: Option<&'static str>, kind: Kind, standard: Standard) -> Setting {
    Setting { name: Some(name), storm, kind, standard, scope: Scope::Component, required: false }
}

/// One without a name of its own.
const fn storms(storm: &'static str, kind: Kind, scope: Scope) -> Setting {
    Setting { name: None, storm: Some(storm), kind, standard: Standard::None, scope, required: false }
}

/// The greatest integer that Storm takes.
const INTEGER_MAX: i64 = i32::MAX as i64;
const ANY_COUNT: Kind = Kind::Integer { min: 0 };
const COUNT: Kind = Kind::Integer { min: 1 };
const SECONDS: Kind = Kind::Duration { storm_unit_ms: 1000, min_ms: 1 };
const MILLIS: Kind = Kind::Duration { storm_unit_ms: 1, min_ms: 1 };
const ANY_MILLIS: Kind = Kind::Duration { storm_unit_ms: 1, min_ms: 0 };

pub(crate) const WINDOW_LENGTH_COUNT: &str = "topology.bolts.window.length.count";
pub(crate) const WINDOW_LENGTH_MS: &str = "topology.bolts.window.length.duration.ms";
pub(crate) const SLIDE_COUNT: &str = "topology.bolts.sliding.interval.count";
pub(crate) const SLIDE_MS: &str = "topology.bolts.sliding.interval.duration.ms";
pub(crate) const TIMESTAMP_FIELD: &str = "topology.bolts.tuple.timestamp.field";
pub(crate) const TIMESTAMP_LAG_MS: &str = "topology.bolts.tuple.timestamp.max.lag.ms";
pub(crate) const LATE_STREAM: &str = "topology.bolts.late.tuple.stream";
pub(crate) const WATERMARK_INTERVAL_MS: &str = "topology.bolts.watermark.event.interval.ms";

use Scope::{Component, Topology};
use Standard::{Boolean, Integer, None as Unset};

/// Every setting that is known.
#[rustfmt::skip]
pub(crate) const SETTINGS: &[Setting] = &[
    obeyed("ackers", Some("topology.acker.executors"), ANY_COUNT, Unset),
    Setting { required: true, ..obeyed("message_timeout", Some("topology.message.timeout.secs"), SECONDS, Integer(30_000)) },
    obeyed("message_timeouts", Some("topology.enable.message.timeouts"), Kind::Boolean, Boolean(true)),
    obeyed("max_spout_pending", Some("topology.max.spout.pending"), COUNT, Unset),
    obeyed("batch_tuples", Some("topology.producer.batch.size"), COUNT, Integer(1000)),
    obeyed("batch_adaptive", Some("topology.producer.batch.dynamic"), Kind::Boolean, Boolean(false)),
    obeyed("flush_interval", Some("topology.batch.flush.interval.millis"), MILLIS, Integer(1)),
    obeyed("queue_tuples", Some("topology.executor.receive.buffer.size"), COUNT, Integer(32_768)),
    obeyed("tick_interval", Some("topology.tick.tuple.freq.secs"), SECONDS, Unset),
    obeyed("load_aware", Some("topology.disable.loadaware.messaging"), Kind::Negated, Boolean(true)),
    obeyed("max_task_parallelism", Some("topology.max.task.parallelism"), COUNT, Unset),
    obeyed("checkpoint_interval", Some("topology.state.checkpoint.interval.ms"),
        Kind::Duration { storm_unit_ms: 1, min_ms: 100 }, Integer(1000)),
    obeyed("subprocess_timeout", Some("topology.subprocess.timeout.secs"), SECONDS, Integer(30_000)),
    // Its default is the dialect's.
    obeyed("shell_max_pending", Some("topology.shellbolt.max.pending"), COUNT, Unset),
    obeyed("shell_arrow", None, Kind::Boolean, Boolean(true)),
    obeyed("busy_wait", None, Kind::Boolean, Boolean(false)),
    obeyed("spill_directory", None, Kind::Text, Unset),
    obeyed("window_tuples_in_memory", None, COUNT, Unset),
    obeyed("on_error", None, Kind::Choice(&["replay", "skip"]), Unset),
    obeyed("error_attempts", None, COUNT, Integer(3)),
    // Accepted, as Storm's files have them; nothing comes of them.
    obeyed("debug", Some("topology.debug"), Kind::Boolean, Boolean(false)),
    Setting { scope: Topology, ..obeyed("workers", Some("topology.workers"), COUNT, Unset) },
    // Read by `windowed::Window::from_config`.
    storms(WINDOW_LENGTH_COUNT, COUNT, Component),
    storms(WINDOW_LENGTH_MS, MILLIS, Component),
    storms(SLIDE_COUNT, COUNT, Component),
    storms(SLIDE_MS, MILLIS, Component),
    storms(TIMESTAMP_FIELD, Kind::Text, Component),
    storms(TIMESTAMP_LAG_MS, ANY_MILLIS, Component),
    storms(LATE_STREAM, Kind::Text, Component),
    storms(WATERMARK_INTERVAL_MS, MILLIS, Component),
    // Checked, as Storm does; nothing comes of them.
    storms("topology.auto.task.hooks", Kind::List, Topology),
    storms("topology.backpressure.check.millis", COUNT, Topology),
    storms("topology.bolts.message.id.field.name", Kind::Text, Component),
    storms("topology.builtin.metrics.bucket.size.secs", COUNT, Topology),
    storms("topology.component.cpu.pcore.percent", Kind::Number, Component),
    storms("topology.component.resources.offheap.memory.mb", Kind::Number, Component),
    storms("topology.component.resources.onheap.memory.mb", Kind::Number, Component),
    storms("topology.environment", Kind::Map, Topology),
    storms("topology.error.throttle.interval.secs", COUNT, Topology),
    storms("topology.eventlogger.executors", ANY_COUNT, Topology),
    storms("topology.executor.overflow.limit", ANY_COUNT, Topology),
    storms("topology.fall.back.on.java.serialization", Kind::Boolean, Topology),
    storms("topology.kryo.register", Kind::List, Component),
    storms("topology.localityaware.higher.bound", Kind::Number, Topology),
    storms("topology.localityaware.lower.bound", Kind::Number, Topology),
    storms("topology.max.error.report.per.interval", ANY_COUNT, Topology),
    storms("topology.metrics.consumer.register", Kind::List, Topology),
    storms("topology.multilang.serializer", Kind::Text, Component),
    storms("topology.name", Kind::Text, Topology),
    storms("topology.priority", ANY_COUNT, Topology),
    storms("topology.ras.acker.executors.per.worker", ANY_COUNT, Topology),
    storms("topology.sleep.spout.wait.strategy.time.ms", ANY_COUNT, Component),
    storms("topology.spout.max.batch.size", COUNT, Component),
    storms("topology.spout.recvq.skips", ANY_COUNT, Component),
    storms("topology.state.provider", Kind::Text, Component),
    storms("topology.state.provider.config", Kind::Text, Component),
    storms("topology.state.synchronization.timeout.secs", COUNT, Topology),
    storms("topology.stats.ewma.enable", Kind::Boolean, Topology),
    storms("topology.stats.sample.rate", Kind::Number, Component),
    storms("topology.tasks", ANY_COUNT, Component),
    storms("topology.testing.always.try.serialize", Kind::Boolean, Topology),
    storms("topology.transfer.batch.size", COUNT, Topology),
    storms("topology.transfer.buffer.size", COUNT, Topology),
    storms("topology.trident.batch.emit.interval.millis", COUNT, Topology),
    storms("topology.tuple.compression.enable", Kind::Boolean, Topology),
    storms("topology.tuple.compression.threshold", ANY_COUNT, Topology),
    storms("topology.upstream.feedback.enable", Kind::Boolean, Topology),
    storms("topology.worker.shared.thread.pool.size", COUNT, Topology),
];

/// The setting of a name: its own or Storm's.
pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == Some(name) || setting.storm == Some(name))
}

/// The setting of a key of Storm's.
pub(crate) fn find_storm(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.storm == Some(key))
}

impl Setting {
    /// The name that a configuration has it under.
    pub fn key(&self) -> &'static str {
        self.name.or(self.storm).expect("a setting has a name")
    }

    /// A value that was given under Storm's key, in Storm's type and unit, or why it can't be.
    pub fn check_storm(&self, key: &str, value: &Value) -> Result<Value, String> {
        match value {
            Value::Null if self.required => Err(format!("{key} must not be null")),
            Value::Null => Ok(Value::Null),
            value => self.checked(key, value),
        }
    }

    /// A value that was given under `name` as a configuration keeps it: durations in milliseconds, booleans as our name means them.
    pub fn kept(&self, name: &str, value: &Value) -> Result<Value, String> {
        match (self.kind, value) {
            (Kind::Duration { min_ms, .. }, Value::Text(text)) => match parse_duration_ms(text) {
                None => Err(format!("{name} must be a duration, as '30 s' or '100 ms', found {value:?}")),
                Some(ms) if ms < min_ms => Err(format!("{name} must be at least {min_ms} ms, found {text}")),
                Some(ms) => Ok(Value::Int(ms)),
            },
            _ => {
                Ok(self.converted(self.checked(name, value)?, |number| number.saturating_mul(self.unit_ms(name)), name))
            }
        }
    }

    /// Storm's key and its value, of a value as a configuration keeps it. `None`: Storm has no such setting.
    pub fn for_storm(&self, value: &Value) -> Option<(&'static str, Value)> {
        let storm = self.storm?;
        let unit_ms = self.unit_ms(storm);
        Some((storm, self.converted(value.clone(), |ms| ms.div_euclid(unit_ms) + i64::from(ms % unit_ms != 0), storm)))
    }

    /// Between what `name` says and what a configuration keeps, in either direction.
    fn converted(&self, value: Value, duration: impl Fn(i64) -> i64, name: &str) -> Value {
        match (self.kind, value) {
            (Kind::Duration { .. }, Value::Int(number)) => Value::Int(duration(number)),
            (Kind::Negated, Value::Bool(value)) => Value::Bool(value != (self.storm == Some(name))),
            (_, value) => value,
        }
    }

    /// Milliseconds in the unit of a number given under `name`.
    fn unit_ms(&self, name: &str) -> i64 {
        match self.kind {
            Kind::Duration { storm_unit_ms, .. } if self.storm == Some(name) => storm_unit_ms,
            _ => 1,
        }
    }

    /// A value of the setting's type and within its range, in the unit of `name`.
    fn checked(&self, name: &str, value: &Value) -> Result<Value, String> {
        match (self.kind, value) {
            (Kind::Boolean | Kind::Negated, Value::Bool(_))
            | (Kind::Text, Value::Text(_))
            | (Kind::List, Value::List(_))
            | (Kind::Map, Value::Map(_)) => Ok(value.clone()),
            (Kind::Choice(words), Value::Text(text)) => {
                let chosen = words.iter().find(|word| text.eq_ignore_ascii_case(word));
                chosen.map(|word| Value::from(*word)).ok_or_else(|| {
                    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
                    format!("{name} must be one of {}, found {value:?}", words.join(", "))
                })
            }
            (Kind::Integer { min }, value) => self.integer(name, min, INTEGER_MAX, value),
            (Kind::Duration { min_ms, .. }, value) => {
                let unit_ms = self.unit_ms(name);
                let max = if self.storm == Some(name) { INTEGER_MAX } else { i64::MAX };
                self.integer(name, min_ms.div_euclid(unit_ms) + i64::from(min_ms % unit_ms != 0), max, value)
            }
            (Kind::Number, Value::Int(_) | Value::Float(_)) => match value.as_float() {
                Some(number) if number >= 0.0 => Ok(value.clone()),
                _ => Err(format!("{name} must be at least 0, found {value}")),
            },
            _ => Err(self.wrong_type(name, value)),
        }
    }

    fn integer(&self, name: &str, min: i64, max: i64, value: &Value) -> Result<Value, String> {
        let number = match value {
            Value::Int(number) => *number,
            Value::Float(number) if number.fract() == 0.0 => *number as i64,
            _ => return Err(self.wrong_type(name, value)),
        };
        match number {
            _ if number < min => Err(format!("{name} must be at least {min}, found {number}")),
            _ if number > max => Err(format!("{name} must be at most {max}, found {number}")),
            _ => Ok(Value::Int(number)),
        }
    }

    fn wrong_type(&self, name: &str, value: &Value) -> String {
        let expected = match self.kind {
            Kind::Boolean | Kind::Negated => "Boolean",
            Kind::Integer { .. } | Kind::Duration { .. } => "Integer",
            Kind::Number => "Number",
            Kind::Text | Kind::Choice(_) => "String",
            Kind::List => "List",
            Kind::Map => "Map",
        };
        match value {
            Value::List(_) | Value::Map(_) => format!("{name} must be of type {expected}, found a {}", value.kind()),
            _ => format!("{name} must be of type {expected}, found {} {value:?}", value.kind()),
        }
    }
}

/// `30 s`, `100ms`, `5 minutes` in milliseconds.
fn parse_duration_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    let unit_ms = match text[digits..].trim() {
        "ms" | "millisecond" | "milliseconds" => 1.0,
        "s" | "sec" | "second" | "seconds" => 1_000.0,
        "m" | "min" | "minute" | "minutes" => 60_000.0,
        "h" | "hour" | "hours" => 3_600_000.0,
        "d" | "day" | "days" => 86_400_000.0,
        _ => return None,
    };
    Some((number * unit_ms) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_there_twice() {
        let mut names: Vec<&str> =
            SETTINGS.iter().flat_map(|setting| setting.name.into_iter().chain(setting.storm)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert!(SETTINGS.iter().all(|setting| setting.name.or(setting.storm).is_some()));
    }

    /// What holds where nothing is set could be set.
    #[test]
    fn defaults_are_values() {
        for setting in SETTINGS {
            let value = match setting.standard {
                Unset => continue,
                Boolean(value) => Value::Bool(value),
                Integer(value) => Value::Int(value),
            };
            assert_eq!(setting.kept(setting.key(), &value), Ok(value), "{setting:?}");
        }
    }

    #[test]
    fn what_storm_is_told_it_would_tell_us() {
        for setting in SETTINGS.iter().filter(|setting| setting.name.is_some()) {
            for value in [Value::Bool(true), Value::Int(3000)] {
                let (Ok(kept), Some(storm)) = (setting.kept(setting.key(), &value), setting.storm) else { continue };
                let (key, told) = setting.for_storm(&kept).unwrap();
                assert_eq!((key, setting.kept(storm, &told)), (storm, Ok(kept)), "{setting:?}");
            }
        }
        let (_, told) = find("message_timeout").unwrap().for_storm(&Value::Int(1)).unwrap();
        assert_eq!(told, Value::Int(1), "a part of a second is rounded up: 0 would be refused");
    }

    #[test]
    fn the_documentation_has_all_settings_by_name() {
        let documentation = include_str!("../../../docs/topologies.md");
        for name in SETTINGS.iter().filter_map(|setting| setting.name) {
            assert!(documentation.contains(&format!("`{name}`")), "docs/topologies.md doesn't have {name}");
        }
        for key in [
            WINDOW_LENGTH_COUNT,
            WINDOW_LENGTH_MS,
            SLIDE_COUNT,
            SLIDE_MS,
            TIMESTAMP_FIELD,
            TIMESTAMP_LAG_MS,
            LATE_STREAM,
            WATERMARK_INTERVAL_MS,
        ] {
            assert!(documentation.contains(&format!("`{key}`")), "docs/topologies.md doesn't have {key}");
        }
    }
}
