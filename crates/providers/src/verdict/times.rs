//! How providers write spans and moments: seconds, Go's `6m0s`, `20 seconds`, RFC 3339, HTTP dates, epochs.
//! It refuses to know what the time is.

use std::time::UNIX_EPOCH;

use domain::UnixMicros;

use crate::caps;

/// When something will be, as a provider tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So many milliseconds after the answer; at most `caps::MAX_RETRY_AFTER_MS`.
    AfterMs(u64),
    /// A moment of the wall's clock.
    At(UnixMicros),
}

impl When {
    /// Milliseconds from `now`, rounded up; 0 where it has passed, at most `caps::MAX_RETRY_AFTER_MS`.
    pub fn wait_ms(self, now: UnixMicros) -> u64 {
        match self {
            Self::AfterMs(ms) => ms.min(caps::MAX_RETRY_AFTER_MS),
            Self::At(at) => {
                let left_us = i128::from(at.0) - i128::from(now.0);
                u64::try_from(left_us.max(0)).unwrap_or(u64::MAX).div_ceil(1_000).min(caps::MAX_RETRY_AFTER_MS)
            }
        }
    }

    /// Whether both are spans and this is the shorter.
    pub(super) fn is_shorter_than(self, other: Self) -> bool {
        matches!((self, other), (Self::AfterMs(mine), Self::AfterMs(others)) if mine < others)
    }

    /// The same, told from `date` on: a moment of the provider's clock needs no clock of ours that agrees with it.
    pub(super) fn since(self, date: Option<UnixMicros>) -> Self {
        match (self, date) {
            (Self::At(_), Some(date)) => Self::AfterMs(self.wait_ms(date)),
            (Self::At(_), None) | (Self::AfterMs(_), _) => self,
        }
    }
}

/// A number of milliseconds or seconds (`unit_us`); a negative one is 0.
pub(super) fn count(text: &str, unit_us: f64) -> Option<When> {
    let number: f64 = text.trim().parse().ok()?;
    let is_number = text.contains(|c: char| c.is_ascii_digit());
    is_number.then(|| When::AfterMs(whole_ms(number * unit_us)))
}

/// What a header that says when a limit resets may hold: a span in seconds or in Go's form, an epoch in seconds or milliseconds, a date.
pub(super) fn reset(text: &str) -> Option<When> {
    let text = text.trim();
    match text.parse::<f64>() {
        // Nobody waits for thirty years: it is an epoch.
        Ok(number) if (EPOCH_MS..LAST_EPOCH_MS).contains(&number) => Some(When::At(UnixMicros((number * 1e3) as i64))),
        Ok(number) if (EPOCH_S..EPOCH_MS).contains(&number) => Some(When::At(UnixMicros((number * 1e6) as i64))),
        Ok(_) => count(text, SECOND_US),
        Err(_) => span(text).filter(|(_, length)| *length == text.len()).map(|(when, _)| when).or_else(|| moment(text)),
    }
}

const EPOCH_S: f64 = 1e9;
const EPOCH_MS: f64 = 1e12;
const LAST_EPOCH_MS: f64 = 1e14;

/// RFC 3339 or an HTTP date (RFC 9110, 5.6.7).
pub(super) fn moment(text: &str) -> Option<When> {
    if text.len() > caps::MAX_TIME_BYTES {
        return None;
    }
    text.parse().ok().or_else(|| http_date(text)).map(When::At)
}

pub(super) fn http_date(text: &str) -> Option<UnixMicros> {
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(at.as_micros()).ok().map(UnixMicros)
}

/// The span that `text` begins with, and its length in bytes: `84ms`, `1h2m3.5s`, `20 seconds`, `1 minute 5 s`.
pub(super) fn span(text: &str) -> Option<(When, usize)> {
    let mut total_us = 0.0;
    let mut length = None;
    let mut rest = text;
    while let Some((us, after)) = part(rest) {
        total_us += us;
        length = Some(text.len() - after.len());
        rest = after;
    }
    length.map(|length| (When::AfterMs(whole_ms(total_us)), length))
}

/// A number and its unit at the beginning of `text`: microseconds, and what follows.
fn part(text: &str) -> Option<(f64, &str)> {
    let text = text.trim_start_matches(' ');
    let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let rest = rest.trim_start_matches(' ');
    let (unit, rest) = rest.split_at(rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len()));
    let number: f64 = number.parse().ok()?;
    Some((number * unit_us(unit)?, rest))
}

pub(super) const SECOND_US: f64 = 1e6;
pub(super) const MILLISECOND_US: f64 = 1e3;

fn unit_us(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "ns" => 1e-3,
        "us" | "µs" | "μs" => 1.0,
        "ms" | "millisecond" | "milliseconds" => MILLISECOND_US,
        "s" | "sec" | "secs" | "second" | "seconds" => SECOND_US,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0 * SECOND_US,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0 * SECOND_US,
        "d" | "day" | "days" => 86_400.0 * SECOND_US,
        _ => return None,
    })
}

/// Rounded up, but not for what arithmetic with fractions adds.
fn whole_ms(us: f64) -> u64 {
    (us.round() as u64).div_ceil(1_000).min(caps::MAX_RETRY_AFTER_MS)
}

/// What precedes a span in an error's words.
const BEFORE_A_SPAN: [&str; 4] = ["again in ", "retry in ", "retry after ", "again after "];
/// What precedes a moment.
const BEFORE_A_MOMENT: &str = "until ";

/// When to come back, as an error's words tell it: "Please try again in 1m2.5s", "retry after 20 seconds", "rate limited until
/// 2026-02-05T15:32:41Z".
pub(super) fn in_words(text: &str) -> Option<When> {
    let lower = text.to_ascii_lowercase();
    let behind = |words: &'static str| lower.match_indices(words).filter_map(move |(at, found)| text.get(at + found.len()..));
    let told = BEFORE_A_SPAN.iter().find_map(|words| behind(words).find_map(span));
    let until = || {
        behind(BEFORE_A_MOMENT).find_map(|rest| {
            let word = rest.split(char::is_whitespace).next().unwrap_or_default();
            moment(word.trim_end_matches(['.', ',', ';', ')', '"', '\'']))
        })
    };
    told.map(|(when, _)| when).or_else(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<When> {
        Some(When::At(text.parse().unwrap()))
    }

    #[test]
    fn every_form_of_a_reset_is_read() {
        let ms = |ms| Some(When::AfterMs(ms));
        for (text, expected) in [
            ("1", ms(1_000)),
            ("0", ms(0)),
            ("-1", ms(0)),
            ("11.382867097854614", ms(11_383)),
            ("84ms", ms(84)),
            ("6m0s", ms(360_000)),
            ("1h2m3.5s", ms(caps::MAX_RETRY_AFTER_MS)),
            ("59m3.5s", ms(3_543_500)),
            ("7.66s", ms(7_660)),
            ("1.984999999s", ms(1_985)),
            ("250us", ms(1)),
            ("9µs", ms(1)),
            ("114h18m0s", ms(caps::MAX_RETRY_AFTER_MS)),
            ("1e300", ms(caps::MAX_RETRY_AFTER_MS)),
            ("1770305561", at("2026-02-05T15:32:41Z")),
            ("1770305561000", at("2026-02-05T15:32:41Z")),
            ("2026-02-05T15:32:41Z", at("2026-02-05T15:32:41Z")),
            ("2026-02-05T16:32:41.5+01:00", at("2026-02-05T15:32:41.5Z")),
            ("Thu, 05 Feb 2026 15:32:41 GMT", at("2026-02-05T15:32:41Z")),
            ("", None),
            ("soon", None),
            ("NaN", None),
            ("inf", None),
            ("1x", None),
            ("1s later", None),
            ("m", None),
            ("1.2.3s", None),
        ] {
            assert_eq!(reset(text), expected, "{text}");
        }
    }

    #[test]
    fn words_tell_when_to_come_back() {
        let ms = |ms| Some(When::AfterMs(ms));
        for (text, expected) in [
            ("Please try again in 84ms. Visit https://example.com", ms(84)),
            ("try again in 1m2.5s", ms(62_500)),
            ("Please retry in 36.429760048s.", ms(36_430)),
            ("Please retry after 33 seconds. Please go here", ms(33_000)),
            ("Try again in 2 minutes 5 seconds!", ms(125_000)),
            ("please try again after 1 seconds", ms(1_000)),
            ("You can try again in a moment, or try again in 3s", ms(3_000)),
            ("m model is rate limited until 2026-02-05T15:32:41Z", at("2026-02-05T15:32:41Z")),
            ("limited until (unknown), until 2026-02-05T15:32:41Z.", at("2026-02-05T15:32:41Z")),
            ("try again in 3 tries", None),
            ("wait until tomorrow", None),
            ("retry in 🦀", None),
            ("retry after ", None),
        ] {
            assert_eq!(in_words(text), expected, "{text}");
        }
    }

    #[test]
    fn a_moment_is_measured_on_the_providers_own_clock() {
        let (now, date): (UnixMicros, UnixMicros) = ("2026-02-05T15:32:00Z".parse().unwrap(), "2026-02-05T15:32:36Z".parse().unwrap());
        let until = When::At("2026-02-05T15:32:41Z".parse().unwrap());
        assert_eq!(until.wait_ms(now), 41_000);
        assert_eq!(until.since(Some(date)), When::AfterMs(5_000));
        assert_eq!(until.since(None), until);
        assert_eq!(When::At(UnixMicros(i64::MIN)).wait_ms(UnixMicros(i64::MAX)), 0);
        assert_eq!(When::At(UnixMicros(i64::MAX)).wait_ms(UnixMicros(i64::MIN)), caps::MAX_RETRY_AFTER_MS);
    }
}
