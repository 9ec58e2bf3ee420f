//! Sessions: by hand, and random events against the definition.

use super::pages::MemoryPages;
use super::random::{Random, for_seeds};
use super::*;

/// Sessions with a gap of 10 ms.
fn sessions(time: WindowTime) -> SessionManager<u32> {
    SessionManager::new(SessionSpec::new(10).unwrap(), time)
}

/// Event time with allowed lateness.
fn lateness(lateness_ms: i64) -> WindowTime {
    WindowTime::Event(EventTime::new(0, lateness_ms, None).unwrap())
}

fn items(fired: &mut Vec<FiredWindow<u32>>) -> Vec<(Vec<u32>, Vec<u32>)> {
    fired.drain(..).map(|window| (window.items, window.new)).collect()
}

#[test]
fn a_gap_that_is_not_positive_is_refused() {
    assert_eq!(
        SessionSpec::new(0).unwrap_err().to_string(),
        "invalid topology: session gap is 0 ms: it must be at least 1"
    );
}

#[test]
fn a_session_fires_when_the_watermark_passes_the_gap() {
    let (mut manager, mut fired) = (sessions(lateness(0)), Vec::new());
    for (item, ts) in [(1, 100), (2, 110), (3, 121)] {
        assert_eq!(manager.add(item, ts, &mut fired), Ok(None));
    }
    manager.on_watermark(120, &mut fired).unwrap();
    assert_eq!(fired, []);
    manager.on_watermark(121, &mut fired).unwrap();
    let first = FiredWindow { items: seq(1, 2), new: seq(1, 2), expired: none(), start: Some(100), end: 120 };
    assert_eq!(fired, [first]);
    assert_eq!((manager.take_expired(), manager.take_expired()), (seq(1, 2), none()));
    assert_eq!(manager.add(4, 120, &mut fired), Ok(Some(4)));
}

#[test]
fn an_item_between_two_sessions_merges_them() {
    let (mut manager, mut fired) = (sessions(lateness(0)), Vec::new());
    for (item, ts) in [(1, 100), (2, 115)] {
        manager.add(item, ts, &mut fired).unwrap();
    }
    assert_eq!(manager.len(), 2);
    manager.add(3, 107, &mut fired).unwrap();
    assert_eq!(manager.len(), 1);
    manager.on_watermark(126, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(vec![1, 3, 2], vec![1, 3, 2])]);
}

#[test]
fn a_session_in_processing_time_fires_by_the_clock() {
    let (mut manager, mut fired) = (sessions(WindowTime::Processing), Vec::new());
    manager.add(1, 100, &mut fired).unwrap();
    manager.add(2, 105, &mut fired).unwrap();
    assert_eq!(manager.next_fire(), Some(116));
    manager.on_time(115, &mut fired).unwrap();
    assert_eq!(fired, []);
    manager.add(3, 116, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(seq(1, 2), seq(1, 2))]);
    manager.add(4, 90, &mut fired).unwrap();
    manager.on_time(127, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(seq(3, 4), seq(3, 4))]);
    assert_eq!((manager.next_fire(), manager.take_expired()), (None, seq(1, 4)));
}

#[test]
fn an_allowed_late_item_makes_its_session_fire_again() {
    let (mut manager, mut fired) = (sessions(lateness(20)), Vec::new());
    manager.add(1, 100, &mut fired).unwrap();
    manager.on_watermark(111, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(vec![1], vec![1])]);
    manager.add(2, 95, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(vec![2, 1], vec![2])]);
    manager.add(3, 104, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [], "prolonged to 114, which the watermark has not passed");
    manager.on_watermark(115, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(vec![2, 1, 3], vec![3])]);
    manager.on_watermark(134, &mut fired).unwrap();
    assert_eq!(manager.take_expired(), none());
    manager.on_watermark(135, &mut fired).unwrap();
    assert_eq!((manager.take_expired(), manager.is_empty()), (vec![2, 1, 3], true));
}

#[test]
fn extreme_timestamps_do_no_harm() {
    let (mut manager, mut fired) = (sessions(lateness(5)), Vec::new());
    for (item, ts) in [(1, i64::MIN), (2, i64::MAX), (3, 0), (4, i64::MIN + 1)] {
        manager.add(item, ts, &mut fired).unwrap();
    }
    manager.on_watermark(i64::MAX, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(vec![1, 4], vec![1, 4]), (vec![3], vec![3])]);
}

/// A late item joins a session that has fired and is in pages to one that is open and in pages, and only what no window has held is new.
#[test]
fn a_late_item_joins_two_sessions_that_are_in_pages() {
    let queue = WindowQueue::paged(Box::new(MemoryPages::default()), 0).with_page_items(SMALL_PAGE);
    let (mut manager, mut fired) =
        (SessionManager::with_queue(SessionSpec::new(10).unwrap(), lateness(1000), queue), Vec::new());
    for item in 1..=10 {
        manager.add(item, i64::from(item), &mut fired).unwrap();
    }
    manager.on_watermark(25, &mut fired).unwrap();
    assert_eq!(items(&mut fired), [(seq(1, 10), seq(1, 10))]);
    for item in 11..=20 {
        manager.add(item, 14 + i64::from(item), &mut fired).unwrap();
    }
    manager.release().unwrap();
    assert_eq!((manager.len(), manager.queue().items_in_memory()), (2, 0));
    manager.add(21, 17, &mut fired).unwrap();
    assert_eq!((manager.len(), items(&mut fired)), (1, vec![]), "fired at 25 and open until 44: open");
    assert!(manager.queue().items_in_memory() <= 2 * SMALL_PAGE);
    manager.on_watermark(45, &mut fired).unwrap();
    let new = [vec![21], seq(11, 20)].concat();
    assert_eq!(items(&mut fired), [([seq(1, 10), new.clone()].concat(), new)]);
    assert_eq!(manager.take_expired(), none());
}

/// The items split wherever two are more than the gap apart, as long as the end is before `until`.
fn defined(mut added: Vec<(i64, u32)>, gap: i64, until: i64) -> Vec<Vec<u32>> {
    added.sort_unstable();
    let sessions = added.chunk_by(|a, b| b.0 - a.0 <= gap).filter(|session| session[session.len() - 1].0 + gap < until);
    sessions.map(|session| session.iter().map(|(_, item)| *item).collect()).collect()
}

/// Items per page, so few that sessions have several and share some.
const SMALL_PAGE: usize = 4;

/// A queue in memory, or of small pages of which few stay there; and how many items may.
fn queue(random: &mut Random) -> (WindowQueue<u32>, usize) {
    let bound = random.below(20) as usize;
    match random.below(3) {
        0 => (WindowQueue::in_memory(), usize::MAX),
        _ => {
            let queue = WindowQueue::paged(Box::new(MemoryPages::default()), bound).with_page_items(SMALL_PAGE);
            (queue, bound + 2 * SMALL_PAGE)
        }
    }
}

/// Random events; gives back what was added, what fired, what left, and the last watermark.
type Outcome = (Vec<(i64, u32)>, Vec<FiredWindow<u32>>, Vec<u32>, i64);

fn run(spec: SessionSpec, time: WindowTime, random: &mut Random) -> Outcome {
    let (own, mut in_memory_max) = queue(random);
    let mut manager = SessionManager::with_queue(spec, time, own);
    let (mut added, mut fired, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let mut base = random.below(100) - 50;
    for _ in 0..random.below(300) {
        base += random.below(8);
        let (ts, number) = (base - random.below(25), added.len() as u32 + 1);
        if manager.add(number, ts, &mut fired).unwrap().is_none() {
            added.push((ts, number));
        }
        if random.below(6) == 0 {
            manager.on_watermark(base - random.below(25), &mut fired).unwrap();
        }
        if random.below(40) == 0 {
            let snapshot = manager.snapshot().unwrap();
            let (own, max) = queue(random);
            (manager, in_memory_max) = (SessionManager::restore(spec, time, own, snapshot.clone()).unwrap(), max);
            assert_eq!(manager.snapshot(), Ok(snapshot));
        }
        if random.below(20) == 0 {
            manager.release().unwrap();
            assert!(in_memory_max == usize::MAX || manager.queue().items_in_memory() == 0);
        }
        assert!(manager.queue().items_in_memory() <= in_memory_max);
        left.append(&mut manager.take_expired());
    }
    manager.on_watermark(base + 1000, &mut fired).unwrap();
    left.append(&mut manager.take_expired());
    assert!(manager.is_empty());
    (added, fired, left, base + 1000)
}

#[test]
fn random_sessions() {
    for_seeds(1000, |random| {
        let spec = SessionSpec::new(1 + random.below(12)).unwrap();
        let (added, fired, mut left, until) = run(spec, lateness(0), random);
        let sessions: Vec<Vec<u32>> = fired.iter().map(|window| window.items.clone()).collect();
        assert_eq!(sessions, defined(added.clone(), spec.gap_ms(), until));
        assert!(fired.iter().all(|window| window.new == window.items));
        left.sort_unstable();
        assert_eq!(left, seq(1, added.len() as u32));
    });
}

/// The last firing of every session is as defined over all items accepted; every item is `new` once and leaves once.
#[test]
fn random_sessions_with_lateness() {
    for_seeds(1000, |random| {
        let spec = SessionSpec::new(1 + random.below(12)).unwrap();
        let late = lateness(1 + random.below(30));
        let (added, fired, mut left, until) = run(spec, late, random);
        for session in defined(added.clone(), spec.gap_ms(), until) {
            let last = fired.iter().rev().find(|window| window.items.contains(&session[0]));
            assert_eq!(last.map(|window| &window.items), Some(&session));
        }
        let mut new: Vec<u32> = fired.into_iter().flat_map(|window| window.new).collect();
        new.sort_unstable();
        left.sort_unstable();
        assert_eq!((&new, &left), (&seq(1, added.len() as u32), &new));
    });
}
