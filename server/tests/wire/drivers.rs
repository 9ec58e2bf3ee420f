//! A real driver: tokio-postgres, which speaks the extended protocol with binary values.

use bytes::Bytes;
use futures::{SinkExt, StreamExt, pin_mut};
use monsoon::postgres::Limits;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::raw::{Server, reaches};

async fn connect(server: &Server) -> Client {
    let config = format!("host=127.0.0.1 port={} user=ann", server.address.port());
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn binary_parameters_and_results() {
    let server = Server::start(Limits::default()).await;
    let client = connect(&server).await;
    for (id, name) in [(Some(7i64), Some("seven")), (None, None), (Some(i64::MIN), Some(""))] {
        let row = client.query_one("echo", &[&id, &name]).await.expect("a row");
        assert_eq!((row.get::<_, Option<i64>>("id"), row.get::<_, Option<&str>>("name")), (id, name));
    }
    let error = client.query("unplannable", &[]).await.expect_err("refused");
    assert_eq!(error.code().map(|code| code.code()), Some("42703"));
    assert_eq!(client.query("rows 1000", &[]).await.expect("rows").len(), 1000);
}

#[tokio::test]
async fn simple_queries_portals_and_copies() {
    let server = Server::start(Limits::default()).await;
    let mut client = connect(&server).await;
    let messages = client.simple_query("rows 2; rows 1").await.expect("rows");
    let rows = messages.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count();
    assert_eq!(rows, 3);
    let lines: Vec<_> = client.copy_out("copy-out").await.expect("a copy").collect().await;
    assert_eq!(lines.len(), 3);
    let sink = client.copy_in("copy-in").await.expect("a copy");
    pin_mut!(sink);
    sink.send(Bytes::from_static(b"1\ta\n2\tb\n")).await.expect("data");
    assert_eq!(sink.finish().await.expect("the copy ends"), 2);
    let transaction = client.transaction().await.expect("begin");
    let portal = transaction.bind("rows 25", &[]).await.expect("a portal");
    let mut pieces = Vec::new();
    loop {
        let rows = transaction.query_portal(&portal, 10).await.expect("rows");
        if rows.is_empty() {
            break;
        }
        pieces.push(rows.len());
    }
    assert_eq!(pieces, [10, 10, 5]);
    transaction.commit().await.expect("commit");
}

#[tokio::test]
async fn cancel_and_timeouts() {
    let server = Server::start(Limits::default()).await;
    let client = connect(&server).await;
    let token = client.cancel_token();
    let cancel = async {
        reaches(&server.database.running, 1).await;
        token.cancel_query(NoTls).await.expect("the request is sent");
    };
    let (result, ()) = tokio::join!(client.query("hang", &[]), cancel);
    assert_eq!(result.expect_err("cancelled").code().map(|code| code.code()), Some("57014"));
    assert_eq!(client.query("rows 3", &[]).await.expect("rows").len(), 3);
}
