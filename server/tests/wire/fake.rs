//! A database that knows a dozen words, each of which makes one thing happen on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::ScalarValue;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use monsoon::postgres::backend::{Backend, Description, Login, SessionLike, WireType};
use monsoon_sql::SqlError;
use monsoon_sql::error::Result;
use monsoon_sql::response::{CopyIn, CopyOut, Notice, Response, RowStream, TransactionStatus};

/// The database. Counts what goes on in it.
#[derive(Debug, Default)]
pub struct Fake {
    /// Statements and row streams that are alive.
    pub running: Arc<AtomicUsize>,
    /// Sessions that are alive.
    pub sessions: Arc<AtomicUsize>,
    /// Rows that were copied in.
    pub copied: Arc<AtomicUsize>,
    /// Statements that began.
    pub begun: Arc<AtomicUsize>,
}

/// Counts itself while it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(counter: &Arc<AtomicUsize>) -> Counted {
        counter.fetch_add(1, Ordering::SeqCst);
        Counted(counter.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub struct FakeSession {
    database: Arc<Fake>,
    login: Login,
    status: TransactionStatus,
    notices: Vec<Notice>,
    changes: Vec<(String, String)>,
    timeout: Option<Duration>,
    _alive: Counted,
}

impl Backend for Fake {
    type Session = FakeSession;

    fn session(self: &Arc<Self>, login: Login) -> FakeSession {
        FakeSession {
            database: self.clone(),
            login,
            status: TransactionStatus::Idle,
            notices: Vec::new(),
            changes: Vec::new(),
            timeout: None,
            _alive: Counted::new(&self.sessions),
        }
    }

    fn wire_type(field: &Field) -> WireType {
        let (oid, size) = match field.data_type() {
            DataType::Int32 => (23, 4),
            DataType::Int64 => (20, 8),
            DataType::Float64 => (701, 8),
            DataType::Boolean => (16, 1),
            _ => (25, -1),
        };
        WireType { oid, size, typmod: -1, array_element: None }
    }
}

fn number(word: Option<&str>) -> usize {
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

impl FakeSession {
    /// The columns a statement answers with, and its parameters.
    fn plan(sql: &str) -> Result<(Vec<FieldRef>, Option<SchemaRef>)> {
        let rows = |parameters: Vec<FieldRef>| Ok((parameters, Some(schema())));
        let word = sql.split_whitespace().next().unwrap_or_default();
        match word {
            "unplannable" => Err(SqlError::new("42703", "column \"x\" does not exist").at(8)),
            "rows" | "wide" | "endless" | "hang-rows" | "late-error" => rows(Vec::new()),
            "echo" => rows(vec![
                Arc::new(Field::new("$1", DataType::Int64, true)),
                Arc::new(Field::new("$2", DataType::Utf8, true)),
            ]),
            _ => Ok((Vec::new(), None)),
        }
    }

    async fn run(&mut self, sql: &str, parameters: &[ScalarValue]) -> Result<Response> {
        let mut words = sql.split_whitespace();
        let complete = |tag: &str| Ok(Response::Complete { tag: tag.to_owned() });
        self.database.begun.fetch_add(1, Ordering::SeqCst);
        let counted = Counted::new(&self.database.running);
        match words.next().unwrap_or_default() {
            "" => Ok(Response::Empty),
            "begin" | "START" => {
                self.status = TransactionStatus::InTransaction;
                complete("BEGIN")
            }
            "commit" | "COMMIT" => {
                self.status = TransactionStatus::Idle;
                complete("COMMIT")
            }
            "fail" => Err(SqlError::new("22012", "division by zero").with_hint("don't")),
            "panic" => panic!("as asked"),
            "hang" => {
                futures::future::pending::<()>().await;
                drop(counted);
                complete("HANG")
            }
            "timeout" => {
                self.timeout = Some(Duration::from_millis(number(words.next()) as u64));
                complete("SET")
            }
            "set" => {
                self.changes.push((words.next().unwrap_or("a").to_owned(), words.next().unwrap_or("b").to_owned()));
                complete("SET")
            }
            "warn" => {
                self.notices.push(Notice { severity: "WARNING", sqlstate: "01000", message: "careful".to_owned() });
                complete("WARN")
            }
            "who" => {
                self.notices.push(Notice {
                    severity: "INFO",
                    sqlstate: "00000",
                    message: format!("{}@{} {:?}", self.login.user, self.login.database, self.login.options),
                });
                complete("WHO")
            }
            "rows" => Ok(rows(finite(number(words.next()), counted), false)),
            "wide" => Ok(rows(wide(counted), false)),
            "endless" => Ok(rows(endless(counted), true)),
            "hang-rows" => Ok(rows(three_then_nothing(counted), false)),
            "late-error" => {
                let error = stream::iter([Err(SqlError::new("22003", "too large"))]);
                Ok(rows(finite(2, counted).chain(error).boxed(), false))
            }
            "echo" => Ok(rows(echo(parameters)?, false)),
            "copy-in" => Ok(Response::CopyIn(Box::new(Sink { database: self.database.clone(), lines: 0 }))),
            "copy-out" => {
                let lines = stream::iter((0..3).map(|n| Ok((Bytes::from(format!("{n}\tx\n")), 1))));
                Ok(Response::CopyOut(CopyOut { columns: 2, binary: false, data: lines.boxed(), live: false }))
            }
            other => Err(SqlError::syntax(format!("syntax error at or near \"{other}\"")).at(1)),
        }
    }
}

impl SessionLike for FakeSession {
    type Statement = String;
    type Prepared = (String, Description);

    fn parameters(&self) -> Vec<(String, String)> {
        vec![("server_version".to_owned(), "16.6".to_owned()), ("client_encoding".to_owned(), "UTF8".to_owned())]
    }

    fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.changes)
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn transaction_status(&self) -> TransactionStatus {
        self.status
    }

    fn fail_transaction(&mut self) {
        if self.status == TransactionStatus::InTransaction {
            self.status = TransactionStatus::Failed;
        }
    }

    fn parse(&self, sql: &str) -> Result<Vec<String>> {
        let statements = sql.split(';').map(str::trim).filter(|sql| !sql.is_empty());
        Ok(statements.map(str::to_owned).collect())
    }

    async fn prepare(&mut self, statement: &String, _oids: &[u32]) -> Result<(String, Description)> {
        let (parameters, columns) = FakeSession::plan(statement)?;
        Ok((statement.clone(), Description { parameters, columns }))
    }

    fn describe(prepared: &(String, Description)) -> Description {
        prepared.1.clone()
    }

    fn refuse_parameters(prepared: &(String, Description)) -> Result<()> {
        if prepared.1.parameters.is_empty() {
            Ok(())
        } else {
            Err(SqlError::new("42P02", "there is no parameter $1").at(6))
        }
    }

    async fn execute(&mut self, prepared: &(String, Description), parameters: &[ScalarValue]) -> Result<Response> {
        self.run(&prepared.0, parameters).await
    }

    fn statement_timeout(&self) -> Option<Duration> {
        self.timeout
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("name", DataType::Utf8, true)]))
}

fn rows(batches: BoxStream<'static, Result<RecordBatch>>, live: bool) -> Response {
    Response::Rows(RowStream { schema: schema(), batches, tag: "SELECT", live })
}

fn batch(ids: Vec<Option<i64>>, names: Vec<Option<String>>) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(ids)), Arc::new(StringArray::from(names))];
    RecordBatch::try_new(schema(), columns).expect("two columns")
}

fn numbered(from: usize, to: usize, name: &str) -> RecordBatch {
    batch((from..to).map(|id| Some(id as i64)).collect(), (from..to).map(|_| Some(name.to_owned())).collect())
}

/// `count` rows, 100 at a time.
fn finite(count: usize, counted: Counted) -> BoxStream<'static, Result<RecordBatch>> {
    let starts = stream::iter((0..count).step_by(100));
    let batches = starts.map(move |from| {
        let _counted = &counted;
        Ok(numbered(from, count.min(from + 100), "n"))
    });
    batches.boxed()
}

/// Three rows, and then a wait without end.
fn three_then_nothing(counted: Counted) -> BoxStream<'static, Result<RecordBatch>> {
    let wait = async move {
        let _counted = counted;
        futures::future::pending().await
    };
    stream::iter([Ok(numbered(0, 3, "n"))]).chain(stream::once(wait)).boxed()
}

/// Rows of 1 KB without end, always ready.
fn wide(counted: Counted) -> BoxStream<'static, Result<RecordBatch>> {
    let name = "w".repeat(1024);
    let batches = stream::iter(0..).map(move |from: usize| {
        let _counted = &counted;
        Ok(numbered(from * 100, from * 100 + 100, &name))
    });
    batches.boxed()
}

/// A row every few milliseconds, without end.
fn endless(counted: Counted) -> BoxStream<'static, Result<RecordBatch>> {
    let batches = stream::unfold((0usize, counted), |(next, counted)| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Ok(numbered(next, next + 1, "live")), (next + 1, counted)))
    });
    batches.boxed()
}

fn echo(parameters: &[ScalarValue]) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let (ScalarValue::Int64(id), ScalarValue::Utf8(name)) = (&parameters[0], &parameters[1]) else {
        return Err(SqlError::internal(format!("parameters have other types: {parameters:?}")));
    };
    Ok(stream::iter([Ok(batch(vec![*id], vec![name.clone()]))]).boxed())
}

struct Sink {
    database: Arc<Fake>,
    lines: u64,
}

#[async_trait]
impl CopyIn for Sink {
    fn columns(&self) -> usize {
        2
    }

    async fn write(&mut self, data: Bytes) -> Result<()> {
        if data.starts_with(b"bad") {
            return Err(SqlError::new("22P04", "missing data for column \"name\""));
        }
        self.lines += data.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<u64> {
        self.database.copied.fetch_add(self.lines as usize, Ordering::SeqCst);
        Ok(self.lines)
    }
}
