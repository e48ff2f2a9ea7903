//! The data plane as a whole: what its stops share, and the way in. It listens nowhere and reads no configuration.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use bytes::Bytes;
use domain::{
    Clock, Entropy, Now, ProviderName, ProviderRuntime, ProviderStatus, RequestId, RouteQuestion, RouteStep, SpendRuntime, SpendStanding,
};
use futures_util::FutureExt as _;
use http::header::{CONNECTION, HeaderName, HeaderValue};
use http::{Request, Response};
use prometheus_client::registry::Registry;
use store::{DatabaseFault, Recorder, Store};
use tokio_util::task::TaskTracker;

use crate::admit::Waiters;
use crate::authenticate::{Caller, authenticate};
use crate::body::Body;
use crate::dry_run::dry_run;
use crate::header_text::HeaderText;
use crate::health::Slots;
use crate::linger::Linger;
use crate::metrics::{Metrics, Sizes, SpendSizes, Targets};
use crate::pipeline::{Received, call, json_response};
use crate::problem::{Problem, json};
use crate::quota::Quotas;
use crate::receive::receive;
use crate::router::{Route, route};
use crate::routes::Routes;
use crate::spend::{SpendGuard, ceilings};
use crate::uncounted::Uncounted;
use crate::upstream::{Network, Upstream};
use crate::{GatewayConfig, errors, models};

/// What the data plane is made of.
pub struct GatewayParts {
    /// Settings.
    pub config: GatewayConfig,
    /// Callers, pools, catalogue, recorder.
    pub store: Store,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// The server's tasks; shutdown waits for them before it closes the store.
    pub tasks: TaskTracker,
    /// What stands in for the system's network towards providers; `None`: nothing does.
    pub network: Option<Arc<dyn Network>>,
}

/// The data plane.
pub struct Gateway {
    pub(crate) config: GatewayConfig,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: TaskTracker,
    pub(crate) metrics: Metrics,
    pub(crate) uncounted: Uncounted,
    pub(crate) waiters: Waiters,
    pub(crate) upstream: Upstream,
    pub(crate) spend: Arc<SpendGuard>,
    entropy: Arc<dyn Entropy>,
    routes: ArcSwap<Routes>,
    compiling: Mutex<()>,
    pub(crate) slots: Slots,
    quotas: Quotas,
    linger: Linger,
    is_ending: AtomicBool,
}

/// `req_` and a ULID.
const REQUEST_ID_BYTES: usize = 30;
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Gateway {
    /// Puts the data plane together.
    pub fn new(parts: GatewayParts) -> Arc<Self> {
        let GatewayParts { config, store, clock, entropy, tasks, network } = parts;
        let (slots, quotas, metrics) = (Slots::default(), Quotas::default(), Metrics::default());
        let routes = Routes::compile(store.directory(), &slots, &quotas, &metrics);
        let spend = SpendGuard::new(store.clone(), Arc::clone(&clock));
        spend.set_ceilings(ceilings(config.spend_per_day, routes.catalogue()));
        Arc::new(Self {
            upstream: Upstream::new(config.proxy_from_environment, network),
            spend,
            routes: ArcSwap::from_pointee(routes),
            compiling: Mutex::new(()),
            uncounted: Uncounted::default(),
            waiters: Waiters::default(),
            is_ending: AtomicBool::new(false),
            linger: Linger::new(tasks.clone()),
            config,
            store,
            clock,
            entropy,
            tasks,
            metrics,
            slots,
            quotas,
        })
    }

    /// Adds the data plane's metrics to a registry, once.
    pub fn register(self: &Arc<Self>, registry: &mut Registry) {
        self.metrics.register(registry);
        registry.register_collector(Box::new(Sizes(Arc::downgrade(self))));
        registry.register_collector(Box::new(Targets(Arc::downgrade(self))));
        registry.register_collector(Box::new(SpendSizes(Arc::downgrade(self))));
    }

    /// Answers a request for a path under `/v1` or `/openai/v1`.
    pub fn handle<B>(self: &Arc<Self>, request: Request<B>, peer: SocketAddr) -> impl Future<Output = Response<Body>> + Send
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    {
        // Taken apart here: each async function that the request were moved through would keep room for it.
        let (head, body) = request.into_parts();
        async move {
            let arrived = self.clock.now();
            let id = RequestId::generate(arrived.wall, &*self.entropy);
            let answering = AssertUnwindSafe(self.answer(&head, body, id, arrived)).catch_unwind();
            // What the request held was settled by its guards.
            let mut response = answering.await.unwrap_or_else(|_| {
                tracing::error!(request = %id, %peer, "a request met a defect");
                self.counted(errors::internal().into_response())
            });
            if let Some(value) = HeaderText::with_capacity(REQUEST_ID_BYTES).display(id).cut() {
                response.headers_mut().insert(X_REQUEST_ID, value);
            }
            response
        }
    }

    async fn answer<B>(self: &Arc<Self>, head: &http::request::Parts, mut body: B, id: RequestId, arrived: Now) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    {
        let problem = match self.enter(head, arrived) {
            Err(problem) => problem,
            Ok((Route::Call(endpoint), caller)) => {
                match receive(&head.headers, &mut body, self.config.max_body_bytes, self.config.body_timeout).await {
                    Ok(body) => {
                        let received = Received { id, endpoint, arrived, caller: &caller, headers: &head.headers, body };
                        return call(self, &received).await;
                    }
                    Err(fault) => Problem::from(fault),
                }
            }
            Ok((Route::Models, caller)) => return self.counted(json_response(models::list(&caller.key, &self.routes(), arrived.wall))),
            Ok((Route::Model(name), caller)) => match models::one(&caller.key, &self.routes(), &name, arrived.wall) {
                Ok(model) => return self.counted(json_response(model)),
                Err(fault) => Problem::from(fault),
            },
            Ok((Route::Limits, caller)) => {
                let data = self.store.pools().views_of_key(&caller.key, self.clock.now());
                return self.counted(json_response(json(&serde_json::json!({ "data": data }))));
            }
            Ok((Route::WrongMethod(allow), _)) => errors::wrong_method(&head.method, allow),
            Ok((Route::Unknown, _)) => errors::unknown_path(&head.method, head.uri.path()),
        };
        let mut response = self.counted(problem.into_response());
        if !self.linger.discard(body, &head.headers).await {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Which route it is and whose request. Paths and methods are told before keys.
    fn enter<'a>(&self, head: &'a http::request::Parts, arrived: Now) -> Result<(Route<'a>, Caller), Problem> {
        if self.is_ending.load(Relaxed) {
            return Err(errors::shutting_down());
        }
        match route(&head.method, head.uri.path()) {
            Route::Unknown => Err(errors::unknown_path(&head.method, head.uri.path())),
            Route::WrongMethod(allow) => Err(errors::wrong_method(&head.method, allow)),
            route => Ok((route, authenticate(&head.headers, self.store.directory(), arrived.wall)?)),
        }
    }

    fn counted(&self, response: Response<Body>) -> Response<Body> {
        self.metrics.answered(None, response.status());
        response
    }

    /// The catalogue as it is now, compiled.
    pub(crate) fn routes(&self) -> Guard<Arc<Routes>> {
        let routes = self.routes.load();
        if routes.generation() == self.store.directory().generation() { routes } else { self.compile() }
    }

    fn compile(&self) -> Guard<Arc<Routes>> {
        let _alone = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.routes.load().generation() != self.store.directory().generation() {
            let routes = Routes::compile(self.store.directory(), &self.slots, &self.quotas, &self.metrics);
            if self.spend.set_ceilings(ceilings(self.config.spend_per_day, routes.catalogue())) {
                self.load_spend_meanwhile();
            }
            self.routes.store(Arc::new(routes));
        }
        self.routes.load()
    }

    /// Counts what the day has cost so far, where there are ceilings on it. To be called before the first request.
    ///
    /// # Errors
    /// The database does not tell.
    pub async fn load_spend(&self) -> Result<(), DatabaseFault> {
        self.spend.load().await
    }

    /// The same for ceilings that were set while requests are served.
    fn load_spend_meanwhile(&self) {
        let spend = Arc::clone(&self.spend);
        self.tasks.spawn(async move {
            if let Err(error) = spend.load().await {
                tracing::error!(%error, "what was spent today before there was a ceiling can't be read, and doesn't count");
            }
        });
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        self.store.recorder()
    }

    pub(crate) fn count_debt(&self, tokens: u64) {
        if tokens > 0 {
            self.metrics.debt_tokens.inc_by(tokens);
        }
    }

    /// From now on new requests are answered with 503; what is in progress goes on.
    pub fn begin_shutdown(&self) {
        self.is_ending.store(true, Relaxed);
    }

    /// Requests admitted and not settled yet.
    pub fn open_requests(&self) -> u64 {
        u64::try_from(self.metrics.open_requests.get()).unwrap_or(0)
    }

    /// Lets go of what nobody needs any more. To be called about once a minute.
    pub fn sweep(&self) {
        self.slots.sweep(self.clock.now().mono_us);
    }
}

impl SpendRuntime for Gateway {
    fn spend(&self) -> Vec<SpendStanding> {
        // A change of the ceilings shows before the next request.
        drop(self.routes());
        self.spend.standings()
    }
}

impl ProviderRuntime for Gateway {
    fn status(&self, provider: &ProviderName) -> ProviderStatus {
        self.slots.of(provider, self.clock.now())
    }

    fn clear_cooldown(&self, provider: &ProviderName) {
        self.slots.clear(provider, self.clock.now().mono_us);
    }

    fn route(&self, model: &str, question: &RouteQuestion) -> Option<Vec<RouteStep>> {
        let routes = self.routes();
        let mut random = [0; 8];
        self.entropy.fill(&mut random);
        Some(dry_run(routes.find(model)?, question, u64::from_le_bytes(random), self.clock.now(), &self.spend))
    }
}
