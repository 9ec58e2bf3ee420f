//! Intervals and durations as text.

use arrow::compute::kernels::cast_utils::parse_interval_month_day_nano;
use arrow::datatypes::IntervalMonthDayNano;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// An interval in Postgres's format, `1 year 2 mons -3 days 04:05:06.789`, any part of which may be missing. Arrow's
/// parser reads the units; the time of day and plus signs are ours.
pub fn parse_interval(text: &str) -> Option<IntervalMonthDayNano> {
    if let Ok(interval) = parse_interval_month_day_nano(text.trim()) {
        return Some(interval);
    }
    let (times, units): (Vec<&str>, Vec<&str>) = text.split_whitespace().partition(|word| word.contains(':'));
    let time_ns = match times.as_slice() {
        [] => 0,
        [time] => parse_time_ns(time)?,
        _ => return None,
    };
    let units: Vec<&str> = units.iter().map(|word| word.strip_prefix('+').unwrap_or(word)).collect();
    if units.is_empty() {
        return Some(IntervalMonthDayNano::new(0, 0, time_ns));
    }
    let IntervalMonthDayNano { months, days, nanoseconds } = parse_interval_month_day_nano(&units.join(" ")).ok()?;
    Some(IntervalMonthDayNano::new(months, days, nanoseconds.checked_add(time_ns)?))
}

/// `[+-]HH:MM[:SS[.ffffff]]` in nanoseconds.
fn parse_time_ns(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = text.split(':');
    let hours: i64 = parts.next()?.parse().ok().filter(|hours| *hours >= 0)?;
    let minutes: i64 = parts.next()?.parse().ok().filter(|minutes| (0..60).contains(minutes))?;
    let seconds: f64 = parts.next().unwrap_or("0").parse().ok().filter(|seconds| (0.0..61.0).contains(seconds))?;
    if parts.next().is_some() {
        return None;
    }
    // Microseconds are exact in a float of this size; Postgres keeps no more.
    let micros = (seconds * 1e6).round() as i64;
    let whole = hours.checked_mul(3_600)?.checked_add(minutes * 60)?.checked_mul(1_000_000)?.checked_add(micros)?;
    whole.checked_mul(1_000 * sign)
}

/// A duration in an option's value (`'1s'`, `'500 ms'`, `'00:00:05'`, or a plain number of milliseconds), in
/// milliseconds; `None` if it isn't one, is negative or has months.
pub fn parse_duration_ms(text: &str) -> Option<u64> {
    if let Ok(ms) = text.trim().parse() {
        return Some(ms);
    }
    let interval = parse_interval(text)?;
    if interval.months != 0 {
        return None;
    }
    let days = u64::try_from(interval.days).ok()?;
    let nanos = u64::try_from(interval.nanoseconds).ok()?;
    days.checked_mul(DAY_MS)?.checked_add(nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_or_are_milliseconds() {
        let cases = [
            ("1s", Some(1_000)),
            ("500ms", Some(500)),
            ("1.5 seconds", Some(1_500)),
            ("2 days", Some(172_800_000)),
            ("250", Some(250)),
            ("00:00:05", Some(5_000)),
            ("1 month", None),
            ("-1s", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn intervals_as_postgres_writes_them() {
        let second = 1_000_000_000;
        let cases = [
            ("1 year 2 mons 3 days 04:05:06.789", Some((14, 3, 14_706_789_000_000))),
            ("-1 mons +2 days -00:00:03", Some((-1, 2, -3 * second))),
            ("00:00:00", Some((0, 0, 0))),
            ("10 seconds", Some((0, 0, 10 * second))),
            ("1 day 2:00", Some((0, 1, 7_200 * second))),
            ("1:2:3:4", None),
            ("x", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(months, days, nanos)| IntervalMonthDayNano::new(months, days, nanos));
            assert_eq!(parse_interval(text), expected, "{text}");
        }
    }
}
