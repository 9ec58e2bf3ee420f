//! Storm's configuration keys and their types.
//!
//! A known key is checked, an unknown one is kept as it is; null is allowed everywhere and means that nothing is set. An integer
//! may be written as a float without a fraction, as in Storm, and is stored as an integer.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::definition::Setting;
use super::error::FluxError;
use crate::Value;

/// Configuration keys and their values.
pub type ConfigMap = BTreeMap<SmolStr, Value>;

#[derive(Clone, Copy)]
enum Type {
    Boolean,
    Integer {
        min: i64,
    },
    /// A number of at least zero.
    Number,
    String,
    List,
    Map,
}

/// The greatest integer that Storm takes.
const INTEGER_MAX: i64 = i32::MAX as i64;
const ANY_COUNT: Type = Type::Integer { min: 0 };
const COUNT: Type = Type::Integer { min: 1 };

const KEYS: [(&str, Type); 62] = [
    ("topology.acker.executors", ANY_COUNT),
    ("topology.auto.task.hooks", Type::List),
    ("topology.backpressure.check.millis", COUNT),
    ("topology.batch.flush.interval.millis", ANY_COUNT),
    ("topology.bolts.late.tuple.stream", Type::String),
    ("topology.bolts.message.id.field.name", Type::String),
    ("topology.bolts.sliding.interval.count", COUNT),
    ("topology.bolts.sliding.interval.duration.ms", COUNT),
    ("topology.bolts.tuple.timestamp.field", Type::String),
    ("topology.bolts.tuple.timestamp.max.lag.ms", ANY_COUNT),
    ("topology.bolts.watermark.event.interval.ms", COUNT),
    ("topology.bolts.window.length.count", COUNT),
    ("topology.bolts.window.length.duration.ms", COUNT),
    ("topology.builtin.metrics.bucket.size.secs", COUNT),
    ("topology.component.cpu.pcore.percent", Type::Number),
    ("topology.component.resources.offheap.memory.mb", Type::Number),
    ("topology.component.resources.onheap.memory.mb", Type::Number),
    ("topology.debug", Type::Boolean),
    ("topology.disable.loadaware.messaging", Type::Boolean),
    ("topology.enable.message.timeouts", Type::Boolean),
    ("topology.environment", Type::Map),
    ("topology.error.throttle.interval.secs", COUNT),
    ("topology.eventlogger.executors", ANY_COUNT),
    ("topology.executor.overflow.limit", ANY_COUNT),
    ("topology.executor.receive.buffer.size", COUNT),
    ("topology.fall.back.on.java.serialization", Type::Boolean),
    ("topology.kryo.register", Type::List),
    ("topology.localityaware.higher.bound", Type::Number),
    ("topology.localityaware.lower.bound", Type::Number),
    ("topology.max.error.report.per.interval", ANY_COUNT),
    ("topology.max.spout.pending", COUNT),
    ("topology.max.task.parallelism", COUNT),
    ("topology.message.timeout.secs", COUNT),
    ("topology.metrics.consumer.register", Type::List),
    ("topology.multilang.serializer", Type::String),
    ("topology.name", Type::String),
    ("topology.priority", ANY_COUNT),
    ("topology.producer.batch.dynamic", Type::Boolean),
    ("topology.producer.batch.size", COUNT),
    ("topology.ras.acker.executors.per.worker", ANY_COUNT),
    ("topology.shellbolt.max.pending", COUNT),
    ("topology.sleep.spout.wait.strategy.time.ms", ANY_COUNT),
    ("topology.spout.max.batch.size", COUNT),
    ("topology.spout.recvq.skips", ANY_COUNT),
    ("topology.state.checkpoint.interval.ms", COUNT),
    ("topology.state.provider", Type::String),
    ("topology.state.provider.config", Type::String),
    ("topology.state.synchronization.timeout.secs", COUNT),
    ("topology.stats.ewma.enable", Type::Boolean),
    ("topology.stats.sample.rate", Type::Number),
    ("topology.subprocess.timeout.secs", COUNT),
    ("topology.tasks", ANY_COUNT),
    ("topology.testing.always.try.serialize", Type::Boolean),
    ("topology.tick.tuple.freq.secs", COUNT),
    ("topology.transfer.batch.size", COUNT),
    ("topology.transfer.buffer.size", COUNT),
    ("topology.trident.batch.emit.interval.millis", COUNT),
    ("topology.tuple.compression.enable", Type::Boolean),
    ("topology.tuple.compression.threshold", ANY_COUNT),
    ("topology.upstream.feedback.enable", Type::Boolean),
    ("topology.worker.shared.thread.pool.size", COUNT),
    ("topology.workers", COUNT),
];

/// The value of a key as it is to be stored, or why it can't be its value.
pub fn check_setting(key: &str, value: &Value) -> Result<Value, String> {
    let known = KEYS.binary_search_by_key(&key, |(known, _)| known);
    let Ok(known) = known.map(|index| KEYS[index].1) else { return Ok(value.clone()) };
    match (known, value) {
        (_, Value::Null) if key == "topology.message.timeout.secs" => Err(format!("{key} must not be null")),
        (_, Value::Null)
        | (Type::Boolean, Value::Bool(_))
        | (Type::String, Value::Text(_))
        | (Type::List, Value::List(_))
        | (Type::Map, Value::Map(_)) => Ok(value.clone()),
        (Type::Integer { min }, value) => integer(key, min, value),
        (Type::Number, Value::Int(_) | Value::Float(_)) => match value.as_float() {
            Some(number) if number >= 0.0 => Ok(value.clone()),
            _ => Err(format!("{key} must be at least 0, found {value}")),
        },
        _ => Err(wrong_type(key, known, value)),
    }
}

/// Settings as a map, each checked.
pub(super) fn checked(settings: &[Setting]) -> Result<ConfigMap, FluxError> {
    let entry = |setting: &Setting| {
        let value = check_setting(&setting.key, &setting.value).map_err(|reason| setting.place.error(reason))?;
        Ok((setting.key.clone(), value))
    };
    settings.iter().map(entry).collect()
}

fn integer(key: &str, min: i64, value: &Value) -> Result<Value, String> {
    let number = match value {
        Value::Int(number) => *number,
        Value::Float(number) if number.fract() == 0.0 => *number as i64,
        _ => return Err(wrong_type(key, Type::Integer { min }, value)),
    };
    match number {
        _ if number < min => Err(format!("{key} must be at least {min}, found {number}")),
        _ if number > INTEGER_MAX => Err(format!("{key} must be at most {INTEGER_MAX}, found {number}")),
        _ => Ok(Value::Int(number)),
    }
}

fn wrong_type(key: &str, expected: Type, value: &Value) -> String {
    let name = match expected {
        Type::Boolean => "Boolean",
        Type::Integer { .. } => "Integer",
        Type::Number => "Number",
        Type::String => "String",
        Type::List => "List",
        Type::Map => "Map",
    };
    match value {
        Value::List(_) | Value::Map(_) => format!("{key} must be of type {name}, found a {}", value.kind()),
        _ => format!("{key} must be of type {name}, found {} {value:?}", value.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_for_the_search() {
        assert!(KEYS.is_sorted_by(|(a, _), (b, _)| a < b));
    }

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
