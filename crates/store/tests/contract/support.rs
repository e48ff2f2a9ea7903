//! A store with a clock and randomness of its own, and short ways to fill it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use domain::{
    ApiKey, Category, Clock, Counted, CustomLimit, Endpoint, Entropy, Key, KeyId, Kind, LimitRow, Model, Money, Now, Org, Outcome, Plan,
    Provider, RefusalEvent, RequestId, TokenUsage, UnixMicros, UsageRecord,
};
use secrecy::ExposeSecret as _;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use store::{Actor, CredentialChange, NewKey, NewOrg, Origin, ProviderDraft, PutMode, Retention, Store, StoreConfig};
use tokio_util::task::TaskTracker;

#[derive(Clone, Copy, Debug)]
#[expect(non_camel_case_types, reason = "the names are those of the tests' modules")]
pub(crate) enum Backend {
    sqlite,
}

/// Both clocks, moved by hand.
pub(crate) struct HandClock(AtomicU64);

/// 2026-02-05T15:30:00Z.
pub(crate) const START: i64 = 1_770_305_400_000_000;
pub(crate) const MINUTE: i64 = 60_000_000;

impl HandClock {
    pub(crate) fn advance_us(&self, us: u64) {
        self.0.fetch_add(us, SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        let us = self.0.load(SeqCst);
        Now { mono_us: 1_000_000_000 + us, wall: UnixMicros(START + us as i64) }
    }
}

/// SplitMix64.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, SeqCst).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            piece.copy_from_slice(&random[..piece.len()]);
        }
    }
}

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) entropy: Arc<Seeded>,
    pub(crate) tasks: TaskTracker,
    pub(crate) config: StoreConfig,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn open(backend: Backend) -> Self {
        Self::open_with(backend, Retention::default()).await
    }

    pub(crate) async fn open_with(backend: Backend, retention: Retention) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = match backend {
            Backend::sqlite => StoreConfig { retention, ..StoreConfig::in_folder(folder.path()) },
        };
        let (clock, entropy, tasks) = (Arc::new(HandClock(AtomicU64::new(0))), Arc::new(Seeded::new(1)), TaskTracker::new());
        let store = Store::open(config.clone(), clock.clone(), entropy.clone(), &tasks).await.unwrap();
        Self { store, clock, entropy, tasks, config, _folder: folder }
    }

    /// Closes the store and opens it anew.
    pub(crate) async fn reopen(&mut self) {
        self.store.flush_and_close().await;
        self.store = Store::open(self.config.clone(), self.clock.clone(), self.entropy.clone(), &self.tasks).await.unwrap();
    }

    /// What a statement counts, asked behind the store's back.
    pub(crate) async fn count(&self, statement: &str) -> i64 {
        let file = SqliteConnectOptions::new().filename(self.config.data_dir.join("tidegate.db"));
        let mut connection = file.connect().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(&mut connection).await.unwrap()
    }

    /// Whether any file of the data folder holds these bytes.
    pub(crate) fn is_on_disk(&self, bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(&self.config.data_dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let mut texts = files.map(|path| std::fs::read(path).unwrap());
        texts.any(|text| text.windows(bytes.len()).any(|window| window == bytes))
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    pub(crate) fn wall(&self, offset_us: i64) -> UnixMicros {
        UnixMicros(self.now().wall.0 + offset_us)
    }

    /// Two models, and the plans `free` (small 2 rpm, 1,000 tpm) and `pro` (small 10, large 5 rpm).
    pub(crate) async fn seeded(self) -> Self {
        self.model(r#"{"id":"tiny","parameters_b":1,"aliases":["t"]}"#).await;
        self.model(r#"{"id":"huge","parameters_b":70}"#).await;
        self.plan(r#"{"id":"free","limits":[{"category":"small","rpm":2,"tpm":1000}]}"#).await;
        self.plan(r#"{"id":"pro","limits":[{"category":"small","rpm":10,"tpm":5000},{"category":"large","rpm":5}]}"#).await;
        self
    }

    pub(crate) async fn model(&self, json: &str) {
        self.store.put_model(Actor::Operator, model(json), Origin::Api, PutMode::Upsert).await.unwrap();
    }

    pub(crate) async fn plan(&self, json: &str) {
        self.store.put_plan(Actor::Operator, plan(json), Origin::Api, PutMode::Upsert).await.unwrap();
    }

    pub(crate) async fn provider(&self, json: &str, credential: CredentialChange) {
        let draft = ProviderDraft { provider: provider(json), credential };
        self.store.put_provider(Actor::Operator, draft, Origin::Api, PutMode::Upsert).await.unwrap();
    }

    /// What a provider is called with.
    pub(crate) fn secrets(&self, provider: &str) -> Vec<String> {
        self.store.directory().credentials(provider).iter().map(|(_, secret)| secret.expose_secret().to_owned()).collect()
    }

    pub(crate) async fn org(&self, plan: &str) -> Org {
        let new = NewOrg { name: format!("on {plan}"), plan: plan.into(), custom: Vec::new() };
        self.store.create_org(Actor::Operator, new).await.unwrap()
    }

    pub(crate) async fn key(&self, org: &Org) -> (Key, ApiKey) {
        let new = NewKey { name: "test".into(), ..NewKey::default() };
        self.store.create_key(Actor::Operator, org.id, new).await.unwrap()
    }

    pub(crate) fn request(&self) -> RequestId {
        RequestId::generate(self.now().wall, self.entropy.as_ref())
    }

    /// An answered request of 10 input, 5 output and 2 cached tokens that cost 0.000001.
    pub(crate) fn record(&self, org: &Org, key: KeyId, at: UnixMicros) -> UsageRecord {
        UsageRecord {
            request: RequestId::generate(at, self.entropy.as_ref()),
            at,
            org: org.id,
            key,
            plan: org.plan.clone(),
            model: "tiny".into(),
            category: Some(Category::Small),
            pool: "category:small".into(),
            provider: Some("main".into()),
            endpoint: Endpoint::ChatCompletions,
            stream: false,
            status: 200,
            outcome: Outcome::Answered,
            tokens: TokenUsage { input: 10, output: 5, cached: 2, reasoning: 1 },
            counted: Counted::Provider,
            cost: Money(1_000),
            attempts: 1,
            first_byte_us: 1_000,
            duration_us: 2_000,
            waited_us: 0,
            paused_us: 0,
            debt: 0,
            attempt_list: Vec::new(),
        }
    }

    pub(crate) fn refusal(&self, org: &Org, key: KeyId, at: UnixMicros) -> RefusalEvent {
        RefusalEvent {
            request: self.request(),
            at,
            org: org.id,
            key,
            plan: org.plan.clone(),
            model: "tiny".into(),
            category: Some(Category::Small),
            pool: "category:small".into(),
            kind: Kind::Requests,
            window_us: 60_000_000,
            limit: 2,
            used: 2,
            held: 0,
            requested: 1,
            retry_after_ms: Some(5_000),
            shadow: false,
        }
    }
}

pub(crate) fn model(json: &str) -> Model {
    serde_json::from_str(json).unwrap()
}

pub(crate) fn plan(json: &str) -> Plan {
    serde_json::from_str(json).unwrap()
}

pub(crate) fn provider(json: &str) -> Provider {
    serde_json::from_str(json).unwrap()
}

pub(crate) fn row(json: &str) -> LimitRow {
    serde_json::from_str(json).unwrap()
}

pub(crate) fn custom(json: &str, from: Option<UnixMicros>, until: Option<UnixMicros>) -> CustomLimit {
    CustomLimit { row: row(json), from, until, reason: None }
}
