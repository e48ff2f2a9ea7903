//! What one transaction writes: records, merged refusals, and the counters that follow from both.
//! It knows no SQL; once made, a batch is tried again unchanged, so that it counts once.

use std::collections::HashSet;
use std::sync::Arc;

use domain::{Category, KeyId, Kind, ModelId, OrgId, PlanId, ProviderName, RefusalEvent, RequestId, UnixMicros, UsageRecord};
use hashbrown::HashMap;

const SECOND_US: i64 = 1_000_000;
const MINUTE_US: i64 = 60 * SECOND_US;

/// Minutes since 1970.
pub(crate) fn minute_of(at: UnixMicros) -> i64 {
    at.0.div_euclid(MINUTE_US)
}

/// Refusals that differ only in their moment within one second. The figures are the first's.
#[derive(Clone, Debug)]
pub(crate) struct MergedRefusal {
    pub(crate) first: RefusalEvent,
    pub(crate) last_at: UnixMicros,
    /// How many, each request once; so none where another limit told of the request already.
    pub(crate) refused: u64,
}

#[derive(PartialEq, Eq, Hash)]
struct MergeKey {
    second: i64,
    org: OrgId,
    key: KeyId,
    model: ModelId,
    plan: PlanId,
    pool: Arc<str>,
    kind: Kind,
    window_us: u64,
    shadow: bool,
}

/// What counters are kept apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CountersOf {
    pub(crate) org: OrgId,
    pub(crate) minute: i64,
    pub(crate) model: ModelId,
    pub(crate) key: KeyId,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) plan: PlanId,
    pub(crate) category: Option<Category>,
    pub(crate) status: u16,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    /// Requests that limits that only record would have refused.
    pub(crate) would_refuse: u64,
    pub(crate) failed: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cached: u64,
    pub(crate) cost: i64,
}

/// The status that a refusal by a pool is answered with.
const TOO_MANY_REQUESTS: u16 = 429;

/// What one transaction writes.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) usage: Vec<UsageRecord>,
    pub(crate) refusals: Vec<MergedRefusal>,
    merged: HashMap<MergeKey, usize>,
    /// The last request of which a limit that only records told.
    last_shadowed: Option<RequestId>,
    /// How many records and refusals it stands for.
    pub(crate) rows: usize,
}

impl Batch {
    pub(crate) fn add_usage(&mut self, record: UsageRecord) {
        self.rows += 1;
        self.usage.push(record);
    }

    pub(crate) fn add_refusal(&mut self, event: RefusalEvent) {
        self.rows += 1;
        let key = MergeKey {
            second: event.at.0.div_euclid(SECOND_US),
            org: event.org,
            key: event.key,
            model: event.model.clone(),
            plan: event.plan.clone(),
            pool: Arc::clone(&event.pool),
            kind: event.kind,
            window_us: event.window_us,
            shadow: event.shadow,
        };
        // Several such limits may tell of one request, one after the other.
        let is_new = !event.shadow || self.last_shadowed.replace(event.request) != Some(event.request);
        let next = self.refusals.len();
        let place = *self.merged.entry(key).or_insert(next);
        if let Some(merged) = self.refusals.get_mut(place) {
            merged.refused += u64::from(is_new);
            merged.last_at = merged.last_at.max(event.at);
        } else {
            self.refusals.push(MergedRefusal { last_at: event.at, refused: u64::from(is_new), first: event });
        }
    }

    /// Leaves out what is there already, and what is here twice.
    pub(crate) fn without(&mut self, mut usage: HashSet<RequestId>, refusals: &HashSet<RequestId>) {
        self.usage.retain(|record| usage.insert(record.request));
        // Several limits may have refused one request.
        self.refusals.retain(|merged| !refusals.contains(&merged.first.request));
        self.merged.clear();
    }

    /// The counters of everything here.
    pub(crate) fn counters(&self) -> HashMap<CountersOf, Counters> {
        let mut counters: HashMap<CountersOf, Counters> = HashMap::new();
        for record in &self.usage {
            counters.entry(of_usage(record)).or_default().add_usage(record);
        }
        for merged in &self.refusals {
            let counters = counters.entry(of_refusal(&merged.first)).or_default();
            if merged.first.shadow {
                counters.would_refuse += merged.refused;
            } else {
                counters.refused += merged.refused;
            }
        }
        counters
    }
}

impl Counters {
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { requests, refused, would_refuse, failed, input, output, cached, cost } = other;
        self.requests += requests;
        self.refused += refused;
        self.would_refuse += would_refuse;
        self.failed += failed;
        self.input = self.input.saturating_add(*input);
        self.output = self.output.saturating_add(*output);
        self.cached = self.cached.saturating_add(*cached);
        self.cost = self.cost.saturating_add(*cost);
    }

    fn add_usage(&mut self, record: &UsageRecord) {
        if record.outcome.is_answered() {
            self.requests += 1;
        } else {
            self.failed += 1;
        }
        self.input = self.input.saturating_add(record.tokens.input);
        self.output = self.output.saturating_add(record.tokens.output);
        self.cached = self.cached.saturating_add(record.tokens.cached);
        self.cost = self.cost.saturating_add(record.cost.0);
    }
}

fn of_usage(record: &UsageRecord) -> CountersOf {
    CountersOf {
        org: record.org,
        minute: minute_of(record.at),
        model: record.model.clone(),
        key: record.key,
        provider: record.provider.clone(),
        plan: record.plan.clone(),
        category: record.category,
        status: record.status,
    }
}

fn of_refusal(event: &RefusalEvent) -> CountersOf {
    CountersOf {
        org: event.org,
        minute: minute_of(event.at),
        model: event.model.clone(),
        key: event.key,
        provider: None,
        plan: event.plan.clone(),
        category: event.category,
        status: TOO_MANY_REQUESTS,
    }
}
