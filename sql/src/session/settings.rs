//! The settings of a session: those that mean something here, and those that Postgres's clients set and expect to read back.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;

use crate::error::{Result, SqlError};
use crate::function::Setting;
use crate::interval_text::parse_duration_ms;
use crate::pg_text::read_value;
use crate::pg_type::named_field;

/// Whether the open transaction only reads.
pub(super) const THIS_READ_ONLY: &str = "transaction_read_only";
/// Whether transactions to come only read.
pub(super) const NEXT_READ_ONLY: &str = "default_transaction_read_only";

/// A setting that exists.
struct Known {
    /// As Postgres writes it.
    name: &'static str,
    default: &'static str,
    /// Whether clients are told of its value.
    reported: bool,
    /// Whether it can be SET to another value.
    fixed: bool,
    description: &'static str,
}

const fn known(name: &'static str, default: &'static str, description: &'static str) -> Known {
    Known { name, default, reported: false, fixed: false, description }
}

const fn reported(name: &'static str, default: &'static str, description: &'static str) -> Known {
    Known { name, default, reported: true, fixed: false, description }
}

const fn fixed(name: &'static str, default: &'static str, description: &'static str) -> Known {
    Known { name, default, reported: true, fixed: true, description }
}

const KNOWN: &[Known] = &[
    fixed(
        "server_version",
        concat!("16.6 (Monsoon ", env!("CARGO_PKG_VERSION"), ")"),
        "version of Postgres that is spoken",
    ),
    fixed("server_encoding", "UTF8", "encoding of the data"),
    fixed("client_encoding", "UTF8", "encoding of the client"),
    fixed("DateStyle", "ISO, MDY", "format of dates"),
    fixed("TimeZone", "UTC", "time zone of timestamps with time zone"),
    fixed("integer_datetimes", "on", "timestamps are integers"),
    fixed("standard_conforming_strings", "on", "backslashes in strings are ordinary characters"),
    fixed("IntervalStyle", "postgres", "format of intervals"),
    fixed("is_superuser", "on", "whether the user may do anything"),
    reported("session_authorization", "", "the user"),
    reported("application_name", "", "the client's name for itself"),
    reported(NEXT_READ_ONLY, "off", "whether transactions only read"),
    fixed("in_hot_standby", "off", "whether this is a replica"),
    known("statement_timeout", "0", "how long a statement may run, in ms; 0: for ever"),
    known("search_path", "\"$user\", public", "schemas of unqualified names; always public"),
    known("extra_float_digits", "1", "accepted; floats are always exact"),
    known("bytea_output", "hex", "format of bytea"),
    known("client_min_messages", "notice", "accepted"),
    known("lock_timeout", "0", "accepted"),
    known("idle_in_transaction_session_timeout", "0", "accepted"),
    known("idle_session_timeout", "0", "accepted"),
    known("row_security", "on", "accepted"),
    known("synchronous_commit", "on", "accepted; a commit is always durable"),
    known("default_transaction_isolation", "read committed", "accepted"),
    known("transaction_isolation", "read committed", "accepted"),
    known(THIS_READ_ONLY, "off", "whether the open transaction only reads"),
    known("default_tablespace", "", "accepted"),
    known("default_table_access_method", "heap", "accepted"),
    known("default_with_oids", "off", "accepted"),
    known("check_function_bodies", "on", "accepted"),
    known("xmloption", "content", "accepted"),
    known("quote_all_identifiers", "off", "accepted"),
    known("escape_string_warning", "on", "accepted"),
    known("backslash_quote", "safe_encoding", "accepted"),
    known("timezone_abbreviations", "Default", "accepted"),
    known("lc_messages", "C", "language of messages"),
    known("lc_monetary", "C", "format of money"),
    known("lc_numeric", "C", "format of numbers"),
    known("lc_time", "C", "format of times"),
    known("lc_collate", "C", "order of text"),
    known("lc_ctype", "C", "classes of characters"),
    known("max_identifier_length", "63", "longest name"),
    known("max_index_keys", "32", "columns of an index"),
    known("server_version_num", "160006", "version of Postgres that is spoken"),
    known("work_mem", "4MB", "accepted; --memory-limit bounds memory"),
    known("maintenance_work_mem", "64MB", "accepted"),
    known("enable_seqscan", "on", "accepted"),
    known("jit", "off", "accepted"),
    known("geqo", "on", "accepted"),
    known("password_encryption", "scram-sha-256", "accepted"),
    known("wal_level", "replica", "accepted"),
];

/// Names that Postgres spells in capitals are looked up without.
fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

/// The values in a session.
#[derive(Debug)]
pub(super) struct Settings {
    /// By lower-case name; only what differs from the default.
    values: BTreeMap<String, String>,
    /// Defaults of this session: what the startup packet said.
    defaults: BTreeMap<String, String>,
    changes: Vec<(String, String)>,
}

/// What a SET did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SetOutcome {
    /// It has the value.
    Set(String),
    /// It keeps its only value.
    Kept(String),
}

impl Settings {
    /// As the startup packet wants them; what it can't have is passed over, as clients send much.
    pub(super) fn new(user: &str, options: &[(String, String)]) -> Settings {
        let mut settings = Settings { values: BTreeMap::new(), defaults: BTreeMap::new(), changes: Vec::new() };
        let user = [("session_authorization".to_owned(), user.to_owned())];
        for (name, value) in user.iter().chain(options) {
            if let Err(error) = settings.set(name, value) {
                tracing::debug!(name, value, %error, "startup option not taken");
            }
        }
        settings.defaults = settings.values.clone();
        settings.changes.clear();
        settings
    }

    /// Sets a value. An unknown name without a dot in it is 42704, a wrong value 22023.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<SetOutcome> {
        let lower = name.to_lowercase();
        let Some(known) = find(name) else {
            if lower.contains('.') {
                self.values.insert(lower, value.to_owned());
                return Ok(SetOutcome::Set(value.to_owned()));
            }
            return Err(unknown(name));
        };
        if known.fixed {
            return fixed_value(known, value);
        }
        if lower == "statement_timeout" && timeout_ms(value).is_none() {
            let message = format!("invalid value for parameter \"statement_timeout\": \"{value}\"");
            return Err(SqlError::new("22023", message).with_hint("a number of milliseconds, or a duration as '5s'"));
        }
        let value = match known.name {
            THIS_READ_ONLY | NEXT_READ_ONLY => on_or_off(known.name, value)?,
            _ => value,
        };
        self.put(&lower, known, value.to_owned());
        Ok(SetOutcome::Set(value.to_owned()))
    }

    /// Whether a setting of on or off is on.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.get(name).as_deref() == Some("on")
    }

    /// Back to the session's default.
    pub(super) fn reset(&mut self, name: &str) -> Result<()> {
        let lower = name.to_lowercase();
        if lower == THIS_READ_ONLY {
            return Err(SqlError::unsupported(format!("parameter \"{name}\" cannot be reset")));
        }
        let default = self.defaults.get(&lower).cloned();
        match (find(name), default) {
            (None, _) if lower.contains('.') => drop(self.values.remove(&lower)),
            (None, _) => return Err(unknown(name)),
            (Some(known), default) => self.put(&lower, known, default.unwrap_or_else(|| known.default.to_owned())),
        }
        Ok(())
    }

    /// Everything back to the session's defaults. Returns what that was, by name, with the values before.
    pub(super) fn reset_all(&mut self) -> Vec<(String, Option<String>)> {
        let names: Vec<String> = self.values.keys().cloned().collect();
        let mut reset = Vec::with_capacity(names.len());
        for name in names {
            let before = self.get(&name);
            // What can't be reset belongs to the open transaction, and stays.
            if self.reset(&name).is_ok() {
                reset.push((name, before));
            }
        }
        reset
    }

    fn put(&mut self, lower: &str, known: &Known, value: String) {
        if known.reported && self.get(lower).as_deref() != Some(value.as_str()) {
            self.changes.push((known.name.to_owned(), value.clone()));
        }
        self.values.insert(lower.to_owned(), value);
    }

    /// A value by name, in any case.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let lower = name.to_lowercase();
        self.values.get(&lower).cloned().or_else(|| find(name).map(|known| known.default.to_owned()))
    }

    /// What clients are told of.
    pub(super) fn reported(&self) -> Vec<(String, String)> {
        let value = |known: &Known| (known.name.to_owned(), self.get(known.name).unwrap_or_default());
        KNOWN.iter().filter(|known| known.reported).map(value).collect()
    }

    /// What of it has changed since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.changes)
    }

    /// All of them, by lower-case name.
    pub(super) fn all(&self) -> Vec<Setting> {
        let mut all: Vec<Setting> = KNOWN
            .iter()
            .map(|known| Setting {
                name: known.name.to_lowercase(),
                value: self.get(known.name).unwrap_or_default(),
                default: self
                    .defaults
                    .get(&known.name.to_lowercase())
                    .cloned()
                    .unwrap_or_else(|| known.default.to_owned()),
                description: known.description.to_owned(),
            })
            .collect();
        let own = self.values.iter().filter(|(name, _)| name.contains('.'));
        all.extend(own.map(|(name, value)| Setting {
            name: name.clone(),
            value: value.clone(),
            default: String::new(),
            description: "set by a client".to_owned(),
        }));
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// statement_timeout, in milliseconds; 0 for none.
    pub(super) fn statement_timeout_ms(&self) -> u64 {
        self.get("statement_timeout").and_then(|value| timeout_ms(&value)).unwrap_or(0)
    }
}

fn timeout_ms(value: &str) -> Option<u64> {
    value.trim().parse().ok().or_else(|| parse_duration_ms(value))
}

fn on_or_off(name: &str, value: &str) -> Result<&'static str> {
    match read_value(value, &named_field("", "bool")) {
        Ok(ScalarValue::Boolean(Some(value))) => Ok(if value { "on" } else { "off" }),
        _ => Err(SqlError::new("22023", format!("parameter \"{name}\" requires a Boolean value"))),
    }
}

fn unknown(name: &str) -> SqlError {
    SqlError::new("42704", format!("unrecognized configuration parameter \"{name}\""))
}

/// The only value is accepted in the spellings clients use; another one is kept out, and the caller says so.
fn fixed_value(known: &Known, value: &str) -> Result<SetOutcome> {
    let same = |other: &str| value.eq_ignore_ascii_case(other);
    let is_same = same(known.default)
        || match known.name {
            "client_encoding" | "server_encoding" => same("utf-8") || same("unicode") || same("utf8"),
            "DateStyle" => value.to_lowercase().starts_with("iso"),
            "TimeZone" => same("gmt") || same("etc/utc") || same("z") || same("+00:00") || same("0") || same("zulu"),
            _ => same("true") && known.default == "on" || same("false") && known.default == "off",
        };
    if is_same {
        return Ok(SetOutcome::Set(known.default.to_owned()));
    }
    match known.name {
        "TimeZone" | "DateStyle" | "IntervalStyle" => Ok(SetOutcome::Kept(known.default.to_owned())),
        "client_encoding" => {
            Err(SqlError::unsupported(format!("client_encoding {value} is not supported; only UTF8 is")))
        }
        name => Err(SqlError::new("55P02", format!("parameter \"{name}\" cannot be changed"))),
    }
}
