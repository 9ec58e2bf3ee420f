//! Dates, times, timestamps and intervals as Postgres prints and sends them. Resolution is the microsecond.

use bytes::{BufMut, BytesMut};

use super::number::{write_integer, write_padded};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Days from 1970-01-01 to 2000-01-01, Postgres's epoch.
pub(super) const POSTGRES_EPOCH_DAYS: i64 = 10_957;
/// The same in microseconds.
pub(super) const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS * MICROS_PER_DAY;

/// An interval as Postgres keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Interval {
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) micros: i64,
}

/// Year (astronomical: 0 is 1 BC), month, day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, u64, u64) {
    // Eras of 400 years that begin on a first of March, so that leap days come last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month.unsigned_abs(), day.unsigned_abs())
}

/// Appends year-month-day; returns whether " BC" must end the text.
fn write_civil(days: i64, out: &mut BytesMut) -> bool {
    let (year, month, day) = civil(days);
    let before_christ = year <= 0;
    let shown = if before_christ { 1 - year } else { year };
    write_padded(shown.unsigned_abs(), 4, out);
    out.put_u8(b'-');
    write_padded(month, 2, out);
    out.put_u8(b'-');
    write_padded(day, 2, out);
    before_christ
}

fn write_era(before_christ: bool, out: &mut BytesMut) {
    if before_christ {
        out.put_slice(b" BC");
    }
}

/// Appends a date, in days from 1970-01-01.
pub(super) fn write_date(days: i64, out: &mut BytesMut) {
    let before_christ = write_civil(days, out);
    write_era(before_christ, out);
}

/// Appends a time of day, in microseconds.
pub(super) fn write_time(micros: i64, out: &mut BytesMut) {
    write_clock(micros.unsigned_abs(), out);
}

/// Appends hh:mm:ss with the fraction's trailing zeros left out. Hours may exceed 24.
fn write_clock(micros: u64, out: &mut BytesMut) {
    let (seconds, mut fraction) = (micros / 1_000_000, micros % 1_000_000);
    write_padded(seconds / 3600, 2, out);
    out.put_u8(b':');
    write_padded(seconds / 60 % 60, 2, out);
    out.put_u8(b':');
    write_padded(seconds % 60, 2, out);
    if fraction > 0 {
        let mut width = 6;
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        out.put_u8(b'.');
        write_padded(fraction, width, out);
    }
}

/// Appends a timestamp, in microseconds from 1970-01-01; with `+00` for a timestamptz, as sessions are in UTC.
pub(super) fn write_timestamp(micros: i64, with_zone: bool, out: &mut BytesMut) {
    let before_christ = write_civil(micros.div_euclid(MICROS_PER_DAY), out);
    out.put_u8(b' ');
    write_clock(micros.rem_euclid(MICROS_PER_DAY).unsigned_abs(), out);
    if with_zone {
        out.put_slice(b"+00");
    }
    write_era(before_christ, out);
}

/// Appends an interval in Postgres's own style: `1 year 2 mons -3 days +04:05:06`.
pub(super) fn write_interval(interval: Interval, out: &mut BytesMut) {
    let start = out.len();
    let mut previous_negative = false;
    let parts = [(interval.months / 12, " year"), (interval.months % 12, " mon"), (interval.days, " day")];
    for (value, unit) in parts {
        if value == 0 {
            continue;
        }
        if out.len() > start {
            out.put_u8(b' ');
        }
        if previous_negative && value > 0 {
            out.put_u8(b'+');
        }
        write_integer(i64::from(value), out);
        out.put_slice(unit.as_bytes());
        if value != 1 {
            out.put_u8(b's');
        }
        previous_negative = value < 0;
    }
    if interval.micros == 0 && out.len() > start {
        return;
    }
    if out.len() > start {
        out.put_u8(b' ');
    }
    if interval.micros < 0 {
        out.put_u8(b'-');
    } else if previous_negative {
        out.put_u8(b'+');
    }
    write_clock(interval.micros.unsigned_abs(), out);
}

/// Appends an interval in binary.
pub(super) fn write_interval_binary(interval: Interval, out: &mut BytesMut) {
    out.put_i64(interval.micros);
    out.put_i32(interval.days);
    out.put_i32(interval.months);
}
