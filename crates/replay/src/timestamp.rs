//! Times as traces write them: `2023-11-16 18:17:03.9799600`, `2024-05-10T00:00:00.009930+00:00`, `2026-02-05T15:32:41Z`.
//! By hand, because a row's time is most of what there is to read of it. No zone means UTC.

use domain::UnixMicros;

const SECOND_US: i64 = 1_000_000;

/// The time that `text` writes; digits beyond microseconds are cut off. None if it is no time between 1970 and 9999.
pub(crate) fn parse(text: &[u8]) -> Option<UnixMicros> {
    let (head, rest) = text.split_at_checked(19)?;
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b' ' | b'T' | b't', h0, h1, b':', n0, n1, b':', s0, s1] = head else { return None };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    if year < 1970 || !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_us, rest) = fraction(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds(rest)?;
    Some(UnixMicros(seconds * SECOND_US + fraction_us))
}

fn digit(byte: u8) -> Option<i64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then(|| i64::from(value))
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// `.9799600` in microseconds, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else { return Some((0, text)) };
    let len = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(len);
    let mut micros = 0;
    for place in 0..6 {
        micros = micros * 10 + digits.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    }
    (len > 0).then_some((micros, rest))
}

/// `Z`, `+02:00`, `-0530` or nothing.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match *text {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] | [sign @ (b'+' | b'-'), h0, h1, m0, m1] => (sign, two(h0, h1)?, two(m0, m1)?),
        _ => return None,
    };
    let seconds = hours * 3_600 + minutes * 60;
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -seconds } else { seconds })
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar, years beginning in March so that the leap day is their last
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_is_the_same_moment() {
        let expected: UnixMicros = "2023-11-16T18:17:03.97996Z".parse().unwrap();
        for text in [
            "2023-11-16 18:17:03.9799600",
            "2023-11-16 18:17:03.97996",
            "2023-11-16T18:17:03.979960999Z",
            "2023-11-16T20:17:03.97996+02:00",
            "2023-11-16 12:47:03.97996-0530",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for text in ["1970-01-01", "1999-12-31", "2000-02-29", "2023-03-01", "2024-02-29", "2024-12-31", "2100-02-28", "9999-06-30"] {
            let text = format!("{text}T01:02:03Z");
            assert_eq!(parse(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "2023-11-16",
            "2023-11-16 18:17",
            "2023-13-16 18:17:03",
            "2023-02-29 18:17:03",
            "2023-11-00 18:17:03",
            "2023-11-16 24:00:00",
            "2023-11-16 18:60:03",
            "2023-11-16 18:17:61",
            "2023-11-16 18:17:03.",
            "2023-11-16 18:17:03.5x",
            "2023-11-16 18:17:03+25:00",
            "1969-11-16 18:17:03",
            "2023/11/16 18:17:03",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
