//! What one transaction writes: records, merged refusals, and the counters that follow from both.
//! It knows no SQL; once made, a batch is tried again unchanged, so that it counts once.

use std::collections::HashSet;
use std::sync::Arc;

use domain::{Category, KeyId, Kind, ModelId, OrgId, Outcome, PlanId, ProviderName, RefusalEvent, RequestId, UnixMicros, UsageRecord};
use hashbrown::HashMap;

use crate::Times;

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
    pub(crate) key: KeyId,
    pub(crate) labels: CounterLabels,
}

/// What counters of many keys and minutes have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CounterLabels {
    pub(crate) model: ModelId,
    pub(crate) plan: PlanId,
    pub(crate) category: Option<Category>,
    pub(crate) provider: Option<ProviderName>,
    pub(crate) status: u16,
    pub(crate) ending: Ending,
    pub(crate) pool: Arc<str>,
    /// Which of the pool's limits refused.
    pub(crate) limit_kind: Option<Kind>,
}

/// How requests ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// Admitted.
    Ended(Outcome),
    /// Refused by a limit.
    Refused,
    /// One that a limit which only records would have refused; how it ended is counted apart.
    Shadow,
}

impl Ending {
    pub(crate) const ALL: [Self; 8] = [
        Self::Ended(Outcome::Answered),
        Self::Ended(Outcome::Cut),
        Self::Ended(Outcome::ClientGone),
        Self::Ended(Outcome::Broken),
        Self::Ended(Outcome::Rejected),
        Self::Ended(Outcome::Failed),
        Self::Refused,
        Self::Shadow,
    ];

    /// The name as rows have it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ended(outcome) => outcome.as_str(),
            Self::Refused => "refused",
            Self::Shadow => "shadow",
        }
    }
}

/// What is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    /// Requests that limits that only record would have refused.
    pub(crate) would_refuse: u64,
    pub(crate) failed: u64,
    /// Answered by one target after another had failed.
    pub(crate) recovered: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cached: u64,
    pub(crate) reasoning: u64,
    pub(crate) cost: i64,
    /// Of those answered.
    pub(crate) times: Times,
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
        let Self { requests, refused, would_refuse, failed, recovered, input, output, cached, reasoning, cost, times } = other;
        self.requests += requests;
        self.refused += refused;
        self.would_refuse += would_refuse;
        self.failed += failed;
        self.recovered += recovered;
        self.input = self.input.saturating_add(*input);
        self.output = self.output.saturating_add(*output);
        self.cached = self.cached.saturating_add(*cached);
        self.reasoning = self.reasoning.saturating_add(*reasoning);
        self.cost = self.cost.saturating_add(*cost);
        self.times.add_all(times);
    }

    fn add_usage(&mut self, record: &UsageRecord) {
        if record.outcome.is_answered() {
            self.requests += 1;
            self.times.add(record.first_byte_us, record.duration_us);
        } else {
            self.failed += 1;
        }
        self.recovered += u64::from(record.is_recovered());
        self.input = self.input.saturating_add(record.tokens.input);
        self.output = self.output.saturating_add(record.tokens.output);
        self.cached = self.cached.saturating_add(record.tokens.cached);
        self.reasoning = self.reasoning.saturating_add(record.tokens.reasoning);
        self.cost = self.cost.saturating_add(record.cost.0);
    }

    /// Requests and tokens that the pool was charged, in the limiter's sense: what nobody produced anything for costs no request, and what a
    /// provider rejected keeps its one.
    pub(crate) fn charged(&self, ending: Ending) -> (u64, u64) {
        let requests = match ending {
            Ending::Ended(Outcome::Rejected) => self.failed,
            Ending::Ended(Outcome::Failed) | Ending::Refused | Ending::Shadow => 0,
            Ending::Ended(Outcome::Answered | Outcome::Cut | Outcome::ClientGone | Outcome::Broken) => self.requests,
        };
        (requests, self.input.saturating_add(self.output))
    }
}

fn of_usage(record: &UsageRecord) -> CountersOf {
    let labels = CounterLabels {
        model: record.model.clone(),
        plan: record.plan.clone(),
        category: record.category,
        provider: record.provider.clone(),
        status: record.status,
        ending: Ending::Ended(record.outcome),
        pool: Arc::clone(&record.pool),
        limit_kind: None,
    };
    CountersOf { org: record.org, minute: minute_of(record.at), key: record.key, labels }
}

fn of_refusal(event: &RefusalEvent) -> CountersOf {
    let labels = CounterLabels {
        model: event.model.clone(),
        plan: event.plan.clone(),
        category: event.category,
        provider: None,
        status: TOO_MANY_REQUESTS,
        ending: if event.shadow { Ending::Shadow } else { Ending::Refused },
        pool: Arc::clone(&event.pool),
        limit_kind: Some(event.kind),
    };
    CountersOf { org: event.org, minute: minute_of(event.at), key: event.key, labels }
}
