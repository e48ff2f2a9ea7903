//! Measures what questions about usage take: `cargo run --profile quick -p store --example analytics [RECORDS] [ORGS]`, 10 million of 50 unless
//! said otherwise. It records 30 days of requests, a tenth of them refused, half of all of one organisation, and prints the bytes of a record
//! and, of each question of the console, the time at the median and the 99th percentile.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and stops where something is amiss")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use domain::{
    Category, Clock, Counted, Endpoint, KeyId, Kind, Money, Now, Org, Outcome, RefusalEvent, RequestId, TokenUsage, UnixMicros, UsageRecord,
};
use store::{
    Actor, Bucket, GroupBy, NewOrg, Origin, PageRequest, PoolUsageQuery, PutMode, RequestsQuery, StatusFilter, Store, StoreConfig,
    UsageFilter, UsageQuery,
};
use testkit::SeededEntropy;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

const START: i64 = 1_770_249_600_000_000;
const DAY_US: i64 = 86_400_000_000;
const DAYS: i64 = 30;
const MODELS: [(&str, Category, &str); 4] = [
    ("mistral-7b", Category::Small, "category:small"),
    ("qwen-3-32b", Category::Medium, "category:medium"),
    ("llama-3.3-70b", Category::Large, "category:large"),
    ("gpt-oss-120b", Category::Large, "category:large"),
];
const ASKED: usize = 100;

/// Stands at the beginning, and later at the end.
struct Stepped(AtomicU64);
impl Clock for Stepped {
    fn now(&self) -> Now {
        let us = self.0.load(Relaxed);
        Now { mono_us: 1 + us, wall: UnixMicros(START + us as i64) }
    }
}

fn record(n: i64, records: i64, orgs: &[Org], random: &SeededEntropy) -> Result<UsageRecord, Box<RefusalEvent>> {
    let at = UnixMicros(START + n * (DAYS * DAY_US / records));
    let dice = random.next_u64();
    let org = &orgs[if dice.is_multiple_of(2) { 0 } else { (dice >> 8) as usize % orgs.len() }];
    let (model, category, pool) = MODELS[(dice >> 20) as usize % 4];
    let key = KeyId::from_bits(1 + u128::from((dice >> 30) % 4));
    let request = RequestId::generate(at, random);
    if (dice >> 40).is_multiple_of(10) {
        let plan = org.plan.clone();
        return Err(Box::new(RefusalEvent {
            request,
            at,
            org: org.id,
            key,
            plan,
            model: model.into(),
            category: Some(category),
            pool: pool.into(),
            kind: if dice.is_multiple_of(3) { Kind::Requests } else { Kind::Tokens },
            window_us: 60_000_000,
            limit: 1_000,
            used: 990,
            held: 0,
            requested: 50,
            retry_after_ms: Some(5_000),
            shadow: false,
        }));
    }
    let failed = (dice >> 44).is_multiple_of(50);
    Ok(UsageRecord {
        request,
        at,
        org: org.id,
        key,
        plan: org.plan.clone(),
        model: model.into(),
        category: Some(category),
        pool: pool.into(),
        provider: Some(if (dice >> 50).is_multiple_of(4) { "spare" } else { "main" }.into()),
        endpoint: Endpoint::ChatCompletions,
        stream: true,
        status: if failed { 502 } else { 200 },
        outcome: if failed { Outcome::Failed } else { Outcome::Answered },
        tokens: TokenUsage { input: 300 + dice % 1_000, output: dice % 700, cached: dice % 100, reasoning: dice % 50 },
        counted: Counted::Provider,
        cost: Money((dice % 1_000_000) as i64),
        attempts: 1,
        first_byte_us: 50_000 + dice % 900_000,
        duration_us: 400_000 + dice % 9_000_000,
        waited_us: 0,
        paused_us: 0,
        debt: 0,
        attempt_list: Vec::new(),
    })
}

async fn fill(store: &Store, records: i64, orgs: &[Org]) {
    let random = SeededEntropy::new(7);
    for n in 0..records {
        match record(n, records, orgs, &random) {
            Ok(record) => store.recorder().usage(record),
            Err(refusal) => store.recorder().refusal(*refusal),
        }
        if n % 50_000 == 49_999 {
            store.recorder().flush().await;
        }
    }
    store.recorder().flush().await;
}

async fn timed<T>(what: &str, mut ask: impl AsyncFnMut() -> T) {
    let mut took = Vec::with_capacity(ASKED);
    for _ in 0..ASKED {
        let begun = Instant::now();
        ask().await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!("{what}: {:.1?} at the median, {:.1?} at the 99th percentile", took[ASKED / 2], took[ASKED * 99 / 100]);
}

async fn ask(store: &Store, org: &Org) {
    let since = |days: i64| Some(UnixMicros(START + (DAYS - days) * DAY_US + 123));
    let of = |days| UsageQuery { from: since(days), tz: Some("Europe/Berlin".into()), ..UsageQuery::of(org.id) };
    for (days, bucket) in [(1, Bucket::Auto), (7, Bucket::Auto), (30, Bucket::Day)] {
        let series = UsageQuery { group_by: Some(GroupBy::Model), bucket: Some(bucket), top: Some(8), compare: true, ..of(days) };
        timed(&format!("series of {days} days by model, compared"), async || store.usage(&series).await.unwrap()).await;
        for by in [GroupBy::Model, GroupBy::Key, GroupBy::Status] {
            let table = UsageQuery { group_by: Some(by), times: true, ..of(days) };
            timed(&format!("table of {days} days by {} with percentiles", by.as_str()), async || store.usage(&table).await.unwrap()).await;
        }
        let pools = PoolUsageQuery { org: org.id, from: since(days), to: None, bucket: Some(bucket), tz: None };
        timed(&format!("greatest minutes of {days} days"), async || store.pool_usage(&pools).await.unwrap()).await;
        timed(&format!("why refused in {days} days"), async || store.why_refused(&of(days)).await.unwrap()).await;
    }
    let minutes = UsageQuery { from: Some(UnixMicros(START + DAYS * DAY_US - 6 * 3_600_000_000)), bucket: Some(Bucket::Minute), ..of(1) };
    timed("six hours by the minute", async || store.usage(&minutes).await.unwrap()).await;
    let refused = UsageFilter { status: Some(StatusFilter::Refused), key: Some(KeyId::from_bits(2)), ..UsageFilter::default() };
    for (what, filter) in [("requests, newest 50", UsageFilter::default()), ("those refused to one key", refused)] {
        let page = PageRequest { cursor: None, limit: None };
        let query = RequestsQuery { org: org.id, from: None, to: None, filter, oldest_first: false, page };
        timed(what, async || store.requests(&query).await.unwrap()).await;
    }
}

#[tokio::main]
async fn main() {
    let argument = |n: usize, default| std::env::args().nth(n).map_or(default, |text| text.parse().unwrap());
    let (records, orgs) = (argument(1, 10_000_000_i64), argument(2, 50));
    let (folder, tasks, clock) = (tempfile::tempdir().unwrap(), TaskTracker::new(), Arc::new(Stepped(AtomicU64::new(0))));
    let config = StoreConfig::in_folder(folder.path());
    let store = Store::open(config, clock.clone(), Arc::new(SeededEntropy::new(1)), &tasks).await.unwrap();
    let plan = serde_json::from_str(r#"{"id":"starter","limits":[{"any":true,"rpm":10}]}"#).unwrap();
    store.put_plan(Actor::Operator, plan, Origin::Api, PutMode::Upsert).await.unwrap();
    let mut all = Vec::new();
    for n in 0..orgs {
        let new = NewOrg { name: format!("org {n}"), plan: "starter".into(), custom: Vec::new() };
        all.push(store.create_org(Actor::Operator, new).await.unwrap());
    }
    let size = || {
        ["tidegate.db", "tidegate.db-wal"]
            .map(|name| std::fs::metadata(folder.path().join(name)).map_or(0, |of| of.len()))
            .iter()
            .sum::<u64>()
    };
    let (before, begun) = (size(), Instant::now());
    fill(&store, records, &all).await;
    let took = begun.elapsed();
    println!("{records} requests written in {took:.1?}; {} bytes each", (size() - before) / records as u64);
    clock.0.store((DAYS * DAY_US) as u64, Relaxed);
    ask(&store, &all[0]).await;
    println!("of an organisation with a hundredth of the requests:");
    ask(&store, all.last().unwrap()).await;
    store.flush_and_close().await;
}
