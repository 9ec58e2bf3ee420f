//! A client of a server that waits for what topologies bring about; shared by the tests that start one.

use std::time::{Duration, Instant};

use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::server_process::ServerProcess;

/// How long anything may take to come about.
const SOON: Duration = Duration::from_secs(60);

/// A connection.
pub struct Client(tokio_postgres::Client);

impl Client {
    /// To a server.
    pub async fn connect(server: &ServerProcess) -> Client {
        let config = format!("host=127.0.0.1 port={} user=monsoon dbname=monsoon", server.port());
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.expect("the server serves");
        // Ends with the client; a server that is killed ends it sooner.
        tokio::spawn(async move { drop(connection.await) });
        Client(client)
    }

    /// Runs statements that must succeed.
    pub async fn run(&self, sql: &str) {
        self.0.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Runs a statement.
    #[allow(dead_code)] // Not every test that shares this file has statements that may fail.
    pub async fn try_run(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.0.batch_execute(sql).await
    }

    /// The SQLSTATE and message that a statement is refused with.
    pub async fn refusal(&self, sql: &str) -> (String, String) {
        let error = self.0.batch_execute(sql).await.expect_err(sql);
        let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: {error}"));
        (error.code().code().to_owned(), error.message().to_owned())
    }

    /// The rows of a query, each as its values joined by `|`.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let answer = self.0.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|place| row.get(place).unwrap_or("null")).collect::<Vec<_>>().join("|"))
            }
            _ => None,
        };
        answer.into_iter().filter_map(row).collect()
    }

    /// Asks until the rows are these.
    pub async fn wait_for(&self, sql: &str, expected: &[&str]) {
        let started = Instant::now();
        loop {
            let rows = self.rows(sql).await;
            if rows == expected {
                return;
            }
            if started.elapsed() > SOON {
                let topologies = self.rows("SHOW TOPOLOGIES").await;
                panic!("{sql} gives\n{rows:#?}\nafter {SOON:?}, not\n{expected:#?}\ntopologies: {topologies:#?}");
            }
        }
    }
}
