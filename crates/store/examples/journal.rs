//! Measures the journal: `cargo run --profile quick -p store --example journal [REQUESTS]`. It prints what a request costs with and without
//! the journal, what a refusal costs, how long the files are, and how long a start after a kill takes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and stops where something is amiss")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use domain::{Clock, Counted, Endpoint, Entitlement, Entropy, KeyId, Kind, Money, Now, Org, Outcome, PoolLimits, RefusalEvent, RequestId};
use domain::{TokenUsage, UnixMicros, UsageRecord};
use limits::Settlement;
use store::pools::{Demand, End};
use store::{Actor, GrantFacts, NewOrg, Origin, PutMode, Store, StoreConfig};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Ten thousand requests a second.
#[derive(Default)]
struct Paced(AtomicU64);
impl Clock for Paced {
    fn now(&self) -> Now {
        let us = self.0.load(Relaxed);
        Now { mono_us: 1 << 45 | us, wall: UnixMicros(1_770_305_400_000_000 + us as i64) }
    }
}

struct Counting(AtomicU64);
impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            let n = self.0.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            piece.copy_from_slice(&n.to_le_bytes()[..piece.len()]);
        }
    }
}

fn record(request: RequestId, org: &Org, at: UnixMicros) -> UsageRecord {
    UsageRecord {
        request,
        at,
        org: org.id,
        key: KeyId::from_bits(7),
        plan: "starter".into(),
        model: "llama-3.3-70b-instruct".into(),
        category: Some(domain::Category::Large),
        pool: "any".into(),
        provider: Some("main".into()),
        endpoint: Endpoint::ChatCompletions,
        stream: true,
        status: 200,
        outcome: Outcome::Answered,
        tokens: TokenUsage { input: 300, output: 200, cached: 10, reasoning: 20 },
        counted: Counted::Provider,
        cost: Money(1),
        attempts: 1,
        first_byte_us: 150_000,
        duration_us: 2_000_000,
        waited_us: 0,
        paused_us: 0,
        debt: 0,
        attempt_list: Vec::new(),
    }
}

fn refusal(request: RequestId, org: &Org, at: UnixMicros) -> RefusalEvent {
    RefusalEvent {
        request,
        at,
        org: org.id,
        key: KeyId::from_bits(7),
        plan: "starter".into(),
        model: "llama-3.3-70b-instruct".into(),
        category: None,
        pool: "any".into(),
        kind: Kind::Requests,
        window_us: 60_000_000,
        limit: 1,
        used: 1,
        held: 0,
        requested: 1,
        retry_after_ms: Some(5),
        shadow: false,
    }
}

struct Bench {
    store: Store,
    orgs: Vec<Org>,
    pool: Arc<PoolLimits>,
    clock: Arc<Paced>,
    entropy: Arc<Counting>,
}

impl Bench {
    async fn open(folder: &Path, tasks: &TaskTracker) -> Self {
        let (clock, entropy) = (Arc::new(Paced::default()), Arc::new(Counting(AtomicU64::new(1))));
        let store = Store::open(StoreConfig::in_folder(folder), clock.clone(), entropy.clone(), tasks).await.unwrap();
        let plan = r#"{"id":"starter","limits":[{"any":true,"rpm":10000000,"tpm":10000000000,"rpd":1000000000,"tpd":1000000000000,"concurrent":100000}]}"#;
        store.put_plan(Actor::Operator, serde_json::from_str(plan).unwrap(), Origin::Api, PutMode::Upsert).await.unwrap();
        let model = r#"{"id":"m","parameters_b":70}"#;
        store.put_model(Actor::Operator, serde_json::from_str(model).unwrap(), Origin::Api, PutMode::Upsert).await.unwrap();
        let mut orgs = Vec::new();
        for n in 0..100 {
            let new = NewOrg { name: format!("o{n}"), plan: "starter".into(), custom: vec![] };
            orgs.push(store.create_org(Actor::Operator, new).await.unwrap());
        }
        let catalogue = store.directory().catalogue();
        let model = catalogue.model(catalogue.find("m").unwrap()).unwrap();
        let state = store.directory().org(orgs[0].id).unwrap();
        let Entitlement::Pool(pool) = catalogue.entitlement(&state.state().effective_plan, &[], model, UnixMicros(1)) else {
            return unreachable_pool();
        };
        drop((catalogue, state));
        Self { store, orgs, pool, clock, entropy }
    }

    /// `requests` from admission to end, without and with the journal.
    fn run(&self, requests: usize, journaled: bool) -> f64 {
        let entries: Vec<_> = self.orgs.iter().map(|org| self.store.directory().org(org.id).unwrap()).collect();
        let begun = Instant::now();
        let mut under_way = std::collections::VecDeque::new();
        for n in 0..requests {
            self.clock.0.fetch_add(100, Relaxed);
            let now = self.clock.now();
            let (org, entry) = (&self.orgs[n % self.orgs.len()], &entries[n % self.orgs.len()]);
            let demand = Demand { request: RequestId::generate(now.wall, self.entropy.as_ref()), input: 400, output: 300 };
            let mut hold = self.store.pools().reserve(entry, &[&self.pool], None, demand, now.mono_us).unwrap();
            if journaled {
                let facts = GrantFacts {
                    key: KeyId::from_bits(7),
                    arrived: now.wall,
                    plan: "starter",
                    model: "llama-3.3-70b-instruct",
                    category: Some(domain::Category::Large),
                    pool: "any",
                    endpoint: Endpoint::ChatCompletions,
                    stream: true,
                    input_price: Money(2_000_000_000),
                    output_price: Money(6_000_000_000),
                };
                self.store.pools().write_grant(&[&self.pool], demand, &mut hold, facts).unwrap();
            }
            under_way.push_back((hold, record(demand.request, org, now.wall)));
            if under_way.len() > 500
                && let Some((hold, record)) = under_way.pop_front()
            {
                let end = End::Settled(Settlement { input: Some(300), output: 200 });
                if journaled {
                    self.store.recorder().finish(hold, end, now.mono_us, record);
                } else {
                    hold.end(end, now.mono_us);
                }
            }
        }
        let each_us = begun.elapsed().as_secs_f64() * 1e6 / requests as f64;
        // Under way for good, as at a kill.
        under_way.into_iter().for_each(std::mem::forget);
        each_us
    }
}

#[expect(clippy::panic, reason = "a measurement stops where something is amiss")]
fn unreachable_pool() -> Bench {
    panic!("the plan has a pool for every model")
}

#[tokio::main]
async fn main() {
    let requests = std::env::args().nth(1).map_or(400_000, |text| text.parse().unwrap());
    let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
    let bench = Bench::open(folder.path(), &tasks).await;
    let bare = bench.run(requests, false);
    let journaled = bench.run(requests, true);
    println!(
        "admission to end: {bare:.2} us, with the journal {journaled:.2} us: {:.2} us a write, two a request",
        (journaled - bare) / 2.0
    );
    let begun = Instant::now();
    for n in 0..requests {
        let event = refusal(RequestId::from_bits(n as u128), &bench.orgs[0], UnixMicros(1));
        bench.store.recorder().refusal(event);
    }
    println!("a refusal: {:.2} us", begun.elapsed().as_secs_f64() * 1e6 / requests as f64);
    println!("{:?}", bench.store.health().journal);

    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("journal")).unwrap();
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder.path().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        bytes += std::fs::copy(&path, copy.path().join("journal").join(path.file_name().unwrap())).unwrap();
    }
    let empty = tempfile::tempdir().unwrap();
    for (what, folder) in [("empty", empty.path()), ("after a kill", copy.path())] {
        let begun = Instant::now();
        let store = Store::open(StoreConfig::in_folder(folder), bench.clock.clone(), bench.entropy.clone(), &tasks).await.unwrap();
        println!("start, {what}: {:.3} s", begun.elapsed().as_secs_f64());
        drop(store);
    }
    println!("{:.0} MB of journal: {requests} requests and as many refusals, and what was read again", bytes as f64 / 1e6);
}
