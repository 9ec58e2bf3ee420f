//! Dates, times, timestamps and intervals as Postgres writes them (DateStyle ISO, IntervalStyle postgres).

use std::io::Write;

use arrow::datatypes::IntervalMonthDayNano;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// Writes days from the epoch as a date.
pub(super) fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    write_ymd(year, month, day, out);
    write_era(year, out);
}

/// Writes microseconds of the day.
pub(super) fn write_time(micros: i64, out: &mut Vec<u8>) {
    write_clock(micros, out);
}

/// `HH:MM:SS[.ffffff]`; hours may have more digits.
fn write_clock(micros: i64, out: &mut Vec<u8>) {
    let seconds = micros / SECOND_US;
    write_padded(seconds / 3600, 2, out);
    out.push(b':');
    write_padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    write_padded(seconds % 60, 2, out);
    write_fraction(micros % SECOND_US, out);
}

/// Digits of a number that isn't negative, with zeros before them. Written by hand: formatting costs several times as
/// much, and every timestamp of a result has seven of these.
fn write_padded(value: i64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    while rest > 0 || digits.len() - start < width {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[start..]);
}

/// Writes microseconds from the epoch as a timestamp, with `+00` if it has a zone.
pub(super) fn write_timestamp(micros: i64, zone: bool, out: &mut Vec<u8>) {
    let (year, month, day) = civil(micros.div_euclid(DAY_US));
    write_ymd(year, month, day, out);
    out.push(b' ');
    write_time(micros.rem_euclid(DAY_US), out);
    if zone {
        out.extend_from_slice(b"+00");
    }
    write_era(year, out);
}

/// Writes `1 year 2 mons 3 days 04:05:06.789`.
pub(super) fn write_interval(interval: IntervalMonthDayNano, out: &mut Vec<u8>) {
    let start = out.len();
    let (years, months) = (interval.months / 12, interval.months % 12);
    // As in Postgres: a positive field after a negative one shows its sign.
    let mut is_before = false;
    for (value, unit) in [(years, "year"), (months, "mon"), (interval.days, "day")] {
        if value == 0 {
            continue;
        }
        let space = if out.len() > start { " " } else { "" };
        let sign = if is_before && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        let _ = write!(out, "{space}{sign}{value} {unit}{plural}");
        is_before = value < 0;
    }
    let micros = interval.nanoseconds / 1_000;
    if micros == 0 && out.len() > start {
        return;
    }
    if out.len() > start {
        out.push(b' ');
    }
    if micros < 0 {
        out.push(b'-');
    } else if is_before {
        out.push(b'+');
    }
    write_clock(micros.saturating_abs(), out);
}

fn write_ymd(year: i64, month: u32, day: u32, out: &mut Vec<u8>) {
    // There is no year 0: 1 BC comes before 1.
    let shown = if year <= 0 { 1 - year } else { year };
    write_padded(shown, 4, out);
    out.push(b'-');
    write_padded(i64::from(month), 2, out);
    out.push(b'-');
    write_padded(i64::from(day), 2, out);
}

fn write_era(year: i64, out: &mut Vec<u8>) {
    if year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// `.5` for 500000 microseconds; nothing for 0.
fn write_fraction(micros: i64, out: &mut Vec<u8>) {
    if micros == 0 {
        return;
    }
    out.push(b'.');
    write_padded(micros, 6, out);
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

/// Year, month and day of a day from the epoch, in the proleptic Gregorian calendar. Counts from 0000-03-01, so that the
/// leap day is the last of a year (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, u32, u32) {
    const DAYS_OF_ERA: i64 = 146_097;
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_OF_ERA);
    let day_of_era = days.rem_euclid(DAYS_OF_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}
