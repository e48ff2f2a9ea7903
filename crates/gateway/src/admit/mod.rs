//! Fourth stop: takes the request from the pools of its organisation, or refuses it before any provider hears of it. Input
//! is counted only where that decides.

mod refuse;
mod wait;

use std::sync::Arc;
use std::time::Duration;

use domain::{Kind, Now, PoolLimits, Source};
use store::pools::{BlockedLimit, CommonPool, Demand, End, Hold, Refused};
use store::{GrantFacts, KeyEntry, OrgEntry};

use crate::Gateway;
use crate::caps;
use crate::estimate::Estimate;
use crate::settle::{Admitted, InputTokens, Subject};
use crate::uncounted::{Input, Ticket};

use wait::{Place, until_next_look};
pub(crate) use wait::{Waiters, patience};

/// Why a request is not admitted.
#[derive(Debug)]
pub(crate) enum AdmitFault {
    /// The journal takes nothing new.
    JournalRefuses,
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

/// The pools a request draws from: the organisation's, perhaps the key's own, and perhaps one that organisations share.
pub(crate) struct RequestPools {
    org: Arc<PoolLimits>,
    own: Option<PoolLimits>,
    common: Option<Arc<CommonPool>>,
}

impl RequestPools {
    pub(crate) fn new(pool: &Arc<PoolLimits>, key: &KeyEntry, common: Option<&Arc<CommonPool>>) -> Self {
        Self { org: Arc::clone(pool), own: key.pool(), common: common.map(Arc::clone) }
    }

    /// Runs `act` on those that are the organisation's alone.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&[&PoolLimits]) -> R) -> R {
        match &self.own {
            Some(own) => act(&[&self.org, own]),
            None => act(&[&self.org]),
        }
    }

    /// Whether the pool of this name is the one that organisations share.
    pub(crate) fn shares(&self, name: &str) -> bool {
        self.common.as_ref().is_some_and(|common| *common.limits().name.text() == *name)
    }

    fn ids(&self) -> [Option<domain::PoolId>; 2] {
        [Some(self.org.id), self.own.as_ref().map(|own| own.id)]
    }

    /// The lowest enforced token limit: its pool, window and number.
    fn least_tokens(&self) -> Option<(&PoolLimits, u64, u64)> {
        let common = self.common.as_ref().map(|common| common.limits());
        let enforced = [Some(&*self.org), self.own.as_ref(), common].into_iter().flatten().filter(|pool| pool.enforce);
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
    /// How long it waits for room before it is refused.
    pub(crate) patience: Duration,
}

/// What came of one look at the limits.
enum Decided {
    In { hold: Hold, input: InputTokens, held: u64 },
    Refused(Box<Refused>, Now),
}

impl Admission<'_> {
    /// Admits the request, perhaps after a short wait. `now` is a fresh reading of the clock.
    pub(crate) async fn admit(&self, subject: &Subject, mut now: Now) -> Result<Admitted, AdmitFault> {
        if self.gateway.recorder().is_full() {
            return Err(AdmitFault::JournalRefuses);
        }
        let began_us = now.mono_us;
        let end_us = began_us.saturating_add(u64::try_from(self.patience.as_micros()).unwrap_or(u64::MAX));
        let (mut place, mut looks) = (None, 0);
        loop {
            let refused = match self.decide(subject, now).await? {
                Decided::In { hold, input, held } => {
                    let hold = self.write_grant(subject, hold, &input, held)?;
                    return Ok(Admitted { hold, input, held, waited_us: self.waited(&place, began_us) });
                }
                Decided::Refused(refused, at) => {
                    now = at;
                    refused
                }
            };
            let pause = until_next_look(&refused, looks, now.mono_us, end_us);
            if pause.is_some() && place.is_none() {
                place = self.gateway.waiters.enter(self.estimate.text.body.len());
            }
            let (Some(pause), Some(_)) = (pause, &place) else {
                self.waited(&place, began_us);
                return Err(self.refuse(subject, *refused, now));
            };
            looks += 1;
            tokio::time::sleep(pause).await;
            now = self.gateway.clock.now();
        }
    }

    /// How long a request that has a place among those who wait has waited.
    fn waited(&self, place: &Option<Place<'_>>, began_us: u64) -> u64 {
        if place.is_none() {
            return 0;
        }
        let waited_us = self.gateway.clock.now().mono_us.saturating_sub(began_us);
        self.gateway.metrics.waits.observe(waited_us);
        waited_us
    }

    async fn decide(&self, subject: &Subject, now: Now) -> Result<Decided, AdmitFault> {
        let Estimate { bound, output, .. } = self.estimate;
        let shadowed = self.shadowed(subject, bound, output, now);
        let must_count = shadowed.iter().any(|blocked| blocked.kind == Kind::Tokens);
        let Some((_, _, n)) = self.pools.least_tokens() else {
            let (input, shadowed) = if must_count { Box::pin(self.count_shadowed(subject, output, now)).await } else { (bound, shadowed) };
            return Ok(match self.reserve(subject, input, output, now) {
                Ok(hold) => {
                    shadowed.iter().for_each(|blocked| self.would_have_refused(subject, blocked, now));
                    Decided::In { hold, input: InputTokens::Unlimited(input, self.estimate.text.clone()), held: output }
                }
                Err(refused) => Decided::Refused(refused, now),
            });
        };
        // What is shared knows exact inputs only: those of others need not be counted before it refuses.
        if bound.saturating_add(output) <= n && !must_count && self.pools.common.is_none() {
            match self.reserve_at_bound(subject, now) {
                Ok(Some((hold, ticket))) => {
                    shadowed.iter().for_each(|blocked| self.would_have_refused(subject, blocked, now));
                    return Ok(Decided::In { hold, input: InputTokens::Bound(bound, ticket), held: output });
                }
                Ok(None) => {}
                Err(refused) if !is_about_tokens(&refused) => return Ok(Decided::Refused(refused, now)),
                Err(_) => {}
            }
        }
        // Boxed, as it is rare: every request would carry the room for it.
        Box::pin(self.decide_counted(subject)).await
    }

    /// Decides with this input and the pools' other inputs counted exactly.
    async fn decide_counted(&self, subject: &Subject) -> Result<Decided, AdmitFault> {
        let exact = self.gateway.uncounted.count_again(self.org.id(), &self.estimate.text).await;
        self.gateway.metrics.counted_inputs.inc();
        let Some((pool, window_us, n)) = self.pools.least_tokens() else { return Err(AdmitFault::TooManyInProgress) };
        if exact > n {
            return Err(AdmitFault::InputTooLarge { input: exact, limit: n, window_us, pool: pool.name.text(), source: pool.source });
        }
        let output = self.estimate.output.min(n - exact);
        let mut now = self.gateway.clock.now();
        let shadowed = self.shadowed_counted(subject, exact, output, now).await;
        let mut reserved = self.reserve(subject, exact, output, now);
        for _ in 0..caps::COUNT_ROUNDS {
            if !reserved.as_ref().is_err_and(|refused| is_about_tokens(refused)) {
                break;
            }
            now = self.gateway.clock.now();
            let (org, pools) = (self.org.id(), self.pools.ids());
            let decided = self.gateway.uncounted.decide(org, &pools, || self.reserve(subject, exact, output, now));
            if let Some(decided) = decided {
                reserved = decided;
                break;
            }
            let counted = self.gateway.uncounted.count_others(org, pools, now.mono_us).await;
            self.gateway.metrics.counted_inputs.inc_by(counted as u64);
        }
        Ok(match reserved {
            Ok(hold) => {
                shadowed.iter().for_each(|blocked| self.would_have_refused(subject, blocked, now));
                Decided::In { hold, input: InputTokens::Exact(exact), held: output }
            }
            Err(refused) => Decided::Refused(refused, now),
        })
    }

    /// The limits that only record and have no room for this.
    fn shadowed(&self, subject: &Subject, input: u64, output: u64, now: Now) -> Vec<BlockedLimit> {
        let demand = Demand { request: subject.request, input, output };
        self.pools.with(|pools| self.gateway.store.pools().shadowed(self.org, pools, demand, now.mono_us))
    }

    /// This input counted, and the limits that only record and then have no room for it.
    async fn count_shadowed(&self, subject: &Subject, output: u64, now: Now) -> (u64, Vec<BlockedLimit>) {
        let exact = self.gateway.uncounted.count_again(self.org.id(), &self.estimate.text).await;
        (exact, self.shadowed_counted(subject, exact, output, now).await)
    }

    /// The limits that only record and have no room for this counted input, the pools' others counted too where they decide that.
    async fn shadowed_counted(&self, subject: &Subject, exact: u64, output: u64, now: Now) -> Vec<BlockedLimit> {
        let shadowed = self.shadowed(subject, exact, output, now);
        if shadowed.iter().all(|blocked| blocked.kind != Kind::Tokens) {
            return shadowed;
        }
        self.gateway.uncounted.count_others(self.org.id(), self.pools.ids(), now.mono_us).await;
        self.shadowed(subject, exact, output, now)
    }

    /// Takes the hold at the bound, the input staying countable; `None` where no more inputs may be kept.
    fn reserve_at_bound(&self, subject: &Subject, now: Now) -> Result<Option<(Hold, Ticket)>, Box<Refused>> {
        let Estimate { text, bound, output } = &self.estimate;
        let input = |hold: &Hold| Input::new(self.org.id(), self.pools.ids(), hold.id(), hold.ledger().clone(), text.clone());
        let reserve = || self.reserve(subject, *bound, *output, now);
        self.gateway.uncounted.keep(self.org.id(), text.body.len(), reserve, input)
    }

    /// Has the grant in the journal before any provider hears of the request.
    fn write_grant(&self, subject: &Subject, mut hold: Hold, input: &InputTokens, output: u64) -> Result<Hold, AdmitFault> {
        let demand = Demand { request: subject.request, input: input.reserved(), output };
        let model = &subject.model.model;
        let facts = GrantFacts {
            key: subject.key.id(),
            arrived: subject.arrived.wall,
            plan: subject.plan.as_str(),
            model: model.id.as_str(),
            category: model.size_category(),
            pool: &subject.pool,
            endpoint: subject.endpoint,
            stream: subject.stream,
            input_price: model.input_price,
            output_price: model.output_price,
        };
        match self.pools.with(|pools| self.gateway.store.pools().write_grant(pools, demand, &mut hold, facts)) {
            Ok(()) => Ok(hold),
            Err(_) => {
                hold.end(End::AllBack, self.gateway.clock.now().mono_us);
                Err(AdmitFault::JournalRefuses)
            }
        }
    }

    fn reserve(&self, subject: &Subject, input: u64, output: u64, now: Now) -> Result<Hold, Box<Refused>> {
        let demand = Demand { request: subject.request, input, output };
        let common = self.pools.common.as_deref();
        self.pools.with(|pools| self.gateway.store.pools().reserve(self.org, pools, common, demand, now.mono_us))
    }
}

fn is_about_tokens(refused: &Refused) -> bool {
    refused.blocked.iter().any(|blocked| blocked.kind == Kind::Tokens)
}
