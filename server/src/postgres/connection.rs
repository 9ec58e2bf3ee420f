//! `Connection`: a logged-in client. Reads a message, answers it, and reads the next.
//!
//! Invariants: an error in the extended protocol is answered once, and everything up to Sync is skipped; what an idle
//! connection holds is small; every way out tells the client why, if it is still there.

use std::collections::HashMap;
use std::sync::Arc;

use monsoon_sql::SqlError;
use monsoon_sql::response::TransactionStatus;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Instant;

use super::Limits;
use super::backend::{Backend, SessionLike};
use super::cancel::CancelEntry;
use super::extended::{Planned, Portal};
use super::failure::{Failure, Flow};
use super::frame::FrameReader;
use super::guard::{Guard, Stop, sleep_until};
use super::message::{self, Message};
use super::reply::{self, Severity};
use super::writer::Writer;

/// A logged-in client.
pub(super) struct Connection<B: Backend> {
    pub(super) session: B::Session,
    pub(super) frames: FrameReader<OwnedReadHalf>,
    pub(super) writer: Writer<OwnedWriteHalf>,
    pub(super) cancel: CancelEntry,
    pub(super) stop: Stop,
    pub(super) limits: Arc<Limits>,
    pub(super) statements: HashMap<String, Arc<Planned<B::Session>>>,
    pub(super) portals: HashMap<String, Portal<B::Session>>,
    /// After an error in the extended protocol.
    pub(super) skip_until_sync: bool,
}

/// What to do after a message.
enum Next {
    Continue,
    Close,
}

impl<B: Backend> Connection<B> {
    /// Serves the client to its end.
    pub(super) async fn serve(mut self) {
        let failure = loop {
            match self.step().await {
                Ok(Next::Continue) => {}
                Ok(Next::Close) => break None,
                Err(failure) => break Some(failure),
            }
        };
        if let Some(Failure::Fatal(error) | Failure::Statement(error)) = failure {
            tracing::debug!(sqlstate = error.sqlstate, error = %error.message, "closing a connection");
            reply::error(self.writer.buffer(), Severity::Fatal, &error);
            self.writer.close().await;
            linger(&mut self.frames).await;
        }
    }

    async fn step(&mut self) -> Flow<Next> {
        let frame = self.next_frame().await?;
        let message = message::decode(frame.kind, frame.body).map_err(|error| Failure::protocol(error.0))?;
        self.cancel.flag.begin();
        // Boxed, so that an idle connection doesn't carry the room for a statement's whole state.
        let next = Box::pin(self.handle(message)).await;
        self.cancel.flag.end();
        next
    }

    /// Waits for the client, but not past the idle timeouts or the server's stop.
    async fn next_frame(&mut self) -> Flow<super::frame::Frame> {
        let (limit, error) = match self.session.transaction_status() {
            TransactionStatus::Idle => {
                (self.limits.idle_timeout, SqlError::new("57P05", "terminating connection due to idle-session timeout"))
            }
            _ => (
                self.limits.idle_in_transaction_timeout,
                SqlError::new("25P03", "terminating connection due to idle-in-transaction timeout"),
            ),
        };
        let deadline = limit.map(|limit| Instant::now() + limit);
        tokio::select! {
            frame = self.frames.next() => Ok(frame?),
            () = sleep_until(deadline) => Err(Failure::Fatal(error)),
            _ = self.stop.wait_for(Option::is_some) => Err(Failure::stopping()),
        }
    }

    async fn handle(&mut self, message: Message) -> Flow<Next> {
        match message {
            Message::Terminate => return Ok(Next::Close),
            Message::Sync => self.sync().await?,
            _ if self.skip_until_sync => {}
            Message::Query(sql) => self.simple_query(&sql).await?,
            Message::FunctionCall => {
                self.report(SqlError::unsupported("the function call protocol is not supported"));
                self.ready().await?;
            }
            // What is left of a COPY that has failed.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => {}
            Message::Flush => self.writer.flush().await?,
            extended => self.extended(extended).await?,
        }
        if self.writer.is_full() {
            self.writer.flush().await?;
        }
        Ok(Next::Continue)
    }

    /// One step of the extended protocol; an error is answered, and the rest up to Sync skipped.
    async fn extended(&mut self, message: Message) -> Flow<()> {
        let result = match message {
            Message::Parse { name, sql, parameter_oids } => self.parse_message(name, &sql, &parameter_oids).await,
            Message::Bind(bind) => self.bind(bind),
            Message::Describe(target, name) => self.describe(target, &name),
            Message::Execute { portal, rows_max } => self.execute_portal(&portal, rows_max).await,
            Message::Close(target, name) => {
                self.close(target, &name);
                Ok(())
            }
            other => Err(Failure::protocol(format!("unexpected message {other:?}"))),
        };
        match result {
            Err(Failure::Statement(error)) => {
                self.report(error);
                self.skip_until_sync = true;
                Ok(())
            }
            other => other,
        }
    }

    async fn sync(&mut self) -> Flow<()> {
        self.skip_until_sync = false;
        self.ready().await
    }

    /// Tells the client of an error, which an open transaction doesn't survive.
    pub(super) fn report(&mut self, error: SqlError) {
        self.session.fail_transaction();
        self.send_notices();
        reply::error(self.writer.buffer(), Severity::Error, &error);
    }

    /// ReadyForQuery, and everything is sent.
    pub(super) async fn ready(&mut self) -> Flow<()> {
        self.send_parameter_changes();
        let status = self.session.transaction_status();
        if status == TransactionStatus::Idle {
            // Portals live as long as their transaction.
            self.portals.clear();
        }
        reply::ready_for_query(self.writer.buffer(), status);
        self.writer.flush_and_rest().await?;
        Ok(())
    }

    /// Notices, which come before the answer they belong to.
    pub(super) fn send_notices(&mut self) {
        for notice in self.session.take_notices() {
            reply::notice(self.writer.buffer(), &notice);
        }
    }

    /// ParameterStatus for what a SET has changed.
    pub(super) fn send_parameter_changes(&mut self) {
        for (name, value) in self.session.take_parameter_changes() {
            reply::parameter_status(self.writer.buffer(), &name, &value);
        }
    }

    /// Watches over a statement that starts now.
    pub(super) fn guard(&self) -> Guard {
        let timeout = self.session.statement_timeout();
        Guard {
            cancel: self.cancel.flag.clone(),
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            stop: self.stop.clone(),
            endless: false,
        }
    }

    /// Parses a query string; a panic of the parser ends only this connection.
    pub(super) fn parse(&self, sql: &str) -> Flow<Vec<<B::Session as SessionLike>::Statement>> {
        let parse = std::panic::AssertUnwindSafe(|| self.session.parse(sql));
        match std::panic::catch_unwind(parse) {
            Ok(result) => Ok(result?),
            Err(panic) => Err(super::guard::panicked(&*panic)),
        }
    }
}

/// Reads what the client still sends for a moment: closing on unread bytes would reset the connection, and the reset could
/// overtake the last message.
pub(super) async fn linger<R: tokio::io::AsyncRead + Unpin>(frames: &mut FrameReader<R>) {
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), frames.gone()).await;
}
