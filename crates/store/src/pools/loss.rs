//! After a loss of power nobody knows what the last moments used: until windows have passed since, pools count as full.
//! It knows no journal.

use domain::{Kind, PoolLimit, PoolLimits};
use limits::Retry;

use super::{BlockedLimit, Demand, Refused, ask_of};
use crate::caps;

/// Limits whose windows are so short that they wait until everything unknown has passed. Longer ones were filled instead.
pub(crate) fn waits_for_loss(limit: &PoolLimit) -> bool {
    limit.kind != Kind::Concurrent && limit.window_us <= caps::LOSS_WINDOW_US
}

/// What a long limit may have used in moments that nobody knows: what the shortest window of its pool and kind lets through, or all.
pub(crate) fn unknown_use(pool: &PoolLimits, limit: &PoolLimit) -> u64 {
    let short = pool.limits.iter().filter(|other| other.kind == limit.kind && waits_for_loss(other)).map(|other| other.n).min();
    short.map_or(limit.n, |n| n.min(limit.n))
}

/// Until when a limit counts as full, since something before `loss_at` is missing; `None`: it doesn't.
pub(super) fn full_until(limit: &PoolLimit, loss_at: Option<u64>, now_us: u64) -> Option<u64> {
    let until = loss_at?.saturating_add(limit.window_us);
    (waits_for_loss(limit) && now_us < until).then_some(until)
}

/// How such a limit looks to people: everything is used that nothing else holds.
pub(super) fn as_full(status: &limits::Status, n: u64, until: u64) -> limits::Status {
    limits::Status {
        used: status.used.max(n.saturating_sub(status.held)),
        free: 0,
        resets_at: status.resets_at.max(Some(until)),
        ..*status
    }
}

/// The refusal of a request whose limits are not known to have room, since something before `loss_at` is missing.
pub(super) fn refusal(pools: &[&PoolLimits], demand: Demand, loss_at: u64, now_us: u64) -> Option<Box<Refused>> {
    if now_us >= loss_at.saturating_add(caps::LOSS_WINDOW_US) {
        return None;
    }
    let mut blocked = Vec::new();
    for pool in pools.iter().filter(|pool| pool.enforce) {
        for limit in pool.limits.iter() {
            let ask = ask_of(pool, limit, demand);
            if let Some(at) = full_until(limit, Some(loss_at), now_us) {
                blocked.push(BlockedLimit {
                    pool: pool.name.text(),
                    source: pool.source,
                    kind: limit.kind,
                    window_us: limit.window_us,
                    n: limit.n,
                    used: limit.n,
                    held: 0,
                    waiting: 0,
                    requested: ask.log.saturating_add(ask.hold),
                    retry: Retry::At { at, estimate: false },
                });
            }
        }
    }
    blocked.sort_by_key(|blocked| std::cmp::Reverse(blocked.window_us));
    let retry = blocked.first()?.retry;
    Some(Box::new(Refused { blocked, retry }))
}
