//! A gateway with a store of its own, listening on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use domain::{CustomLimit, KeyLimits, Model, OrgId, Plan, PoolView, Provider, RateLimitBody};
use gateway::{Gateway, GatewayConfig, GatewayParts};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use store::{Actor, ApplyOptions, CredentialChange, Desired, NewKey, NewOrg, Origin, ProviderDraft, Store, StoreConfig, Usage, UsageQuery};
use testkit::{Answer, Call, ManualClock, SeededEntropy, Upstream};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

/// The catalogue of the tests: `small-1`, `small-2` (small) and `large-1` (large), all at provider `first`.
pub(crate) struct Rig {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) addr: SocketAddr,
    pub(crate) upstream: Upstream,
    pub(crate) org: OrgId,
    pub(crate) key: String,
    _server: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// What is special in a test.
pub(crate) struct Setup {
    pub(crate) config: GatewayConfig,
    pub(crate) providers: Vec<Value>,
    pub(crate) models: Vec<Value>,
    pub(crate) plans: Vec<Value>,
    pub(crate) plan: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        let target = json!([{"provider": "first"}]);
        Self {
            config: GatewayConfig { proxy_from_environment: false, demo_speed: providers::demo::Speed::Instant, ..Default::default() },
            providers: Vec::new(),
            models: vec![
                json!({"id": "small-1", "category": "small", "targets": target, "aliases": ["tiny"], "input_price": "1", "output_price": "2"}),
                json!({"id": "org/small-2", "category": "small", "targets": target}),
                json!({"id": "large-1", "category": "large", "targets": [{"provider": "first", "model": "large-at-first"}]}),
            ],
            plans: vec![
                json!({"id": "starter", "limits": [{"category": "small", "rpm": 3, "tpm": 10_000}]}),
                json!({"id": "growth", "limits": [{"category": "small", "rpm": 600, "tpm": 400_000}, {"category": "large", "rpm": 150, "tpm": 100_000}]}),
            ],
            plan: "growth",
        }
    }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let upstream = Upstream::start().await;
        let clock = Arc::new(ManualClock::new());
        let entropy = Arc::new(SeededEntropy::new(7));
        let folder = tempfile::tempdir().unwrap();
        let tasks = TaskTracker::new();
        let store = Store::open(StoreConfig::in_folder(folder.path()), clock.clone(), entropy.clone(), &tasks).await.unwrap();
        let mut providers = setup.providers;
        providers.push(json!({"name": "first", "kind": "openai", "base_url": upstream.base_url()}));
        define(&store, &providers, &setup.models, &setup.plans).await;
        let gateway =
            Gateway::new(GatewayParts { config: setup.config, store: store.clone(), clock: clock.clone(), entropy, tasks, network: None });
        let (addr, server) = serve(&gateway).await;
        let new = NewOrg { name: "acme".into(), plan: setup.plan.into(), custom: Vec::new() };
        let org = store.create_org(Actor::Operator, new).await.unwrap().id;
        let mut rig = Self { gateway, store, clock, addr, upstream, org, key: String::new(), _server: server, _folder: folder };
        rig.key = rig.new_key(NewKey { name: "k".into(), ..Default::default() }).await;
        rig
    }

    pub(crate) async fn new_key(&self, new: NewKey) -> String {
        self.store.create_key(Actor::Operator, self.org, new).await.unwrap().1.expose().to_owned()
    }

    pub(crate) async fn key_with_limits(&self, rpm: Option<u64>, tpm: Option<u64>) -> String {
        self.new_key(NewKey { name: "k".into(), limits: KeyLimits { rpm, tpm }, ..Default::default() }).await
    }

    pub(crate) async fn openai_key(&self) -> String {
        self.new_key(NewKey { name: "k".into(), rate_limit_body: Some(RateLimitBody::Openai), ..Default::default() }).await
    }

    pub(crate) async fn custom(&self, rows: Value) {
        let rows: Vec<domain::LimitRow> = serde_json::from_value(rows).unwrap();
        let custom: Vec<_> = rows.into_iter().map(|row| CustomLimit { row, from: None, until: None, reason: None }).collect();
        self.store.set_custom_limits(Actor::Operator, self.org, custom).await.unwrap();
    }

    pub(crate) async fn move_to(&self, plan: &str) {
        let patch = store::OrgPatch { plan: Some(plan.into()), ..Default::default() };
        self.store.update_org(Actor::Operator, self.org, patch).await.unwrap();
    }

    pub(crate) fn chat(&self, model: &str) -> Call {
        Call::post("/v1/chat/completions", &chat(model)).key(&self.key)
    }

    pub(crate) fn stream(&self, model: &str) -> Call {
        let mut body = chat(model);
        body["stream"] = true.into();
        Call::post("/v1/chat/completions", &body).key(&self.key)
    }

    pub(crate) async fn send(&self, call: &Call) -> Answer {
        call.send(self.addr).await
    }

    pub(crate) fn pools(&self) -> Vec<PoolView> {
        use domain::Clock as _;
        let org = self.store.directory().org(self.org).unwrap();
        self.store.pools().views(&org, self.clock.now())
    }

    /// Used and held of one limit.
    pub(crate) fn pool(&self, pool: &str, kind: domain::Kind) -> (u64, u64) {
        let pools = self.pools();
        let view = pools.iter().find(|v| &*v.pool == pool && v.kind == kind);
        view.map(|v| (v.used, v.held)).unwrap_or_else(|| panic!("{pool} {kind:?} is not in {pools:?}"))
    }

    /// What was written down, once everything open is settled.
    pub(crate) async fn usage(&self) -> Usage {
        self.settled().await;
        self.store.recorder().flush().await;
        let query = UsageQuery::of(self.org);
        self.store.usage(&query).await.unwrap()
    }

    /// The gateway's metrics at this moment.
    pub(crate) fn metrics(&self) -> String {
        let (mut registry, mut text) = (prometheus_client::registry::Registry::default(), String::new());
        self.gateway.register(&mut registry);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    /// Waits until nothing is admitted any more.
    pub(crate) async fn settled(&self) {
        while self.gateway.open_requests() > 0 {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Say hello to the world."}], "max_tokens": 100})
}

pub(crate) async fn define(store: &Store, providers: &[Value], models: &[Value], plans: &[Value]) {
    let providers = providers.iter().map(|p| serde_json::from_value::<Provider>(p.clone()).unwrap());
    let credential = |_: &Provider| CredentialChange::stored("sk-provider-secret");
    let desired = Desired {
        providers: providers.map(|provider| ProviderDraft { credential: credential(&provider), provider }).collect(),
        models: models.iter().map(|m| serde_json::from_value::<Model>(m.clone()).unwrap()).collect(),
        plans: plans.iter().map(|p| serde_json::from_value::<Plan>(p.clone()).unwrap()).collect(),
    };
    let options = ApplyOptions { origin: Origin::Api, overwrite: true, prune: false, dry_run: false };
    store.apply(Actor::Operator, desired, options).await.unwrap();
}

async fn serve(gateway: &Arc<Gateway>) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let gateway = Arc::clone(gateway);
    let mut server = JoinSet::new();
    server.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (socket, peer) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            let gateway = Arc::clone(&gateway);
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let gateway = Arc::clone(&gateway);
                    async move { Ok::<_, std::convert::Infallible>(gateway.handle(request, peer).await) }
                });
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http1().timer(TokioTimer::new());
                drop(builder.serve_connection(TokioIo::new(socket), service).await);
            });
        }
    });
    (addr, server)
}
