//! Functions that topologies serve, asked from SQL.

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
    let server = ServerProcess::start("topology-drpc");
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
}
