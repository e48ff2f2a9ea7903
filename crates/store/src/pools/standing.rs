//! How a request's limits stand, for the headers of its answer. What the headers are called is the gateway's matter.

use domain::{Kind, PoolLimits, Source};

use super::{Pools, key_of, loss};
use crate::OrgEntry;

/// One enforced limit at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which of the pools that were asked about.
    pub pool: usize,
    /// Where its limits come from.
    pub source: Source,
    /// What it counts.
    pub kind: Kind,
    /// Its window in microseconds; 0 for `Concurrent`.
    pub window_us: u64,
    /// How many units it has.
    pub n: u64,
    /// Units logged in the window.
    pub used: u64,
    /// Units held.
    pub held: u64,
    /// Units that may be asked now.
    pub remaining: u64,
    /// When `used` reaches 0 if nothing more happens, in microseconds of the steady clock; `None` where it is 0.
    pub resets_at: Option<u64>,
}

impl Pools {
    /// Appends how every enforced limit of `pools` stands to `into`.
    pub fn standing(&self, org: &OrgEntry, pools: &[&PoolLimits], now_us: u64, into: &mut Vec<Standing>) {
        org.ledger().with(|ledger| {
            for (index, pool) in pools.iter().enumerate().filter(|(_, pool)| pool.enforce) {
                into.extend(pool.limits.iter().map(|limit| {
                    let mut status = ledger.status(key_of(pool, limit), limit.n, now_us);
                    if let Some(until) = loss::full_until(limit, self.loss_at, now_us) {
                        status = loss::as_full(&status, limit.n, until);
                    }
                    Standing {
                        pool: index,
                        source: pool.source,
                        kind: limit.kind,
                        window_us: limit.window_us,
                        n: limit.n,
                        used: status.used,
                        held: status.held,
                        remaining: status.free,
                        resets_at: status.resets_at,
                    }
                }));
            }
        });
    }
}

/// Of the limits of this kind, the one with least left; of equals, the one that resets last.
pub fn least_left(standing: &[Standing], kind: Kind) -> Option<&Standing> {
    let of_kind = standing.iter().filter(|s| s.kind == kind);
    of_kind.min_by(|a, b| a.remaining.cmp(&b.remaining).then_with(|| b.resets_at.cmp(&a.resets_at)))
}
