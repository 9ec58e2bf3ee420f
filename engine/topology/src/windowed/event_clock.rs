//! `EventClock`: the timestamps of tuples, and how far event time has come.

use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use crate::clock::Moment;
use crate::tuple::Tuple;
use crate::window::{EventTime, WatermarkGenerator};
use crate::{Failure, Outcome, Value};

/// User code that tells a tuple's timestamp, in ms.
type Extractor = dyn Fn(&Tuple<'_>) -> Outcome<i64> + Send + Sync;

/// Where a tuple's timestamp comes from, in ms.
#[derive(Clone)]
pub(super) enum Timestamps {
    /// A field: an integer in ms, or a timestamp.
    Field(SmolStr),
    /// What user code says.
    Extractor(Arc<Extractor>),
}

impl Timestamps {
    /// A tuple's timestamp, in ms.
    pub fn of(&self, tuple: &Tuple<'_>) -> Outcome<i64> {
        match self {
            Timestamps::Extractor(extract) => extract(tuple),
            Timestamps::Field(field) => match tuple.get(field)? {
                Value::Int(ms) => Ok(*ms),
                Value::Timestamp(micros) => Ok(micros.div_euclid(1000)),
                other => Err(Failure::new(format!(
                    "the timestamp field {field:?} holds {}, not an integer in ms or a timestamp",
                    other.kind()
                ))),
            },
        }
    }
}

/// How far event time has come over a task's inputs. The watermark moves when it is asked, once per interval.
pub(super) struct EventClock {
    pub timestamps: Timestamps,
    time: EventTime,
    interval: Duration,
    /// Per input the greatest timestamp seen.
    ts_max: Vec<Option<i64>>,
    /// `None` until the time is known: then the silence of inputs begins.
    generator: Option<WatermarkGenerator>,
    /// Of before a restart.
    restored: Option<i64>,
    next_poll: Moment,
}

impl EventClock {
    /// Over so many inputs.
    pub fn new(timestamps: Timestamps, time: EventTime, interval: Duration, inputs: usize) -> EventClock {
        let ts_max = vec![None; inputs];
        EventClock { timestamps, time, interval, ts_max, generator: None, restored: None, next_poll: Moment(0) }
    }

    /// A tuple with this timestamp came from an input.
    pub fn track(&mut self, input: u32, ts: i64, now: Moment) {
        let max = &mut self.ts_max[input as usize];
        *max = Some(max.map_or(ts, |max| max.max(ts)));
        self.generator(now).track(input, ts, now.as_millis());
    }

    /// The watermark if it has grown, when it is time to ask.
    pub fn poll(&mut self, now: Moment) -> Option<i64> {
        if now < self.next_poll {
            return None;
        }
        self.next_poll = now.after(self.interval);
        self.generator(now).advance(now.as_millis())
    }

    /// When [`EventClock::poll`] is to be called.
    pub fn next_poll(&self) -> Moment {
        self.next_poll
    }

    /// Per input the greatest timestamp seen.
    pub fn ts_max(&self) -> &[Option<i64>] {
        &self.ts_max
    }

    /// Goes on from what was seen and the watermark there was, before anything comes in.
    pub fn restore(&mut self, ts_max: Vec<Option<i64>>, watermark: Option<i64>) {
        (self.ts_max, self.restored) = (ts_max, watermark);
    }

    fn generator(&mut self, now: Moment) -> &mut WatermarkGenerator {
        let now_ms = now.as_millis();
        self.generator.get_or_insert_with(|| {
            let mut generator = WatermarkGenerator::new(self.ts_max.len() as u32, self.time, now_ms);
            for (input, ts) in self.ts_max.iter().enumerate() {
                ts.iter().for_each(|ts| generator.track(input as u32, *ts, now_ms));
            }
            generator.restore(self.restored);
            generator
        })
    }
}
