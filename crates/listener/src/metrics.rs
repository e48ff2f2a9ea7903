//! `/metrics`: what the gateway, the store and the listener count, in the text form that Prometheus reads.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq;
use tracing_appender::non_blocking::ErrorCounter;

use super::body::Inner;
use super::connections::Connections;
use super::dispatch::Routes;
use super::health::{problem, text, unless_reading};
use super::journal_metrics::JournalMetrics;

/// The registry and what the binary itself counts.
pub struct ServerMetrics {
    registry: Registry,
    connections: Arc<Connections>,
    connections_open: Gauge,
    journal: JournalMetrics,
    store_failures: Gauge,
    store_sound: Gauge,
    ready: Gauge,
    log_lines_dropped: Gauge,
    log_drops: Option<ErrorCounter>,
    records_written: Counter,
    written_so_far: AtomicU64,
}

impl ServerMetrics {
    /// Metrics that begin with `tidegate_`; `register` adds the data plane's.
    pub fn new(connections: Arc<Connections>, log_drops: Option<ErrorCounter>, register: impl FnOnce(&mut Registry)) -> Self {
        let mut registry = Registry::with_prefix("tidegate");
        register(&mut registry);
        let metrics = Self {
            connections,
            connections_open: Gauge::default(),
            journal: JournalMetrics::register(&mut registry),
            store_failures: Gauge::default(),
            store_sound: Gauge::default(),
            ready: Gauge::default(),
            log_lines_dropped: Gauge::default(),
            log_drops,
            records_written: Counter::default(),
            written_so_far: AtomicU64::new(0),
            registry: Registry::default(),
        };
        registry.register("connections_open", "Connections of clients that are open", metrics.connections_open.clone());
        registry.register("records_written", "Usage records and refusals written", metrics.records_written.clone());
        registry.register("store_failed_attempts", "Failed writes since the last that succeeded", metrics.store_failures.clone());
        registry.register("store_sound", "0 once the database was found to be damaged", metrics.store_sound.clone());
        registry.register("ready", "Whether requests can be served", metrics.ready.clone());
        registry.register("log_lines_dropped", "Log lines dropped since the start", metrics.log_lines_dropped.clone());
        registry.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self { registry, ..metrics }
    }

    fn write(&self, routes: &Routes) -> Result<String, std::fmt::Error> {
        use std::sync::atomic::Ordering::Relaxed;
        let health = routes.store.health();
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        self.connections_open.set(signed(self.connections.count()));
        self.journal.set(&health.journal);
        self.store_failures.set(i64::try_from(health.failed_attempts).unwrap_or(i64::MAX));
        self.store_sound.set(i64::from(health.damage.is_none()));
        self.ready.set(i64::from(health.is_ready() && !routes.is_stopping.load(Relaxed)));
        self.log_lines_dropped.set(self.log_drops.as_ref().map_or(0, |drops| signed(drops.dropped_lines())));
        let before = self.written_so_far.fetch_max(health.written, Relaxed);
        self.records_written.inc_by(health.written.saturating_sub(before));
        let mut text = String::with_capacity(16 * 1_024);
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// For whoever shows the operator token.
pub(crate) fn answer_authorised<B>(routes: &Routes, request: &Request<B>) -> Response<Inner> {
    let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let is_operator = token.is_some_and(|(_, token)| {
        let hash = control::hash_operator_token(token.trim());
        bool::from(hash.ct_eq(&routes.operator_token_hash))
    });
    if is_operator {
        return answer(routes, request.method());
    }
    let message = "show the operator token as Authorization: Bearer, or give [metrics] a listener of its own";
    let mut refusal = problem(StatusCode::UNAUTHORIZED, "unauthorized", message);
    refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    refusal
}

/// For anybody.
pub(crate) fn answer(routes: &Routes, method: &Method) -> Response<Inner> {
    if let Some(refusal) = unless_reading(method) {
        return refusal;
    }
    match routes.metrics.write(routes) {
        Ok(written) => text(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", written),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the metrics can't be written"),
    }
}
