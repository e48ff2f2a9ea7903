//! What the pools of an organisation look like to people: `/v1/limits` and the control API's limits.

use std::sync::Arc;

use domain::{Now, PoolLimits, PoolView};
use limits::SharedLedger;

use super::{Pools, key_of, loss, n_of};
use crate::{KeyEntry, OrgEntry};

impl Pools {
    /// Every limit of every pool of the organisation, untouched ones included: the plan's and the custom ones, then the
    /// keys' own, of keys that are neither revoked nor expired.
    pub fn views(&self, org: &OrgEntry, now: Now) -> Vec<PoolView> {
        let mut pools = self.pools_of(org, now);
        let own = self.directory.limited_keys(org).into_iter().filter(|key| key.is_valid_at(now.wall));
        pools.extend(own.filter_map(|key| key.pool()).map(Arc::new));
        view(org.ledger_if_any(), &pools, self.loss_at, now)
    }

    /// What concerns one caller: the organisation's pools, then the key's own.
    pub fn views_of_key(&self, key: &KeyEntry, now: Now) -> Vec<PoolView> {
        let mut pools = self.pools_of(key.org(), now);
        pools.extend(key.pool().map(Arc::new));
        view(key.org().ledger_if_any(), &pools, self.loss_at, now)
    }

    fn pools_of(&self, org: &OrgEntry, now: Now) -> Vec<Arc<PoolLimits>> {
        let state = org.state();
        self.directory.catalogue().pools(&state.effective_plan, &state.custom_pools, now.wall)
    }
}

/// Doesn't make a ledger where there is none.
pub(super) fn view(ledger: Option<&SharedLedger>, pools: &[Arc<PoolLimits>], loss_at: Option<u64>, now: Now) -> Vec<PoolView> {
    let limits = || pools.iter().flat_map(|pool| pool.limits.iter().map(move |limit| (pool, limit)));
    let untouched = || limits().map(|_| limits::Status::default()).collect::<Vec<_>>();
    let statuses = ledger.map_or_else(untouched, |ledger| {
        ledger.with(|ledger| limits().map(|(pool, limit)| ledger.status(key_of(pool, limit), n_of(pool, limit), now.mono_us)).collect())
    });
    let views = limits().zip(statuses).map(|((pool, limit), status)| {
        let full_until = loss::full_until(limit, loss_at.filter(|_| pool.enforce), now.mono_us);
        let status = full_until.map_or(status, |until| loss::as_full(&status, limit.n, until));
        PoolView {
            pool: pool.name.text(),
            kind: limit.kind,
            window_seconds: (limit.window_us > 0).then_some(limit.window_us as f64 / 1e6),
            limit: limit.n,
            used: status.used,
            held: status.held,
            remaining: remaining(limit.n, &status),
            resets_at: status.resets_at.map(|at| now.wall_at(at)),
            source: pool.source,
            enforce: pool.enforce,
        }
    });
    views.collect()
}

fn remaining(n: u64, status: &limits::Status) -> u64 {
    n.saturating_sub(status.used).saturating_sub(status.held).saturating_sub(status.waiting)
}
