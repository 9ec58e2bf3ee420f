//! Configuration in a Flux file: keys of Storm's, checked against the table of settings ([`crate::setting`]).
//!
//! A known key is checked, an unknown one is kept as it is; null means that nothing is set. Values stay in Storm's types and units.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::definition::Setting;
use super::error::FluxError;
use crate::Value;
use crate::setting::{self, Scope};

/// Configuration keys and their values.
pub type ConfigMap = BTreeMap<SmolStr, Value>;

/// The value of a key as it is to be stored, or why it can't be its value.
pub fn check_setting(key: &str, value: &Value) -> Result<Value, String> {
    match setting::find_storm(key) {
        Some(setting) => setting.check_storm(key, value),
        None => Ok(value.clone()),
    }
}

/// Whether a key is of a whole topology, so that nothing comes of it where it is said of a component.
pub(super) fn is_of_topology(key: &str) -> bool {
    setting::find_storm(key).is_some_and(|setting| setting.scope == Scope::Topology)
}

/// Settings as a map, each checked.
pub(super) fn checked(settings: &[Setting]) -> Result<ConfigMap, FluxError> {
    let entry = |setting: &Setting| {
        let value = check_setting(&setting.key, &setting.value).map_err(|reason| setting.place.error(reason))?;
        Ok((setting.key.clone(), value))
    };
    settings.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, value: impl Into<Value>, expected: Result<Value, &str>) {
        assert_eq!(check_setting(key, &value.into()), expected.map_err(str::to_owned));
    }

    #[test]
    fn known_keys_are_checked_and_unknown_ones_kept() {
        check("topology.workers", 4, Ok(Value::Int(4)));
        check("topology.workers", 4.0, Ok(Value::Int(4)));
        check("topology.workers", 0, Err("topology.workers must be at least 1, found 0"));
        check("topology.workers", 4.5, Err("topology.workers must be of type Integer, found float 4.5"));
        check("topology.workers", "4", Err("topology.workers must be of type Integer, found text \"4\""));
        check("topology.workers", 1_i64 << 40, Err("topology.workers must be at most 2147483647, found 1099511627776"));
        check("topology.message.timeout.secs", 5, Ok(Value::Int(5)));
        check(
            "topology.message.timeout.secs",
            "5 s",
            Err("topology.message.timeout.secs must be of type Integer, found text \"5 s\""),
        );
        check("topology.disable.loadaware.messaging", true, Ok(Value::Bool(true)));
        check(
            "topology.state.checkpoint.interval.ms",
            99,
            Err("topology.state.checkpoint.interval.ms must be at least 100, found 99"),
        );
        check("topology.acker.executors", 0, Ok(Value::Int(0)));
        check("topology.max.spout.pending", Value::Null, Ok(Value::Null));
        check("topology.message.timeout.secs", Value::Null, Err("topology.message.timeout.secs must not be null"));
        check("topology.debug", 1, Err("topology.debug must be of type Boolean, found integer 1"));
        check("topology.stats.sample.rate", 0.5, Ok(Value::Float(0.5)));
        check("topology.stats.sample.rate", -1, Err("topology.stats.sample.rate must be at least 0, found -1"));
        check(
            "topology.environment",
            Value::from(Vec::<Value>::new()),
            Err("topology.environment must be of type Map, found a list"),
        );
        check("my.own.key", "anything", Ok("anything".into()));
    }
}
