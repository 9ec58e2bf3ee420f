//! Configuration of topologies and components: one table of settings, with Storm's names as aliases.
//!
//! Precedence, lowest first: defaults, the topology's, what a component says of itself, what the builder says of the component.

use std::collections::BTreeMap;
use std::time::Duration;

use smol_str::SmolStr;

use crate::{Error, Result, Value};

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An integer, at least this.
    Integer {
        min: i64,
    },
    Boolean,
    /// A duration, at least this many milliseconds: `'30 s'`, or a number in the unit of Storm's key.
    Duration {
        min_ms: u64,
    },
}

struct Setting {
    name: &'static str,
    kind: Kind,
    /// Storm's name, and the milliseconds in its unit if it is a duration.
    storm: Option<(&'static str, u64)>,
    /// Storm's setting says the opposite.
    negated: bool,
}

const fn setting(name: &'static str, kind: Kind, storm: Option<(&'static str, u64)>) -> Setting {
    Setting { name, kind, storm, negated: false }
}

const SETTINGS: &[Setting] = &[
    setting("ackers", Kind::Integer { min: 0 }, Some(("topology.acker.executors", 1))),
    setting("message_timeout", Kind::Duration { min_ms: 1 }, Some(("topology.message.timeout.secs", 1000))),
    setting("message_timeouts", Kind::Boolean, Some(("topology.enable.message.timeouts", 1))),
    setting("max_spout_pending", Kind::Integer { min: 1 }, Some(("topology.max.spout.pending", 1))),
    setting("batch_tuples", Kind::Integer { min: 1 }, Some(("topology.producer.batch.size", 1))),
    setting("batch_adaptive", Kind::Boolean, Some(("topology.producer.batch.dynamic", 1))),
    setting("flush_interval", Kind::Duration { min_ms: 1 }, Some(("topology.batch.flush.interval.millis", 1))),
    setting("queue_tuples", Kind::Integer { min: 1 }, Some(("topology.executor.receive.buffer.size", 1))),
    setting("tick_interval", Kind::Duration { min_ms: 1 }, Some(("topology.tick.tuple.freq.secs", 1000))),
    Setting {
        name: "load_aware",
        kind: Kind::Boolean,
        storm: Some(("topology.disable.loadaware.messaging", 1)),
        negated: true,
    },
    setting("max_task_parallelism", Kind::Integer { min: 1 }, Some(("topology.max.task.parallelism", 1))),
    setting("debug", Kind::Boolean, Some(("topology.debug", 1))),
    setting("checkpoint_interval", Kind::Duration { min_ms: 100 }, Some(("topology.state.checkpoint.interval.ms", 1))),
    setting("subprocess_timeout", Kind::Duration { min_ms: 1 }, Some(("topology.subprocess.timeout.secs", 1000))),
    setting("shell_max_pending", Kind::Integer { min: 1 }, Some(("topology.shellbolt.max.pending", 1))),
    setting("shell_arrow", Kind::Boolean, None),
    setting("busy_wait", Kind::Boolean, None),
    setting("workers", Kind::Integer { min: 1 }, Some(("topology.workers", 1))),
];

/// Settings by name, validated as they are set. Names that are no setting of the engine's are kept for components to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config(BTreeMap<SmolStr, Value>);

impl Config {
    /// Sets a setting, by its own name or Storm's. Null unsets it. [`Error::InvalidTopology`] when the value has the wrong type or is too small.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<()> {
        let value = value.into();
        let Some((setting, unit_ms, negated)) = find(name) else {
            self.0.insert(name.into(), value);
            return Ok(());
        };
        match value {
            Value::Null => drop(self.0.remove(setting.name)),
            value => drop(self.0.insert(setting.name.into(), check(name, setting.kind, unit_ms, negated, value)?)),
        }
        Ok(())
    }

    /// Whether the engine knows a setting by this name, its own or Storm's.
    pub fn is_setting(name: &str) -> bool {
        find(name).is_some()
    }

    /// Sets a setting and returns the configuration.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Result<Config> {
        self.set(name, value)?;
        Ok(self)
    }

    /// What a name is set to; durations are integers in milliseconds.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let name = find(name).map_or(name, |(setting, ..)| setting.name);
        self.0.get(name)
    }

    /// Everything that is set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Storm's names and units, as components of other languages expect them.
    pub fn for_storm(&self) -> BTreeMap<String, Value> {
        self.iter().map(|(name, value)| storm_entry(name, value)).collect()
    }

    /// `over` goes before this.
    pub(crate) fn overlaid(&self, over: &Config) -> Config {
        let mut merged = self.clone();
        merged.0.extend(over.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        merged
    }

    fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_int)
    }

    fn boolean(&self, name: &str, default: bool) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        self.integer(name).map(|ms| Duration::from_millis(ms.max(0) as u64))
    }
}

fn storm_entry(name: &str, value: &Value) -> (String, Value) {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    let Some((setting, (storm, unit_ms))) = setting.and_then(|setting| Some((setting, setting.storm?))) else {
        return (name.to_string(), value.clone());
    };
    let value = match value {
        Value::Int(ms) if matches!(setting.kind, Kind::Duration { .. }) => {
            let unit = unit_ms as i64;
            Value::Int((ms + unit - 1) / unit)
        }
        Value::Bool(value) if setting.negated => Value::Bool(!value),
        other => other.clone(),
    };
    (storm.to_string(), value)
}

/// The setting of a name, the milliseconds in its unit, and whether the value is to be negated.
fn find(name: &str) -> Option<(&'static Setting, u64, bool)> {
    SETTINGS.iter().find_map(|setting| match setting.storm {
        _ if setting.name == name => Some((setting, 1, false)),
        Some((storm, unit_ms)) if storm == name => Some((setting, unit_ms, setting.negated)),
        _ => None,
    })
}

fn check(name: &str, kind: Kind, unit_ms: u64, negated: bool, value: Value) -> Result<Value> {
    let wrong = |expected: &str| {
        Error::invalid(format!("setting {name} must be of type {expected}, but is {value:?} ({})", value.kind()))
    };
    match kind {
        Kind::Boolean => match value {
            Value::Bool(value) => Ok(Value::Bool(value != negated)),
            _ => Err(wrong("Boolean")),
        },
        Kind::Integer { min } => {
            let value = value.as_int().ok_or_else(|| wrong("Integer"))?;
            at_least(name, value, min)
        }
        Kind::Duration { min_ms } => {
            let ms = match &value {
                Value::Int(number) => number.saturating_mul(unit_ms as i64),
                Value::Text(text) => parse_duration_ms(text).ok_or_else(|| wrong("Duration, as '30 s' or '100 ms'"))?,
                _ => return Err(wrong("Duration, as '30 s' or '100 ms'")),
            };
            at_least(name, ms, min_ms as i64)
        }
    }
}

fn at_least(name: &str, value: i64, min: i64) -> Result<Value> {
    if value < min {
        return Err(Error::invalid(format!("setting {name} must be at least {min}, but is {value}")));
    }
    Ok(Value::Int(value))
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

/// The settings of one component, with defaults.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub acking: bool,
    /// `None`: tuples never time out.
    pub message_timeout: Option<Duration>,
    pub max_spout_pending: usize,
    pub batch_tuples: usize,
    pub batch_adaptive: bool,
    pub flush_interval: Duration,
    pub queue_tuples: usize,
    pub tick_interval: Option<Duration>,
    pub load_aware: bool,
    pub busy_wait: bool,
    pub checkpoint_interval: Duration,
}

impl Settings {
    pub fn of(config: &Config) -> Settings {
        let size = |name, default| config.integer(name).map_or(default, |value| value as usize);
        let timeout = config.duration("message_timeout").unwrap_or(Duration::from_secs(30));
        Settings {
            acking: config.integer("ackers") != Some(0),
            message_timeout: config.boolean("message_timeouts", true).then_some(timeout),
            max_spout_pending: size("max_spout_pending", usize::MAX),
            batch_tuples: size("batch_tuples", 1000),
            batch_adaptive: config.boolean("batch_adaptive", false),
            flush_interval: config.duration("flush_interval").unwrap_or(Duration::from_millis(1)),
            queue_tuples: size("queue_tuples", 32_768),
            tick_interval: config.duration("tick_interval"),
            load_aware: config.boolean("load_aware", true),
            busy_wait: config.boolean("busy_wait", false),
            checkpoint_interval: config.duration("checkpoint_interval").unwrap_or(Duration::from_secs(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storms_names_and_units_are_understood() {
        let mut config = Config::default();
        config.set("topology.message.timeout.secs", 5).unwrap();
        config.set("topology.disable.loadaware.messaging", true).unwrap();
        config.set("tick_interval", "250 ms").unwrap();
        config.set("app.key", "kept").unwrap();
        let settings = Settings::of(&config);
        assert_eq!(settings.message_timeout, Some(Duration::from_secs(5)));
        assert_eq!(settings.tick_interval, Some(Duration::from_millis(250)));
        assert!(!settings.load_aware);
        assert_eq!(config.get("app.key"), Some(&Value::from("kept")));
        assert_eq!(config.for_storm()["topology.message.timeout.secs"], Value::Int(5));
        assert_eq!(config.for_storm()["topology.disable.loadaware.messaging"], Value::Bool(true));
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        let error = Config::default().set("topology.debug", "yes").unwrap_err().to_string();
        assert!(error.contains("must be of type Boolean"), "{error}");
        assert!(Config::default().set("max_spout_pending", 0).is_err());
        assert!(Config::default().set("checkpoint_interval", "99 ms").is_err());
        assert!(Config::default().set("message_timeout", "soon").is_err());
    }

    #[test]
    fn a11_what_is_said_of_a_component_goes_before_what_is_said_of_the_topology() {
        let topology = Config::default().with("max_spout_pending", 10).unwrap().with("debug", true).unwrap();
        let component = Config::default().with("max_spout_pending", 3).unwrap();
        let merged = topology.overlaid(&component);
        assert_eq!(merged.get("topology.max.spout.pending"), Some(&Value::Int(3)));
        assert_eq!(merged.get("debug"), Some(&Value::Bool(true)));
    }
}
