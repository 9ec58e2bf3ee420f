//! The paged queue (W-25), alone and behind a manager.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::random::for_seeds;
use super::*;
use crate::Result;

/// The pages that are stored, by number.
type Stored = Arc<Mutex<BTreeMap<u64, Vec<(i64, u32)>>>>;

/// Pages in a map that the test can look into.
#[derive(Default)]
pub(super) struct MemoryPages(Stored);

impl Pages<u32> for MemoryPages {
    fn store(&mut self, page: u64, entries: &[(i64, u32)]) -> Result<()> {
        assert!(entries.len() <= PAGE_ITEMS);
        self.0.lock().unwrap().insert(page, entries.to_vec());
        Ok(())
    }

    fn load(&self, page: u64) -> Result<Vec<(i64, u32)>> {
        Ok(self.0.lock().unwrap()[&page].clone())
    }

    fn remove(&mut self, page: u64) -> Result<()> {
        self.0.lock().unwrap().remove(&page).expect("only a stored page is removed");
        Ok(())
    }
}

/// Everything in a queue.
fn entries(queue: &WindowQueue<u32>) -> Vec<(i64, u32)> {
    let mut entries = Vec::new();
    queue.visit(queue.first()..queue.end(), |ts, item| entries.push((ts, *item))).unwrap();
    entries
}

#[test]
fn w25_evicted_pages_are_iterated_in_order_and_repeatably() {
    let stored = Stored::default();
    let mut queue = WindowQueue::paged(Box::new(MemoryPages(stored.clone())), 2000);
    let expected: Vec<(i64, u32)> = (0..20_000).map(|number| (i64::from(number), number)).collect();
    for (ts, item) in &expected {
        queue.insert(*item, *ts).unwrap();
        assert!(queue.items_in_memory() <= 3000);
    }
    assert_eq!(stored.lock().unwrap().keys().copied().collect::<Vec<_>>(), (0..18).collect::<Vec<_>>());
    assert_eq!(entries(&queue), expected);
    assert_eq!(entries(&queue), expected);
    assert!(queue.items_in_memory() <= 3000);
}

#[test]
fn w25_removal_works_across_pages() {
    let stored = Stored::default();
    let mut queue = WindowQueue::paged(Box::new(MemoryPages(stored.clone())), 0);
    (0..5500).for_each(|number| queue.insert(number, i64::from(number)).unwrap());
    let mut removed = Vec::new();
    queue.pop_front(2500, |item| removed.push(item)).unwrap();
    assert_eq!(removed, (0..2500).collect::<Vec<_>>());
    assert_eq!(entries(&queue), (2500..5500).map(|number| (i64::from(number), number)).collect::<Vec<_>>());
    queue.pop_front(u64::MAX, drop).unwrap();
    assert!(queue.is_empty() && stored.lock().unwrap().is_empty());
}

#[test]
fn w25_the_latest_page_is_never_evicted() {
    let stored = Stored::default();
    let mut queue = WindowQueue::paged(Box::new(MemoryPages(stored.clone())), 0);
    (0..1000).for_each(|number| queue.insert(number, 0).unwrap());
    assert_eq!((queue.items_in_memory(), stored.lock().unwrap().len()), (1000, 0));
    queue.insert(1000, 0).unwrap();
    assert_eq!((queue.items_in_memory(), stored.lock().unwrap().len()), (1, 1));
}

#[test]
fn what_was_released_is_added_to_where_it_is() {
    let stored = Stored::default();
    let mut queue = WindowQueue::paged(Box::new(MemoryPages(stored.clone())), 100);
    for number in 0..30 {
        queue.insert(number, i64::from(number)).unwrap();
        queue.release().unwrap();
        assert_eq!((queue.items_in_memory(), stored.lock().unwrap().len()), (0, 1));
    }
    assert_eq!(entries(&queue), (0..30).map(|number| (i64::from(number), number)).collect::<Vec<_>>());
    queue.pop_front(30, drop).unwrap();
    assert!(stored.lock().unwrap().is_empty());
}

/// The content of W-24 as far as it is about windows: 20,000 items, at most 10 pages in memory, 4,000 windows of 5.
#[test]
fn w24_four_thousand_windows_out_of_twenty_pages() {
    let stored = Stored::default();
    let queue = WindowQueue::paged(Box::new(MemoryPages(stored.clone())), 10_000);
    let spec = WindowSpec::tumbling(Length::Count(5)).unwrap();
    let mut manager = WindowManager::with_queue(spec, WindowTime::Event(EventTime::default()), queue).unwrap();
    let mut fired = Vec::new();
    for number in 0..20_000 {
        assert_eq!(manager.add(number, i64::from(number), &mut fired), Ok(None));
    }
    assert!(stored.lock().unwrap().len() >= 9);
    manager.on_watermark(20_000, &mut fired).unwrap();
    let items: Vec<Vec<u32>> = fired.into_iter().map(|window| window.items).collect();
    assert_eq!(items, (0..4000).map(|i| seq(5 * i, 5 * i + 4)).collect::<Vec<_>>());
    assert_eq!(manager.take_expired(), seq(0, 19_994));
}

/// A page that can't be kept is the caller's to hear of.
#[test]
fn an_error_of_the_store_is_passed_on() {
    struct Full;
    impl Pages<u32> for Full {
        fn store(&mut self, _: u64, _: &[(i64, u32)]) -> Result<()> {
            Err(crate::Error::Checkpoint("no room".into()))
        }
        fn load(&self, _: u64) -> Result<Vec<(i64, u32)>> {
            Ok(Vec::new())
        }
        fn remove(&mut self, _: u64) -> Result<()> {
            Ok(())
        }
    }
    let mut queue = WindowQueue::paged(Box::new(Full), 0);
    let result = (0..2000).try_for_each(|number| queue.insert(number, 0));
    assert_eq!(result, Err(crate::Error::Checkpoint("no room".into())));
}

#[test]
fn random_operations_against_a_sorted_list() {
    for_seeds(20, |random| {
        let stored = Stored::default();
        let page_items = [PAGE_ITEMS, 100][random.below(2) as usize];
        let mut queue = WindowQueue::paged(Box::new(MemoryPages(stored.clone())), 3000).with_page_items(page_items);
        let mut model: Vec<(i64, u32)> = Vec::new();
        let mut first = 0;
        for number in 0..20_000 {
            let ts = i64::from(number) + random.below(20) - if random.below(10) == 0 { random.below(5000) } else { 0 };
            queue.insert(number, ts).unwrap();
            model.insert(model.partition_point(|(at, _)| *at <= ts), (ts, number));
            if random.below(500) == 0 {
                let count = random.below(1000) as usize;
                let mut popped = Vec::new();
                queue.pop_front(count as u64, |item| popped.push(item)).unwrap();
                let expected: Vec<u32> = model.drain(..count.min(model.len())).map(|(_, item)| item).collect();
                assert_eq!(popped, expected);
                first += expected.len() as u64;
            }
            if random.below(1000) == 0 {
                queue.release().unwrap();
                assert_eq!(queue.items_in_memory(), 0);
            }
            if random.below(100) == 0 {
                let at = model.partition_point(|(at, _)| *at <= ts);
                assert_eq!(queue.position_after(ts).unwrap(), first + at as u64);
                assert_eq!(queue.ts_at(first + at as u64).unwrap(), model.get(at).map(|(ts, _)| *ts));
            }
        }
        assert!(queue.items_in_memory() <= 3000 + 2 * page_items);
        assert_eq!((queue.first(), entries(&queue)), (first, model));
        queue.pop_front(u64::MAX, drop).unwrap();
        assert!(stored.lock().unwrap().is_empty());
    });
}
