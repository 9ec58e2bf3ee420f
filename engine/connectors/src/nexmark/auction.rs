//! Rows of `auction`.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit};

use super::event::{FIRST_ID, active_person, auction_horizon_us, event_of_row, hot_person, last_auction, time_us};
use super::price::next_price;
use super::text::{TextColumn, push_extra, push_words};
use super::{NexmarkConfig, NexmarkTable};
use crate::random::Random;

const SIZE_AVERAGE: usize = 500;
/// The bytes of the columns that aren't text, as the official generator counts them.
const SIZE_FIXED: usize = 48;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;
/// One seller in this many is not the hot one.
const HOT_SELLER_RATIO: u64 = 4;

pub(super) fn columns() -> Vec<(&'static str, DataType)> {
    vec![
        ("id", DataType::Int64),
        ("item_name", DataType::Utf8),
        ("description", DataType::Utf8),
        ("initial_bid", DataType::Int64),
        ("reserve", DataType::Int64),
        ("date_time", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("expires", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("seller", DataType::Int64),
        ("category", DataType::Int64),
        ("extra", DataType::Utf8),
    ]
}

pub(super) fn generate(config: &NexmarkConfig, rows: Range<u64>) -> Vec<ArrayRef> {
    let count = (rows.end - rows.start) as usize;
    let mut numbers: [Vec<i64>; 7] = std::array::from_fn(|_| Vec::with_capacity(count));
    let mut item_name = TextColumn::with_capacity(count, 12);
    let mut description = TextColumn::with_capacity(count, 52);
    let mut extra = TextColumn::with_capacity(count, 400);
    for row in rows {
        let event = event_of_row(NexmarkTable::Auction, row);
        let mut random = Random::for_index(config.seed, event);
        let initial_bid = next_price(&mut random);
        let date_time = time_us(config, event);
        let life_us = 1 + random.below((auction_horizon_us(config, event) * 2).max(1));
        let row = [
            (FIRST_ID + last_auction(event)) as i64,
            initial_bid,
            initial_bid + next_price(&mut random),
            date_time,
            date_time.saturating_add(life_us as i64),
            (FIRST_ID + seller(event, &mut random)) as i64,
            (FIRST_CATEGORY + random.below(CATEGORIES)) as i64,
        ];
        for (column, value) in numbers.iter_mut().zip(row) {
            column.push(value);
        }
        push_words(&mut random, 20, &mut item_name.bytes);
        push_words(&mut random, 100, &mut description.bytes);
        let size = SIZE_FIXED + item_name.end_row() + description.end_row();
        push_extra(&mut random, size, SIZE_AVERAGE, &mut extra);
    }
    let [id, initial_bid, reserve, date_time, expires, seller, category] = numbers;
    vec![
        Arc::new(Int64Array::from(id)),
        item_name.finish(),
        description.finish(),
        Arc::new(Int64Array::from(initial_bid)),
        Arc::new(Int64Array::from(reserve)),
        Arc::new(TimestampMicrosecondArray::from(date_time)),
        Arc::new(TimestampMicrosecondArray::from(expires)),
        Arc::new(Int64Array::from(seller)),
        Arc::new(Int64Array::from(category)),
        extra.finish(),
    ]
}

fn seller(event: u64, random: &mut Random) -> u64 {
    if random.below(HOT_SELLER_RATIO) > 0 { hot_person(event) } else { active_person(event, random) }
}
