//! One server from start to stop: listen, open the database, serve until told to stop, close the database.

use std::net::SocketAddr;
use std::sync::Arc;

use monsoon_sql::database::{Database, DatabaseConfig};
use monsoon_sql::function::Setting as ShownSetting;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::http;
use crate::postgres::{self, Engine, Limits};
use crate::settings::{Setting, Settings, TABLE};
use crate::start_error::StartError;

/// Where clients come in.
#[derive(Debug)]
pub struct Doors {
    /// The Postgres protocol.
    pub postgres: TcpListener,
    /// HTTP, unless it is off.
    pub http: Option<TcpListener>,
}

/// Takes the addresses. First of all, so that a second server on the same address fails before it touches data.
pub async fn listen(settings: &Settings) -> Result<Doors, StartError> {
    let postgres = bind(settings.postgres, "postgres").await?;
    let http = match settings.http.0 {
        Some(address) => Some(bind(address, "http").await?),
        None => None,
    };
    Ok(Doors { postgres, http })
}

async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| StartError::Address { address, setting, reason: error.to_string() })
}

/// Opens the database.
pub async fn open(settings: &Settings) -> Result<Arc<Database>, StartError> {
    Database::open(config(settings)).await.map_err(|error| StartError::from_open(&error))
}

fn config(settings: &Settings) -> DatabaseConfig {
    DatabaseConfig {
        data_dir: settings.data.clone(),
        tasks: settings.tasks.0,
        memory_limit_bytes: settings.memory_limit.0,
        batch_rows: settings.batch_rows,
        shell_components: settings.shell_components,
        server_settings: shown_settings(settings),
        ..DatabaseConfig::default()
    }
}

/// The server's settings as SHOW lists them.
fn shown_settings(settings: &Settings) -> Arc<[ShownSetting]> {
    let shown = |((name, value, doc), setting): ((&str, String, &str), &Setting)| ShownSetting {
        name: name.to_owned(),
        value,
        default: setting.default.to_owned(),
        description: doc.trim().to_owned(),
    };
    settings.list().into_iter().zip(TABLE).map(shown).collect()
}

/// Serves a database until `shutdown` is true or its engine fails, then closes it.
pub async fn run(
    settings: &Settings,
    doors: Doors,
    database: Arc<Database>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), StartError> {
    let engine = Arc::new(Engine::new(database.clone(), settings.statement_timeout.duration()));
    let (stop, stopped) = watch::channel(false);
    let watched = database.clone();
    let end = tokio::spawn(async move {
        let end = tokio::select! {
            _ = shutdown.wait_for(|shutdown| *shutdown) => Ok(()),
            reason = watched.failed() => Err(StartError::EngineFailed(reason)),
        };
        stop.send_replace(true);
        end
    });
    let http = async {
        if let Some(listener) = doors.http {
            http::run(listener, database.clone(), http_limits(settings), stopped.clone()).await;
        }
    };
    tokio::join!(postgres::run(doors.postgres, engine, limits(settings), stopped.clone()), http);
    database.shutdown().await;
    end.await.unwrap_or(Ok(()))
}

/// The bounds of the HTTP door.
fn http_limits(settings: &Settings) -> http::Limits {
    let default = http::Limits::default();
    let write_timeout = settings.write_timeout.duration().unwrap_or(default.write_timeout);
    http::Limits { write_timeout, ..default }
}

/// The front door's bounds.
fn limits(settings: &Settings) -> Limits {
    let default = Limits::default();
    let message_bytes_max = usize::try_from(settings.max_message_bytes.0).unwrap_or(default.message_bytes_max);
    Limits {
        connections_max: settings.max_connections,
        message_bytes_max,
        buffered_bytes_max: default.buffered_bytes_max.max(4 * message_bytes_max),
        login_timeout: settings.login_timeout.duration().unwrap_or(default.login_timeout),
        write_timeout: settings.write_timeout.duration().unwrap_or(default.write_timeout),
        idle_timeout: settings.idle_timeout.duration(),
        idle_in_transaction_timeout: settings.idle_in_transaction_timeout.duration(),
        stop_grace: default.stop_grace,
    }
}

/// The command that connects to a server on this address.
pub fn connect_command(address: SocketAddr) -> String {
    let host = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    format!("psql -h {host} -p {} -U monsoon monsoon", address.port())
}

/// Becomes true at the first SIGTERM or SIGINT; the second ends the process at once.
pub fn shutdown_on_signals() -> Result<watch::Receiver<bool>, StartError> {
    let install = |kind| signal(kind).map_err(|error| StartError::Other(format!("can't listen for signals: {error}")));
    let (mut terminate, mut interrupt) = (install(SignalKind::terminate())?, install(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                tracing::info!("stopping; a second signal ends the process at once");
                sender.send_replace(true);
            } else {
                std::process::exit(1);
            }
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    #[test]
    fn every_setting_is_shown() {
        let sources = Sources::from_texts(&[("tasks", "3")], "").expect("sources");
        let shown = shown_settings(&Settings::read(&sources).expect("settings"));
        let names: Vec<&str> = shown.iter().map(|setting| setting.name.as_str()).collect();
        assert_eq!(names, TABLE.iter().map(|setting| setting.name).collect::<Vec<_>>());
        let tasks = shown.iter().find(|setting| setting.name == "tasks").expect("tasks");
        assert_eq!((tasks.value.as_str(), tasks.default.as_str()), ("3", "cores"));
        assert!(tasks.description.starts_with("Threads that run"), "{}", tasks.description);
    }

    #[test]
    fn the_connect_command_names_an_address_that_can_be_reached() {
        let command = |address: &str| connect_command(address.parse().expect("an address"));
        assert_eq!(command("127.0.0.1:5440"), "psql -h 127.0.0.1 -p 5440 -U monsoon monsoon");
        assert_eq!(command("0.0.0.0:1"), "psql -h 127.0.0.1 -p 1 -U monsoon monsoon");
    }
}
