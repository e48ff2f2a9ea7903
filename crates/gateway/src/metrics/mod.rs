//! What the data plane counts. Handles are resolved once for each plan, model, provider and pool, so that a request only adds
//! to atomics. Labels never name an organisation or a key.

mod histogram;
mod refusals;
mod sizes;
mod spend;
mod targets;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64};

use domain::{ModelId, PlanId, ProviderName};
use hashbrown::HashMap;
use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

pub(crate) use histogram::Histogram;
pub(crate) use refusals::Refusals;
pub(crate) use sizes::Sizes;
pub(crate) use spend::SpendSizes;
pub(crate) use targets::Targets;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    plan: String,
    model: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct UpstreamLabels {
    provider: String,
    model: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct HedgeLabels {
    by: &'static str,
}

type Count = Counter<u64, AtomicU64>;
type Level = Gauge<i64, AtomicI64>;

/// How an attempt at a provider ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamOutcome {
    Answered,
    Rejected,
    RateLimited,
    OperatorFault,
    Failed,
    TimedOut,
    Broken,
    ClientGone,
    Cancelled,
}

impl UpstreamOutcome {
    const COUNT: usize = 9;

    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::OperatorFault => "operator_fault",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::ClientGone => "client_gone",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Classes of status codes.
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];

fn class(status: StatusCode) -> usize {
    match status.as_u16() {
        0..=399 => 0,
        400..=499 => 1,
        _ => 2,
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Count>,
    upstream: Family<UpstreamLabels, Count>,
    pub(crate) refusals: Refusals,
    /// What limits that only record would have refused.
    pub(crate) shadow_refusals: Refusals,
    /// Time of a request in this process without waiting for its body or a provider, in microseconds.
    pub(crate) overhead: Histogram,
    pub(crate) open_streams: Level,
    pub(crate) open_requests: Level,
    /// How long answers stood still for room, each time, in microseconds.
    pub(crate) pauses: Histogram,
    /// How long requests waited before they were admitted or refused, in microseconds.
    pub(crate) waits: Histogram,
    /// Answers that were cut short because there was no room.
    pub(crate) cut: Count,
    /// Requests that one target answered after another had failed.
    pub(crate) recovered: Count,
    /// Requests of which a second target was tried beside the first.
    pub(crate) hedged: Count,
    hedges_won: Family<HedgeLabels, Count>,
    /// Tokens that were processed without room.
    pub(crate) debt_tokens: Count,
    /// Inputs that were tokenized before a decision.
    pub(crate) counted_inputs: Count,
    unresolved: PlanCounters,
}

impl Metrics {
    /// Puts everything into a registry, under names without a prefix of their own.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("requests", "Requests by plan, model and class of status", self.requests.clone());
        registry.register("upstream_attempts", "Attempts at providers by how they ended", self.upstream.clone());
        registry.register("refusals", "Requests refused by a pool, by its selector and the kind of limit", self.refusals.family());
        registry.register(
            "shadow_refusals",
            "Requests admitted that a limit which only records would have refused, by its selector and kind",
            self.shadow_refusals.family(),
        );
        registry.register("open_streams", "Streams being relayed", self.open_streams.clone());
        registry.register("open_requests", "Requests admitted and not yet settled", self.open_requests.clone());
        registry.register("answers_cut", "Answers cut short because their limits had no room", self.cut.clone());
        registry.register("recovered_requests", "Requests answered by one target after another failed", self.recovered.clone());
        registry.register("hedged_requests", "Requests of which a second target was tried beside the first", self.hedged.clone());
        registry.register("hedges_won", "Such requests by which of the two answered", self.hedges_won.clone());
        registry.register("debt_tokens", "Tokens processed without room", self.debt_tokens.clone());
        registry.register("counted_inputs", "Inputs tokenized before a decision", self.counted_inputs.clone());
        registry.register_collector(Box::new(
            self.overhead.collector("overhead_seconds", "Time of a request in the gateway, without waiting for its body or a provider"),
        ));
        registry
            .register_collector(Box::new(self.pauses.collector("pause_seconds", "Time that an answer stood still until there was room")));
        registry.register_collector(Box::new(
            self.waits.collector("wait_seconds", "Time that a request waited for room before it was decided"),
        ));
    }

    /// Of two targets that were tried beside each other the first answered.
    pub(crate) fn won_by_first(&self) {
        self.hedges_won.get_or_create(&HedgeLabels { by: "first" }).inc();
    }

    /// Of two targets that were tried beside each other the second answered.
    pub(crate) fn won_by_second(&self) {
        self.hedges_won.get_or_create(&HedgeLabels { by: "second" }).inc();
    }

    /// The counters of a model.
    pub(crate) fn model<'a>(&self, model: &ModelId, plans: impl Iterator<Item = &'a PlanId>) -> ModelCounters {
        ModelCounters { by_plan: plans.map(|plan| (plan.clone(), PlanCounters::of(plan, model))).collect(), other: PlanCounters::default() }
    }

    /// The counters of a model at a provider.
    pub(crate) fn target(&self, provider: &ProviderName, model: &ModelId) -> TargetCounters {
        TargetCounters {
            provider: provider.as_str().into(),
            model: model.as_str().into(),
            family: self.upstream.clone(),
            cells: Default::default(),
        }
    }

    /// A request has been answered. `of` is its plan and model where they are known.
    pub(crate) fn answered(&self, of: Option<(&ModelCounters, &PlanId)>, status: StatusCode) {
        let counters = of.map_or(&self.unresolved, |(model, plan)| model.by_plan.get(plan).unwrap_or(&model.other));
        counters.count(&self.requests, status);
    }
}

/// A model's counters by plan.
#[derive(Debug)]
pub(crate) struct ModelCounters {
    by_plan: HashMap<PlanId, PlanCounters>,
    other: PlanCounters,
}

#[derive(Debug, Default)]
struct PlanCounters {
    plan: String,
    model: String,
    cells: [OnceLock<Count>; CLASSES.len()],
}

impl PlanCounters {
    fn of(plan: &PlanId, model: &ModelId) -> Self {
        Self { plan: plan.as_str().into(), model: model.as_str().into(), cells: Default::default() }
    }

    fn count(&self, family: &Family<RequestLabels, Count>, status: StatusCode) {
        let class = class(status);
        let (Some(cell), Some(status)) = (self.cells.get(class), CLASSES.get(class)) else { return };
        let labels = || RequestLabels { plan: self.plan.clone(), model: self.model.clone(), status };
        cell.get_or_init(|| family.get_or_create_owned(&labels())).inc();
    }
}

/// Attempts at one target by how they ended.
#[derive(Debug)]
pub(crate) struct TargetCounters {
    provider: String,
    model: String,
    family: Family<UpstreamLabels, Count>,
    cells: [OnceLock<Count>; UpstreamOutcome::COUNT],
}

impl TargetCounters {
    pub(crate) fn count(&self, outcome: UpstreamOutcome) {
        let Some(cell) = self.cells.get(outcome as usize) else { return };
        let labels = || UpstreamLabels { provider: self.provider.clone(), model: self.model.clone(), outcome: outcome.as_str() };
        cell.get_or_init(|| self.family.get_or_create_owned(&labels())).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn series_appear_when_they_are_first_counted() {
        let metrics = Metrics::default();
        let mut registry = Registry::with_prefix("tidegate");
        metrics.register(&mut registry);
        let (plan, model) = (PlanId::from("free"), ModelId::from("m"));
        let counters = metrics.model(&model, [&plan].into_iter());
        metrics.answered(Some((&counters, &plan)), StatusCode::OK);
        metrics.answered(Some((&counters, &plan)), StatusCode::OK);
        metrics.answered(None, StatusCode::UNAUTHORIZED);
        metrics.target(&ProviderName::from("p"), &model).count(UpstreamOutcome::TimedOut);
        metrics.overhead.observe(150);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "tidegate_requests_total{plan=\"free\",model=\"m\",status=\"2xx\"} 2",
            "tidegate_requests_total{plan=\"\",model=\"\",status=\"4xx\"} 1",
            "tidegate_upstream_attempts_total{provider=\"p\",model=\"m\",outcome=\"timed_out\"} 1",
            "tidegate_overhead_seconds_count 1",
            "tidegate_overhead_seconds_bucket{le=\"0.0002\"} 1",
            "tidegate_overhead_seconds_bucket{le=\"0.0001\"} 0",
            "tidegate_open_streams 0",
        ] {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("5xx"));
    }
}
