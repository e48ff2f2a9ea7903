//! What is told beside sums: the greatest minutes of pools against what their limits were, why something was refused, and requests one by one.

use std::collections::BTreeMap;

use domain::{KeyId, Kind, Org, Outcome, RequestId, Source, UnixMicros};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use store::{Actor, Bucket, ErrorClass, OperationError as _, OrgPatch, PageRequest, PoolUsageQuery, RequestsQuery, UsageQuery};

use crate::support::{Bench, MINUTE, START, custom};
use crate::usage_naive::{ENDINGS, Event, MODELS, Question, Since, ZONES, at, is_asked, narrowed, start};

fn of_pools(org: &Org) -> PoolUsageQuery {
    PoolUsageQuery { org: org.id, from: None, to: None, bucket: None, tz: None }
}

pub(crate) async fn limits_are_told_as_they_were(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let begun = b.now().wall;
    b.clock.advance_us(10 * MINUTE as u64);
    let upgraded = b.now().wall;
    b.store.update_org(Actor::Operator, org.id, OrgPatch { plan: Some("pro".into()), ..OrgPatch::default() }).await.unwrap();
    b.clock.advance_us(10 * MINUTE as u64);
    let changed = b.now().wall;
    b.plan(r#"{"id":"pro","limits":[{"category":"small","rpm":20,"tpm":5000},{"category":"large","rpm":5}]}"#).await;
    let (from, until) = (b.wall(10 * MINUTE), b.wall(20 * MINUTE));
    let limits = vec![custom(r#"{"category":"small","rpm":99}"#, Some(from), Some(until))];
    b.store.set_custom_limits(Actor::Operator, org.id, limits).await.unwrap();
    b.clock.advance_us(30 * MINUTE as u64);
    let now = b.now().wall;
    let usage = b.store.pool_usage(&PoolUsageQuery { to: Some(now), ..of_pools(&org) }).await.unwrap();
    let of = |pool: &str, kind| {
        let pool = usage.pools.iter().find(|of| of.pool.as_deref() == Some(pool) && of.kind == kind).unwrap();
        pool.limits.iter().map(|step| (step.from, step.to, step.limit, step.source)).collect::<Vec<_>>()
    };
    assert_eq!(
        of("category:small", Kind::Requests),
        [
            (begun, upgraded, Some(2), Source::Plan),
            (upgraded, changed, Some(10), Source::Plan),
            (changed, from, Some(20), Source::Plan),
            (from, until, Some(99), Source::Custom),
            (until, now, Some(20), Source::Plan),
        ]
    );
    // A custom row takes the plan's place as a whole.
    assert_eq!(
        of("category:small", Kind::Tokens).iter().map(|step| step.2).collect::<Vec<_>>(),
        [Some(1_000), Some(5_000), None, Some(5_000)]
    );
    assert_eq!(of("category:large", Kind::Requests), [(begun, upgraded, None, Source::Plan), (upgraded, now, Some(5), Source::Plan)]);
    assert!(usage.pools.iter().all(|of| of.pool.as_deref() != Some("any")));
}

pub(crate) async fn why_something_was_refused(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    for (minute, key, kind, count) in [(0, 1, Kind::Tokens, 3), (2, 2, Kind::Tokens, 9), (3, 1, Kind::Requests, 2), (9, 1, Kind::Tokens, 1)]
    {
        for n in 0..count {
            let refusal = b.refusal(&org, KeyId::from_bits(key), UnixMicros(START + minute * MINUTE + n * 1_000_000));
            b.store.recorder().refusal(domain::RefusalEvent { kind, ..refusal });
        }
    }
    b.store.recorder().usage(b.record(&org, KeyId::from_bits(1), UnixMicros(START)));
    b.store.recorder().flush().await;
    b.clock.advance_us(8 * MINUTE as u64);
    let why = b.store.why_refused(&UsageQuery::of(org.id)).await.unwrap();
    assert_eq!((why.refused, why.requests), (14, 1));
    let limits: Vec<_> = why.limits.iter().map(|of| (&*of.pool, of.kind, of.refused, of.first, of.last)).collect();
    let minute = |n: i64| UnixMicros(START + n * MINUTE);
    assert_eq!(
        limits,
        [("category:small", Kind::Tokens, 12, minute(0), minute(3)), ("category:small", Kind::Requests, 2, minute(3), minute(4))]
    );
    let keys: Vec<_> = why.limits[0].keys.iter().map(|(key, refused)| (*key, *refused)).collect();
    assert_eq!(keys, [(KeyId::from_bits(2), 9), (KeyId::from_bits(1), 3)]);
}

pub(crate) async fn lists_of_requests_are_checked(bench: Bench) {
    let b = bench.seeded().await;
    let org = b.org("free").await;
    let query = |cursor: &str| RequestsQuery {
        org: org.id,
        from: None,
        to: None,
        filter: Default::default(),
        oldest_first: false,
        page: PageRequest { cursor: Some(cursor.into()), limit: None },
    };
    assert_eq!(b.store.requests(&query("nonsense")).await.unwrap_err().class(), ErrorClass::Invalid { param: "cursor" });
    let nobody = RequestsQuery { org: domain::OrgId::from_bits(3), ..query("5 0") };
    assert_eq!(b.store.requests(&nobody).await.unwrap_err().class(), ErrorClass::NotFound);
    let record = b.record(&org, KeyId::from_bits(1), b.now().wall);
    b.store.recorder().usage(record.clone());
    b.store.recorder().flush().await;
    let other = b.org("free").await;
    assert!(b.store.request_of(other.id, record.request).await.unwrap().is_none());
    assert!(b.store.request_of(org.id, record.request).await.unwrap().unwrap().usage.is_some());
}

/// (bucket, requests, its minute, tokens, its minute) by pool.
type Peaks = BTreeMap<(String, UnixMicros), (u64, i64, u64, i64)>;

fn naive_peaks(events: &[Event], q: &Question, since: Since) -> Peaks {
    let zone = TimeZone::get(ZONES[q.tz]).unwrap();
    let (from, to) = since.widened(q.from, q.from + q.length);
    let minute = |us: i64| us - (START + us).rem_euclid(MINUTE);
    let (from, to) = (minute(from), minute(to - 1) + MINUTE);
    let mut minutes: BTreeMap<(String, i64), (u64, u64)> = BTreeMap::new();
    for event in events.iter().filter(|e| e.org == q.org && from <= e.us && e.us < to) {
        let requests = match ENDINGS[event.ending].1 {
            None => continue,
            Some(Outcome::Failed) => 0,
            Some(_) => 1,
        };
        for pool in ["", MODELS[event.model].2] {
            let sum = minutes.entry((pool.into(), minute(event.us))).or_default();
            *sum = (sum.0 + requests, sum.1 + event.tokens.0 + event.tokens.1);
        }
    }
    let mut peaks = Peaks::new();
    for ((pool, us), (requests, tokens)) in minutes {
        let bucket = q.bucket.map_or(at(from), |bucket| start(since.begin(us), bucket, &zone));
        let peak = peaks.entry((pool, bucket)).or_insert((0, 0, 0, 0));
        // The earliest of equals, since they come in order.
        if requests > peak.0 {
            (peak.0, peak.1) = (requests, START + us);
        }
        if tokens > peak.2 {
            (peak.2, peak.3) = (tokens, START + us);
        }
    }
    peaks
}

async fn told_peaks(b: &Bench, orgs: &[Org], q: &Question) -> Peaks {
    let UsageQuery { org, from, to, bucket, tz, .. } = q.query(orgs);
    let usage = b.store.pool_usage(&PoolUsageQuery { org, from, to, bucket, tz }).await.unwrap();
    let mut peaks = Peaks::new();
    for of in usage.pools {
        let series = if bucket.is_some() { of.series.clone() } else { of.peak.into_iter().collect() };
        assert_eq!(of.peak.map(|peak| peak.peak), series.iter().map(|peak| peak.peak).max());
        for told in series {
            let place = (of.pool.as_deref().unwrap_or("").to_owned(), told.start);
            let peak = peaks.entry(place).or_insert((0, 0, 0, 0));
            match of.kind {
                Kind::Requests => (peak.0, peak.1) = (told.peak, told.at.0),
                Kind::Tokens | Kind::Concurrent => (peak.2, peak.3) = (told.peak, told.at.0),
            }
        }
    }
    peaks
}

/// The greatest minutes are those of what was recorded.
pub(crate) async fn check_peaks(b: &Bench, orgs: &[Org], events: &[Event], q: &Question, since: Since) -> Result<(), TestCaseError> {
    if q.length == 0 || q.bucket == Some(Bucket::Minute) && q.length > 100 * MINUTE {
        return Ok(());
    }
    let (told, expected) = (told_peaks(b, orgs, q).await, naive_peaks(events, q, since));
    let without_idle = |peaks: Peaks| peaks.into_iter().filter(|(_, peak)| peak.0 > 0 || peak.2 > 0).collect::<Peaks>();
    prop_assert_eq!(without_idle(told), without_idle(expected), "{:?} {:?}", q, since);
    Ok(())
}

/// Lists, page by page, have what was recorded and is kept, newest first, each once.
pub(crate) async fn check_lists(
    b: &Bench,
    orgs: &[Org],
    told: &[(Event, RequestId)],
    q: &Question,
    kept: (i64, i64),
) -> Result<(), TestCaseError> {
    let filter = narrowed(q.filter);
    let is_there = |event: &Event| event.us >= if ENDINGS[event.ending].1.is_some() { kept.0 } else { kept.1 };
    let in_span = |event: &Event| event.org == q.org && q.from <= event.us && event.us < q.from + q.length;
    let wanted = told.iter().filter(|(event, _)| in_span(event) && is_there(event) && is_asked(event, q.filter));
    let mut expected = Listed::new();
    for (event, id) in wanted {
        let refused = ENDINGS[event.ending].1.is_none();
        // Those of one second may be one, under the id of the first.
        let id = (!refused).then_some(*id);
        *expected.entry((at(event.us), KeyId::from_bits(event.key), MODELS[event.model].0.into(), id)).or_default() += 1;
    }
    let oldest_first = q.from % 2_000_000 == 0;
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageRequest { cursor, limit: Some(7) };
        let (from, to) = (Some(at(q.from)), Some(at(q.from + q.length)));
        let query = RequestsQuery { org: orgs[q.org].id, from, to, filter: filter.clone(), oldest_first, page };
        let page = b.store.requests(&query).await.unwrap();
        prop_assert!(page.data.len() <= 7);
        found.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let mut listed = Listed::new();
    let mut last = None;
    for story in &found {
        let refused: u64 = story.refusals.iter().map(|told| told.refused).sum();
        let (at, key, model, id, count) = match (&story.usage, story.refusals.first().map(|told| &told.event)) {
            (Some(of), _) => (of.at, of.key, &of.model, Some(of.request), 1),
            (None, Some(of)) => (of.at, of.key, &of.model, None, refused),
            (None, None) => return Err(TestCaseError::fail("an empty story")),
        };
        *listed.entry((at, key, model.as_str().to_owned(), id)).or_default() += count;
        let ms = at.0.div_euclid(1_000);
        prop_assert!(last.is_none_or(|last| if oldest_first { last <= ms } else { ms <= last }), "{:?}: in order", q);
        last = Some(ms);
    }
    prop_assert_eq!(listed, expected, "{:?}", q);
    Ok(())
}

/// How many by moment, key, model, and the id of what was admitted.
type Listed = BTreeMap<(UnixMicros, KeyId, String, Option<RequestId>), u64>;
