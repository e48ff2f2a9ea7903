//! The pool that all organisations on the plan of whoever signs up share: a bound on what is given away. One of them hears of the others
//! that it is full and until when, and nothing else. It knows nobody's own limits.

use std::sync::Arc;

use domain::{Kind, Now, OrgId, PlanId, PoolLimit, PoolLimits, PoolView};
use limits::{Ask, Caps, HoldGuard, Retry, SharedLedger};

use super::{BlockedLimit, Demand, Refused, key_of, loss};
use crate::caps;

/// Whose ledger the journal takes it for: an id that is never made.
pub(crate) const COMMON: OrgId = OrgId::from_bits(0);

/// The bounds of its ledger: that of many organisations.
pub(crate) static CAPS: Caps =
    Caps { holds: caps::COMMON_HOLDS, log_minute: caps::COMMON_LOG, log_long: caps::COMMON_LOG, ..Caps::DEFAULT };

/// The name of a hold that nobody keeps.
const LOOK: u128 = u128::MAX;

/// A pool of tokens that organisations share.
#[derive(Debug)]
pub struct CommonPool {
    plan: PlanId,
    limits: PoolLimits,
    limit: PoolLimit,
    ledger: SharedLedger,
}

impl CommonPool {
    /// `tpm` tokens in any window for all organisations on `plan` together.
    pub(crate) fn new(plan: PlanId, tpm: u64, window_us: u64) -> Self {
        let limit = PoolLimit { kind: Kind::Tokens, window_us, n: tpm };
        let limits = PoolLimits::of_sign_up(&plan, limit);
        Self { plan, limits, limit, ledger: SharedLedger::with_caps(&CAPS) }
    }

    /// Whether organisations on this plan share it.
    pub fn is_of(&self, plan: &str) -> bool {
        self.plan.as_str() == plan
    }

    /// The pool as one of a request's.
    pub fn limits(&self) -> &PoolLimits {
        &self.limits
    }

    pub(crate) fn limit(&self) -> &PoolLimit {
        &self.limit
    }

    pub(crate) fn ledger(&self) -> &SharedLedger {
        &self.ledger
    }

    pub(crate) fn ask(&self, input: u64, output: u64) -> Ask {
        Ask { key: key_of(&self.limits, &self.limit), n: self.limit.n, log: input, hold: output }
    }

    pub(super) fn reserve(&self, demand: Demand, loss_at: Option<u64>, now_us: u64) -> Result<HoldGuard, Box<Refused>> {
        self.known(demand, loss_at, now_us)?;
        let taken = self.ledger.reserve(demand.request.bits(), &[self.ask(demand.input, demand.output)], now_us);
        taken.map_err(|refusal| self.refused(demand, &refusal))
    }

    /// Whether it would refuse this; nothing is taken.
    pub(super) fn look(&self, demand: Demand, loss_at: Option<u64>, now_us: u64) -> Result<(), Box<Refused>> {
        self.known(demand, loss_at, now_us)?;
        let asks = [self.ask(demand.input, demand.output)];
        let looked = self.ledger.with(|ledger| ledger.reserve(LOOK, &asks, now_us).map(|hold| ledger.refund_all(hold, now_us)));
        looked.map_err(|refusal| self.refused(demand, &refusal))
    }

    /// Refuses while it isn't known what it has let through.
    fn known(&self, demand: Demand, loss_at: Option<u64>, now_us: u64) -> Result<(), Box<Refused>> {
        let Some(at) = loss::full_until(&self.limit, loss_at, now_us) else { return Ok(()) };
        let retry = Retry::At { at, estimate: false };
        Err(Box::new(Refused { blocked: vec![self.blocked(demand, retry)], retry }))
    }

    fn refused(&self, demand: Demand, refusal: &limits::Refusal) -> Box<Refused> {
        let blocked = refusal.blocked.iter().map(|blocked| self.blocked(demand, blocked.retry)).collect();
        Box::new(Refused { blocked, retry: refusal.retry })
    }

    /// It is full, as far as anybody is told: what others use and hold is their own business.
    fn blocked(&self, demand: Demand, retry: Retry) -> BlockedLimit {
        let PoolLimit { kind, window_us, n } = self.limit;
        let requested = demand.input.saturating_add(demand.output);
        let (pool, source) = (self.limits.name.text(), self.limits.source);
        BlockedLimit { pool, source, kind, window_us, n, used: n, held: 0, waiting: 0, requested, retry }
    }

    /// How it stands, for the operator.
    pub(super) fn view(&self, loss_at: Option<u64>, now: Now) -> PoolView {
        let limits = [Arc::new(self.limits.clone())];
        let mut views = super::views::view(Some(&self.ledger), &limits, loss_at, now);
        views.swap_remove(0)
    }
}

impl Refused {
    /// This refusal and one of other limits: whoever comes back when both have room isn't refused again.
    pub(super) fn and(mut self: Box<Self>, mut other: Box<Self>) -> Box<Self> {
        if opens(other.retry) > opens(self.retry) {
            std::mem::swap(&mut self, &mut other);
        }
        self.blocked.append(&mut other.blocked);
        self
    }
}

fn opens(retry: Retry) -> u64 {
    match retry {
        Retry::At { at, .. } => at,
        Retry::Never => u64::MAX,
    }
}

#[cfg(test)]
mod tests;
