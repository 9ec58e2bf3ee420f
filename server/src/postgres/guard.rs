//! `Guard`: everything that may end a statement before its own end: a cancel request, its timeout, the server's stop, a
//! client that has gone, a panic.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use monsoon_sql::SqlError;
use tokio::io::AsyncRead;
use tokio::sync::watch;
use tokio::time::Instant;

use super::cancel::CancelFlag;
use super::failure::{Failure, Flow};
use super::frame::FrameReader;

/// Set when the server stops: the moment at which running statements are cut off.
pub(super) type Stop = watch::Receiver<Option<Instant>>;

/// Watches over one statement.
pub(super) struct Guard {
    pub(super) cancel: Arc<CancelFlag>,
    pub(super) deadline: Option<Instant>,
    pub(super) stop: Stop,
    /// The statement has no end of its own, so a stopping server doesn't wait for it.
    pub(super) endless: bool,
}

impl Guard {
    /// Runs `work` unless something ends it first. Dropping `work` is what cancels it.
    pub(super) async fn run<R, F>(&self, frames: &mut FrameReader<R>, work: F) -> Flow<F::Output>
    where
        R: AsyncRead + Unpin,
        F: Future,
    {
        tokio::select! {
            // In this order: rows that are always ready must not keep a cancel request from being seen, and a statement that
            // needs no waiting is done even for a client that has said all it had to say and closed.
            biased;
            failure = self.interrupted() => Err(failure),
            result = AssertUnwindSafe(work).catch_unwind() => result.map_err(|panic| panicked(&*panic)),
            () = frames.gone() => Err(Failure::Gone),
        }
    }

    /// As `run`, for work that itself reads from the client.
    pub(super) async fn run_reading<F: Future>(&self, work: F) -> Flow<F::Output> {
        tokio::select! {
            biased;
            failure = self.interrupted() => Err(failure),
            result = AssertUnwindSafe(work).catch_unwind() => result.map_err(|panic| panicked(&*panic)),
        }
    }

    async fn interrupted(&self) -> Failure {
        tokio::select! {
            () = self.cancel.requested() => cancelled("user request"),
            () = sleep_until(self.deadline) => cancelled("statement timeout"),
            () = self.stopped() => Failure::stopping(),
        }
    }

    async fn stopped(&self) {
        let mut stop = self.stop.clone();
        let cut = stop.wait_for(Option::is_some).await.ok().and_then(|cut| *cut);
        if !self.endless || cut.is_none() {
            sleep_until(cut).await;
        }
    }
}

/// Waits for a moment, or for ever.
pub(super) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn cancelled(reason: &str) -> Failure {
    Failure::Statement(SqlError::new("57014", format!("canceling statement due to {reason}")))
}

/// The session may be in any state after a panic, so the connection ends with it.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = %words, "a statement panicked; its connection is closed");
    let error = SqlError::internal("internal error: the statement panicked; this connection is closed");
    Failure::Fatal(error.with_hint("the server goes on; please report this with the statement"))
}
