//! A client that sends what it is told to, byte by byte, and a server to send it to.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use monsoon::postgres::{Limits, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::fake::Fake;

/// A server on a port of its own. Stops when dropped.
pub struct Server {
    pub address: SocketAddr,
    pub database: Arc<Fake>,
    pub shutdown: watch::Sender<bool>,
    pub task: JoinHandle<()>,
}

impl Server {
    pub async fn start(limits: Limits) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let database = Arc::new(Fake::default());
        let (shutdown, receiver) = watch::channel(false);
        let task = tokio::spawn(run(listener, database.clone(), limits, receiver));
        Server { address, database, shutdown, task }
    }

    pub async fn socket(&self) -> Client {
        Client { stream: TcpStream::connect(self.address).await.expect("a connection") }
    }

    /// A client that has logged in.
    pub async fn client(&self) -> Client {
        let mut client = self.socket().await;
        client.send(&startup(3 << 16, &[("user", "ann")])).await;
        client.until_ready().await;
        client
    }

    pub fn running(&self) -> usize {
        self.database.running.load(Ordering::SeqCst)
    }

    /// The server still does its work.
    pub async fn assert_alive(&self) {
        let mut client = self.client().await;
        assert_eq!(client.query("rows 1").await.last(), Some(&Reply::ready('I')));
    }
}

/// Waits for a condition that must come true.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Waits for something that must happen.
pub async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), work).await {
        Ok(value) => value,
        Err(_) => panic!("did not happen in 20 s: {what}"),
    }
}

/// A counter reaching a value.
pub async fn reaches(counter: &AtomicUsize, value: usize) {
    eventually(&format!("a counter reaching {value}"), || counter.load(Ordering::SeqCst) == value).await;
}

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub kind: char,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn ready(status: char) -> Reply {
        Reply { kind: 'Z', body: vec![status as u8] }
    }

    pub fn complete(tag: &str) -> Reply {
        Reply { kind: 'C', body: [tag.as_bytes(), b"\0"].concat() }
    }

    /// A field of an error or notice.
    pub fn field(&self, code: char) -> Option<String> {
        let fields = self.body.split(|&byte| byte == 0);
        let field = fields.into_iter().find(|field| field.first() == Some(&(code as u8)))?;
        Some(String::from_utf8_lossy(&field[1..]).into_owned())
    }

    /// The fields of a DataRow, as text.
    pub fn values(&self) -> Vec<Option<String>> {
        self.fields().into_iter().map(|field| field.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())).collect()
    }

    /// The fields of a DataRow.
    pub fn fields(&self) -> Vec<Option<Vec<u8>>> {
        assert_eq!(self.kind, 'D', "{self:?}");
        let mut rest = &self.body[2..];
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let length = i32::from_be_bytes(rest[..4].try_into().expect("4 bytes"));
            rest = &rest[4..];
            let Ok(length) = usize::try_from(length) else {
                fields.push(None);
                continue;
            };
            fields.push(Some(rest[..length].to_vec()));
            rest = &rest[length..];
        }
        fields
    }
}

/// The kinds of some messages, as a word.
pub fn kinds(replies: &[Reply]) -> String {
    replies.iter().map(|reply| reply.kind).collect()
}

/// A startup packet.
pub fn startup(version: i32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    [&(body.len() as i32 + 4).to_be_bytes()[..], &body].concat()
}

/// A frame.
pub fn frame(kind: char, body: &[u8]) -> Vec<u8> {
    [&[kind as u8][..], &(body.len() as i32 + 4).to_be_bytes(), body].concat()
}

/// A Query frame.
pub fn query(sql: &str) -> Vec<u8> {
    frame('Q', format!("{sql}\0").as_bytes())
}

pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the server takes what is sent");
    }

    /// Sends to a server that may have hung up.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// The next message; `None` when the server has closed.
    pub async fn next(&mut self) -> Option<Reply> {
        let read = async {
            let kind = char::from(self.stream.read_u8().await.ok()?);
            let length = self.stream.read_i32().await.ok()?;
            let mut body = vec![0; usize::try_from(length - 4).expect("a length of at least 4")];
            self.stream.read_exact(&mut body).await.ok()?;
            Some(Reply { kind, body })
        };
        within("a message from the server", read).await
    }

    /// Messages up to ReadyForQuery.
    pub async fn until_ready(&mut self) -> Vec<Reply> {
        self.until('Z').await
    }

    /// Messages up to one of a kind.
    pub async fn until(&mut self, kind: char) -> Vec<Reply> {
        let mut replies = Vec::new();
        loop {
            let reply = self.next().await.unwrap_or_else(|| panic!("the server closed after {replies:?}"));
            let done = reply.kind == kind;
            replies.push(reply);
            if done {
                return replies;
            }
        }
    }

    /// A simple query and its whole answer.
    pub async fn query(&mut self, sql: &str) -> Vec<Reply> {
        self.send(&query(sql)).await;
        self.until_ready().await
    }

    /// The server says why with a FATAL error, and closes.
    pub async fn assert_fatal(&mut self, sqlstate: &str) {
        let mut last = None;
        while let Some(reply) = self.next().await {
            last = Some(reply);
        }
        let last = last.expect("a last message");
        assert_eq!(
            (last.field('S').as_deref(), last.field('C').as_deref()),
            (Some("FATAL"), Some(sqlstate)),
            "{last:?}"
        );
    }

    /// The server closes, whether or not its last words get through.
    pub async fn assert_closed(&mut self) {
        while self.next().await.is_some() {}
    }
}
