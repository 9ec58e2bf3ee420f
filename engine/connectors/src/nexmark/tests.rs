//! What the generator promises: exact replay, the proportions and skews of the benchmark, ids that join.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{Array, AsArray, Int64Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::*;
use crate::random::Random;
use crate::{Position, Read, Source};

fn config(event_count: u64) -> NexmarkConfig {
    NexmarkConfig { event_count: Some(event_count), ..NexmarkConfig::default() }
}

fn open(config: &NexmarkConfig, table: NexmarkTable) -> NexmarkSource {
    NexmarkSource::new(config.clone(), table, table.schema(), Box::new(|| 0)).unwrap()
}

fn numbers<'a>(rows: &'a RecordBatch, column: &str) -> &'a Int64Array {
    rows.column_by_name(column).unwrap().as_primitive::<Int64Type>()
}

fn share(values: impl Iterator<Item = bool>) -> f64 {
    let (hits, all) = values.fold((0, 0), |(hits, all), hit| (hits + u32::from(hit), all + 1));
    f64::from(hits) / f64::from(all)
}

#[test]
fn any_range_is_the_same_rows() {
    let config = NexmarkConfig::default();
    for table in NexmarkTable::ALL {
        let whole = generate(&config, table, 0, 5_000);
        let mut pieces = Vec::new();
        let mut first = 0;
        let mut random = Random::for_index(11, table as u64);
        while first < 5_000 {
            let end = (first + random.below(300)).min(5_000);
            pieces.push(generate(&config, table, first, end));
            first = end;
        }
        assert_eq!(concat_batches(&table.schema(), &pieces).unwrap(), whole);
    }
}

#[test]
fn source_replays_exactly_however_reads_are_cut() {
    let config = config(3_000);
    for table in NexmarkTable::ALL {
        let whole = generate(&config, table, 0, 3_000);
        for seed in 0..5 {
            let mut random = Random::for_index(seed, 0);
            let mut source = open(&config, table);
            let mut pieces = Vec::new();
            while let Read::Rows { rows, next, .. } = source.read(random.below(200) as usize + 1).unwrap() {
                pieces.push(rows);
                // Another process goes on from here.
                source = open(&config, table);
                source.seek(&next).unwrap();
                assert_eq!(source.position(), next);
            }
            assert_eq!(concat_batches(&table.schema(), &pieces).unwrap(), whole, "seed {seed}");
        }
    }
}

#[test]
fn the_end_stays_the_end_and_the_start_can_be_sought() {
    let mut source = open(&config(100), NexmarkTable::Person);
    assert!(matches!(source.read(10).unwrap(), Read::Rows { rows, .. } if rows.num_rows() == 2));
    assert!(matches!(source.read(10).unwrap(), Read::End));
    assert!(matches!(source.read(10).unwrap(), Read::End));
    source.seek(&Position::default()).unwrap();
    assert!(matches!(source.read(10).unwrap(), Read::Rows { rows, .. } if rows.num_rows() == 2));
    assert!(matches!(source.seek(&Position("x".into())), Err(crate::Error::NotReplayable(_))));
}

#[test]
fn bids_are_skewed_as_in_the_benchmark() {
    let bids = generate(&NexmarkConfig::default(), NexmarkTable::Bid, 100_000, 200_000);
    assert_eq!(bids.num_rows(), 92_000);
    // Hot ids are the first of each hundred (auctions) and the one after (bidders); others hit those now and then.
    let hot_auctions = share(numbers(&bids, "auction").iter().flatten().map(|id| id % 100 == 0));
    assert!((0.49..0.53).contains(&hot_auctions), "{hot_auctions}");
    let hot_bidders = share(numbers(&bids, "bidder").iter().flatten().map(|id| id % 100 == 1));
    assert!((0.74..0.78).contains(&hot_bidders), "{hot_bidders}");
    let channels = bids.column_by_name("channel").unwrap().as_string::<i32>();
    let hot_channels = share(channels.iter().flatten().map(|channel| !channel.starts_with("channel-")));
    assert!((0.48..0.52).contains(&hot_channels), "{hot_channels}");
    let urls = bids.column_by_name("url").unwrap().as_string::<i32>();
    let with_id = share(
        channels
            .iter()
            .zip(urls)
            .filter(|(channel, _)| channel.unwrap().starts_with("channel-"))
            .map(|(_, url)| url.unwrap().contains("&channel_id=")),
    );
    assert!((0.88..0.92).contains(&with_id), "{with_id}");
}

#[test]
fn rows_have_the_average_sizes() {
    let size = |table: NexmarkTable| {
        let rows = generate(&NexmarkConfig::default(), table, 0, 50_000);
        let bytes: usize = rows
            .columns()
            .iter()
            .map(|column| match column.as_string_opt::<i32>() {
                Some(texts) => texts.value_data().len(),
                None => 8 * column.len(),
            })
            .sum();
        bytes as f64 / rows.num_rows() as f64
    };
    // Channel and URL (about 66 bytes) and the time don't count in a bid's 100, nor the time in a person's 200.
    assert!((170.0..185.0).contains(&size(NexmarkTable::Bid)), "{}", size(NexmarkTable::Bid));
    assert!((195.0..215.0).contains(&size(NexmarkTable::Person)), "{}", size(NexmarkTable::Person));
    assert!((490.0..520.0).contains(&size(NexmarkTable::Auction)), "{}", size(NexmarkTable::Auction));
}

#[test]
fn ids_join() {
    let config = NexmarkConfig::default();
    let persons = generate(&config, NexmarkTable::Person, 0, 100_000);
    let auctions = generate(&config, NexmarkTable::Auction, 0, 100_000);
    let bids = generate(&config, NexmarkTable::Bid, 0, 100_000);
    let person_ids: HashSet<i64> = numbers(&persons, "id").iter().flatten().collect();
    let auction_ids: HashSet<i64> = numbers(&auctions, "id").iter().flatten().collect();
    assert_eq!((person_ids.iter().min(), person_ids.iter().max()), (Some(&1_000), Some(&2_999)));
    assert_eq!((auction_ids.iter().min(), auction_ids.iter().max()), (Some(&1_000), Some(&6_999)));
    // Ids may run ahead by ten, so the last few need not exist yet.
    let known = |ids: &Int64Array, known: &HashSet<i64>| share(ids.iter().flatten().map(|id| known.contains(&id)));
    assert!(known(numbers(&bids, "bidder"), &person_ids) > 0.99);
    assert!(known(numbers(&bids, "auction"), &auction_ids) > 0.99);
    assert!(known(numbers(&auctions, "seller"), &person_ids) > 0.99);
    let categories: HashSet<i64> = numbers(&auctions, "category").iter().flatten().collect();
    assert_eq!(categories, (10..15).collect());
    let states: HashSet<&str> = persons.column_by_name("state").unwrap().as_string::<i32>().iter().flatten().collect();
    assert_eq!(states, HashSet::from(["AZ", "CA", "ID", "OR", "WA", "WY"]));
}

#[test]
fn auctions_live_after_they_start() {
    let auctions = generate(&NexmarkConfig::default(), NexmarkTable::Auction, 0, 50_000);
    let time = |column: &str| auctions.column_by_name(column).unwrap().as_primitive::<TimestampMicrosecondType>();
    // 100 auctions in flight take 1 666 events, 166.6 ms; an auction lives for up to twice that.
    let lives =
        time("expires").iter().flatten().zip(time("date_time").iter().flatten()).map(|(end, start)| end - start);
    assert!(lives.clone().all(|life| (1..=333_200).contains(&life)));
    assert!((150_000..185_000).contains(&(lives.clone().sum::<i64>() / lives.count() as i64)));
}

#[test]
fn rate_holds_the_source_to_wall_time() {
    let time = Arc::new(AtomicI64::new(2_000_000));
    let clock = Arc::clone(&time);
    let options: Options = [("table", "bid"), ("rate", "100")].into_iter().collect();
    let clock = move || clock.load(Ordering::Relaxed);
    let config = NexmarkConfig::from_options(&options, &clock).unwrap();
    assert_eq!((config.start_us, config.events_per_second), (2_000_000, 100));
    let mut source =
        NexmarkSource::new(config, NexmarkTable::Bid, NexmarkTable::Bid.schema(), Box::new(clock)).unwrap();
    assert!(matches!(source.read(1_000).unwrap(), Read::Rows { rows, .. } if rows.num_rows() == 1));
    assert!(matches!(source.read(1_000).unwrap(), Read::Idle(wait) if wait.as_millis() == 10));
    time.store(3_000_000, Ordering::Relaxed);
    // Events 5..=104 are due by now; 50..54 and 100..104 are no bids.
    let Read::Rows { rows, next, .. } = source.read(1_000).unwrap() else { panic!("bids are due") };
    assert_eq!(rows.num_rows(), 92);
    // After a restart an hour later it goes on with the next event, at its own event time.
    time.store(3_603_000_000, Ordering::Relaxed);
    source.seek(&next).unwrap();
    let Read::Rows { rows, .. } = source.read(1_000).unwrap() else { panic!("the next bid is due") };
    let times = rows.column_by_name("date_time").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.values().as_ref(), [2_000_000 + 105 * 10_000]);
}

#[test]
fn what_was_read_before_is_replayed_without_its_rate() {
    let options: Options = [("table", "bid"), ("rate", "100")].into_iter().collect();
    let clock = || 2_000_000;
    let config = NexmarkConfig::from_options(&options, &clock).unwrap();
    let mut source =
        NexmarkSource::new(config, NexmarkTable::Bid, NexmarkTable::Bid.schema(), Box::new(clock)).unwrap();
    source.replay(&Position::default()).unwrap();
    assert!(matches!(source.read(1_000).unwrap(), Read::Rows { rows, .. } if rows.num_rows() == 1_000));
}

#[test]
fn columns_can_be_picked() {
    let table = NexmarkTable::Bid;
    let picked = Arc::new(table.schema().project(&[2, 0]).unwrap());
    let mut source = NexmarkSource::new(config(50), table, picked.clone(), Box::new(|| 0)).unwrap();
    let Read::Rows { rows, .. } = source.read(100).unwrap() else { panic!("there are rows") };
    assert_eq!(rows, generate(&config(50), table, 0, 50).project(&[2, 0]).unwrap());
    let other = NexmarkTable::Person.schema();
    let error = NexmarkSource::new(config(50), table, other, Box::new(|| 0)).err().unwrap();
    assert!(error.to_string().starts_with("nexmark table bid has no column \"id\""), "{error}");
}
