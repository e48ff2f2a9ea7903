//! Spans of time for usage: whole minutes and their edges, and the minutes, hours and days of a time zone.
//! It knows no database.

use domain::UnixMicros;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::input::{InvalidInput, fault};
use crate::sql::counters::Tier;
use crate::sql::kept::Kept;
use crate::sql::usage::{Cells, Minutes};
use crate::{Bucket, caps};

const MINUTE_US: i64 = 60_000_000;
const HOUR_S: i64 = 3_600;
const HOUR_MINUTES: i64 = 60;
const DAY_MINUTES: i64 = 1_440;

/// From a moment on, until before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: UnixMicros,
    pub(crate) to: UnixMicros,
}

/// A span as whole minutes between two parts of a minute.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) whole: Minutes,
    /// The minute that the part is of, and the part.
    pub(crate) edges: [Option<(i64, Span)>; 2],
}

fn minute_of(at: UnixMicros) -> i64 {
    at.0.div_euclid(MINUTE_US)
}

/// The moment a minute begins.
pub(crate) fn start_of(minute: i64) -> UnixMicros {
    UnixMicros(minute.saturating_mul(MINUTE_US))
}

fn first_minute_from(at: UnixMicros) -> i64 {
    minute_of(at) + i64::from(at.0.rem_euclid(MINUTE_US) > 0)
}

pub(crate) fn parts(span: Span) -> Parts {
    let whole = Minutes { first: first_minute_from(span.from), end: minute_of(span.to) };
    let part = |from: UnixMicros, to: UnixMicros| (from < to).then(|| (minute_of(from), Span { from, to }));
    if whole.first > whole.end {
        return Parts { whole: Minutes { first: whole.end, end: whole.end }, edges: [part(span.from, span.to), None] };
    }
    Parts { whole, edges: [part(span.from, start_of(whole.first)), part(start_of(whole.end), span.to)] }
}

/// The span, from the beginning to the end of what its own beginning and end lie in, as fine as things are kept.
pub(crate) fn widened(span: Span, kept: Kept) -> Span {
    let is_exact = |at: UnixMicros| at >= kept.moments();
    let from = if is_exact(span.from) {
        span.from
    } else {
        let minute = minute_of(span.from);
        start_of(kept.tier_of(minute).floor(minute))
    };
    let to = if is_exact(span.to) || span.to <= span.from {
        span.to
    } else {
        let end = first_minute_from(span.to);
        start_of(kept.tier_of(end.saturating_sub(1)).ceil(end))
    };
    Span { from, to }
}

/// Which rows of which table have the counters of these buckets, as far as they lie within whole minutes.
pub(crate) fn cells(buckets: &[Minutes], whole: Minutes, kept: Kept) -> Vec<(Tier, Vec<Cells>)> {
    let (mut minutes, mut quarters, mut days) = (Vec::new(), Vec::new(), Vec::new());
    for (bucket, part) in buckets.iter().filter_map(|bucket| Some((bucket.first, within(*bucket, whole)?))) {
        let put = |into: &mut Vec<Cells>, first: i64, end: i64| {
            if first < end {
                into.push(Cells { bucket, minutes: Minutes { first, end } });
            }
        };
        let fine = part.first.max(kept.minutes).min(part.end);
        // Whole quarters are fewer rows than their minutes.
        let (first, end) = (Tier::Quarters.ceil(fine), Tier::Quarters.floor(part.end));
        if first < end {
            put(&mut minutes, fine, first);
            put(&mut quarters, first, end);
            put(&mut minutes, end, part.end);
        } else {
            put(&mut minutes, fine, part.end);
        }
        // A row counts in the bucket in which it begins; what hasn't become days yet, in that in which its day begins.
        let old = Tier::Days.ceil(part.end).min(kept.quarters);
        put(&mut days, part.first, old);
        put(&mut quarters, Tier::Days.ceil(part.first), old);
        put(&mut quarters, part.first.max(kept.quarters), fine);
    }
    vec![(Tier::Minutes, minutes), (Tier::Quarters, quarters), (Tier::Days, days)]
}

/// One bucket for all of it.
pub(crate) fn whole(span: Span) -> Minutes {
    Minutes { first: minute_of(span.from), end: first_minute_from(span.to) }
}

/// The moment that a bucket which begins at this one ends.
pub(crate) fn end_of(start: UnixMicros, bucket: Bucket, tz: Option<&str>) -> Option<UnixMicros> {
    next(minute_of(start), bucket, &zone(tz).ok()?).map(start_of)
}

/// The part of a bucket that lies within `whole`.
fn within(bucket: Minutes, whole: Minutes) -> Option<Minutes> {
    let part = Minutes { first: bucket.first.max(whole.first), end: bucket.end.min(whole.end) };
    (part.first < part.end).then_some(part)
}

/// The first minute of the bucket that has this one. The buckets are in order and leave nothing out.
pub(crate) fn bucket_of(buckets: &[Minutes], minute: i64) -> i64 {
    let after = buckets.partition_point(|bucket| bucket.first <= minute);
    buckets.get(after.saturating_sub(1)).map_or(minute, |bucket| bucket.first)
}

/// The bucket, where it is left open.
pub(crate) fn resolved(span: Span, bucket: Bucket) -> Bucket {
    let about = |minutes: i64| (i128::from(span.to.0) - i128::from(span.from.0)) / i128::from(minutes * MINUTE_US);
    match bucket {
        Bucket::Auto if about(1) < caps::AUTO_BUCKETS => Bucket::Minute,
        Bucket::Auto if about(HOUR_MINUTES) < caps::AUTO_BUCKETS => Bucket::Hour,
        Bucket::Auto => Bucket::Day,
        Bucket::Minute | Bucket::Hour | Bucket::Day => bucket,
    }
}

/// The buckets that a span touches, the first from its beginning in the time zone.
pub(crate) fn buckets(span: Span, bucket: Bucket, tz: Option<&str>) -> Result<Vec<Minutes>, InvalidInput> {
    let zone = zone(tz)?;
    let minutes = match bucket {
        Bucket::Minute => 1,
        Bucket::Hour => HOUR_MINUTES,
        Bucket::Day | Bucket::Auto => DAY_MINUTES,
    };
    let about = (i128::from(span.to.0) - i128::from(span.from.0)) / i128::from(minutes * MINUTE_US);
    if about > caps::MAX_BUCKETS as i128 {
        let message =
            format!("this span has about {about} buckets, more than {}: ask for a shorter span or a longer bucket", caps::MAX_BUCKETS);
        return Err(fault("bucket", message));
    }
    let mut buckets = Vec::new();
    let mut first = floor(span.from, bucket, &zone).ok_or_else(out_of_range)?;
    while start_of(first) < span.to {
        let end = next(first, bucket, &zone).ok_or_else(out_of_range)?;
        buckets.push(Minutes { first, end });
        first = end;
    }
    Ok(buckets)
}

fn zone(tz: Option<&str>) -> Result<TimeZone, InvalidInput> {
    let Some(name) = tz else { return Ok(TimeZone::UTC) };
    TimeZone::get(name).map_err(|_| fault("tz", format!("\"{name}\" is not the name of a time zone such as Europe/Berlin")))
}

fn out_of_range() -> InvalidInput {
    fault("from", "from and to must lie within the years -9999 to 9999")
}

fn timestamp(minute: i64) -> Option<Timestamp> {
    Timestamp::from_second(minute.checked_mul(60)?).ok()
}

/// Zones had offsets with seconds until 1972; their borders are cut to the minute.
fn minute_at(timestamp: Timestamp) -> i64 {
    timestamp.as_second().div_euclid(60)
}

/// Seconds since the zone's last whole hour.
fn past_hour_s(timestamp: Timestamp, zone: &TimeZone) -> i64 {
    (timestamp.as_second() + i64::from(zone.to_offset(timestamp).seconds())).rem_euclid(HOUR_S)
}

fn floor(at: UnixMicros, bucket: Bucket, zone: &TimeZone) -> Option<i64> {
    let minute = minute_of(at);
    let time = timestamp(minute)?;
    match bucket {
        Bucket::Minute => Some(minute),
        Bucket::Hour => Some(minute - past_hour_s(time, zone) / 60),
        Bucket::Day | Bucket::Auto => Some(minute_at(time.to_zoned_datetime(zone.clone()).start_of_day().ok()?.timestamp())),
    }
}

fn next(minute: i64, bucket: Bucket, zone: &TimeZone) -> Option<i64> {
    let time = timestamp(minute)?;
    match bucket {
        Bucket::Minute => Some(minute + 1),
        // Where clocks change by a part of an hour, the hour in question is that much longer.
        Bucket::Hour => {
            let past = past_hour_s(timestamp(minute + HOUR_MINUTES)?, zone);
            Some(minute + HOUR_MINUTES + if past == 0 { 0 } else { (HOUR_S - past) / 60 })
        }
        Bucket::Day | Bucket::Auto => {
            let tomorrow = time.to_zoned_datetime(zone.clone()).tomorrow().ok()?.start_of_day().ok()?;
            // A day that a zone left out altogether must not stop the count.
            Some(minute_at(tomorrow.timestamp()).max(minute + 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMicros {
        text.parse().unwrap()
    }

    fn starts(from: &str, to: &str, bucket: Bucket, tz: &str) -> Vec<String> {
        let span = Span { from: at(from), to: at(to) };
        let buckets = buckets(span, bucket, Some(tz)).unwrap();
        assert!(buckets.windows(2).all(|pair| pair[0].end == pair[1].first), "{buckets:?}");
        buckets.iter().map(|bucket| start_of(bucket.first).to_string()).collect()
    }

    #[test]
    fn a_span_is_whole_minutes_and_two_edges() {
        let m = |n: i64| UnixMicros(n * MINUTE_US);
        let u = |n: i64, us: i64| UnixMicros(n * MINUTE_US + us);
        let of = |from, to| parts(Span { from, to });
        let whole = |first, end| Minutes { first, end };
        let edge = |minute, from, to| Some((minute, Span { from, to }));
        assert_eq!(of(m(3), m(5)), Parts { whole: whole(3, 5), edges: [None, None] });
        assert_eq!(of(u(3, 1), u(5, 9)), Parts { whole: whole(4, 5), edges: [edge(3, u(3, 1), m(4)), edge(5, m(5), u(5, 9))] });
        assert_eq!(of(u(3, 1), u(3, 9)), Parts { whole: whole(3, 3), edges: [edge(3, u(3, 1), u(3, 9)), None] });
        assert_eq!(of(u(3, 1), m(4)), Parts { whole: whole(4, 4), edges: [edge(3, u(3, 1), m(4)), None] });
        assert_eq!(of(m(3), u(3, 1)), Parts { whole: whole(3, 3), edges: [None, edge(3, m(3), u(3, 1))] });
        assert_eq!(of(m(3), m(3)), Parts { whole: whole(3, 3), edges: [None, None] });
        assert_eq!(of(u(-2, 5), u(-1, 5)), Parts { whole: whole(-1, -1), edges: [edge(-2, u(-2, 5), m(-1)), edge(-1, m(-1), u(-1, 5))] });
    }

    #[test]
    fn hours_are_the_zones() {
        let kolkata = starts("2026-02-05T15:29:59Z", "2026-02-05T16:30:01Z", Bucket::Hour, "Asia/Kolkata");
        assert_eq!(kolkata, ["2026-02-05T14:30:00Z", "2026-02-05T15:30:00Z", "2026-02-05T16:30:00Z"]);
        // 02:00 becomes 03:00; then 03:00 becomes 02:00, and both hours of that name count.
        let forward = starts("2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z", Bucket::Hour, "Europe/Berlin");
        assert_eq!(forward, ["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"]);
        let back = starts("2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", Bucket::Hour, "Europe/Berlin");
        assert_eq!(back, ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"]);
        // Lord Howe goes back by half an hour: that hour is longer.
        let half = starts("2026-04-04T13:00:00Z", "2026-04-04T18:00:00Z", Bucket::Hour, "Australia/Lord_Howe");
        assert_eq!(
            half,
            ["2026-04-04T13:00:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z", "2026-04-04T16:30:00Z", "2026-04-04T17:30:00Z"]
        );
    }

    #[test]
    fn days_may_have_23_or_25_hours_or_be_missing() {
        let berlin = starts("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", Bucket::Day, "Europe/Berlin");
        assert_eq!(berlin, ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]);
        // Samoa left out 30 December 2011.
        let apia = starts("2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z", Bucket::Day, "Pacific/Apia");
        assert!(apia.len() >= 2, "{apia:?}");
    }

    #[test]
    fn a_minute_finds_its_bucket() {
        let buckets = [Minutes { first: 0, end: 5 }, Minutes { first: 5, end: 9 }];
        assert_eq!([0, 4, 5, 8].map(|minute| bucket_of(&buckets, minute)), [0, 0, 5, 5]);
        assert_eq!(within(buckets[0], Minutes { first: 2, end: 6 }), Some(Minutes { first: 2, end: 5 }));
        assert_eq!(within(buckets[0], Minutes { first: 5, end: 6 }), None);
    }
}
