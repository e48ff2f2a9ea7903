//! Measures what a store costs at scale: `cargo run --profile quick -p store --example scale [ORGS] [KEYS_EACH] [FOLDER]`.
//! It fills a database with generated rows, or takes the one in FOLDER, opens it, and prints time, memory, and the cost of reads, changes and records.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and stops where something is amiss")]

use std::sync::Arc;

use domain::{ApiKeyHash, Clock, Counted, Endpoint, KeyId, Money, Now, OrgId, Outcome, RequestId, TokenUsage, UnixMicros, UsageRecord};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{QueryBuilder, Sqlite};
use store::{Actor, OrgPatch, Origin, PutMode, Store, StoreConfig};
use testkit::SeededEntropy;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

struct Still;
impl Clock for Still {
    fn now(&self) -> Now {
        Now { mono_us: 1, wall: UnixMicros(1_770_305_400_000_000) }
    }
}

fn resident_mb() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096 / 1_000_000
}

fn hash_of(n: u64) -> ApiKeyHash {
    ApiKeyHash::of(&n.to_le_bytes())
}

fn org_of(n: u64) -> OrgId {
    OrgId::generate(UnixMicros(1_770_305_400_000_000 + n as i64 * 1_000), &SeededEntropy::new(n))
}

async fn fill(config: &StoreConfig, orgs: u64, keys_each: u64) {
    let options = SqliteConnectOptions::new().filename(config.data_dir.join("tidegate.db"));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut transaction = pool.begin().await.unwrap();
    for first in (0..orgs).step_by(100) {
        let range = first..(first + 100).min(orgs);
        let mut builder = QueryBuilder::<Sqlite>::new("INSERT INTO orgs (id, name, name_folded, plan, effective_plan, created) ");
        builder.push_values(range.clone(), |mut row, n| {
            row.push_bind(org_of(n).bits().to_be_bytes().to_vec())
                .push_bind(format!("Organisation {n}"))
                .push_bind(format!("organisation {n}"));
            row.push_bind("starter").push_bind("starter").push_bind(1_i64);
        });
        builder.build().execute(&mut *transaction).await.unwrap();
        let keys: Vec<_> = range.flat_map(|org| (0..keys_each).map(move |key| (org, org * keys_each + key))).collect();
        for piece in keys.chunks(100) {
            let mut builder = QueryBuilder::<Sqlite>::new("INSERT INTO api_keys (org_id, id, hash, name, prefix, created) ");
            builder.push_values(piece, |mut row, (org, key)| {
                row.push_bind(org_of(*org).bits().to_be_bytes().to_vec()).push_bind(u128::from(*key).to_be_bytes().to_vec());
                row.push_bind(hash_of(*key).0.to_vec()).push_bind("key").push_bind("tg_abcd").push_bind(1_i64);
            });
            builder.build().execute(&mut *transaction).await.unwrap();
        }
    }
    transaction.commit().await.unwrap();
    pool.close().await;
}

/// 5,000 a second.
fn record(first: u64, n: u64, keys: u64, keys_each: u64) -> UsageRecord {
    let key = n.wrapping_mul(0x9E37_79B9) % keys;
    let at = UnixMicros(1_770_305_400_000_000 + n as i64 * 200);
    UsageRecord {
        request: RequestId::generate(at, &SeededEntropy::new(first + n)),
        at,
        org: org_of(key / keys_each),
        key: KeyId::from_bits(u128::from(key)),
        plan: "starter".into(),
        model: "llama-3.3-70b-instruct".into(),
        category: Some(domain::Category::Large),
        pool: "category:large".into(),
        provider: Some("main".into()),
        endpoint: Endpoint::ChatCompletions,
        stream: true,
        status: 200,
        outcome: Outcome::Answered,
        tokens: TokenUsage { input: 300, output: 200, cached: 10, reasoning: 20 },
        counted: Counted::Provider,
        cost: Money(n as i64),
        attempts: 1,
        first_byte_us: 150_000,
        duration_us: 2_000_000,
        waited_us: 0,
        paused_us: 0,
        debt: 0,
        attempt_list: Vec::new(),
    }
}

/// User and system time of this process so far, in microseconds.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap() * 10_000).sum()
}

#[tokio::main]
async fn main() {
    let argument = |n: usize, default| std::env::args().nth(n).map_or(default, |text| text.parse().unwrap());
    let (orgs, keys_each) = (argument(1, 100_000_u64), argument(2, 10_u64));
    let keys = orgs * keys_each;
    let (made, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
    let config = StoreConfig::in_folder(std::env::args().nth(3).map_or(made.path().into(), std::path::PathBuf::from));
    let open = async || {
        Store::open(config.clone(), Arc::new(Still), Arc::new(SeededEntropy::new(u64::from(std::process::id()))), &tasks).await.unwrap()
    };
    let is_filled = config.data_dir.join("tidegate.db").exists();
    if !is_filled {
        let store = open().await;
        let plan = serde_json::from_str(r#"{"id":"starter","limits":[{"any":true,"rpm":10}]}"#).unwrap();
        store.put_plan(Actor::Operator, plan, Origin::Api, PutMode::Upsert).await.unwrap();
        store.flush_and_close().await;
        fill(&config, orgs, keys_each).await;
        println!("filled; for the memory of a fresh start run it again on the same folder");
        if std::env::args().nth(3).is_some() {
            return;
        }
    }

    let (before_mb, before, cpu) = (resident_mb(), Instant::now(), cpu_us());
    let store = open().await;
    let (elapsed, cpu) = (before.elapsed(), cpu_us() - cpu);
    println!(
        "open: {} keys in {} orgs: {elapsed:.2?}, {} ms CPU",
        store.directory().key_count(),
        store.directory().org_count(),
        cpu / 1_000
    );
    println!("memory: {} MB resident, {} MB before", resident_mb(), before_mb);

    let hashes: Vec<_> = (0..200_000).map(|n| hash_of(n * 7 % keys)).collect();
    let begun = Instant::now();
    let found = hashes.iter().filter(|hash| store.directory().caller(hash).is_some()).count();
    println!("caller: {:?} each ({found} found)", begun.elapsed() / 200_000);

    let begun = Instant::now();
    for n in 0..200 {
        let name = format!("renamed {n}");
        store.update_org(Actor::Operator, org_of(n % orgs), OrgPatch { name: Some(name), ..OrgPatch::default() }).await.unwrap();
    }
    println!("update_org: {:?} each", begun.elapsed() / 200);
    let begun = Instant::now();
    for n in 0..200 {
        let new = store::NewKey { name: "n".into(), ..store::NewKey::default() };
        store.create_key(Actor::Operator, org_of(n % orgs), new).await.unwrap();
    }
    println!("create_key: {:?} each", begun.elapsed() / 200);

    for (what, among) in [("of one key", 1), ("of all keys", keys)] {
        let first = u64::from(std::process::id()) * 1_000_000_000 + among;
        let records: Vec<_> = (0..200_000_u64).map(|n| record(first, n, among, keys_each)).collect();
        let (begun, cpu) = (Instant::now(), cpu_us());
        records.into_iter().for_each(|record| store.recorder().usage(record));
        let queued = begun.elapsed() / 200_000;
        store.recorder().flush().await;
        let (elapsed, cpu) = (begun.elapsed(), cpu_us() - cpu);
        println!("200,000 records {what}: {queued:?} each to queue, written in {elapsed:.2?}, {:.1} us CPU each", cpu as f64 / 200_000.0);
    }
    println!("memory: {} MB resident", resident_mb());
    store.flush_and_close().await;
}
