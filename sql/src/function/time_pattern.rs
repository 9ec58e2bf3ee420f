//! Patterns for times: Postgres's (`YYYY-MM-DD HH24:MI:SS`) and Java's (`yyyy-MM-dd HH:mm:ss`).
//!
//! Both are parsed into the same pieces, once per pattern, and written from a broken-down time.

use std::fmt::Write;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike, Utc};

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    /// A number, padded with zeros to so many digits; 0 = not padded.
    Number(Field, usize),
    /// A name, its case, and the width it is padded to with blanks.
    Name(NameOf, Case, usize),
}

/// A number of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Year,
    YearOfCentury,
    IsoYear,
    Quarter,
    Month,
    Day,
    DayOfYear,
    /// 1 = Sunday.
    DayOfWeek,
    /// 1 = Monday.
    IsoDayOfWeek,
    IsoWeek,
    Hour24,
    Hour12,
    Minute,
    Second,
    SecondOfDay,
    Milli,
    Micro,
}

/// A name of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameOf {
    Month,
    MonthShort,
    Day,
    DayShort,
    Meridiem,
    MeridiemDots,
    Zone,
}

/// The case of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Capital,
    Lower,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Width to which Postgres pads full names.
const NAME_WIDTH: usize = 9;

/// Postgres's template patterns, longest first where one starts another.
const POSTGRES: &[(&str, Field, usize)] = &[
    ("HH24", Field::Hour24, 2),
    ("HH12", Field::Hour12, 2),
    ("HH", Field::Hour12, 2),
    ("MI", Field::Minute, 2),
    ("SSSSS", Field::SecondOfDay, 0),
    ("SSSS", Field::SecondOfDay, 0),
    ("SS", Field::Second, 2),
    ("MS", Field::Milli, 3),
    ("US", Field::Micro, 6),
    ("FF3", Field::Milli, 3),
    ("FF6", Field::Micro, 6),
    ("YYYY", Field::Year, 4),
    ("IYYY", Field::IsoYear, 4),
    ("YY", Field::YearOfCentury, 2),
    ("MM", Field::Month, 2),
    ("DDD", Field::DayOfYear, 3),
    ("DD", Field::Day, 2),
    ("ID", Field::IsoDayOfWeek, 0),
    ("IW", Field::IsoWeek, 2),
    ("Q", Field::Quarter, 0),
    ("D", Field::DayOfWeek, 0),
];

/// Postgres's names; the case of the pattern is the case of the name.
const POSTGRES_NAMES: &[(&str, NameOf)] = &[
    ("MONTH", NameOf::Month),
    ("MON", NameOf::MonthShort),
    ("DAY", NameOf::Day),
    ("DY", NameOf::DayShort),
    ("A.M.", NameOf::MeridiemDots),
    ("P.M.", NameOf::MeridiemDots),
    ("AM", NameOf::Meridiem),
    ("PM", NameOf::Meridiem),
    ("TZ", NameOf::Zone),
];

/// Parses a pattern of `to_char`.
pub(super) fn postgres(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    let mut is_unpadded = false;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = strip_ignoring_case(rest, "FM") {
            is_unpadded = true;
            rest = after;
            continue;
        }
        if first == '"' {
            let (quoted, after) = rest[1..].split_once('"').unwrap_or((&rest[1..], ""));
            push_literal(&mut pieces, quoted);
            rest = after;
            continue;
        }
        let (piece, after) = postgres_piece(rest, is_unpadded);
        match piece {
            Some(piece) => {
                pieces.push(piece);
                is_unpadded = false;
                rest = strip_ignoring_case(after, "TH").unwrap_or(after);
            }
            None => {
                push_literal(&mut pieces, &rest[..first.len_utf8()]);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    pieces
}

fn postgres_piece(rest: &str, is_unpadded: bool) -> (Option<Piece>, &str) {
    for (word, name) in POSTGRES_NAMES {
        if let Some(after) = strip_ignoring_case(rest, word) {
            let written = &rest[..word.len()];
            let case =
                match (written.starts_with(char::is_uppercase), written.chars().nth(1).is_some_and(char::is_lowercase))
                {
                    (true, true) => Case::Capital,
                    (true, false) => Case::Upper,
                    _ => Case::Lower,
                };
            let is_full = matches!(name, NameOf::Month | NameOf::Day);
            let width = if is_full && !is_unpadded { NAME_WIDTH } else { 0 };
            return (Some(Piece::Name(*name, case, width)), after);
        }
    }
    for (word, field, width) in POSTGRES {
        if let Some(after) = strip_ignoring_case(rest, word) {
            return (Some(Piece::Number(*field, if is_unpadded { 0 } else { *width })), after);
        }
    }
    (None, rest)
}

fn strip_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

fn push_literal(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Literal(literal)) => literal.push_str(text),
        _ => pieces.push(Piece::Literal(text.to_owned())),
    }
}

/// Parses a pattern of Java's `SimpleDateFormat`, as Flink's DATE_FORMAT takes it.
pub(super) fn java(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut characters = pattern.chars().peekable();
    while let Some(first) = characters.next() {
        if first == '\'' {
            // Two quotes are one quote, inside and outside of quoted text.
            if characters.next_if_eq(&'\'').is_some() {
                push_literal(&mut pieces, "'");
                continue;
            }
            while let Some(character) = characters.next() {
                if character == '\'' && characters.next_if_eq(&'\'').is_none() {
                    break;
                }
                push_literal(&mut pieces, character.encode_utf8(&mut [0; 4]));
            }
            continue;
        }
        let mut count = 1;
        while characters.next_if_eq(&first).is_some() {
            count += 1;
        }
        match java_piece(first, count) {
            Some(piece) => pieces.push(piece),
            None => push_literal(&mut pieces, &first.to_string().repeat(count)),
        }
    }
    pieces
}

fn java_piece(letter: char, count: usize) -> Option<Piece> {
    let piece = match (letter, count) {
        ('y' | 'u', 2) => Piece::Number(Field::YearOfCentury, 2),
        ('y' | 'u', _) => Piece::Number(Field::Year, count),
        ('M' | 'L', 4..) => Piece::Name(NameOf::Month, Case::Capital, 0),
        ('M' | 'L', 3) => Piece::Name(NameOf::MonthShort, Case::Capital, 0),
        ('M' | 'L', _) => Piece::Number(Field::Month, count),
        ('d', _) => Piece::Number(Field::Day, count),
        ('D', _) => Piece::Number(Field::DayOfYear, count),
        ('H', _) => Piece::Number(Field::Hour24, count),
        ('h', _) => Piece::Number(Field::Hour12, count),
        ('m', _) => Piece::Number(Field::Minute, count),
        ('s', _) => Piece::Number(Field::Second, count),
        ('S', 1..=3) => Piece::Number(Field::Milli, 3),
        ('S', _) => Piece::Number(Field::Micro, 6),
        ('E', 4..) => Piece::Name(NameOf::Day, Case::Capital, 0),
        ('E', _) => Piece::Name(NameOf::DayShort, Case::Capital, 0),
        ('a', _) => Piece::Name(NameOf::Meridiem, Case::Upper, 0),
        ('w', _) => Piece::Number(Field::IsoWeek, count),
        _ => return None,
    };
    Some(piece)
}

/// Writes a time of microseconds from the epoch; false if it is out of range.
pub(super) fn write(pieces: &[Piece], micros: i64, has_zone: bool, out: &mut String) -> bool {
    let Some(time) = DateTime::<Utc>::from_timestamp_micros(micros).map(|time| time.naive_utc()) else {
        return false;
    };
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Number(field, width) => {
                // Writing to a string can't fail.
                let _ = write!(out, "{:0width$}", number(*field, &time));
            }
            Piece::Name(name, case, width) => {
                let _ = write!(out, "{:width$}", name_text(*name, *case, &time, has_zone));
            }
        }
    }
    true
}

fn number(field: Field, time: &NaiveDateTime) -> i64 {
    match field {
        Field::Year => i64::from(time.year()),
        Field::YearOfCentury => i64::from(time.year().rem_euclid(100)),
        Field::IsoYear => i64::from(time.iso_week().year()),
        Field::Quarter => i64::from((time.month() + 2) / 3),
        Field::Month => i64::from(time.month()),
        Field::Day => i64::from(time.day()),
        Field::DayOfYear => i64::from(time.ordinal()),
        Field::DayOfWeek => i64::from(time.weekday().number_from_sunday()),
        Field::IsoDayOfWeek => i64::from(time.weekday().number_from_monday()),
        Field::IsoWeek => i64::from(time.iso_week().week()),
        Field::Hour24 => i64::from(time.hour()),
        Field::Hour12 => i64::from(time.hour12().1),
        Field::Minute => i64::from(time.minute()),
        Field::Second => i64::from(time.second()),
        Field::SecondOfDay => i64::from(time.num_seconds_from_midnight()),
        Field::Milli => i64::from(time.nanosecond() / 1_000_000),
        Field::Micro => i64::from(time.nanosecond() / 1_000),
    }
}

fn name_text(name: NameOf, case: Case, time: &NaiveDateTime, has_zone: bool) -> String {
    let month = MONTHS[time.month0() as usize % 12];
    let day = DAYS[time.weekday().num_days_from_monday() as usize % 7];
    let is_morning = time.hour() < 12;
    let text = match name {
        NameOf::Month => month,
        NameOf::MonthShort => &month[..3],
        NameOf::Day => day,
        NameOf::DayShort => &day[..3],
        NameOf::Meridiem if is_morning => "AM",
        NameOf::Meridiem => "PM",
        NameOf::MeridiemDots if is_morning => "A.M.",
        NameOf::MeridiemDots => "P.M.",
        NameOf::Zone if has_zone => "UTC",
        NameOf::Zone => "",
    };
    match case {
        Case::Upper => text.to_uppercase(),
        Case::Lower => text.to_lowercase(),
        Case::Capital => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-05 15:04:09.012345, a Monday.
    const TIME: i64 = 1_707_145_449_012_345;

    fn shown(pieces: Vec<Piece>) -> String {
        let mut out = String::new();
        assert!(write(&pieces, TIME, true, &mut out));
        out
    }

    #[test]
    fn postgres_patterns() {
        let cases = [
            ("YYYY-MM-DD HH24:MI:SS", "2024-02-05 15:04:09"),
            ("HH12:MI AM", "03:04 PM"),
            ("HH.MS.US", "03.012.012345"),
            ("FMMonth FMDD, yyyy", "February 5, 2024"),
            ("Month|", "February |"),
            ("Dy DAY mon", "Mon MONDAY    feb"),
            ("\"at\" HH24", "at 15"),
            ("IYYY-IW-ID Q DDD D", "2024-06-1 1 036 2"),
            ("YY p.m. TZ", "24 p.m. UTC"),
        ];
        for (pattern, expected) in cases {
            assert_eq!(shown(postgres(pattern)), expected, "{pattern}");
        }
    }

    #[test]
    fn java_patterns() {
        let cases = [
            ("yyyy-MM-dd HH:mm:ss.SSS", "2024-02-05 15:04:09.012"),
            ("d/M/yy h a", "5/2/24 3 PM"),
            ("EEE, MMM d 'o''clock'", "Mon, Feb 5 o'clock"),
        ];
        for (pattern, expected) in cases {
            assert_eq!(shown(java(pattern)), expected, "{pattern}");
        }
    }
}
