//! The stage: a gateway on virtual time, four targets in memory, clients, and everything that was seen.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use domain::{Clock, Entropy, Model, Now, Plan, Provider, UnixMicros};
use gateway::{Gateway, GatewayConfig, GatewayParts, Network};
use serde_json::json;
use store::{Actor, ApplyOptions, CredentialChange, Desired, NewKey, NewOrg, Origin, ProviderDraft, Store, StoreConfig, UsageQuery};
use testkit::SeededEntropy;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::client::{self, Given};
use crate::moods::{Course, Mood};
use crate::provider;

pub(crate) const TARGETS: usize = 4;
/// After how long the next target is tried beside one, in every second story.
pub(crate) const HEDGE_MS: u64 = 400;
/// How long a target may take for its first byte.
pub(crate) const FIRST_BYTE_MS: u64 = 2_000;
const CLIENTS: usize = 6;
/// Requests a minute that the first two targets take of us, in every second pair of stories.
const QUOTA: u64 = 25;
/// How long a connection may take, in every third story.
const CONNECT_MS: u64 = 300;

fn connects_ms(seed: u64) -> u64 {
    if seed % 3 == 1 { CONNECT_MS } else { 0 }
}

/// What a target's provider takes of us a minute.
pub(crate) fn quota(seed: u64, target: usize) -> Option<u64> {
    (seed % 4 < 2 && target < 2).then_some(QUOTA)
}

/// How long a story is.
#[derive(Clone, Copy)]
pub(crate) struct Length(u64);

impl Length {
    pub(crate) fn minutes(minutes: u64) -> Self {
        Self(minutes * 60_000_000)
    }
}

/// A request that reached a target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) marker: u64,
    pub(crate) target: usize,
    /// When the gateway may have begun it: not after it was there.
    pub(crate) begun_us: u64,
    pub(crate) at_us: u64,
    pub(crate) mood: Mood,
    /// After how many milliseconds it asked to be asked again.
    pub(crate) told_ms: Option<u64>,
    /// When it was clear that it answers.
    pub(crate) answered_us: Option<u64>,
    /// When it failed, as far as the target knows; both where an answer broke off.
    pub(crate) failed_us: Option<u64>,
}

/// What was seen, and what was left at the end.
pub(crate) struct Story {
    pub(crate) seed: u64,
    /// Whether a second target is tried beside one that takes long.
    pub(crate) hedges: bool,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) given: Vec<Given>,
    pub(crate) held: u64,
    pub(crate) open: u64,
    pub(crate) recorded: u64,
}

/// What targets and clients share.
pub(crate) struct World {
    seed: u64,
    start: Start,
    entropy: SeededEntropy,
    pub(crate) courses: Vec<Course>,
    pub(crate) length_us: u64,
    markers: AtomicU64,
    attempts: Mutex<Vec<Attempt>>,
    given: Mutex<Vec<Given>>,
    connections: Mutex<JoinSet<()>>,
}

impl World {
    /// Microseconds since the start.
    pub(crate) fn now_us(&self) -> u64 {
        self.start.elapsed_us()
    }

    /// A number below `below`.
    pub(crate) fn random(&self, below: u64) -> u64 {
        self.entropy.next_u64() % below
    }

    pub(crate) fn next_marker(&self) -> u64 {
        self.markers.fetch_add(1, SeqCst)
    }

    /// Writes an attempt down; its place.
    pub(crate) fn note_attempt(&self, attempt: Attempt) -> usize {
        let mut attempts = self.attempts.lock().unwrap();
        attempts.push(attempt);
        attempts.len() - 1
    }

    pub(crate) fn attempt(&self, place: usize) -> Attempt {
        self.attempts.lock().unwrap()[place]
    }

    /// Writes down what came of one.
    pub(crate) fn note_outcome(&self, place: usize, outcome: impl FnOnce(&mut Attempt)) {
        outcome(&mut self.attempts.lock().unwrap()[place]);
    }

    pub(crate) fn note_given(&self, given: Given) {
        self.given.lock().unwrap().push(given);
    }

    /// Plays a story from its beginning to its end, on a runtime whose time is paused.
    pub(crate) async fn run(seed: u64, Length(length_us): Length) -> Story {
        let entropy = SeededEntropy::new(seed);
        let courses: Vec<_> = (0..TARGETS).map(|target| Course::new(seed, target, &entropy, length_us)).collect();
        let (start, zero) = (Start::default(), Instant::now());
        tokio::time::resume();
        let world = Arc::new(Self {
            seed,
            start: start.clone(),
            entropy,
            courses,
            length_us,
            markers: AtomicU64::new(1),
            attempts: Mutex::default(),
            given: Mutex::default(),
            connections: Mutex::default(),
        });
        let (folder, tasks) = (tempfile::tempdir().unwrap(), TaskTracker::new());
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock(start.clone()));
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed.wrapping_mul(31)));
        let store = Store::open(StoreConfig::in_folder(folder.path()), clock.clone(), entropy.clone(), &tasks).await.unwrap();
        let hedges = seed.is_multiple_of(2);
        define(&store, seed, hedges).await;
        let network: Arc<dyn Network> = Arc::new(Wires(Arc::clone(&world)));
        let config = GatewayConfig { proxy_from_environment: false, ..Default::default() };
        let gateway =
            Gateway::new(GatewayParts { config, store: store.clone(), clock: clock.clone(), entropy, tasks, network: Some(network) });
        let new = NewOrg { name: "o".into(), plan: "roomy".into(), custom: Vec::new() };
        let org = store.create_org(Actor::Operator, new).await.unwrap().id;
        let key = store.create_key(Actor::Operator, org, NewKey { name: "k".into(), ..Default::default() }).await.unwrap().1;
        // From here on time jumps to whatever happens next; the database, which has threads of its own, is not waited for.
        tokio::time::pause();
        // Timers go by the runtime's whole milliseconds: the story begins with one, whatever the preparations took.
        let spent_ns = (zero.elapsed().as_nanos() % 1_000_000) as u64;
        tokio::time::advance(Duration::from_nanos(1_000_000 - spent_ns)).await;
        start.begin();
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(client::run(Arc::clone(&world), Arc::clone(&gateway), key.expose().to_owned()));
        }
        while let Some(ended) = clients.join_next().await {
            ended.expect("a client that ends");
        }
        while gateway.open_requests() > 0 && world.now_us() < length_us + 600_000_000 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::resume();
        store.recorder().flush().await;
        let views = store.pools().views(&store.directory().org(org).unwrap(), clock.now());
        let query = UsageQuery::of(org);
        let recorded = store.usage(&query).await.unwrap().totals.counters.requests;
        Story {
            seed,
            hedges,
            attempts: std::mem::take(&mut world.attempts.lock().unwrap()),
            given: std::mem::take(&mut world.given.lock().unwrap()),
            held: views.iter().map(|view| view.held).sum(),
            open: gateway.open_requests(),
            recorded,
        }
    }
}

async fn define(store: &Store, seed: u64, hedges: bool) {
    let provider = |target: usize| {
        let seconds = FIRST_BYTE_MS as f64 / 1_000.0;
        let told = json!({"name": format!("t{target}"), "kind": "openai", "base_url": format!("http://t{target}.test/v1"),
            "timeout_seconds": 10, "first_byte_timeout_seconds": seconds});
        let provider: Provider = serde_json::from_value(told).unwrap();
        ProviderDraft { credential: CredentialChange::stored("sk-test"), provider }
    };
    let targets: Vec<_> = (0..TARGETS)
        .map(|target| json!({"provider": format!("t{target}"), "priority": target / 2, "weight": 1, "rpm": quota(seed, target)}))
        .collect();
    let hedge_after_ms = hedges.then_some(HEDGE_MS);
    let model = json!({"id": "m", "category": "small", "hedge_after_ms": hedge_after_ms, "targets": targets});
    let plan = json!({"id": "roomy", "limits": [{"any": true, "rpm": 1_000_000, "tpm": 1_000_000_000_u64}]});
    let desired = Desired {
        providers: (0..TARGETS).map(provider).collect(),
        models: vec![serde_json::from_value::<Model>(model).unwrap()],
        plans: vec![serde_json::from_value::<Plan>(plan).unwrap()],
    };
    let options = ApplyOptions { origin: Origin::Api, overwrite: true, prune: false, dry_run: false };
    store.apply(Actor::Operator, desired, options).await.unwrap();
}

impl Story {
    /// How long a silent target is left alone before another is asked.
    pub(crate) fn patience_us(&self) -> u64 {
        1_000 * if self.hedges { HEDGE_MS } else { FIRST_BYTE_MS }
    }

    /// How long a connection may take.
    pub(crate) fn connects_us(&self) -> u64 {
        1_000 * connects_ms(self.seed)
    }

    /// Requests of which a second target was asked while the first was silent, in time for either.
    pub(crate) fn hedged(&self) -> usize {
        let mut attempts: Vec<_> = self.attempts.iter().collect();
        attempts.sort_by_key(|attempt| (attempt.marker, attempt.begun_us));
        let is_beside = |pair: &&[&Attempt]| {
            let lag_us = pair[1].begun_us.saturating_sub(pair[0].begun_us);
            pair[0].marker == pair[1].marker && pair[0].mood.is_silent(HEDGE_MS) && lag_us < FIRST_BYTE_MS * 1_000
        };
        attempts.windows(2).filter(is_beside).count()
    }

    /// Requests with which a target's quota was full.
    pub(crate) fn full_quotas(&self) -> usize {
        let of_target = |target: usize| {
            let quota = usize::try_from(quota(self.seed, target)?).ok()?;
            let times: Vec<_> = self.attempts.iter().filter(|attempt| attempt.target == target).map(|attempt| attempt.at_us).collect();
            Some(times.windows(quota).filter(|window| window[quota - 1] < window[0] + 60_000_000).count())
        };
        (0..TARGETS).filter_map(of_target).sum()
    }

    pub(crate) fn summary(&self) -> String {
        let of = |status: u16| self.given.iter().filter(|given| given.status == status).count();
        let tried = |mood: fn(Mood) -> bool| self.attempts.iter().filter(|a| mood(a.mood)).count();
        format!(
            "{} requests, {} attempts ({} refused, {} hung, {} beside another, {} filled a quota); answered {}, 429 {}, 502 {}, 503 {}, 504 {}",
            self.given.len(),
            self.attempts.len(),
            tried(|mood| matches!(mood, Mood::Limited(_))),
            tried(|mood| mood == Mood::Hanging),
            self.hedged(),
            self.full_quotas(),
            of(200),
            of(429),
            of(502),
            of(503),
            of(504)
        )
    }
}

/// When the story begins; until then no time passes in it, so that it is the same each time.
#[derive(Clone, Default)]
struct Start(Arc<OnceLock<Instant>>);

impl Start {
    fn begin(&self) {
        self.0.get_or_init(Instant::now);
    }

    fn elapsed_us(&self) -> u64 {
        self.0.get().map_or(0, |start| u64::try_from(start.elapsed().as_micros()).unwrap())
    }
}

/// Tokio's paused time as both clocks.
struct VirtualClock(Start);

impl Clock for VirtualClock {
    fn now(&self) -> Now {
        let us = self.0.elapsed_us();
        Now { mono_us: 1_000_000_000 + us, wall: UnixMicros(1_770_305_400_000_000 + us as i64) }
    }
}

/// Connections in memory, each with its target at the other end.
struct Wires(Arc<World>);

impl Network for Wires {
    fn connect(&self, host: &str) -> Pin<Box<dyn Future<Output = io::Result<DuplexStream>> + Send>> {
        let target = host.strip_prefix('t').and_then(|rest| rest.split('.').next()?.parse::<usize>().ok()).expect("a target's host");
        let (mine, theirs) = tokio::io::duplex(1 << 16);
        let begun_us = self.0.now_us();
        let takes_ms = self.0.random(connects_ms(self.0.seed).max(1));
        self.0.connections.lock().unwrap().spawn(provider::serve(Arc::clone(&self.0), target, theirs, begun_us));
        Box::pin(async move {
            if takes_ms > 0 {
                tokio::time::sleep(Duration::from_millis(takes_ms)).await;
            }
            Ok(mine)
        })
    }
}
