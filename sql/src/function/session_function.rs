//! Functions that answer from the session.

use datafusion::logical_expr::Volatility;

use super::cell::Cell;
use super::cell::Kind::{Any, Bool, Int4, Text, Texts};
use super::pg_function::{Spec, stable};
use crate::error::SqlError;

/// What `version()` says. Drivers and ORMs look for `PostgreSQL` and a number they know.
pub const VERSION: &str = concat!("PostgreSQL 16.6 (Monsoon ", env!("CARGO_PKG_VERSION"), ")");

/// The functions.
pub(super) const FUNCTIONS: &[Spec] = &[
    stable("version", &[], 0, Text, |_, _| Ok(Cell::from(VERSION))),
    stable("current_schema", &[], 0, Text, |_, _| Ok(Cell::from("public"))),
    stable("current_schemas", &[Bool], 1, Texts, |_, args| {
        let names: &[&str] = if args[0].bool() == Some(true) { &["pg_catalog", "public"] } else { &["public"] };
        Ok(Cell::Texts(names.iter().map(|name| (*name).to_owned()).collect()))
    }),
    stable("current_database", &[], 0, Text, |call, _| Ok(Cell::Text(call.facts.database()))),
    stable("current_catalog", &[], 0, Text, |call, _| Ok(Cell::Text(call.facts.database()))),
    stable("current_user", &[], 0, Text, |call, _| Ok(Cell::Text(call.facts.user()))),
    stable("session_user", &[], 0, Text, |call, _| Ok(Cell::Text(call.facts.user()))),
    stable("current_role", &[], 0, Text, |call, _| Ok(Cell::Text(call.facts.user()))),
    stable("user", &[], 0, Text, |call, _| Ok(Cell::Text(call.facts.user()))),
    stable("pg_backend_pid", &[], 0, Int4, |call, _| Ok(Cell::Int(i64::from(call.facts.backend_pid())))),
    stable("current_setting", &[Text, Bool], 1, Text, |call, args| {
        let name = args[0].text().unwrap_or_default().to_lowercase();
        match call.facts.setting(&name) {
            Some(value) => Ok(Cell::Text(value)),
            None if args[1].bool() == Some(true) => Ok(Cell::Null),
            None => Err(SqlError::new("42704", format!("unrecognized configuration parameter \"{name}\""))),
        }
    }),
    Spec {
        name: "set_config",
        parameters: &[Text, Text, Bool],
        required: 3,
        returns: Text,
        volatility: Volatility::Volatile,
        strict: false,
        body: |call, args| {
            let (Some(name), value) = (args[0].text(), args[1].text().unwrap_or_default()) else {
                return Err(SqlError::new("22004", "SET requires parameter name"));
            };
            call.facts.set_setting(&name.to_lowercase(), value, args[2].bool() == Some(true)).map(Cell::Text)
        },
    },
    stable("pg_is_in_recovery", &[], 0, Bool, |_, _| Ok(Cell::Bool(false))),
    stable("pg_jit_available", &[], 0, Bool, |_, _| Ok(Cell::Bool(false))),
    stable("pg_is_other_temp_schema", &[Any], 1, Bool, |_, _| Ok(Cell::Bool(false))),
    stable("pg_my_temp_schema", &[], 0, Int4, |_, _| Ok(Cell::Int(0))),
    stable("pg_client_encoding", &[], 0, Text, |_, _| Ok(Cell::from("UTF8"))),
    stable("getdatabaseencoding", &[], 0, Text, |_, _| Ok(Cell::from("UTF8"))),
    stable("pg_encoding_to_char", &[Any], 1, Text, |_, args| {
        Ok(Cell::from(if args[0].int() == Some(6) { "UTF8" } else { "" }))
    }),
    stable("pg_char_to_encoding", &[Text], 1, Int4, |_, args| {
        let is_utf8 =
            args[0].text().is_some_and(|name| matches!(name.to_uppercase().as_str(), "UTF8" | "UTF-8" | "UNICODE"));
        Ok(Cell::Int(if is_utf8 { 6 } else { -1 }))
    }),
    stable("pg_advisory_unlock_all", &[], 0, Text, |_, _| Ok(Cell::from(""))),
    stable("inet_server_addr", &[], 0, Text, |_, _| Ok(Cell::Null)),
    stable("inet_client_addr", &[], 0, Text, |_, _| Ok(Cell::Null)),
    stable("inet_server_port", &[], 0, Int4, |_, _| Ok(Cell::Null)),
    stable("inet_client_port", &[], 0, Int4, |_, _| Ok(Cell::Null)),
];
