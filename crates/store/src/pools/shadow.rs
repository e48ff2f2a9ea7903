//! Limits that only record: what they would have refused. Nothing is decided by it.

use domain::PoolLimits;
use limits::Retry;

use super::{BlockedLimit, Demand, Pools, ask_of, key_of};
use crate::{OrgEntry, caps};

impl Pools {
    /// Of the limits of `pools` that only record, those without room for the demand now. To be asked before it is reserved.
    pub fn shadowed(&self, org: &OrgEntry, pools: &[&PoolLimits], demand: Demand, now_us: u64) -> Vec<BlockedLimit> {
        let mut blocked = Vec::new();
        if pools.iter().all(|pool| pool.enforce) {
            return blocked;
        }
        org.ledger().with(|ledger| {
            for pool in pools.iter().filter(|pool| !pool.enforce) {
                for limit in &pool.limits {
                    let status = ledger.status(key_of(pool, limit), caps::SHADOW_N, now_us);
                    let ask = ask_of(pool, limit, demand);
                    let requested = ask.log.saturating_add(ask.hold);
                    if status.used.saturating_add(status.held).saturating_add(requested) > limit.n {
                        blocked.push(BlockedLimit {
                            pool: pool.name.text(),
                            source: pool.source,
                            kind: limit.kind,
                            window_us: limit.window_us,
                            n: limit.n,
                            used: status.used,
                            held: status.held,
                            waiting: status.waiting,
                            requested,
                            retry: Retry::Never,
                        });
                    }
                }
            }
        });
        blocked
    }
}
