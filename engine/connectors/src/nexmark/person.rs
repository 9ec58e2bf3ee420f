//! Rows of `person`.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimeUnit};

use super::event::{FIRST_ID, event_of_row, last_person, time_us};
use super::text::{TextColumn, push_extra, push_four_digits, push_words};
use super::{NexmarkConfig, NexmarkTable};
use crate::random::Random;

const SIZE_AVERAGE: usize = 200;

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

pub(super) fn columns() -> Vec<(&'static str, DataType)> {
    vec![
        ("id", DataType::Int64),
        ("name", DataType::Utf8),
        ("email_address", DataType::Utf8),
        ("credit_card", DataType::Utf8),
        ("city", DataType::Utf8),
        ("state", DataType::Utf8),
        ("date_time", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("extra", DataType::Utf8),
    ]
}

pub(super) fn generate(config: &NexmarkConfig, rows: Range<u64>) -> Vec<ArrayRef> {
    let count = (rows.end - rows.start) as usize;
    let mut id = Vec::with_capacity(count);
    let mut date_time = Vec::with_capacity(count);
    let mut name = TextColumn::with_capacity(count, 12);
    let mut email = TextColumn::with_capacity(count, 14);
    let mut card = TextColumn::with_capacity(count, 19);
    let mut city = TextColumn::with_capacity(count, 8);
    let mut state = TextColumn::with_capacity(count, 2);
    let mut extra = TextColumn::with_capacity(count, 140);
    for row in rows {
        let event = event_of_row(NexmarkTable::Person, row);
        let mut random = Random::for_index(config.seed, event);
        id.push((FIRST_ID + last_person(event)) as i64);
        date_time.push(time_us(config, event));
        let size = 8
            + push_name(&mut random, &mut name)
            + push_email(&mut random, &mut email)
            + push_card(&mut random, &mut card)
            + push_picked(&mut random, &CITIES, &mut city)
            + push_picked(&mut random, &STATES, &mut state);
        push_extra(&mut random, size, SIZE_AVERAGE, &mut extra);
    }
    vec![
        Arc::new(Int64Array::from(id)),
        name.finish(),
        email.finish(),
        card.finish(),
        city.finish(),
        state.finish(),
        Arc::new(TimestampMicrosecondArray::from(date_time)),
        extra.finish(),
    ]
}

fn push_name(random: &mut Random, column: &mut TextColumn) -> usize {
    column.push_str(random.pick(&FIRST_NAMES));
    column.push_str(" ");
    column.push_str(random.pick(&LAST_NAMES));
    column.end_row()
}

fn push_email(random: &mut Random, column: &mut TextColumn) -> usize {
    push_words(random, 7, &mut column.bytes);
    column.push_str("@");
    push_words(random, 5, &mut column.bytes);
    column.push_str(".com");
    column.end_row()
}

fn push_card(random: &mut Random, column: &mut TextColumn) -> usize {
    for group in 0..4 {
        if group > 0 {
            column.push_str(" ");
        }
        push_four_digits(random.below(10_000), &mut column.bytes);
    }
    column.end_row()
}

fn push_picked(random: &mut Random, words: &[&str], column: &mut TextColumn) -> usize {
    column.push_str(random.pick(words));
    column.end_row()
}
