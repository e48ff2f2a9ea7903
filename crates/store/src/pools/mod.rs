//! Pools: from what an organisation is entitled to, to the asks of its ledger. The one seam between admission and
//! where the ledgers live. It knows no plans, no HTTP, and no tokens of text.

mod common;
mod dump;
mod grant;
mod hold;
pub(crate) mod loss;
mod shadow;
mod standing;
mod views;

use std::sync::Arc;

use domain::{Catalogue, Kind, Now, PlanId, PoolLimit, PoolLimits, PoolView, RequestId, Source, UnixMicros};
use limits::{Ask, LimitKey, Refusal, Retry};

use crate::journal::Journal;
use crate::{Directory, OrgEntry, caps};

pub use common::CommonPool;
pub(crate) use common::{CAPS as COMMON_CAPS, COMMON};
pub use hold::{End, Hold};
pub use standing::{Standing, least_left};

/// Reserves in, and shows, the pools of organisations. Cheap to clone.
#[derive(Clone)]
pub struct Pools {
    directory: Arc<Directory>,
    journal: Arc<Journal>,
    /// Something that happened before this steady time is missing.
    loss_at: Option<u64>,
    /// What organisations on one plan share.
    common: Option<Arc<CommonPool>>,
}

/// Whose limits have no room.
enum Refuses {
    Own(Refusal),
    Common(Box<Refused>),
}

impl From<Refusal> for Refuses {
    fn from(refusal: Refusal) -> Self {
        Self::Own(refusal)
    }
}

/// What a request asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Its id: asked twice while it lives, it acts once.
    pub request: RequestId,
    /// Input tokens, counted or at their bound.
    pub input: u64,
    /// Output tokens to hold.
    pub output: u64,
}

/// A limit that has no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedLimit {
    /// The pool's name.
    pub pool: Arc<str>,
    /// Where its limits come from.
    pub source: Source,
    /// What the limit counts.
    pub kind: Kind,
    /// Its window in microseconds; 0 for `Concurrent`.
    pub window_us: u64,
    /// How many units it has.
    pub n: u64,
    /// Units logged in the window.
    pub used: u64,
    /// Units held.
    pub held: u64,
    /// Units that wait for room before this request.
    pub waiting: u64,
    /// Units this request asks.
    pub requested: u64,
    /// When it has room, in microseconds of the steady clock.
    pub retry: Retry,
}

/// No room. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The limits without room, the one that opens last first. Empty: the organisation has reached a bound of its ledger
    /// (1,000 limits, 10,000 requests in progress), not a limit.
    pub blocked: Vec<BlockedLimit>,
    /// When all of them have room.
    pub retry: Retry,
}

const NO_ASK: Ask = Ask { key: LimitKey { pool: 0, kind: limits::Kind::Requests, window_us: 0 }, n: 0, log: 0, hold: 0 };

impl Pools {
    pub(crate) fn new(directory: Arc<Directory>, journal: Arc<Journal>, loss_at: Option<u64>, common: Option<Arc<CommonPool>>) -> Self {
        Self { directory, journal, loss_at, common }
    }

    /// The pool that organisations share whose plan in force this is.
    pub fn common_of(&self, plan: &PlanId) -> Option<&Arc<CommonPool>> {
        self.common.as_ref().filter(|common| common.is_of(plan.as_str()))
    }

    /// How the pool stands that organisations share; `None`: there is none.
    pub fn common_view(&self, now: Now) -> Option<PoolView> {
        self.common.as_ref().map(|common| common.view(self.loss_at, now))
    }

    /// Reserves the demand on every limit of `pools` in one step: the pool of the plan's or custom row, and the key's own; and in the one that
    /// is shared, for whoever shares it. Before any byte goes to a provider, [`Pools::write_grant`] must have written it down. Pools that don't enforce are counted as if they had room for everything.
    ///
    /// # Errors
    /// `Refused` when an enforced limit has no room.
    pub fn reserve(
        &self,
        org: &OrgEntry,
        pools: &[&PoolLimits],
        common: Option<&CommonPool>,
        demand: Demand,
        now_us: u64,
    ) -> Result<Hold, Box<Refused>> {
        if let Some(refused) = self.loss_at.and_then(|at| loss::refusal(pools, demand, at, now_us)) {
            return Err(refused);
        }
        let mut inline = [NO_ASK; caps::INLINE_ASKS];
        let mut spilled = Vec::new();
        let asks = asks_of(pools, demand, &mut inline, &mut spilled);
        let also = || common.map(|common| common.reserve(demand, self.loss_at, now_us)).transpose().map_err(Refuses::Common);
        let taken = org.ledger().reserve_and(demand.request.bits(), asks, now_us, also);
        let (guard, shared) = taken.map_err(|refuses| match refuses {
            Refuses::Common(refused) => refused,
            Refuses::Own(refusal) => {
                let refused = Box::new(explain(pools, &refusal));
                match common.and_then(|common| common.look(demand, self.loss_at, now_us).err()) {
                    Some(other) => refused.and(other),
                    None => refused,
                }
            }
        })?;
        Ok(Hold::new(guard, shared, org.id(), demand.request))
    }

    /// Puts the limits' present numbers in force in the organisation's ledger, for what is in progress there.
    pub(crate) fn adopt(&self, org: &OrgEntry, catalogue: &Catalogue, now: UnixMicros) {
        let Some(ledger) = org.ledger_if_any() else { return };
        let state = org.state();
        let pools = catalogue.pools(&state.effective_plan, &state.custom_pools, now);
        ledger.with(|ledger| {
            for pool in &pools {
                for limit in &pool.limits {
                    ledger.set_n(key_of(pool, limit), n_of(pool, limit));
                }
            }
        });
    }

    /// The same for all organisations.
    pub(crate) fn adopt_all(&self, catalogue: &Catalogue, now: UnixMicros) {
        self.directory.for_each_org(|org| self.adopt(org, catalogue, now));
    }

    /// Lets go of what windows have left behind; returns how many organisations have anything used, held or owed.
    /// To be called about once a minute.
    pub fn sweep(&self, now_us: u64) -> usize {
        let mut active = 0;
        self.directory.for_each_org(|org| {
            if let Some(ledger) = org.ledger_if_any() {
                active += usize::from(!ledger.with(|ledger| ledger.is_empty(now_us)));
            }
        });
        if let Some(common) = &self.common {
            common.ledger().with(|ledger| ledger.is_empty(now_us));
        }
        active
    }
}

/// The asks in `inline` where they have room there, else in `spilled`.
fn asks_of<'a>(pools: &[&PoolLimits], demand: Demand, inline: &'a mut [Ask; caps::INLINE_ASKS], spilled: &'a mut Vec<Ask>) -> &'a [Ask] {
    let asks = || pools.iter().flat_map(|pool| pool.limits.iter().map(|limit| ask_of(pool, limit, demand)));
    let count = pools.iter().map(|pool| pool.limits.len()).sum();
    if let Some(asked) = inline.get_mut(..count) {
        asked.iter_mut().zip(asks()).for_each(|(place, ask)| *place = ask);
        asked
    } else {
        spilled.extend(asks());
        spilled
    }
}

fn ask_of(pool: &PoolLimits, limit: &PoolLimit, demand: Demand) -> Ask {
    let (log, hold) = match limit.kind {
        Kind::Requests => (1, 0),
        Kind::Tokens => (demand.input, demand.output),
        Kind::Concurrent => (0, 1),
    };
    Ask { key: key_of(pool, limit), n: n_of(pool, limit), log, hold }
}

pub(crate) fn key_of(pool: &PoolLimits, limit: &PoolLimit) -> LimitKey {
    let kind = match limit.kind {
        Kind::Requests => limits::Kind::Requests,
        Kind::Tokens => limits::Kind::Tokens,
        Kind::Concurrent => limits::Kind::Concurrent,
    };
    LimitKey { pool: pool.id.0, kind, window_us: limit.window_us }
}

/// A pool that only records is told apart from others by a number that is never reached.
fn n_of(pool: &PoolLimits, limit: &PoolLimit) -> u64 {
    if pool.enforce { limit.n } else { caps::SHADOW_N }
}

fn explain(pools: &[&PoolLimits], refusal: &Refusal) -> Refused {
    let limit_at = |ask| pools.iter().flat_map(|pool| pool.limits.iter().map(move |limit| (pool, limit))).nth(ask);
    let blocked = refusal.blocked.iter().filter_map(|b| {
        let (pool, limit) = limit_at(b.ask)?;
        Some(BlockedLimit {
            pool: pool.name.text(),
            source: pool.source,
            kind: limit.kind,
            window_us: limit.window_us,
            n: b.n,
            used: b.used,
            held: b.held,
            waiting: b.waiting,
            requested: b.requested,
            retry: b.retry,
        })
    });
    Refused { blocked: blocked.collect(), retry: refusal.retry }
}
