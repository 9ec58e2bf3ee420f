//! `Running`: what a windowed bolt works with once it is prepared.

use std::path::PathBuf;
use std::sync::Arc;

use smol_str::SmolStr;

use super::anchors::{HeldAnchors, WindowAnchors};
use super::by_key::{Outcomes, WindowsByKey};
use super::content::Added;
use super::event_clock::{EventClock, Timestamps};
use super::item::Item;
use super::journal::{Changes, Journal};
use super::restore::{Head, Restored, form_of, input_places};
use super::spill::SpillDirectory;
use super::window::Shape;
use super::{TupleWindow, Window, WindowCollector, WindowedBolt};
use crate::clock::Moment;
use crate::collector::BoltCollector;
use crate::config::Settings;
use crate::context::{Guarantee, TaskContext};
use crate::stream::StreamInfo;
use crate::tuple::Tuple;
use crate::window::WindowTime;
use crate::{Error, Failure, Outcome, Result, Value};

/// The setting that names the directory for pages.
const SPILL_DIRECTORY: &str = "spill_directory";
const TUPLES_IN_MEMORY: &str = "window_tuples_in_memory";

/// What a windowed bolt works with once it is prepared.
pub(super) struct Running {
    windows: WindowsByKey,
    inputs: Vec<Arc<StreamInfo>>,
    key_fields: Vec<SmolStr>,
    /// The key of the tuple at hand.
    key: Vec<Value>,
    /// In event time.
    clock: Option<EventClock>,
    anchors: HeldAnchors,
    late_stream: Option<SmolStr>,
    late: u64,
    number_next: u64,
    exactly_once: bool,
    component: SmolStr,
}

impl Running {
    /// As `window` says, in the place that `context` tells.
    pub fn prepare(window: &Window, context: &TaskContext) -> Result<Running> {
        window.check()?;
        let (shape, time) = (window.shape()?, window.time()?);
        let inputs = inputs(context);
        let key_fields: Vec<SmolStr> = window.key_fields()?.iter().map(SmolStr::new).collect();
        key_fields.iter().try_for_each(|field| check_field("key", field, &inputs))?;
        let clock = match (&window.timestamps, time) {
            (Some(timestamps), WindowTime::Event(event)) => {
                if let Timestamps::Field(field) = timestamps {
                    check_field("timestamp", field, &inputs)?;
                }
                Some(EventClock::new(timestamps.clone(), event, window.watermark_interval, inputs.len()))
            }
            _ => None,
        };
        let by_setting = context.config().get(TUPLES_IN_MEMORY).and_then(Value::as_int);
        let by_setting = by_setting.map(|items| usize::try_from(items).unwrap_or(usize::MAX));
        let spill = match window.items_in_memory.or(by_setting) {
            Some(items) => Some((Arc::new(spill_directory(context)?), items)),
            None => None,
        };
        let settings = Settings::of(context.config());
        let exactly_once = context.guarantee() == Guarantee::ExactlyOnceState;
        if !exactly_once && settings.acking && window.tuples_needed() > settings.max_spout_pending as u64 {
            let (component, needed) = (&context.component().name, window.tuples_needed());
            tracing::warn!(%component, "its windows need {needed} tuples that are not acked yet: more than may be pending");
        }
        let fires_again = matches!(time, WindowTime::Event(event) if event.lateness_ms() > 0);
        let marks_delivered = fires_again && matches!(shape, Shape::Sessions(_));
        let journal = exactly_once.then(|| Journal::new(marks_delivered));
        Ok(Running {
            windows: WindowsByKey::new(shape, time, !key_fields.is_empty(), spill, journal),
            inputs,
            key_fields,
            key: Vec::new(),
            clock,
            anchors: HeldAnchors::new(settings.message_timeout),
            late_stream: window.late_stream.clone(),
            late: 0,
            number_next: 0,
            exactly_once,
            component: context.component().name.clone(),
        })
    }

    /// Whether the content of windows is part of checkpoints.
    pub fn is_exactly_once(&self) -> bool {
        self.exactly_once
    }

    /// Takes a tuple in, and hands over what it completes.
    pub fn execute(
        &mut self,
        tuple: &Tuple<'_>,
        bolt: &mut impl WindowedBolt,
        collector: &mut BoltCollector,
    ) -> Outcome {
        if tuple.is_tick() {
            collector.ack(tuple);
            return Ok(());
        }
        let now = collector.now();
        let (ts, item) = match self.item(tuple, now) {
            Ok(read) => read,
            // Going back to the checkpoint would bring the same tuple again, for ever: it is told, and left out.
            Err(failure) if self.exactly_once => {
                collector.report_error(format!("a tuple was left out: {failure}"));
                collector.ack(tuple);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        if let Some(clock) = &mut self.clock {
            clock.track(item.input, ts, now);
        }
        match self.windows.add(&self.key, item, ts) {
            Ok(Added::Late) => self.note_late(tuple, ts, collector)?,
            Ok(Added::At(_)) => self.take_in(tuple, now, collector),
            Err(error) => return self.lose(error, collector),
        }
        self.hand_over(bolt, collector);
        Ok(())
    }

    /// Does what it is time for.
    pub fn poll(&mut self, now: Moment, bolt: &mut impl WindowedBolt, collector: &mut BoltCollector) -> Outcome {
        let Running { windows, clock, anchors, inputs, exactly_once, .. } = self;
        let hand_out =
            &mut |outcomes: &mut Outcomes| hand_over(outcomes, anchors, inputs, *exactly_once, bolt, collector);
        let fired = match clock {
            None => windows.on_time(now.as_millis(), hand_out),
            Some(clock) => clock.poll(now).map_or(Ok(()), |watermark| windows.on_watermark(watermark, hand_out)),
        };
        if let Err(error) = fired {
            return self.lose(error, collector);
        }
        self.anchors.poll(now, self.number_next, collector);
        self.hand_over(bolt, collector);
        Ok(())
    }

    /// When [`Running::poll`] is to be called.
    pub fn next_poll(&self) -> Option<Moment> {
        let fire = self.windows.next_fire().map(|ms| Moment((ms.max(0) as u64).saturating_mul(1000)));
        let watermark = self.clock.as_ref().map(EventClock::next_poll);
        [fire, watermark, self.anchors.next_poll()].into_iter().flatten().min()
    }

    /// Fails every tuple that is held.
    pub fn fail_all(&mut self, collector: &mut BoltCollector) {
        self.anchors.fail_all(collector);
    }

    /// What has changed since the last call.
    pub fn checkpoint(&mut self) -> Changes {
        let head = self.head().encode();
        let WindowsByKey { outcomes, .. } = &mut self.windows;
        match outcomes.journal.take() {
            None => Changes::new(),
            Some(mut journal) => {
                let changes = journal.checkpoint(head, self.windows.entries());
                self.windows.outcomes.journal = Some(journal);
                changes
            }
        }
    }

    /// Goes on from a checkpoint.
    pub fn restore(&mut self, restored: Restored<'_>) -> Result<()> {
        let Some(head) = restored.head else { return Ok(()) };
        let (shape, time) = (self.windows.shape, self.windows.time);
        if head.form != form_of(shape, time) {
            return Err(Error::invalid("its checkpoint holds windows of another form, length, slide or time"));
        }
        let places = input_places(&head, &self.inputs)?;
        self.number_next = head.number_next;
        self.windows.restore(head.id_next, head.watermark);
        if let Some(clock) = &mut self.clock {
            let mut ts_max = vec![None; self.inputs.len()];
            places.iter().zip(&head.inputs).for_each(|(place, (.., ts))| ts_max[*place as usize] = *ts);
            clock.restore(ts_max, head.watermark);
        }
        for (id, kept) in restored.keys {
            let (key, content) = kept.content(shape, time, &places, self.windows.queue(id))?;
            self.windows.restore_key(id, key, content)?;
        }
        Ok(())
    }

    fn head(&self) -> Head {
        let ts_max = |place: usize| self.clock.as_ref().and_then(|clock| clock.ts_max()[place]);
        let inputs = self.inputs.iter().enumerate();
        let inputs = inputs.map(|(place, input)| (input.component.clone(), input.stream.clone(), ts_max(place)));
        Head {
            form: form_of(self.windows.shape, self.windows.time),
            number_next: self.number_next,
            id_next: self.windows.id_next(),
            watermark: self.windows.watermark(),
            inputs: inputs.collect(),
        }
    }

    /// What is to be held of a tuple, and its timestamp. Sets the key.
    fn item(&mut self, tuple: &Tuple<'_>, now: Moment) -> Outcome<(i64, Item)> {
        let input = self.input(tuple)?;
        self.key.clear();
        for field in &self.key_fields {
            self.key.push(tuple.get(field)?.clone());
        }
        let ts = match &self.clock {
            None => now.as_millis(),
            Some(clock) => clock.timestamps.of(tuple)?,
        };
        Ok((ts, Item::new(self.number_next, input, tuple.source(), tuple.values().into())?))
    }

    fn input(&self, tuple: &Tuple<'_>) -> Outcome<u32> {
        let stream = tuple.stream();
        let place = self.inputs.iter().position(|input| Arc::ptr_eq(input, stream) || input == stream);
        let place = place.ok_or_else(|| Failure::new(format!("stream {:?} isn't one it reads", stream.stream)))?;
        Ok(place as u32)
    }

    /// A tuple is held: it is acked when it leaves, or now if checkpoints keep it.
    fn take_in(&mut self, tuple: &Tuple<'_>, now: Moment, collector: &mut BoltCollector) {
        match self.exactly_once {
            true => collector.ack(tuple),
            false => self.anchors.hold(self.number_next, tuple, now),
        }
        self.number_next += 1;
    }

    /// A late tuple goes to the late stream if there is one, and is done.
    fn note_late(&mut self, tuple: &Tuple<'_>, ts: i64, collector: &mut BoltCollector) -> Outcome {
        self.late += 1;
        match &self.late_stream {
            Some(stream) => drop(collector.emit_on(stream, tuple, [Value::List(tuple.values().into())])?),
            None => tracing::debug!(component = %self.component, ts, late = self.late, "a tuple came late"),
        }
        collector.ack(tuple);
        Ok(())
    }

    /// Hands over what has come about.
    fn hand_over(&mut self, bolt: &mut impl WindowedBolt, collector: &mut BoltCollector) {
        let Running { windows, anchors, inputs, exactly_once, .. } = self;
        hand_over(&mut windows.outcomes, anchors, inputs, *exactly_once, bolt, collector);
    }

    /// The content is undefined after an error of a page: all tuples fail, and windows begin anew. Where state is exactly once the topology goes
    /// back to the last checkpoint.
    fn lose(&mut self, error: Error, collector: &mut BoltCollector) -> Outcome {
        self.anchors.fail_all(collector);
        collector.lose(error.to_string());
        self.windows.clear();
        Err(error.into())
    }
}

/// Hands fired windows over, then acks what has left.
fn hand_over(
    outcomes: &mut Outcomes,
    anchors: &mut HeldAnchors,
    inputs: &[Arc<StreamInfo>],
    exactly_once: bool,
    bolt: &mut impl WindowedBolt,
    collector: &mut BoltCollector,
) {
    for (key, fired) in outcomes.fired.drain(..) {
        let anchors = WindowAnchors { items: &fired.items, held: anchors };
        let window = TupleWindow::new(&fired, &key, inputs);
        if let Err(failure) = bolt.execute(&window, &mut WindowCollector::new(anchors, collector)) {
            collector.report_error(failure.0.clone());
            collector.fail(anchors);
            // It isn't handed over again, and it may be without tuples that could fail.
            collector.lose(failure.0);
        }
    }
    let left = outcomes.left.drain(..);
    match exactly_once {
        true => drop(left),
        false => left.for_each(|number| anchors.ack(number, collector)),
    }
}

/// The streams that are read, each once.
fn inputs(context: &TaskContext) -> Vec<Arc<StreamInfo>> {
    let mut streams: Vec<Arc<StreamInfo>> = Vec::new();
    for input in &context.component().inputs {
        if !streams.contains(&input.stream) {
            streams.push(input.stream.clone());
        }
    }
    streams
}

fn check_field(what: &str, field: &str, inputs: &[Arc<StreamInfo>]) -> Result<()> {
    if inputs.iter().any(|input| input.fields.position(field).is_some()) {
        return Ok(());
    }
    let fields: Vec<_> = inputs.iter().map(|input| &input.fields).collect();
    Err(Error::invalid(format!("no input has the {what} field {field:?}; the inputs have {fields:?}")))
}

fn spill_directory(context: &TaskContext) -> Result<SpillDirectory> {
    let named = context.config().get(SPILL_DIRECTORY).and_then(Value::as_str);
    let base = named.map_or_else(std::env::temp_dir, PathBuf::from);
    SpillDirectory::create(&base, &context.component().name)
}
