//! Usage against naive sums over everything that was recorded, also while that is rolled up and deleted.

use domain::{KeyId, Org, RequestId};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use store::{Bucket, GroupBy, Retention};

use crate::support::{Backend, Bench, MINUTE, START};
use crate::usage_naive::{ENDINGS, Event, FILTERS, MODELS, Question, Since, ZONES, at, expected};
use crate::usage_views::{check_lists, check_peaks};

const DAY: i64 = 1_440 * MINUTE;
/// Whole seconds, since refusals of one second are merged; records are moved by a few microseconds.
const SPAN_S: i64 = 3 * 3_600;

fn moment(span_s: i64) -> impl Strategy<Value = i64> {
    let near_a_minute = (0..span_s / 60, -1_i64..=1).prop_map(|(minute, second)| (minute * 60 + second).max(0) * 1_000_000);
    prop_oneof![(0..span_s).prop_map(|second| second * 1_000_000), near_a_minute]
}

fn event(span_s: i64) -> impl Strategy<Value = Event> {
    let tokens = (0_u64..1_000, 0_u64..1_000, 0_u64..10);
    let parts = (moment(span_s), 0..2_usize, 1..4_u128, 0..MODELS.len(), 0..ENDINGS.len(), tokens);
    parts.prop_map(|(us, org, key, model, ending, tokens)| Event { us, org, key, model, ending, tokens })
}

fn question(span_s: i64, buckets: &'static [Bucket]) -> impl Strategy<Value = Question> {
    let by = [
        GroupBy::Model,
        GroupBy::Key,
        GroupBy::Category,
        GroupBy::Provider,
        GroupBy::Status,
        GroupBy::Outcome,
        GroupBy::Pool,
        GroupBy::Limit,
    ]
    .to_vec();
    let group_by = prop::option::of(prop::sample::select(by));
    let bucket = prop::option::of(prop::sample::select(buckets));
    // Half of them ask for everything.
    let parts = (0..2_usize, moment(span_s), moment(span_s), group_by, bucket, 0..ZONES.len(), 0..2 * FILTERS);
    parts.prop_map(|(org, from, length, group_by, bucket, tz, filter)| Question { org, from, length, group_by, bucket, tz, filter })
}

/// So many keys of somebody else's that the counters of their batch wait before they are added to their rows.
fn crowd(b: &Bench, org: &Org) {
    (0..300).for_each(|key| b.store.recorder().usage(b.record(org, KeyId::from_bits(key), at(key as i64 * 1_000_000))));
}

/// Returns the ids of those that were admitted.
async fn record(b: &Bench, orgs: &[Org], events: &[Event], crowded: bool) -> Vec<(Event, RequestId)> {
    let other = b.org("free").await;
    let mut ids = Vec::new();
    for event in events {
        match event.told(b, &orgs[event.org]) {
            Ok(record) => {
                ids.push((event.clone(), record.request));
                b.store.recorder().usage(record);
            }
            Err(refusal) => {
                ids.push((event.clone(), refusal.request));
                b.store.recorder().refusal(*refusal);
            }
        }
        if event.tokens.0 % 50 == 0 {
            if crowded && event.tokens.1 % 2 == 0 {
                crowd(b, &other);
            }
            b.store.recorder().flush().await;
        }
    }
    if crowded {
        crowd(b, &other);
    }
    b.store.recorder().flush().await;
    ids
}

async fn ask(b: &Bench, orgs: &[Org], events: &[Event], questions: &[Question], since: Since) -> Result<(), TestCaseError> {
    for q in questions {
        let usage = b.store.usage(&q.query(orgs)).await.unwrap();
        let (totals, rows) = expected(events, q, since);
        prop_assert_eq!(usage.totals, totals, "{:?} {:?}", q, since);
        let got: Vec<_> = usage.series.into_iter().map(|row| ((row.start, row.group.map(|(_, group)| group)), row.used)).collect();
        prop_assert_eq!(got, rows.into_iter().collect::<Vec<_>>(), "{:?} {:?}", q, since);
    }
    Ok(())
}

async fn check(events: &[Event], questions: &[Question], crowded: bool) -> Result<(), TestCaseError> {
    let b = Bench::open(Backend::sqlite).await.seeded().await;
    let orgs = [b.org("free").await, b.org("free").await];
    let ids = record(&b, &orgs, events, crowded).await;
    for q in questions.iter().take(6) {
        check_peaks(&b, &orgs, events, q, Since::EVER).await?;
        check_lists(&b, &orgs, &ids, q, (i64::MIN, i64::MIN)).await?;
    }
    ask(&b, &orgs, events, questions, Since::EVER).await
}

/// Kept for so many days each: all are over in the course of the test.
const RETENTION: Retention = Retention { records_days: 11, refusals_days: 13, minutes_days: 17, hours_days: 29 };

fn since_days(b: &Bench, days: u32) -> i64 {
    let at = b.now().wall.0 - i64::from(days) * DAY;
    at - at.rem_euclid(DAY) - START
}

fn since(b: &Bench) -> Since {
    let of = |days: u32| since_days(b, days);
    Since { moments: of(RETENTION.records_days), minutes: of(RETENTION.minutes_days), quarters: of(RETENTION.hours_days) }
}

/// How many pieces of deleting are done between two rounds of questions, and whether the server is started anew after them.
type Steps = Vec<(usize, bool)>;

async fn check_kept(events: &[Event], questions: &[Question], steps: &Steps) -> Result<(), TestCaseError> {
    let mut b = Bench::open_with(Backend::sqlite, RETENTION).await.seeded().await;
    let orgs = [b.org("free").await, b.org("free").await];
    let (now, late) = events.split_at(events.len() * 3 / 4);
    b.clock.advance_us(61 * DAY as u64);
    let mut ids = record(&b, &orgs, now, false).await;
    let mut told = now.to_vec();
    ask(&b, &orgs, &told, questions, Since::EVER).await?;
    for (n, (pieces, reopens)) in steps.iter().enumerate() {
        if n == steps.len() / 2 {
            // What ends much later than it began.
            ids.extend(record(&b, &orgs, late, false).await);
            told.extend_from_slice(late);
        }
        if *reopens {
            b.reopen().await;
        }
        let (begun, q) = (since(&b), &questions[n % questions.len()]);
        b.store.retain(*pieces).await.unwrap();
        ask(&b, &orgs, &told, std::slice::from_ref(q), begun).await?;
        check_peaks(&b, &orgs, &told, q, begun).await?;
        check_lists(&b, &orgs, &ids, q, (begun.moments, since_days(&b, RETENTION.refusals_days))).await?;
        b.clock.advance_us(DAY as u64 / 3);
    }
    while b.store.retain(100).await.unwrap() {}
    let since = since(&b);
    ask(&b, &orgs, &told, questions, since).await?;
    for (table, before) in [("usage_minutes", since.minutes), ("usage_quarters", since.quarters), ("pool_minutes", since.minutes)] {
        let minute = (START + before) / MINUTE;
        prop_assert_eq!(b.count(&format!("SELECT COUNT(*) FROM {table} WHERE minute < {minute}")).await, 0, "{}", table);
    }
    prop_assert_eq!(b.count(&format!("SELECT COUNT(*) FROM usage_records WHERE at < {}", START + since.moments)).await, 0);
    Ok(())
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl AsyncFn(S::Value) -> Result<(), TestCaseError>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(strategy, |value| runtime.block_on(test(value))).unwrap();
}

#[test]
fn usage_is_the_sum_of_what_was_recorded() {
    let questions = prop::collection::vec(question(SPAN_S, &[Bucket::Minute, Bucket::Hour, Bucket::Day]), 30);
    let strategy = (prop::collection::vec(event(SPAN_S), 0..120), questions, any::<bool>());
    run(24, &strategy, async |(events, questions, crowded)| check(&events, &questions, crowded).await);
}

/// Over the changes of clocks of Berlin (29 March 2026) and Lord Howe (5 April).
#[test]
fn usage_stays_the_sum_while_it_is_rolled_up_and_deleted() {
    const SPAN_S: i64 = 61 * 86_400;
    let questions = prop::collection::vec(question(SPAN_S, &[Bucket::Hour, Bucket::Day]), 12);
    let steps = prop::collection::vec((prop_oneof![1..8_usize, 8..40_usize], prop::bool::weighted(0.2)), 1..16);
    let strategy = (prop::collection::vec(event(SPAN_S), 0..160), questions, steps);
    run(12, &strategy, async |(events, questions, steps)| check_kept(&events, &questions, &steps).await);
}
