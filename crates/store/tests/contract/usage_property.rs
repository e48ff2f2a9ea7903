//! Usage against naive sums over everything that was recorded.

use std::collections::BTreeMap;

use domain::{Category, KeyId, Money, Org, Outcome, TokenUsage, UnixMicros, UsageRecord};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use store::{Bucket, GroupBy, UsageCounters, UsageQuery};

use crate::support::{Backend, Bench, MINUTE, START};

/// One thing recorded: when (microseconds after the start), by whom, and how it went.
#[derive(Clone, Debug)]
struct Event {
    us: i64,
    org: usize,
    key: u128,
    model: usize,
    ending: usize,
    tokens: (u64, u64, u64),
}

#[derive(Clone, Debug)]
struct Question {
    org: usize,
    from: i64,
    length: i64,
    group_by: Option<GroupBy>,
    bucket: Option<Bucket>,
    tz: usize,
}

const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"];
/// (status, outcome, provider); `None` as outcome: refused.
const ENDINGS: [(u16, Option<Outcome>, Option<&str>); 5] = [
    (200, Some(Outcome::Answered), Some("main")),
    (200, Some(Outcome::Broken), Some("spare")),
    (422, Some(Outcome::Rejected), Some("main")),
    (503, Some(Outcome::Failed), None),
    (429, None, None),
];
const MODELS: [(&str, Option<Category>); 3] = [("tiny", Some(Category::Small)), ("huge", Some(Category::Large)), ("odd", None)];
/// Whole seconds, since refusals of one second are merged; records are moved by a few microseconds.
const SPAN_S: i64 = 3 * 3_600;

fn moment() -> impl Strategy<Value = i64> {
    let near_a_minute = (0..SPAN_S / 60, -1_i64..=1).prop_map(|(minute, second)| (minute * 60 + second).max(0) * 1_000_000);
    prop_oneof![(0..SPAN_S).prop_map(|second| second * 1_000_000), near_a_minute]
}

fn event() -> impl Strategy<Value = Event> {
    let tokens = (0_u64..1_000, 0_u64..1_000, 0_u64..10);
    (moment(), 0..2_usize, 1..4_u128, 0..MODELS.len(), 0..ENDINGS.len(), tokens).prop_map(|(us, org, key, model, ending, tokens)| Event {
        us,
        org,
        key,
        model,
        ending,
        tokens,
    })
}

fn question() -> impl Strategy<Value = Question> {
    let by = [GroupBy::Model, GroupBy::Key, GroupBy::Category, GroupBy::Provider, GroupBy::Status];
    let group_by = prop::option::of(prop::sample::select(by.to_vec()));
    let bucket = prop::option::of(prop::sample::select(vec![Bucket::Minute, Bucket::Hour, Bucket::Day]));
    (0..2_usize, moment(), moment(), group_by, bucket, 0..ZONES.len()).prop_map(|(org, from, length, group_by, bucket, tz)| Question {
        org,
        from,
        length,
        group_by,
        bucket,
        tz,
    })
}

fn at(us: i64) -> UnixMicros {
    UnixMicros(START + us)
}

fn record(b: &Bench, org: &Org, event: &Event) -> UsageRecord {
    let (status, outcome, provider) = ENDINGS[event.ending];
    let (model, category) = MODELS[event.model];
    let (input, output, cached) = event.tokens;
    UsageRecord {
        status,
        outcome: outcome.unwrap(),
        provider: provider.map(Into::into),
        model: model.into(),
        category,
        tokens: TokenUsage { input, output, cached },
        cost: Money(input as i64 * 3),
        ..b.record(org, KeyId::from_bits(event.key), at(event.us))
    }
}

fn counters(event: &Event) -> UsageCounters {
    let Some(outcome) = ENDINGS[event.ending].1 else { return UsageCounters { refused: 1, ..UsageCounters::default() } };
    let (input_tokens, output_tokens, cached_tokens) = event.tokens;
    let (requests, failed) = if outcome.is_answered() { (1, 0) } else { (0, 1) };
    let cost = Money(input_tokens as i64 * 3);
    UsageCounters { requests, failed, input_tokens, output_tokens, cached_tokens, cost, ..UsageCounters::default() }
}

fn group(event: &Event, by: GroupBy) -> Option<String> {
    let (status, outcome, provider) = ENDINGS[event.ending];
    match by {
        GroupBy::Model => Some(MODELS[event.model].0.into()),
        GroupBy::Key => Some(KeyId::from_bits(event.key).to_string()),
        GroupBy::Category => MODELS[event.model].1.map(|c| c.to_string()),
        GroupBy::Provider => outcome.and(provider).map(Into::into),
        GroupBy::Status => Some(status.to_string()),
    }
}

/// The bucket's beginning by the calendar's own arithmetic.
fn start(event: &Event, bucket: Bucket, zone: &TimeZone) -> UnixMicros {
    let minute = at(event.us).0.div_euclid(MINUTE) * MINUTE;
    let local = Timestamp::from_microsecond(minute).unwrap().to_zoned_datetime(zone.clone());
    let begun = match bucket {
        Bucket::Minute => local,
        Bucket::Hour => local.with().minute(0).build().unwrap(),
        Bucket::Day => local.start_of_day().unwrap(),
    };
    UnixMicros(begun.timestamp().as_microsecond())
}

type Rows = BTreeMap<(Option<UnixMicros>, Option<String>), UsageCounters>;

fn expected(events: &[Event], q: &Question) -> (UsageCounters, Rows) {
    let zone = TimeZone::get(ZONES[q.tz]).unwrap();
    let mut totals = UsageCounters::default();
    let mut rows = Rows::new();
    for event in events.iter().filter(|e| e.org == q.org && q.from <= e.us && e.us < q.from + q.length) {
        totals = totals.plus(&counters(event));
        let place = (q.bucket.map(|bucket| start(event, bucket, &zone)), q.group_by.and_then(|by| group(event, by)));
        let row = rows.entry(place).or_default();
        *row = row.plus(&counters(event));
    }
    if q.bucket.is_none() && q.group_by.is_none() {
        rows.clear();
    }
    rows.retain(|_, counters| *counters != UsageCounters::default());
    (totals, rows)
}

/// So many keys of somebody else's that the counters of their batch wait before they are added to their rows.
fn crowd(b: &Bench, org: &Org) {
    (0..300).for_each(|key| b.store.recorder().usage(b.record(org, KeyId::from_bits(key), at(key as i64 * 1_000_000))));
}

async fn check(events: &[Event], questions: &[Question], crowded: bool) -> Result<(), TestCaseError> {
    let b = Bench::open(Backend::sqlite).await.seeded().await;
    let orgs = [b.org("free").await, b.org("free").await];
    let other = b.org("free").await;
    for event in events {
        if ENDINGS[event.ending].1.is_some() {
            b.store.recorder().usage(record(&b, &orgs[event.org], event));
        } else {
            let (model, category) = MODELS[event.model];
            let refusal = b.refusal(&orgs[event.org], KeyId::from_bits(event.key), at(event.us));
            b.store.recorder().refusal(domain::RefusalEvent { model: model.into(), category, ..refusal });
        }
        if event.tokens.0 % 50 == 0 {
            if crowded && event.tokens.1 % 2 == 0 {
                crowd(&b, &other);
            }
            b.store.recorder().flush().await;
        }
    }
    if crowded {
        crowd(&b, &other);
    }
    b.store.recorder().flush().await;
    for q in questions {
        let query = UsageQuery {
            org: orgs[q.org].id,
            from: Some(at(q.from)),
            to: Some(at(q.from + q.length)),
            group_by: q.group_by,
            bucket: q.bucket,
            tz: Some(ZONES[q.tz].into()),
        };
        let usage = b.store.usage(&query).await.unwrap();
        let (totals, rows) = expected(events, q);
        prop_assert_eq!(usage.totals, totals, "{:?}", q);
        let got: Vec<_> = usage.series.into_iter().map(|row| ((row.start, row.group.and_then(|(_, value)| value)), row.counters)).collect();
        prop_assert_eq!(got, rows.into_iter().collect::<Vec<_>>(), "{:?}", q);
    }
    Ok(())
}

#[test]
fn usage_is_the_sum_of_what_was_recorded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 24, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let strategy = (prop::collection::vec(event(), 0..120), prop::collection::vec(question(), 30), any::<bool>());
    runner.run(&strategy, |(events, questions, crowded)| runtime.block_on(check(&events, &questions, crowded))).unwrap();
}
