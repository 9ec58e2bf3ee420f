//! The HTTP door over a real database: every route, every refusal, every bound. Requests are written by hand.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use monsoon::http::{self, Limits};
use monsoon_sql::database::{Database, DatabaseConfig};
use monsoon_sql::response::Response;
use monsoon_sql::session::SessionStart;
use monsoon_topology::drpc::PolledFunction;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const EXCLAIM: &str = "CREATE TOPOLOGY exclaim AS
  SPOUT requests USING NATIVE 'drpc' ('exclaim') OUTPUT (id BIGINT, args TEXT)
  BOLT  work     USING SQL (SELECT id, args || '!!!' AS result FROM input WHERE args <> 'none') TASKS 2
                 SHUFFLE GROUPING ON requests
  BOLT  answer   USING NATIVE 'return_result' SHUFFLE GROUPING ON work";

/// Requests that may wait for one function.
const WAITING_MAX: usize = 128;

/// A database with its HTTP door.
struct Server {
    database: Arc<Database>,
    port: u16,
    stop: watch::Sender<bool>,
    door: JoinHandle<()>,
    _directory: tempfile::TempDir,
}

/// Status, headers and body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Status and message of a refusal.
    fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert!(json["error"].is_string(), "{json}");
        (self.status, json["errorMessage"].as_str().expect("a message").to_owned())
    }
}

impl Server {
    async fn start(limits: Limits) -> Server {
        let directory = tempfile::tempdir().expect("a directory");
        let config = DatabaseConfig { data_dir: directory.path().join("data"), tasks: 1, ..DatabaseConfig::default() };
        let database = Database::open(config).await.expect("a database");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (stop, stopped) = watch::channel(false);
        let door = tokio::spawn(http::run(listener, database.clone(), limits, stopped));
        Server { database, port, stop, door, _directory: directory }
    }

    async fn sql(&self, sql: &str) {
        let mut session = self.database.session(SessionStart::default());
        for statement in session.parse(sql).expect("SQL") {
            let prepared = session.prepare(&statement, &[]).await.expect(sql);
            if let Response::Rows(rows) = session.execute(&prepared, &[]).await.expect(sql) {
                rows.batches.for_each(|batch| async { drop(batch.expect("rows")) }).await;
            }
        }
    }

    /// Serves `exclaim` when this returns.
    async fn serve_exclaim(&self) {
        self.sql(EXCLAIM).await;
        while self.database.ask("exclaim", "first").await.is_err() {}
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("the door is open")
    }

    /// Sends a request as it is written here, and reads to the end.
    async fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        // The server may have said no and closed before everything is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        read(&mut stream).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}");
        self.raw(&format!("{head}\r\n\r\n{body}")).await
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.door.await.expect("the door closes");
        self.database.shutdown().await;
    }
}

async fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    // A reset after the answer doesn't take the answer away.
    while let Ok(length @ 1..) = stream.read(&mut part).await {
        bytes.extend_from_slice(&part[..length]);
    }
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_ok_and_other_paths_are_not_found() {
    let server = Server::start(Limits::default()).await;
    let health = server.get("/health").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok"));
    assert!(health.head.contains("x-content-type-options: nosniff"), "{}", health.head);
    assert_eq!(server.get("/nothing").await.refusal(), (404, "there is nothing at /nothing".to_owned()));
    assert_eq!(server.post("/health", "").await.refusal(), (405, "/health doesn't take POST".to_owned()));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topology_answers_drpc_and_its_failures_have_their_status() {
    let server = Server::start(Limits::default()).await;
    let unserved = server.get("/drpc/exclaim/aaa").await.refusal();
    assert_eq!(unserved, (404, "no topology serves function \"exclaim\"".to_owned()));
    server.serve_exclaim().await;

    let answer = server.get("/drpc/exclaim/aaa").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "aaa!!!"));
    assert!(answer.head.contains("content-type: text/plain"), "{}", answer.head);
    assert_eq!(server.get("/drpc/exclaim").await.body, "!!!");
    assert_eq!(server.get("/drpc/exclaim/a%2Fb%20%C3%A9").await.body, "a/b é!!!");
    assert_eq!(server.post("/drpc/exclaim", "a body\nof é").await.body, "a body\nof é!!!");
    assert_eq!(server.get("/drpc/exclaim/none").await.refusal().0, 502);
    assert_eq!(server.get("/drpc/exclaim/%ff").await.refusal().0, 400);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_gives_its_request_up() {
    let server = Server::start(Limits::default()).await;
    // It is served by somebody who takes no request, so they wait.
    let _served = PolledFunction::serve(Arc::clone(server.database.drpc()), "exclaim");
    let mut waiting = Vec::new();
    let full = || server.database.ask("exclaim", "").now_or_never().is_some();
    for _ in 0..WAITING_MAX - 1 {
        let mut request = Box::pin(server.database.ask("exclaim", "waits"));
        assert!(request.as_mut().now_or_never().is_none(), "it waits");
        waiting.push(request);
    }
    assert!(!full());
    let client = loop {
        let mut client = server.connect().await;
        client.write_all(b"GET /drpc/exclaim/x HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
        // Looking whether there is a place takes the place for a moment: the client may be refused, and comes again.
        let refused = loop {
            let refused = client.try_read(&mut [0; 16]).is_ok();
            if refused || full() {
                break refused;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        if !refused {
            break client;
        }
    };
    let (status, message) = server.get("/drpc/exclaim/y").await.refusal();
    assert_eq!((status, message.as_str()), (429, "128 requests wait for function \"exclaim\" already"));
    drop(client);
    while full() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(waiting);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topologies_are_shown_and_operated() {
    let server = Server::start(Limits::default()).await;
    assert_eq!(server.get("/api/v1/topology/summary").await.json(), json!({"topologies": []}));
    server.serve_exclaim().await;
    let summary = server.get("/api/v1/topology/summary").await.json();
    let first = &summary["topologies"][0];
    assert_eq!(
        (&first["id"], &first["status"], &first["tasksTotal"]),
        (&json!("exclaim"), &json!("ACTIVE"), &json!(4))
    );
    let page = server.get("/api/v1/topology/exclaim").await.json();
    assert_eq!((&page["name"], &page["workersTotal"]), (&json!("exclaim"), &json!(1)));
    assert_eq!(page["spouts"][0]["spoutId"], "requests");
    let work = &page["bolts"][0];
    assert_eq!((&work["boltId"], &work["executors"], &work["tasks"]), (&json!("work"), &json!(1), &json!(2)));

    let status = async || server.get("/api/v1/topology/exclaim").await.json()["status"].clone();
    let done = server.post("/api/v1/topology/exclaim/deactivate", "").await.json();
    assert_eq!(done, json!({"topologyOperation": "deactivate", "topologyId": "exclaim", "status": "success"}));
    assert_eq!(status().await, "INACTIVE");
    assert_eq!(server.post("/api/v1/topology/exclaim/activate", "").await.status, 200);
    assert_eq!(status().await, "ACTIVE");
    let executors = r#"{"rebalanceOptions": {"executors": {"work": 2}}}"#;
    assert_eq!(server.post("/api/v1/topology/exclaim/rebalance/0", executors).await.status, 200);
    let page = server.get("/api/v1/topology/exclaim").await.json();
    assert_eq!(page["bolts"][0]["executors"], 2);
    assert_eq!(server.post("/api/v1/topology/exclaim/rebalance/0", "{}").await.refusal().0, 400);
    assert_eq!(server.post("/api/v1/topology/exclaim/kill/soon", "").await.refusal().0, 400);
    assert_eq!(server.post("/api/v1/topology/exclaim/kill/1", "").await.status, 200);

    let missing = (404, "topology \"exclaim\" does not exist".to_owned());
    assert_eq!(server.get("/api/v1/topology/exclaim").await.refusal(), missing);
    assert_eq!(server.post("/api/v1/topology/exclaim/activate", "").await.refusal(), missing);
    // A name is a name, whatever is in it.
    let (status, message) = server.post("/api/v1/topology/a%22;DROP%20TABLE%20t/activate", "").await.refusal();
    assert_eq!((status, message.as_str()), (404, "topology \"a\";DROP TABLE t\" does not exist"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_is_refused() {
    let server = Server::start(Limits::default()).await;
    for headers in [
        "Host: localhost\r\nOrigin: http://evil.example",
        "Host: localhost\r\nSec-Fetch-Site: cross-site",
        "Host: evil.example\r\nOrigin: http://evil.example",
    ] {
        let path = "/api/v1/topology/exclaim/kill/0";
        let request = format!("POST {path} HTTP/1.1\r\n{headers}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(server.raw(&request).await.refusal().0, 403, "{headers}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_or_too_slow_is_refused() {
    let read_timeout = Duration::from_millis(300);
    let server = Server::start(Limits { read_timeout, ..Limits::default() }).await;
    server.serve_exclaim().await;
    let long = "x".repeat((1 << 20) + 1);
    assert_eq!(server.post("/drpc/exclaim", &long[1..]).await.status, 200);
    assert_eq!(server.post("/drpc/exclaim", &long).await.refusal().0, 413);
    assert_eq!(server.get(&format!("/drpc/exclaim/{}", &long[..70_000])).await.status, 431);
    let head = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", &long[..70_000]);
    assert_eq!(server.raw(&head).await.status, 431);
    let half = "POST /drpc/exclaim HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\nab";
    assert_eq!(server.raw(half).await.refusal().0, 408);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_refused_until_idle_ones_are_closed() {
    let read_timeout = Duration::from_millis(300);
    let server = Server::start(Limits { read_timeout, connections_max: 2, ..Limits::default() }).await;
    // Connections that say nothing, or only half of a head, take the two places there are, and lose them.
    let (mut silent, mut slow) = (server.connect().await, server.connect().await);
    slow.write_all(b"GET /hea").await.expect("sent");
    let refused = server.get("/health").await.refusal();
    assert_eq!(refused, (503, "too many connections".to_owned()));
    let mut rest = Vec::new();
    let _ = silent.read_to_end(&mut rest).await;
    let _ = slow.read_to_end(&mut rest).await;
    while server.get("/health").await.status != 200 {}
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_does_not_keep_the_server_from_stopping() {
    let server = Server::start(Limits { stop_grace: Duration::from_millis(100), ..Limits::default() }).await;
    let _served = PolledFunction::serve(Arc::clone(server.database.drpc()), "exclaim");
    let mut client = server.connect().await;
    client.write_all(b"GET /drpc/exclaim/x HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    server.stop().await;
    assert!(matches!(client.read(&mut [0; 16]).await, Ok(0) | Err(_)), "it is closed without an answer");
}
