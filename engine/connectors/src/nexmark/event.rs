//! Which event is what, when it happens, and which ids exist by then.
//!
//! Events come in epochs of 50: first the person, then 3 auctions, then 46 bids. Ids are counted from 0 here; the
//! tables add [`FIRST_ID`].

use std::ops::Range;

use super::{NexmarkConfig, NexmarkTable};
use crate::random::Random;

const EPOCH_EVENTS: u64 = 50;
const EPOCH_PERSONS: u64 = 1;
const EPOCH_AUCTIONS: u64 = 3;

/// The first id of persons and of auctions.
pub(super) const FIRST_ID: u64 = 1_000;
/// The hot person or auction is the first of each block of this many.
const HOT_BLOCK: u64 = 100;
const ACTIVE_PERSONS: u64 = 1_000;
const IN_FLIGHT_AUCTIONS: u64 = 100;
/// How far ids may run ahead of what exists: a bid can come before its auction, as in the official generator.
const ID_LEAD: u64 = 10;

/// Where the table's events are within an epoch.
fn slots(table: NexmarkTable) -> Range<u64> {
    match table {
        NexmarkTable::Person => 0..EPOCH_PERSONS,
        NexmarkTable::Auction => EPOCH_PERSONS..EPOCH_PERSONS + EPOCH_AUCTIONS,
        NexmarkTable::Bid => EPOCH_PERSONS + EPOCH_AUCTIONS..EPOCH_EVENTS,
    }
}

/// How many rows of the table are among the events below `event`.
pub(super) fn rows_before(table: NexmarkTable, event: u64) -> u64 {
    let slots = slots(table);
    let length = slots.end - slots.start;
    let within = (event % EPOCH_EVENTS).saturating_sub(slots.start).min(length);
    event / EPOCH_EVENTS * length + within
}

/// The event number of a row of the table.
#[inline]
pub(super) fn event_of_row(table: NexmarkTable, row: u64) -> u64 {
    let slots = slots(table);
    let length = slots.end - slots.start;
    (row / length).saturating_mul(EPOCH_EVENTS).saturating_add(slots.start + row % length)
}

/// When an event happens, in microseconds since 1970.
#[inline]
pub(super) fn time_us(config: &NexmarkConfig, event: u64) -> i64 {
    let rate = config.events_per_second.max(1);
    let seconds = event / rate;
    let rest_us = event % rate * 1_000_000 / rate;
    let since_start = seconds.saturating_mul(1_000_000).saturating_add(rest_us);
    config.start_us.saturating_add(i64::try_from(since_start).unwrap_or(i64::MAX))
}

/// How long the auctions in flight take to be put up: the scale of an auction's life, in microseconds.
pub(super) fn auction_horizon_us(config: &NexmarkConfig, event: u64) -> u64 {
    let events = IN_FLIGHT_AUCTIONS * EPOCH_EVENTS / EPOCH_AUCTIONS;
    time_us(config, event.saturating_add(events)).saturating_sub(time_us(config, event)).max(0) as u64
}

/// The newest person at an event.
#[inline]
pub(super) fn last_person(event: u64) -> u64 {
    event / EPOCH_EVENTS
}

/// The newest auction at an event; before the very first one, that first one.
#[inline]
pub(super) fn last_auction(event: u64) -> u64 {
    rows_before(NexmarkTable::Auction, event.saturating_add(1)).saturating_sub(1)
}

/// The hot seller of the moment.
#[inline]
pub(super) fn hot_person(event: u64) -> u64 {
    last_person(event) / HOT_BLOCK * HOT_BLOCK
}

/// The hot auction of the moment.
#[inline]
pub(super) fn hot_auction(event: u64) -> u64 {
    last_auction(event) / HOT_BLOCK * HOT_BLOCK
}

/// Some recent person.
#[inline]
pub(super) fn active_person(event: u64, random: &mut Random) -> u64 {
    let persons = last_person(event) + 1;
    let active = persons.min(ACTIVE_PERSONS);
    persons - active + random.below(active + ID_LEAD)
}

/// Some auction in flight.
#[inline]
pub(super) fn in_flight_auction(event: u64, random: &mut Random) -> u64 {
    let last = last_auction(event);
    let oldest = last.saturating_sub(IN_FLIGHT_AUCTIONS);
    oldest + random.below(last - oldest + 1 + ID_LEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_events_are_inverse() {
        for table in NexmarkTable::ALL {
            for row in 0..500 {
                let event = event_of_row(table, row);
                assert_eq!(rows_before(table, event), row);
                assert_eq!(rows_before(table, event + 1), row + 1);
            }
        }
    }

    #[test]
    fn proportions_are_1_3_46() {
        assert_eq!(NexmarkTable::ALL.map(|table| rows_before(table, 5_000)), [100, 300, 4_600]);
    }

    #[test]
    fn ids_follow_the_events() {
        // Events 0..50: person 0, auctions 0, 1, 2, then bids; 50: person 1; 51: auction 3.
        assert_eq!((last_person(0), last_person(49), last_person(50)), (0, 0, 1));
        assert_eq!([0, 1, 3, 49, 50, 51].map(last_auction), [0, 0, 2, 2, 2, 3]);
    }

    #[test]
    fn times_are_evenly_spaced() {
        let config = NexmarkConfig { events_per_second: 3, start_us: 10, ..NexmarkConfig::default() };
        assert_eq!([0, 1, 2, 3, 4].map(|event| time_us(&config, event)), [10, 333_343, 666_676, 1_000_010, 1_333_343]);
    }
}
