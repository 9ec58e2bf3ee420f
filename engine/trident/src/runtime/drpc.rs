//! The thread of a DRPC stream: makes a batch of each request and an answer of each batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use monsoon_topology::Value;
use parking_lot::{Condvar, Mutex};
use serde_json::Value as Json;

use super::guarded;
use super::run::{Report, Run, Workshop};
use crate::batch::BatchId;
use crate::drpc::{DrpcServer, Request};
use crate::graph::{Origin, Source};
use crate::tuple::Row;

/// Before a server that has no request is asked again.
const NO_REQUEST_WAIT: Duration = Duration::from_millis(1);

pub(super) struct DrpcWorker {
    pub(super) number: usize,
    pub(super) workshop: Arc<Workshop>,
    pub(super) requests_max: usize,
    pub(super) stopped: Arc<AtomicBool>,
}

/// The requests in work.
#[derive(Default)]
struct InWork {
    count: Mutex<usize>,
    changed: Condvar,
}

impl DrpcWorker {
    /// Works until it is told to stop and all requests in work are answered.
    pub(super) fn work(self) {
        let stream = &self.workshop.plan.drpc[self.number];
        let in_work = Arc::new(InWork::default());
        let mut next_number = 1;
        while !self.stopped.load(Ordering::Relaxed) {
            match guarded(|| Ok(stream.server.next_request(&stream.function))) {
                Ok(Some(request)) => {
                    self.start(next_number, request, &in_work);
                    next_number += 1;
                }
                Ok(None) => std::thread::sleep(NO_REQUEST_WAIT),
                Err(reason) => {
                    tracing::error!(function = %stream.function, %reason, "the DRPC server failed");
                    std::thread::sleep(NO_REQUEST_WAIT * 100);
                }
            }
        }
        in_work.wait_below(1);
    }

    fn start(&self, number: u64, request: Request, in_work: &Arc<InWork>) {
        in_work.wait_below(self.requests_max.max(1));
        *in_work.count.lock() += 1;
        let (server, in_work) = (self.workshop.plan.drpc[self.number].server.clone(), in_work.clone());
        let args = request.args;
        let report = move |report| {
            drop(guarded(|| {
                answer(&*server, &request.id, report);
                Ok(())
            }));
            *in_work.count.lock() -= 1;
            in_work.changed.notify_all();
        };
        let batch = BatchId { txid: number, attempt: 0 };
        let run = Run::new(batch, Origin::Drpc(self.number), self.workshop.clone(), report);
        let source = Source::Drpc(self.number);
        let mut by_partition = vec![Vec::new(); self.workshop.plan.source_partitions(source)];
        by_partition[0].push(vec![Value::from(args)]);
        run.deliver(source, by_partition);
    }
}

impl InWork {
    fn wait_below(&self, bound: usize) {
        let mut count = self.count.lock();
        while *count >= bound {
            self.changed.wait(&mut count);
        }
    }
}

fn answer(server: &dyn DrpcServer, id: &str, report: Report) {
    match report {
        Report::Answered(rows) => server.result(id, json_of(&rows).to_string()),
        Report::Failed { reason, .. } => server.fail(id, reason),
        Report::Processed { .. } | Report::Committed(_) => server.fail(id, "the request was lost".to_owned()),
    }
}

fn json_of(rows: &[Row]) -> Json {
    rows.iter().map(|row| Json::Array(row.iter().map(json_value).collect())).collect()
}

/// Timestamps are microseconds, bytes hexadecimal text; a number JSON doesn't know is null.
fn json_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int(value) | Value::Timestamp(value) => Json::from(*value),
        Value::Float(value) => Json::from(*value),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bytes(_) => Json::from(value.to_string()),
        Value::List(items) => items.iter().map(json_value).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.to_string(), json_value(value))).collect())
        }
    }
}
