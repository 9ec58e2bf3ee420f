//! Dates, times, timestamps and intervals from text: ISO 8601 as Postgres's drivers write it.

use arrow::datatypes::IntervalMonthDayNano;
use chrono::{NaiveDate, NaiveTime, Timelike};
use datafusion::common::ScalarValue;
use monsoon_sql::SqlError;

use super::super::oid;
use super::{Result, invalid_text};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Reads a value of one of the five types of this module.
pub(super) fn value(text: &str, oid: u32) -> Result<ScalarValue> {
    let name = type_name(oid);
    let invalid = || SqlError { sqlstate: "22007", ..invalid_text(name, text) };
    let trimmed = text.trim();
    match oid {
        oid::DATE => {
            let (date, _) = split_date(trimmed).ok_or_else(invalid)?;
            let days = i32::try_from(days(date)).map_err(|_| invalid())?;
            Ok(ScalarValue::Date32(Some(days)))
        }
        oid::TIME => {
            let (micros, _) = time_and_zone(trimmed).ok_or_else(invalid)?;
            Ok(ScalarValue::Time64Microsecond(Some(micros)))
        }
        oid::INTERVAL => {
            interval(trimmed).map(|value| ScalarValue::IntervalMonthDayNano(Some(value))).ok_or_else(invalid)
        }
        _ => {
            let (local, zone_seconds) = timestamp(trimmed).ok_or_else(invalid)?;
            if oid == oid::TIMESTAMP {
                // As Postgres: the zone of a timestamp without time zone is read and ignored.
                return Ok(ScalarValue::TimestampMicrosecond(Some(local), None));
            }
            let utc = local - zone_seconds * 1_000_000;
            Ok(ScalarValue::TimestampMicrosecond(Some(utc), Some("+00:00".into())))
        }
    }
}

fn type_name(oid: u32) -> &'static str {
    match oid {
        oid::DATE => "date",
        oid::TIME => "time",
        oid::TIMESTAMP => "timestamp",
        oid::TIMESTAMPTZ => "timestamp with time zone",
        _ => "interval",
    }
}

fn days(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// A date at the front, and the rest. The date may be followed by a time, which DATE ignores.
fn split_date(text: &str) -> Option<(NaiveDate, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    if let Some(before) = rest.strip_suffix(" BC") {
        use chrono::Datelike;
        return Some((date.with_year(1 - date.year())?, before));
    }
    Some((date, rest))
}

/// Local microseconds from 1970-01-01, and the zone's offset in seconds.
fn timestamp(text: &str) -> Option<(i64, i64)> {
    let (date, rest) = split_date(text)?;
    let midnight = days(date).checked_mul(MICROS_PER_DAY)?;
    let clock = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    let (micros, zone) = if clock.is_empty() { (0, 0) } else { time_and_zone(clock)? };
    Some((midnight.checked_add(micros)?, zone))
}

/// `hh:mm[:ss[.ffffff]]` and `Z`, `UTC`, `+hh`, `+hh:mm`, `+hhmm` or nothing.
fn time_and_zone(text: &str) -> Option<(i64, i64)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    if clock == "24:00:00" {
        return Some((MICROS_PER_DAY, zone_seconds(zone.trim())?));
    }
    let format = if clock.matches(':').count() == 1 { "%H:%M" } else { "%H:%M:%S%.f" };
    let time = NaiveTime::parse_from_str(clock, format).ok()?;
    // Nanoseconds are rounded to microseconds, as Postgres does.
    let micros = i64::from(time.num_seconds_from_midnight()) * 1_000_000 + (i64::from(time.nanosecond()) + 500) / 1_000;
    Some((micros, zone_seconds(zone.trim())?))
}

fn zone_seconds(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") || zone.eq_ignore_ascii_case("utc") {
        return Some(0);
    }
    let (sign, digits) = match zone.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, zone.strip_prefix('-')?),
    };
    let digits: String = digits.chars().filter(|&c| c != ':').collect();
    if digits.len() > 6 || digits.len() % 2 != 0 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| digits.get(at..at + 2).map_or(Some(0), |pair| pair.parse::<i64>().ok());
    Some(sign * (pair(0)? * 3600 + pair(2)? * 60 + pair(4)?))
}

/// `1 year 2 mons -3 days 04:05:06.5`, `1 day ago`, or ISO 8601 (`P1Y2M3DT4H5M6S`).
fn interval(text: &str) -> Option<IntervalMonthDayNano> {
    if let Some(iso) = text.strip_prefix(['P', 'p']) {
        return iso_interval(iso);
    }
    let mut sum = Parts::default();
    let mut words = text.split_ascii_whitespace().filter(|word| *word != "@").peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case("ago") {
            sum.negate();
        } else if word.contains(':') {
            sum.nanos = sum.nanos.checked_add(clock_nanos(word)?)?;
        } else {
            let (number, unit) = match word.find(|c: char| c.is_ascii_alphabetic()) {
                Some(split) => word.split_at(split),
                None => (word, words.next()?),
            };
            sum.add(number.parse().ok()?, &unit.to_ascii_lowercase())?;
        }
    }
    sum.finish()
}

fn iso_interval(text: &str) -> Option<IntervalMonthDayNano> {
    let mut sum = Parts::default();
    let mut in_time = false;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['T', 't']) {
            in_time = true;
            rest = after;
            continue;
        }
        let split = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, tail) = rest.split_at(split);
        let unit = tail.chars().next()?;
        let unit = match (unit.to_ascii_uppercase(), in_time) {
            ('Y', false) => "year",
            ('M', false) => "month",
            ('W', false) => "week",
            ('D', false) => "day",
            ('H', true) => "hour",
            ('M', true) => "minute",
            ('S', true) => "second",
            _ => return None,
        };
        sum.add(number.parse().ok()?, unit)?;
        rest = &tail[1..];
    }
    sum.finish()
}

/// `[-]hh:mm[:ss[.fraction]]`
fn clock_nanos(word: &str) -> Option<i64> {
    let (sign, clock) = match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let mut parts = clock.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok()?;
    if parts.next().is_some() || !(0..60).contains(&minutes) || !(0.0..61.0).contains(&seconds) || hours < 0 {
        return None;
    }
    let whole = hours.checked_mul(3_600_000_000_000)?.checked_add(minutes * 60_000_000_000)?;
    Some(sign * whole.checked_add(micro_nanos(seconds))?)
}

/// Seconds as nanoseconds, rounded to the microsecond.
fn micro_nanos(seconds: f64) -> i64 {
    ((seconds * 1e6).round() as i64).saturating_mul(1_000)
}

#[derive(Default)]
struct Parts {
    months: i64,
    days: i64,
    nanos: i64,
}

impl Parts {
    /// Adds so many units. A fraction of a unit is carried on only where it stays exact: to hours and below, and from weeks to days.
    fn add(&mut self, number: f64, unit: &str) -> Option<()> {
        let singular = if unit.len() > 1 { unit.strip_suffix('s').unwrap_or(unit) } else { unit };
        let whole = number as i64;
        let is_whole = number.fract() == 0.0;
        match singular {
            "century" | "centurie" | "c" if is_whole => {
                self.months = self.months.checked_add(whole.checked_mul(1200)?)?
            }
            "decade" if is_whole => self.months = self.months.checked_add(whole.checked_mul(120)?)?,
            "year" | "yr" | "y" => self.months = self.months.checked_add((number * 12.0).round() as i64)?,
            "month" | "mon" if is_whole => self.months = self.months.checked_add(whole)?,
            "week" | "w" => return self.add(number * 7.0, "day"),
            "day" | "d" => {
                self.days = self.days.checked_add(whole)?;
                self.nanos = self.nanos.checked_add(micro_nanos(number.fract() * 86_400.0))?;
            }
            "hour" | "hr" | "h" => self.add_seconds(number * 3_600.0)?,
            "minute" | "min" | "m" => self.add_seconds(number * 60.0)?,
            "second" | "sec" | "s" => self.add_seconds(number)?,
            "millisecond" | "msec" | "ms" => self.add_seconds(number / 1e3)?,
            "microsecond" | "usec" | "us" => self.add_seconds(number / 1e6)?,
            _ => return None,
        }
        Some(())
    }

    fn add_seconds(&mut self, seconds: f64) -> Option<()> {
        if !seconds.is_finite() || seconds.abs() > 9e9 {
            return None;
        }
        self.nanos = self.nanos.checked_add(micro_nanos(seconds))?;
        Some(())
    }

    fn negate(&mut self) {
        (self.months, self.days, self.nanos) = (-self.months, -self.days, -self.nanos);
    }

    fn finish(self) -> Option<IntervalMonthDayNano> {
        let (months, days) = (i32::try_from(self.months).ok()?, i32::try_from(self.days).ok()?);
        Some(IntervalMonthDayNano::new(months, days, self.nanos))
    }
}
