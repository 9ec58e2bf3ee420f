//! Random events against the definition of the windows, written down without a queue.
//!
//! Each test runs some seeds and prints the one it is at; `WINDOW_SEED=n cargo test -p monsoon-topology random` repeats one, and `WINDOW_SEEDS=n` runs
//! so many.

use std::collections::{BTreeMap, BTreeSet};

use super::pages::MemoryPages;
use super::*;

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    /// A number from 0 to `end`, `end` excluded.
    pub(super) fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as i64
    }
}

/// Runs a test for each of some seeds, of as many as `WINDOW_SEEDS` says, or for the one in `WINDOW_SEED`.
pub(super) fn for_seeds(count: u64, test: impl Fn(&mut Random)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seeds = match number("WINDOW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WINDOW_SEEDS").unwrap_or(count),
    };
    for seed in seeds {
        println!("seed {seed}; to repeat: WINDOW_SEED={seed} cargo test -p monsoon-topology random");
        test(&mut Random(seed));
    }
}

/// Storm's eight forms with random numbers.
fn eight_forms(random: &mut Random) -> Vec<WindowSpec> {
    let mut small = || 1 + random.below(12);
    let (count, duration) = (Length::Count(small() as u64), Length::Duration(small()));
    let (by_count, by_duration) = (Slide::Count(small() as u64), Slide::Duration(small()));
    [
        WindowSpec::sliding(count, by_count),
        WindowSpec::per_tuple(count),
        WindowSpec::sliding(count, by_duration),
        WindowSpec::sliding(duration, by_duration),
        WindowSpec::per_tuple(duration),
        WindowSpec::sliding(duration, by_count),
        WindowSpec::tumbling(count),
        WindowSpec::tumbling(duration),
    ]
    .map(|spec| spec.unwrap())
    .to_vec()
}

/// What was added, as timestamp and number; and what came out.
#[derive(Default)]
struct Log {
    added: Vec<(i64, u32)>,
    fired: Vec<FiredWindow<u32>>,
    left: Vec<u32>,
}

/// A manager and its log; the manager is replaced by one restored from its snapshot now and then.
struct Subject {
    manager: WindowManager<u32>,
    spec: WindowSpec,
    time: WindowTime,
    log: Log,
}

impl Subject {
    fn new(spec: WindowSpec, time: WindowTime, random: &mut Random) -> Subject {
        let manager = WindowManager::with_queue(spec, time, queue(random)).unwrap();
        Subject { manager, spec, time, log: Log::default() }
    }

    /// Adds the next item, unless it is late: whether it was added.
    fn add(&mut self, ts: i64) -> bool {
        let number = self.log.added.len() as u32 + 1;
        let late = self.manager.is_late(ts);
        let returned = self.manager.add(number, ts, &mut self.log.fired).unwrap();
        assert_eq!(returned.is_some(), late);
        if !late {
            self.log.added.push((ts, number));
        }
        !late
    }

    fn watermark(&mut self, ts: i64) {
        self.manager.on_watermark(ts, &mut self.log.fired).unwrap();
    }

    fn maybe_restore(&mut self, random: &mut Random) {
        if random.below(40) == 0 {
            let snapshot = self.manager.snapshot().unwrap();
            self.manager = WindowManager::restore(self.spec, self.time, queue(random), snapshot.clone()).unwrap();
            assert_eq!(self.manager.snapshot().unwrap(), snapshot);
        }
        if random.below(20) == 0 {
            self.manager.release().unwrap();
        }
        self.log.left.append(&mut self.manager.take_expired());
    }

    /// Every item left or is still held, once.
    fn check_each_item_leaves_once(&mut self) {
        self.log.left.append(&mut self.manager.take_expired());
        let held = self.manager.snapshot().unwrap().entries.into_iter().map(|(_, number)| number);
        let mut numbers: Vec<u32> = self.log.left.iter().copied().chain(held).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, seq(1, self.log.added.len() as u32));
    }
}

/// A queue in memory or paged.
fn queue(random: &mut Random) -> WindowQueue<u32> {
    match random.below(2) {
        0 => WindowQueue::in_memory(),
        _ => WindowQueue::paged(Box::new(MemoryPages::default()), 10).with_page_items(4),
    }
}

/// The windows as defined, each with its end, of the items added, when time has come to `until`. `causal`: a window of a
/// count slide holds nothing that came after the item that completed it.
fn defined(spec: WindowSpec, added: &[(i64, u32)], until: i64, causal: bool) -> Vec<(i64, Vec<u32>)> {
    let mut sorted = added.to_vec();
    sorted.sort_unstable();
    let member = |end: i64, items: &[(i64, u32)]| -> Vec<u32> {
        let held: Vec<u32> = items.iter().map(|(_, number)| *number).collect();
        match spec.length() {
            Length::Count(count) => held[held.len().saturating_sub(count as usize)..].to_vec(),
            Length::Duration(ms) => {
                items.iter().filter(|(ts, _)| end - ms < *ts && *ts <= end).map(|(_, number)| *number).collect()
            }
        }
    };
    let windows: Vec<(i64, Vec<u32>)> = match spec.slide() {
        Slide::Duration(slide) => (-100..until)
            .filter(|end| end % slide == 0)
            .map(|end| (end, member(end, &sorted[..sorted.partition_point(|(ts, _)| *ts <= end)])))
            .collect(),
        Slide::Count(slide) => (slide as usize..=sorted.len())
            .step_by(slide as usize)
            .filter(|behind| sorted[behind - 1].0 <= until)
            .map(|behind| {
                let end = sorted[behind - 1].0;
                let by_count = causal || matches!(spec.length(), Length::Count(_));
                (end, member(end, if by_count { &sorted[..behind] } else { &sorted }))
            })
            .collect(),
    };
    windows.into_iter().filter(|(_, items)| !items.is_empty()).collect()
}

/// `new` is what no earlier window held; `expired` never comes again, in a window or as expired.
fn check_new_and_expired(fired: &[FiredWindow<u32>]) {
    let (mut seen, mut gone) = (BTreeSet::new(), BTreeSet::new());
    for window in fired {
        assert!(window.expired.iter().all(|item| gone.insert(*item)));
        assert!(window.items.iter().all(|item| !gone.contains(item)));
        let new: Vec<u32> = window.items.iter().copied().filter(|item| seen.insert(*item)).collect();
        assert_eq!(window.new, new);
    }
}

fn check_log(subject: &mut Subject, until: i64, causal: bool) {
    let fired: Vec<(i64, Vec<u32>)> =
        subject.log.fired.iter().map(|window| (window.end, window.items.clone())).collect();
    assert_eq!(fired, defined(subject.spec, &subject.log.added, until, causal), "{:?}", subject.spec);
    check_new_and_expired(&subject.log.fired);
    subject.check_each_item_leaves_once();
}

fn event_time(spec: WindowSpec, random: &mut Random) {
    let mut subject = Subject::new(spec, WindowTime::Event(EventTime::default()), random);
    let (mut base, mut watermark) = (random.below(100) - 50, i64::MIN);
    let mixes = matches!((spec.length(), spec.slide()), (Length::Duration(_), Slide::Count(_)));
    for _ in 0..random.below(300) {
        base += random.below(3);
        let ts = base - random.below(10);
        // A duration up to the item that completes a count holds equal timestamps that have come, which is up to chance.
        if !(mixes && ts == watermark) {
            subject.add(ts);
        }
        if random.below(10) == 0 {
            watermark = watermark.max(base - random.below(12));
            subject.watermark(watermark);
        }
        subject.maybe_restore(random);
    }
    let until = base + 30;
    subject.watermark(until);
    check_log(&mut subject, until, false);
}

fn processing_time(spec: WindowSpec, random: &mut Random) {
    let mut subject = Subject::new(spec, WindowTime::Processing, random);
    let mut now = random.below(100);
    for _ in 0..random.below(300) {
        now += random.below(4);
        match random.below(5) {
            0 => subject.manager.on_time(now, &mut subject.log.fired).unwrap(),
            _ => assert!(subject.add(now)),
        }
        subject.maybe_restore(random);
    }
    let until = now + 30;
    subject.manager.on_time(until, &mut subject.log.fired).unwrap();
    check_log(&mut subject, until, true);
}

#[test]
fn random_events_in_event_time() {
    for_seeds(300, |random| eight_forms(random).into_iter().for_each(|spec| event_time(spec, random)));
}

#[test]
fn random_events_in_processing_time() {
    for_seeds(300, |random| eight_forms(random).into_iter().for_each(|spec| processing_time(spec, random)));
}

/// Random events with late ones. A late item fires exactly the ends passed that cover it. Gives back how many it fired.
fn add_with_lateness(subject: &mut Subject, length: i64, slide: i64, random: &mut Random) -> usize {
    let (mut base, mut watermark, mut refired) = (random.below(100) - 50, i64::MIN, 0);
    for _ in 0..random.below(300) {
        base += random.below(3);
        let (ts, before) = (base - random.below(50), subject.log.fired.len());
        let added = subject.add(ts);
        let ends: Vec<i64> = subject.log.fired[before..].iter().map(|window| window.end).collect();
        let covering = (ts..ts + length).filter(|end| added && end % slide == 0 && *end < watermark);
        assert_eq!(ends, covering.collect::<Vec<_>>());
        refired += ends.len();
        if random.below(10) == 0 {
            watermark = watermark.max(base - random.below(12));
            subject.watermark(watermark);
        }
        subject.maybe_restore(random);
    }
    subject.watermark(base + 30);
    refired
}

/// The last firing of each end holds what is defined over all items accepted, late ones included; no end fires twice but for
/// a late item.
#[test]
fn random_allowed_lateness() {
    for_seeds(600, |random| {
        let (length, slide) = (1 + random.below(12), 1 + random.below(12));
        let spec = durations(length, slide).unwrap();
        let time = WindowTime::Event(EventTime::new(0, 1 + random.below(30), None).unwrap());
        let mut subject = Subject::new(spec, time, random);
        let refired = add_with_lateness(&mut subject, length, slide, random);
        let fired = &subject.log.fired;
        let by_end: BTreeMap<_, _> = fired.iter().map(|window| (window.end, window.items.clone())).collect();
        let until = subject.manager.watermark().unwrap();
        let defined: BTreeMap<_, _> = defined(spec, &subject.log.added, until, false).into_iter().collect();
        assert_eq!(by_end, defined, "{spec:?} {time:?}");
        assert!(fired.len() <= defined.len() + refired);
        let mut gone = BTreeSet::new();
        assert!(fired.iter().flat_map(|window| &window.expired).all(|item| gone.insert(*item)));
        subject.check_each_item_leaves_once();
    });
}

/// Against the definition: the least of the greatest timestamps of the inputs that aren't idle, when all of those have one.
#[test]
fn random_inputs_with_idle_ones() {
    for_seeds(300, |random| {
        let (inputs, lag, timeout) = (1 + random.below(4), random.below(10), 1 + random.below(50));
        let time = EventTime::new(lag, 0, Some(timeout)).unwrap();
        let mut generator = WatermarkGenerator::new(inputs as u32, time, 0);
        let (mut now, mut expected) = (0, None);
        let mut events: Vec<(usize, i64, i64)> = Vec::new();
        for _ in 0..200 {
            now += random.below(20);
            let (input, ts) = (random.below(inputs), now + random.below(30));
            if random.below(3) > 0 {
                generator.track(input as u32, ts, now);
                events.push((input as usize, ts, now));
            }
            let of = |input: usize| events.iter().filter(move |event| event.0 == input);
            let idle = |input: &usize| now - of(*input).map(|event| event.2).max().unwrap_or(0) > timeout;
            let greatest = |input: usize| of(input).map(|event| event.1).max();
            let live: Vec<usize> = (0..inputs as usize).filter(|input| !idle(input)).collect();
            let bound = match live.is_empty() {
                true => events.iter().map(|event| event.1).max(),
                false if live.iter().all(|input| greatest(*input).is_some()) => {
                    live.iter().filter_map(|input| greatest(*input)).min()
                }
                false => None,
            };
            let grown = bound.map(|ts| ts - lag).filter(|ts| expected.is_none_or(|before| *ts > before));
            assert_eq!(generator.advance(now), grown);
            expected = grown.or(expected);
        }
    });
}
