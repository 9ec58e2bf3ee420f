//! Functions that topologies serve, asked from SQL and over HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::client::Client;
use crate::server_process::ServerProcess;

const EXCLAIM: &str = "
CREATE TOPOLOGY exclaim AS
  SPOUT requests USING NATIVE 'drpc' ('exclaim') OUTPUT (id BIGINT, args TEXT)
  BOLT  work     USING SQL (SELECT id, args || '!!!' AS result FROM input WHERE args <> 'none') PARALLELISM 2
                 SHUFFLE GROUPING ON requests
  BOLT  answer   USING NATIVE 'return_result' SHUFFLE GROUPING ON work";

#[tokio::test(flavor = "multi_thread")]
async fn a_select_asks_a_topology() {
    let server = ServerProcess::start_with("topology-drpc", &["--http", "127.0.0.1:0"]);
    let client = Client::connect(&server).await;
    let unserved = client.refusal("SELECT drpc('exclaim', 'aaa')").await;
    assert_eq!(unserved, ("42883".to_owned(), "no topology serves function \"exclaim\"".to_owned()));
    client.run(EXCLAIM).await;
    client.wait_for("SELECT status FROM monsoon.topologies", &["active"]).await;
    while client.try_run("SELECT drpc('exclaim', 'first')").await.is_err() {}
    assert_eq!(client.rows("SELECT drpc('exclaim', 'aaa')").await, ["aaa!!!"]);
    let many = "SELECT drpc('exclaim', word) FROM (VALUES ('a'), ('b'), (NULL)) AS words (word)";
    assert_eq!(client.rows(many).await, ["a!!!", "b!!!", "null"]);
    let (sqlstate, _) = client.refusal("SELECT drpc('exclaim', 'none')").await;
    assert_eq!(sqlstate, "38000");
    let port = server.http_port().expect("HTTP is on");
    let answer = tokio::task::spawn_blocking(move || http(port, "/drpc/exclaim/aaa")).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\naaa!!!"), "{answer}");
}

/// What the server answers to a GET.
fn http(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the server serves");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
