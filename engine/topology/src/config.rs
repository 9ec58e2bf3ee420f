//! Configuration of topologies and components: settings by name, ours or Storm's, as the table in [`crate::setting`] has them.
//!
//! Precedence, lowest first: defaults, the topology's, what a component says of itself, what the builder says of the component.

use std::collections::BTreeMap;
use std::time::Duration;

use smol_str::SmolStr;

use crate::setting::{Standard, find};
use crate::{Error, Result, Value};

/// Settings by name, validated as they are set. Names that are no setting of the engine's are kept for components to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config(BTreeMap<SmolStr, Value>);

impl Config {
    /// Sets a setting, by its own name or Storm's. Null unsets it. [`Error::InvalidTopology`] when the value has the wrong type or is out of range.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<()> {
        let (value, setting) = (value.into(), find(name));
        let key = setting.map_or(name, |setting| setting.key());
        let value = match setting {
            Some(_) if value.is_null() => {
                self.0.remove(key);
                return Ok(());
            }
            Some(setting) => {
                setting.kept(name, &value).map_err(|reason| Error::invalid(format!("setting {reason}")))?
            }
            None => value,
        };
        self.0.insert(key.into(), value);
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
        self.0.get(find(name).map_or(name, |setting| setting.key()))
    }

    /// Everything that is set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Storm's names and units, as components of other languages expect them.
    pub fn for_storm(&self) -> BTreeMap<String, Value> {
        let entry = |(name, value): (&str, &Value)| match find(name).and_then(|setting| setting.for_storm(value)) {
            Some((key, value)) => (key.to_owned(), value),
            None => (name.to_owned(), value.clone()),
        };
        self.iter().map(entry).collect()
    }

    /// Both, where `over` goes before this: a topology's with that of a component over it is what the component is told.
    pub fn overlaid(&self, over: &Config) -> Config {
        let mut merged = self.clone();
        merged.0.extend(over.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        merged
    }

    /// What a setting is set to, or its default. `name` is the one that a configuration has it under.
    fn value(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.0.get(name) {
            return Some(value.clone());
        }
        let setting = find(name);
        debug_assert!(setting.is_some(), "{name} is in the table");
        match setting?.standard {
            Standard::None => None,
            Standard::Boolean(value) => Some(Value::Bool(value)),
            Standard::Integer(value) => Some(Value::Int(value)),
        }
    }

    /// An integer setting's value or default.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.value(name)?.as_int()
    }

    /// A number of things; as many as there can be if nothing is said.
    pub(crate) fn size(&self, name: &str) -> usize {
        self.integer(name).map_or(usize::MAX, |value| usize::try_from(value).unwrap_or(0))
    }

    /// A boolean's value or default.
    pub(crate) fn boolean(&self, name: &str) -> bool {
        self.value(name).and_then(|value| value.as_bool()).unwrap_or(false)
    }

    /// A duration's value or default.
    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        self.integer(name).map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
    }
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
    /// A tuple that a bolt has failed so often is skipped; `None`: it is left to its spout to emit it again, for ever.
    pub error_attempts: Option<u32>,
}

impl Settings {
    pub fn of(config: &Config) -> Settings {
        let interval = |name| config.duration(name).unwrap_or(Duration::from_millis(1));
        let skips = config.get("on_error").and_then(Value::as_str) == Some("skip");
        Settings {
            acking: config.integer("ackers") != Some(0),
            message_timeout: config.duration("message_timeout").filter(|_| config.boolean("message_timeouts")),
            max_spout_pending: config.size("max_spout_pending"),
            batch_tuples: config.size("batch_tuples"),
            batch_adaptive: config.boolean("batch_adaptive"),
            flush_interval: interval("flush_interval"),
            queue_tuples: config.size("queue_tuples"),
            tick_interval: config.duration("tick_interval"),
            load_aware: config.boolean("load_aware"),
            busy_wait: config.boolean("busy_wait"),
            checkpoint_interval: interval("checkpoint_interval"),
            error_attempts: skips.then(|| u32::try_from(config.size("error_attempts")).unwrap_or(u32::MAX)),
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
        assert!(Config::default().set("topology.environment", "a=b").is_err(), "of a kind that Storm checks");
        let error = Config::default().set("on_error", "ignore").unwrap_err().to_string();
        assert!(error.contains(r#"must be one of "replay", "skip""#), "{error}");
        assert!(Config::default().set("error_attempts", 0).is_err());
    }

    #[test]
    fn tuples_are_skipped_only_where_that_is_said() {
        let attempts = |config: Config| Settings::of(&config).error_attempts;
        let with = |name: &str, value: Value| Config::default().with(name, value).unwrap();
        assert_eq!(attempts(with("error_attempts", 5.into())), None);
        assert_eq!(attempts(with("on_error", "SKIP".into())), Some(3));
        assert_eq!(attempts(with("on_error", "skip".into()).with("error_attempts", 1).unwrap()), Some(1));
        assert_eq!(attempts(with("on_error", "replay".into())), None);
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let settings = Settings::of(&Config::default());
        assert_eq!(settings.message_timeout, Some(Duration::from_secs(30)));
        assert_eq!((settings.max_spout_pending, settings.batch_tuples), (usize::MAX, 1000));
        assert!(settings.acking && settings.load_aware && !settings.busy_wait && settings.tick_interval.is_none());
        assert_eq!(settings.checkpoint_interval, Duration::from_secs(1));
        let mut config = Config::default().with("batch_tuples", 5).unwrap();
        config.set("topology.producer.batch.size", Value::Null).unwrap();
        assert_eq!((Settings::of(&config).batch_tuples, config), (1000, Config::default()));
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
