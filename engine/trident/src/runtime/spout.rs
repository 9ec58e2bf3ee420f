//! The thread of a spout: emits batches in the order it is told to, which is the order of txids.

mod coordinated;
mod partitioned;
mod record;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use monsoon_topology::Outcome;
use parking_lot::Mutex;

use super::guarded;
use super::run::Run;
use crate::batch::BatchId;
use crate::coordinator::Event;
use crate::graph::Source;
use crate::spout::{BatchSpout, Kind, Spout};
use crate::tuple::{Collector, Row};

pub(super) use record::SpoutRecord;

/// What the master tells a spout.
pub(super) enum Command {
    Ask(Arc<Inquiry>),
    Emit(Arc<Run>),
    Committed(BatchId),
}

/// The question to all spouts whether a new batch may start. It may as soon as one of them is ready.
pub(super) struct Inquiry {
    txid: u64,
    /// The answers that are missing; none once one spout is ready.
    missing: Mutex<usize>,
    events: Sender<Event>,
}

impl Inquiry {
    pub(super) fn new(txid: u64, spouts: usize, events: Sender<Event>) -> Inquiry {
        Inquiry { txid, missing: Mutex::new(spouts), events }
    }

    fn answer(&self, is_ready: bool) {
        let mut missing = self.missing.lock();
        let event = match (*missing, is_ready) {
            (0, _) => return,
            (_, true) => Event::Ready(self.txid),
            (1, false) => Event::NotReady(self.txid),
            (_, false) => {
                *missing -= 1;
                return;
            }
        };
        *missing = 0;
        drop(self.events.send(event));
    }
}

/// The rows of a batch, by the partitions of the stream.
type Emitted = Vec<Vec<Row>>;

/// A spout of any kind, as its thread uses it.
trait Producer: Send {
    /// Whether a new batch may start.
    fn is_ready(&mut self, _txid: u64) -> Outcome<bool> {
        Ok(true)
    }

    /// Emits a batch: those before it are emitted.
    fn emit(&mut self, batch: BatchId) -> Outcome<Emitted>;

    /// The batch, and so every earlier one, is committed.
    fn committed(&mut self, batch: BatchId) -> Outcome;

    /// Emitting has failed: what may be anywhere is to be made anew.
    fn failed(&mut self) {}

    /// Called once after the last batch.
    fn close(&mut self) {}
}

pub(super) struct SpoutWorker {
    source: Source,
    producer: Box<dyn Producer>,
    /// The greatest txid that can be emitted: all before it are.
    next_txid: u64,
    record: Arc<SpoutRecord>,
}

impl SpoutWorker {
    pub(super) fn new(
        number: usize,
        spout: Spout,
        record: Arc<SpoutRecord>,
        partitions: usize,
    ) -> Outcome<SpoutWorker> {
        let arity = spout.fields().len();
        let producer: Box<dyn Producer> = match spout.0 {
            Kind::Batch(spout) => Box::new(Whole::new(spout, arity, partitions)?),
            Kind::Transactional(spout) => {
                Box::new(partitioned::Transactional::new(spout, record.clone(), arity, partitions))
            }
            Kind::Opaque(spout) => Box::new(partitioned::Opaque::new(spout, record.clone(), arity, partitions)),
            Kind::Coordinated(spout) => {
                Box::new(coordinated::Coordinated::new(spout, record.clone(), arity, partitions)?)
            }
        };
        Ok(SpoutWorker { source: Source::Spout(number), producer, next_txid: 1, record })
    }

    /// Works from a txid on until the master is gone.
    pub(super) fn work(mut self, first_txid: u64, commands: Receiver<Command>) {
        self.next_txid = first_txid;
        for command in commands {
            match command {
                Command::Ask(inquiry) => self.answer(&inquiry),
                Command::Emit(run) => self.emit_to(&run),
                Command::Committed(batch) => self.tell(|producer| producer.committed(batch)),
            }
        }
        self.tell(|producer| {
            producer.close();
            Ok(())
        });
    }

    /// Tells the spout something it can't refuse.
    fn tell(&mut self, tell: impl FnOnce(&mut dyn Producer) -> Outcome) {
        if let Err(reason) = guarded(|| tell(&mut *self.producer)) {
            tracing::warn!(spout = self.record.name(), %reason, "a spout failed at what it was told");
        }
    }

    fn answer(&mut self, inquiry: &Inquiry) {
        let is_ready = guarded(|| self.producer.is_ready(inquiry.txid)).unwrap_or_else(|reason| {
            tracing::warn!(spout = self.record.name(), %reason, "a spout can't say whether it is ready");
            drop(guarded(|| {
                self.producer.failed();
                Ok(())
            }));
            false
        });
        inquiry.answer(is_ready);
    }

    fn emit_to(&mut self, run: &Arc<Run>) {
        let txid = run.batch.txid;
        // A batch starts where the one before it ended. When that one was given up or failed, this attempt is about to be
        // cancelled too, and must not take the place of the other.
        if run.is_cancelled() || txid > self.next_txid {
            self.next_txid = self.next_txid.min(txid);
            return;
        }
        match guarded(|| self.producer.emit(run.batch)) {
            Ok(emitted) => {
                self.next_txid = txid + 1;
                run.deliver(self.source, emitted);
            }
            Err(reason) => {
                self.next_txid = txid;
                self.tell(|producer| {
                    producer.failed();
                    Ok(())
                });
                run.fail(format!("spout {:?}: {reason}", self.record.name()));
            }
        }
    }
}

/// A spout that emits whole batches: their tuples go round the partitions one by one.
struct Whole {
    spout: Box<dyn BatchSpout>,
    arity: usize,
    partitions: usize,
}

impl Whole {
    fn new(mut spout: Box<dyn BatchSpout>, arity: usize, partitions: usize) -> Outcome<Whole> {
        spout.open()?;
        Ok(Whole { spout, arity, partitions })
    }
}

impl Producer for Whole {
    fn emit(&mut self, batch: BatchId) -> Outcome<Emitted> {
        let mut out = Collector::new(self.arity);
        self.spout.emit_batch(batch.txid, &mut out)?;
        let mut emitted = vec![Vec::new(); self.partitions];
        out.finish()?.into_iter().enumerate().for_each(|(place, row)| emitted[place % self.partitions].push(row));
        Ok(emitted)
    }

    fn committed(&mut self, batch: BatchId) -> Outcome {
        self.spout.ack(batch.txid);
        Ok(())
    }

    fn close(&mut self) {
        self.spout.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inquiry_is_answered_once_by_the_first_that_is_ready_or_by_the_last() {
        let asked = |answers: &[bool]| {
            let (events, received) = std::sync::mpsc::channel();
            let inquiry = Inquiry::new(7, answers.len(), events);
            answers.iter().for_each(|is_ready| inquiry.answer(*is_ready));
            drop(inquiry);
            received.into_iter().map(|event| matches!(event, Event::Ready(7))).collect::<Vec<_>>()
        };
        assert_eq!(asked(&[false, false]), [false]);
        assert_eq!(asked(&[false, true]), [true]);
        assert_eq!(asked(&[true, false]), [true]);
        assert_eq!(asked(&[true, true]), [true]);
    }
}
