//! What a replay found, before it is written in any form.

use replay::{Format, Outcome, PoolOutcome};

pub(crate) struct Report {
    pub(crate) trace: String,
    pub(crate) format: Format,
    pub(crate) bad_lines: u64,
    /// The workload without limits.
    pub(crate) demand: Outcome,
    /// On each plan, in the order asked.
    pub(crate) outcomes: Vec<Outcome>,
}

impl Report {
    /// Each pool of each plan.
    pub(crate) fn pools(&self) -> impl Iterator<Item = (&Outcome, &PoolOutcome)> {
        self.outcomes.iter().flat_map(|outcome| outcome.pools.iter().map(move |pool| (outcome, pool)))
    }

    /// Of the plans that admitted everything at once, the one that allows least: fewest tokens, then fewest requests.
    pub(crate) fn smallest(&self) -> Option<&Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.admitted_all()).min_by(|a, b| allowed(a).total_cmp(&allowed(b)))
    }
}

/// What a plan allows in the pools that were asked, tokens before requests.
fn allowed(outcome: &Outcome) -> Allowed {
    let sum = |kind| {
        let each = outcome.pools.iter().map(|pool| {
            let limits = pool.limits.iter().filter(|limit| limit.kind == kind && pool.enforce);
            limits.map(|limit| limit.n as f64 / limit.window_us.max(1) as f64).fold(f64::INFINITY, f64::min)
        });
        each.sum()
    };
    Allowed { tokens: sum(domain::Kind::Tokens), requests: sum(domain::Kind::Requests) }
}

struct Allowed {
    tokens: f64,
    requests: f64,
}

impl Allowed {
    fn total_cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.tokens.total_cmp(&other.tokens).then(self.requests.total_cmp(&other.requests))
    }
}
