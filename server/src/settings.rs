//! Settings: one table, from which come the flags, the environment, the file, their defaults, the list for SHOW ALL and the
//! page `docs/settings.md`.
//!
//! A value comes from the first of: flag (`--memory-limit 1GB`), environment (`MONSOON_MEMORY_LIMIT`), file
//! (`memory-limit = "1GB"` in the TOML file given with `--config`), default.

mod docs;
mod source;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use docs::markdown;
pub use source::{Sources, flags};
pub use value::{Bytes, Door, Millis, Tasks, Value};

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name in the file; the flag is `--` and this.
    pub name: &'static str,
    /// What a value looks like.
    pub kind: &'static str,
    /// As one would write it.
    pub default: &'static str,
    /// One or more sentences.
    pub doc: &'static str,
}

impl Setting {
    /// The environment variable.
    pub fn environment(&self) -> String {
        format!("MONSOON_{}", self.name.replace('-', "_").to_uppercase())
    }
}

/// A setting that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub String);

/// Writes the table once: its rows, and the struct that holds the values.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $field:ident $name:literal: $type:ty = $default:literal;)+) => {
        /// The settings of a server, in order of the table.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        /// The table.
        pub const TABLE: &[Setting] = &[
            $(Setting {
                name: $name,
                kind: <$type as Value>::KIND,
                default: $default,
                doc: concat!($($doc),+),
            },)+
        ];

        impl Settings {
            /// Reads every setting from its sources.
            pub fn read(sources: &Sources) -> Result<Settings, SettingError> {
                sources.check_names(TABLE)?;
                Ok(Settings { $($field: sources.value($name, $default)?,)+ })
            }

            /// Name, value and doc of every setting, as SHOW ALL lists them.
            pub fn list(&self) -> Vec<(&'static str, String, &'static str)> {
                let values = [$(self.$field.show(),)+];
                TABLE.iter().zip(values).map(|(setting, value)| (setting.name, value, setting.doc)).collect()
            }
        }
    };
}

settings! {
    /// Directory that holds everything durable; created where it doesn't exist.
    data "data": PathBuf = "./monsoon-data";
    /// Address the Postgres protocol is served on. Connections are not authenticated in this version, so an address that
    /// other machines can reach needs `allow-insecure-remote`.
    postgres "postgres": SocketAddr = "127.0.0.1:5440";
    /// Address that HTTP is served on: health, DRPC, topologies; `off` turns it off. As with `postgres`, an address that other machines
    /// can reach needs `allow-insecure-remote`.
    http "http": Door = "127.0.0.1:8440";
    /// Serve the Postgres protocol or HTTP on an address that other machines can reach, without password and without encryption:
    /// whoever reaches the port can do everything.
    allow_insecure_remote "allow-insecure-remote": bool = "false";
    /// Memory for the state of streams, tables and views. When it is used up, writes are refused until something is dropped.
    memory_limit "memory-limit": Bytes = "4GB";
    /// Threads that run continuous queries; `cores` is one per core.
    tasks "tasks": Tasks = "cores";
    /// Rows of one source partition that one batch takes at most. Larger batches cost less per row and take longer.
    batch_rows "batch-rows": usize = "65536";
    /// Allow topologies to run programs on this machine, as this server's user: components USING SHELL. Whoever can create a topology can
    /// then run anything.
    shell_components "shell-components": bool = "false";
    /// Clients that may be connected at a time; one more is refused with SQLSTATE 53300.
    max_connections "max-connections": usize = "2000";
    /// Length of one message of a client at most; a longer one ends its connection.
    max_message_bytes "max-message-bytes": Bytes = "16MB";
    /// How long a statement may run before it is cancelled with SQLSTATE 57014, unless the session sets its own; 0 is for ever.
    statement_timeout "statement-timeout": Millis = "0";
    /// From the connection to the first prompt: a client that takes longer is dropped.
    login_timeout "login-timeout": Millis = "10s";
    /// How long a client may be idle outside a transaction before its connection is closed; 0 is for ever.
    idle_timeout "idle-timeout": Millis = "0";
    /// How long a client may be idle within a transaction before its connection is closed; 0 is for ever.
    idle_in_transaction_timeout "idle-in-transaction-timeout": Millis = "0";
    /// How long a client may leave what is sent to it unread before its connection is closed.
    write_timeout "write-timeout": Millis = "60s";
    /// What is logged on stderr: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `monsoon=debug,warn`.
    log_level "log-level": String = "info";
}

impl Settings {
    /// Refuses values that are wrong together.
    pub fn check(&self) -> Result<(), SettingError> {
        for (name, address) in [("postgres", Some(self.postgres)), ("http", self.http.0)] {
            let Some(remote) = address.filter(|address| !address.ip().is_loopback()) else { continue };
            if !self.allow_insecure_remote {
                return Err(SettingError(format!(
                    "{name} = {remote} can be reached from other machines, and this version has neither passwords nor encryption: \
                     use a loopback address, or allow-insecure-remote if the network is trusted"
                )));
            }
        }
        let small = [
            ("memory-limit", self.memory_limit.0, 64 << 20),
            ("max-message-bytes", self.max_message_bytes.0, 16 << 10),
            ("max-connections", self.max_connections as u64, 1),
            ("batch-rows", self.batch_rows as u64, 1),
            ("tasks", self.tasks.0 as u64, 1),
        ];
        for (name, value, least) in small {
            if value < least {
                return Err(SettingError(format!("{name} is {value}, it must be at least {least}")));
            }
        }
        if self.max_message_bytes.0 > 1 << 30 {
            return Err(SettingError("max-message-bytes is over 1GB, which no client can send".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
