//! Rows of `bid`: 92 % of all events, so this is the loop that decides how fast the generator is.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit};

use super::event::{FIRST_ID, active_person, event_of_row, hot_auction, hot_person, in_flight_auction, time_us};
use super::price::next_price;
use super::text::{TextColumn, push_decimal, push_extra, push_path_word};
use super::{NexmarkConfig, NexmarkTable};
use crate::random::Random;

const SIZE_AVERAGE: usize = 100;
/// The bytes of the columns that aren't text, as the official generator counts them.
const SIZE_FIXED: usize = 32;
/// One bid in this many is not for the hot auction, one bidder in this many is not the hot one.
const HOT_AUCTION_RATIO: u64 = 2;
const HOT_BIDDER_RATIO: u64 = 4;

const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const CHANNELS: u64 = 10_000;
/// Keeps the streams of the channels' URLs apart from those of the events.
const URL_SEED: u64 = 0x75726C;

pub(super) fn columns() -> Vec<(&'static str, DataType)> {
    vec![
        ("auction", DataType::Int64),
        ("bidder", DataType::Int64),
        ("price", DataType::Int64),
        ("channel", DataType::Utf8),
        ("url", DataType::Utf8),
        ("date_time", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("extra", DataType::Utf8),
    ]
}

pub(super) fn generate(config: &NexmarkConfig, rows: Range<u64>) -> Vec<ArrayRef> {
    let count = (rows.end - rows.start) as usize;
    let mut auction = Vec::with_capacity(count);
    let mut bidder = Vec::with_capacity(count);
    let mut price = Vec::with_capacity(count);
    let mut date_time = Vec::with_capacity(count);
    let mut channel = TextColumn::with_capacity(count, 10);
    let mut url = TextColumn::with_capacity(count, 64);
    let mut extra = TextColumn::with_capacity(count, 68);
    for row in rows {
        let event = event_of_row(NexmarkTable::Bid, row);
        let mut random = Random::for_index(config.seed, event);
        auction.push((FIRST_ID + auction_of(event, &mut random)) as i64);
        bidder.push((FIRST_ID + bidder_of(event, &mut random)) as i64);
        price.push(next_price(&mut random));
        date_time.push(time_us(config, event));
        push_channel(config.seed, &mut random, &mut channel, &mut url);
        push_extra(&mut random, SIZE_FIXED, SIZE_AVERAGE, &mut extra);
    }
    vec![
        Arc::new(Int64Array::from(auction)),
        Arc::new(Int64Array::from(bidder)),
        Arc::new(Int64Array::from(price)),
        channel.finish(),
        url.finish(),
        Arc::new(TimestampMicrosecondArray::from(date_time)),
        extra.finish(),
    ]
}

#[inline]
fn auction_of(event: u64, random: &mut Random) -> u64 {
    if random.below(HOT_AUCTION_RATIO) > 0 { hot_auction(event) } else { in_flight_auction(event, random) }
}

#[inline]
fn bidder_of(event: u64, random: &mut Random) -> u64 {
    // The hot bidder is not the hot seller, but the person after.
    if random.below(HOT_BIDDER_RATIO) > 0 { hot_person(event) + 1 } else { active_person(event, random) }
}

/// Half of the bids come through one of four channels, the others through one of ten thousand. A channel always has the
/// same URL; nine in ten of the ten thousand name the channel in it.
#[inline]
fn push_channel(seed: u64, random: &mut Random, channel: &mut TextColumn, url: &mut TextColumn) {
    if random.below(2) > 0 {
        let hot = random.below(HOT_CHANNELS.len() as u64);
        channel.push_str(HOT_CHANNELS[hot as usize]);
        push_url(&mut Random::for_index(seed ^ URL_SEED, CHANNELS + hot), url);
    } else {
        let number = random.below(CHANNELS);
        channel.push_str("channel-");
        push_decimal(number, &mut channel.bytes);
        let mut of_channel = Random::for_index(seed ^ URL_SEED, number);
        push_url(&mut of_channel, url);
        if of_channel.below(10) > 0 {
            url.push_str("&channel_id=");
            push_decimal(u64::from((number as i32).reverse_bits().unsigned_abs()), &mut url.bytes);
        }
    }
    channel.end_row();
    url.end_row();
}

#[inline]
fn push_url(random: &mut Random, url: &mut TextColumn) {
    url.push_str("https://www.nexmark.com/");
    for _ in 0..3 {
        push_path_word(random, &mut url.bytes);
        url.push_str("/");
    }
    url.push_str("item.htm?query=1");
}
