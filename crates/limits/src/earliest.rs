//! The answer to a request that doesn't fit: which limits refused, and the earliest time at which each would not.
//! It changes nothing.

use crate::key::{Ask, Micros};
use crate::ledger::{Ledger, Wants};
use crate::limit::Limit;
use crate::queue::{Item, Queue};
use crate::refusal::{Blocked, Refusal, Retry};

impl Ledger {
    /// The refusal of a request that was found not to fit.
    pub(crate) fn refusal(&self, asks: &[Ask], wants: Wants, places: &[u16], now: Micros) -> Refusal {
        let mut blocked = Vec::new();
        for place in places {
            let limit = &self.limits[*place];
            let requested = wants.total(limit.key.kind);
            if limit.fits(requested) {
                continue;
            }
            let Some(ask) = asks.iter().position(|ask| ask.key == limit.key) else { continue };
            let (used, held, waiting, n) = (limit.used(), limit.held, limit.waiting(), limit.n);
            let retry = self.earliest(*place, requested, places, now);
            blocked.push(Blocked { ask, used, held, waiting, n, requested, retry });
        }
        blocked.sort_by_key(|blocked| std::cmp::Reverse(blocked.retry.time()));
        let estimate = blocked.iter().any(|blocked| blocked.retry.is_estimate());
        let retry = match blocked.first().map(|first| first.retry) {
            Some(Retry::At { at, .. }) => Retry::At { at, estimate },
            Some(Retry::Never) => Retry::Never,
            None => Retry::At { at: now.saturating_add(self.caps.estimate_min_us), estimate: true },
        };
        Refusal { blocked, retry }
    }

    /// When this limit would let `requested` pass, if nothing else happens.
    fn earliest(&self, place: u16, requested: u64, places: &[u16], now: Micros) -> Retry {
        let limit = &self.limits[place];
        if requested > limit.n {
            return Retry::Never;
        }
        let foreseen = self.waiters_are_foreseen(limit, places);
        let waiting = if foreseen { self.served_first(limit) } else { limit.waiting() };
        let sum = [limit.used(), limit.held, waiting, requested].into_iter().map(u128::from).sum::<u128>();
        let need = sum.saturating_sub(u128::from(limit.n));
        let expires = u64::try_from(need).ok().filter(|need| *need <= limit.used());
        match expires {
            // There is room; what waits, waits for room of other limits, which this request asks too.
            Some(0) if foreseen => Retry::At { at: now.saturating_add(1), estimate: false },
            Some(0) => self.when_front_is_served(limit, now).unwrap_or_else(|| self.guess(place, now)),
            Some(need) => match limit.expired_at(need) {
                Some(at) => Retry::At { at: at.max(now.saturating_add(1)), estimate: !foreseen },
                None => self.guess(place, now),
            },
            None if need > u128::from(limit.used()) + u128::from(limit.held) => {
                Retry::At { at: now.saturating_add(self.longest_wait(limit)), estimate: true }
            }
            None => self.guess(place, now),
        }
    }

    /// Whether what becomes of those who wait here follows from the limits of this request alone: then the time announced is exact.
    fn waiters_are_foreseen(&self, limit: &Limit, places: &[u16]) -> bool {
        let Some(queue) = limit.queue() else { return true };
        let mut looked = 0;
        queue.iter().all(|item| match item {
            Item::Debt(_) => true,
            Item::Waiter(slot) => {
                looked += 1;
                looked <= self.caps.exact_waiters && self.waits_only_on(slot, places)
            }
        })
    }

    /// What goes to those who wait before anybody new: less than they want, where that is more than a limit ever lets through.
    fn served_first(&self, limit: &Limit) -> u64 {
        let of = |item| match item {
            Item::Debt(debt) => debt,
            Item::Waiter(slot) => self.holds.get(slot).map_or(0, |hold| self.least(slot, hold.wanted)),
        };
        limit.queue().into_iter().flat_map(Queue::iter).map(of).fold(0, u64::saturating_add)
    }

    fn waits_only_on(&self, slot: u32, places: &[u16]) -> bool {
        let Some(hold) = self.holds.get(slot) else { return false };
        hold.places.as_slice().iter().all(|place| {
            let limit = &self.limits[*place];
            limit.key.kind != crate::Kind::Tokens || (limit.pauses(self.caps) && places.contains(place))
        })
    }

    /// Blocked by holds: the median remaining life of those of this limit, within bounds.
    fn guess(&self, place: u16, now: Micros) -> Retry {
        let limit = &self.limits[place];
        let life = limit.lives.median().unwrap_or(self.caps.assumed_life_us);
        let of_limit = self.holds.sample(self.caps.sample).filter(|hold| hold.places.as_slice().contains(&place));
        let mut remaining: Vec<Micros> = of_limit.map(|hold| life.saturating_sub(now - hold.at)).collect();
        remaining.sort_unstable();
        let median = remaining.get(remaining.len() / 2).copied().unwrap_or(0);
        self.estimate(limit, median, now)
    }

    /// There is room, but somebody waits for room of a limit that this request doesn't ask: when that may be.
    fn when_front_is_served(&self, limit: &Limit, now: Micros) -> Option<Retry> {
        let Item::Waiter(slot) = limit.front()? else { return None };
        self.served_at(slot).map(|at| self.estimate(limit, at.saturating_sub(now), now))
    }

    fn estimate(&self, limit: &Limit, wait: Micros, now: Micros) -> Retry {
        let wait = wait.max(self.caps.estimate_min_us).min(self.longest_wait(limit)).max(1);
        Retry::At { at: now.saturating_add(wait), estimate: true }
    }

    fn longest_wait(&self, limit: &Limit) -> Micros {
        if limit.key.window_us == 0 { self.caps.concurrent_wait_us } else { limit.key.window_us }
    }
}
