//! Fourth stop: takes the request from the pools of its organisation, or refuses it before any provider hears of it. Input
//! is counted only where that decides.

use std::sync::Arc;

use domain::{Kind, Now, PoolLimits, RefusalEvent, Source};
use limits::Retry;
use store::pools::{BlockedLimit, Demand, Hold, Refused};
use store::{KeyEntry, OrgEntry};

use crate::Gateway;
use crate::caps;
use crate::estimate::Estimate;
use crate::settle::{Exchange, InputTokens, Subject};
use crate::uncounted::{Input, Ticket};

/// Why a request is not admitted.
#[derive(Debug)]
pub(crate) enum AdmitFault {
    /// So many records wait for the database that nothing new may begin.
    RecorderFull,
    /// The organisation has as many requests in progress as one may have.
    TooManyInProgress,
    /// A pool has no room until then.
    RateLimited(Box<RateLimited>),
    /// The input alone is more than the limit ever lets through.
    InputTooLarge {
        /// Tokens, counted.
        input: u64,
        /// The limit's number.
        limit: u64,
        /// The limit's window in microseconds.
        window_us: u64,
        /// The pool.
        pool: Arc<str>,
        /// Whose limit it is.
        source: Source,
    },
    /// The limit is 0.
    Closed {
        /// The pool.
        pool: Arc<str>,
        /// What it counts.
        kind: Kind,
    },
}

/// A refusal that heals by waiting.
#[derive(Debug)]
pub(crate) struct RateLimited {
    /// The limit that opens last; `None` where it is no pool but all providers that are closed.
    pub(crate) limit: Option<BlockedLimit>,
    /// When the request would be admitted, on the steady clock.
    pub(crate) at_us: u64,
    /// Whether that is only expected.
    pub(crate) is_estimate: bool,
    /// The reading of the clock from which all waits are told.
    pub(crate) now: Now,
}

/// The pools a request draws from: the organisation's and perhaps the key's own.
#[derive(Clone)]
pub(crate) struct RequestPools {
    pools: [Option<Arc<PoolLimits>>; 2],
}

impl RequestPools {
    pub(crate) fn new(pool: &Arc<PoolLimits>, key: &KeyEntry) -> Self {
        Self { pools: [Some(Arc::clone(pool)), key.pool().cloned()] }
    }

    /// Runs `act` on the pools as a slice.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&[&PoolLimits]) -> R) -> R {
        match &self.pools {
            [Some(pool), Some(own)] => act(&[pool, own]),
            [Some(one), None] | [None, Some(one)] => act(&[one]),
            [None, None] => act(&[]),
        }
    }

    fn ids(&self) -> [Option<domain::PoolId>; 2] {
        let [pool, own] = &self.pools;
        [pool.as_ref().map(|p| p.id), own.as_ref().map(|p| p.id)]
    }

    /// The lowest enforced token limit: its pool, window and number.
    fn least_tokens(&self) -> Option<(&Arc<PoolLimits>, u64, u64)> {
        let enforced = self.pools.iter().flatten().filter(|pool| pool.enforce);
        let limits = enforced.flat_map(|pool| pool.limits.iter().map(move |limit| (pool, limit)));
        let tokens = limits.filter(|(_, limit)| limit.kind == Kind::Tokens);
        tokens.min_by_key(|(_, limit)| limit.n).map(|(pool, limit)| (pool, limit.window_us, limit.n))
    }
}

/// One request at this stop.
pub(crate) struct Admission<'a> {
    pub(crate) gateway: &'a Arc<Gateway>,
    pub(crate) org: &'a OrgEntry,
    pub(crate) pools: &'a RequestPools,
    pub(crate) estimate: Estimate,
}

impl Admission<'_> {
    /// Admits the request. `now` is a fresh reading of the clock.
    pub(crate) async fn admit(self, subject: Subject, now: Now) -> Result<Exchange, AdmitFault> {
        if self.gateway.recorder().is_full() {
            return Err(AdmitFault::RecorderFull);
        }
        let Estimate { bound, output, .. } = self.estimate;
        let Some((_, _, n)) = self.pools.least_tokens() else {
            let hold = self.reserve(&subject, bound, output, now).map_err(|refused| self.refuse(&subject, *refused, now))?;
            return Ok(Exchange::new(self.gateway, subject, hold, InputTokens::Unlimited(bound, self.estimate.text), output));
        };
        if bound.saturating_add(output) <= n {
            match self.reserve_at_bound(&subject, now) {
                Ok(Some((hold, ticket))) => {
                    return Ok(Exchange::new(self.gateway, subject, hold, InputTokens::Bound(bound, ticket), output));
                }
                Ok(None) => {}
                Err(refused) if !is_about_tokens(&refused) => return Err(self.refuse(&subject, *refused, now)),
                Err(_) => {}
            }
        }
        self.admit_counted(subject).await
    }

    /// Decides with this input and the pools' other inputs counted exactly.
    async fn admit_counted(self, subject: Subject) -> Result<Exchange, AdmitFault> {
        let exact = self.gateway.uncounted.count_again(self.org.id(), &self.estimate.text).await;
        self.gateway.metrics.counted_inputs.inc();
        let Some((pool, window_us, n)) = self.pools.least_tokens() else { return Err(AdmitFault::TooManyInProgress) };
        if exact > n {
            return Err(AdmitFault::InputTooLarge { input: exact, limit: n, window_us, pool: Arc::clone(&pool.name), source: pool.source });
        }
        let output = self.estimate.output.min(n - exact);
        let mut now = self.gateway.clock.now();
        let mut reserved = self.reserve(&subject, exact, output, now);
        for _ in 0..caps::COUNT_ROUNDS {
            if !reserved.as_ref().is_err_and(|refused| is_about_tokens(refused)) {
                break;
            }
            now = self.gateway.clock.now();
            let (org, pools) = (self.org.id(), self.pools.ids());
            let decided = self.gateway.uncounted.decide(org, &pools, || self.reserve(&subject, exact, output, now));
            if let Some(decided) = decided {
                reserved = decided;
                break;
            }
            let counted = self.gateway.uncounted.count_others(org, pools, now.mono_us).await;
            self.gateway.metrics.counted_inputs.inc_by(counted as u64);
        }
        match reserved {
            Ok(hold) => Ok(Exchange::new(self.gateway, subject, hold, InputTokens::Exact(exact), output)),
            Err(refused) => Err(self.refuse(&subject, *refused, now)),
        }
    }

    /// Takes the hold at the bound, the input staying countable; `None` where no more inputs may be kept.
    fn reserve_at_bound(&self, subject: &Subject, now: Now) -> Result<Option<(Hold, Ticket)>, Box<Refused>> {
        let Estimate { text, bound, output } = &self.estimate;
        let input = |hold: &Hold| Input::new(self.org.id(), self.pools.ids(), hold.id(), hold.ledger().clone(), text.clone());
        let reserve = || self.reserve(subject, *bound, *output, now);
        self.gateway.uncounted.keep(self.org.id(), text.body.len(), reserve, input)
    }

    fn reserve(&self, subject: &Subject, input: u64, output: u64, now: Now) -> Result<Hold, Box<Refused>> {
        let demand = Demand { request: subject.request, input, output };
        self.pools.with(|pools| self.gateway.store.pools().reserve(self.org, pools, demand, now.mono_us))
    }

    /// Writes the refusal down and says it.
    fn refuse(&self, subject: &Subject, refused: Refused, now: Now) -> AdmitFault {
        let Refused { blocked, retry } = refused;
        let Some(binding) = blocked.into_iter().next() else { return AdmitFault::TooManyInProgress };
        self.record(subject, &binding, retry, now);
        match retry {
            Retry::Never => AdmitFault::Closed { pool: binding.pool, kind: binding.kind },
            Retry::At { at, estimate } => {
                AdmitFault::RateLimited(Box::new(RateLimited { limit: Some(binding), at_us: at, is_estimate: estimate, now }))
            }
        }
    }

    fn record(&self, subject: &Subject, binding: &BlockedLimit, retry: Retry, now: Now) {
        let retry_after_ms = match retry {
            Retry::At { at, .. } => Some(at.saturating_sub(now.mono_us).div_ceil(1_000)),
            Retry::Never => None,
        };
        if let Some(id) = self.pools.with(|pools| pools.iter().find(|p| p.name == binding.pool).map(|p| p.id)) {
            self.gateway.metrics.refusals.count(id, &binding.pool, binding.kind);
        }
        self.gateway.recorder().refusal(RefusalEvent {
            request: subject.request,
            at: now.wall,
            org: subject.org,
            key: subject.key,
            plan: subject.plan.clone(),
            model: subject.model.model.id.clone(),
            category: subject.model.model.size_category(),
            pool: Arc::clone(&binding.pool),
            kind: binding.kind,
            window_us: binding.window_us,
            limit: binding.n,
            used: binding.used,
            held: binding.held,
            requested: binding.requested,
            retry_after_ms,
            shadow: false,
        });
    }
}

fn is_about_tokens(refused: &Refused) -> bool {
    refused.blocked.iter().any(|blocked| blocked.kind == Kind::Tokens)
}
