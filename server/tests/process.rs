//! The binary itself: how it starts, refuses to start, and stops.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tokio_postgres::NoTls;

fn monsoon(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_monsoon"));
    command.args(arguments).env("MONSOON_LOG_LEVEL", "warn");
    command
}

/// Runs to the end; returns the exit code and the lines on stderr.
fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = monsoon(arguments).output().expect("the binary runs");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

/// A server that has said it is ready.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(directory: &Path, command: &str) -> Server {
        let directory = directory.to_str().expect("a plain path");
        let mut command = monsoon(&[command, "--data", directory, "--postgres", "127.0.0.1:0", "--http", "off"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let port = line.split_whitespace().skip_while(|word| *word != "-p").nth(1).and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("it says how to connect: {line:?}"));
        Server { child, port }
    }

    async fn client(&self) -> tokio_postgres::Client {
        let config = format!("host=127.0.0.1 port={} user=ann dbname=monsoon", self.port);
        let (client, connection) = tokio_postgres::connect(&config, NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// Stops it as an operator would; it must end well.
    fn stop(mut self) {
        self.signal("-TERM");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_refusal_to_start_has_its_line_and_exit_code() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("a plain path");
    let (code, line) = refused(&["server", "--memory-limit", "lots"]);
    assert_eq!((code, line.lines().count()), (Some(2), 1), "{line}");
    let (code, line) = refused(&["server", "--postgres", "0.0.0.0:0", "--data", path]);
    assert_eq!((code, line.lines().count()), (Some(2), 1), "{line}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, line) = refused(&["server", "--postgres", &address, "--http", "off", "--data", path]);
    assert_eq!((code, line.lines().count()), (Some(3), 1), "{line}");
    assert!(line.contains(&address) && line.starts_with("monsoon: "), "{line}");
    let (code, line) = refused(&["server", "--postgres", "127.0.0.1:0", "--http", &address, "--data", path]);
    assert_eq!((code, line.lines().count()), (Some(3), 1), "{line}");
    assert!(line.contains("--http"), "{line}");

    let server = Server::start(directory.path(), "server");
    let (code, line) = refused(&["server", "--postgres", "127.0.0.1:0", "--http", "off", "--data", path]);
    assert_eq!((code, line.lines().count()), (Some(4), 1), "{line}");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_rows_survive_a_restart_and_a_kill() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path(), "server");
    let client = server.client().await;
    let create = "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT); \
                  CREATE MATERIALIZED VIEW v AS SELECT name, count(*) AS n FROM t GROUP BY name";
    client.batch_execute(create).await.expect("created");
    client.batch_execute("INSERT INTO t VALUES (1, 'a'), (2, 'a')").await.expect("inserted");
    drop(client);
    server.stop();

    let server = Server::start(directory.path(), "server");
    let client = server.client().await;
    let inserted = client.execute("INSERT INTO t VALUES ($1, $2)", &[&3i64, &"a"]).await.expect("inserted");
    assert_eq!(inserted, 1);
    server.signal("-KILL");
    drop(server);

    let server = Server::start(directory.path(), "server");
    let client = server.client().await;
    let row = client.query_one("SELECT n FROM v WHERE name = $1", &[&"a"]).await.expect("a row");
    assert_eq!(row.get::<_, i64>(0), 3);
    drop(client);
    server.stop();
    let whole = monsoon(&["check", directory.path().to_str().expect("a plain path")]).output().expect("it runs");
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_moves_and_starts_again() {
    let directory = tempfile::tempdir().expect("a directory");
    for _ in 0..2 {
        let server = Server::start(directory.path(), "demo");
        let client = server.client().await;
        let mut bids: Vec<i64> = Vec::new();
        while bids.len() < 3 {
            let row = client.query_one("SELECT coalesce(sum(bids), 0)::bigint FROM bids_per_channel", &[]).await;
            let sum: i64 = row.expect("a row").get(0);
            if bids.last().is_none_or(|last| sum > *last) {
                bids.push(sum);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        drop(client);
        server.stop();
    }
}

#[test]
fn what_is_not_a_data_directory_is_not_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let (code, _) = refused(&["check", directory.path().to_str().expect("a plain path")]);
    assert_ne!(code, Some(0));
    assert!(std::fs::read_dir(directory.path()).expect("a directory").next().is_none(), "a check writes nothing");
}
