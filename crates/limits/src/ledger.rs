//! All limits of one organisation, decided as one step.
//! First landing: right for requests, holds and charges; waiters and debt follow.

use std::collections::{BTreeMap, VecDeque};

use crate::key::{Ask, Kind, LimitKey, Micros};
use crate::refusal::{Blocked, Refusal, Retry};
use crate::status::{Extend, Status};

/// Names a hold. One that has ended is harmless: whatever is asked of it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldId {
    index: u64,
}

#[derive(Clone, Debug, Default)]
struct Limit {
    n: u64,
    log: VecDeque<(Micros, u64)>,
    held: u64,
}

impl Limit {
    fn expire(&mut self, window: Micros, now: Micros) {
        while self.log.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= window) {
            self.log.pop_front();
        }
    }
    fn used(&self) -> u64 {
        self.log.iter().map(|(_, amount)| amount).sum()
    }
}

#[derive(Clone, Debug)]
struct Hold {
    request: u128,
    at: Micros,
    keys: Vec<LimitKey>,
    input: u64,
    output: u64,
    left: u64,
}

/// All limits of one organisation.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    now: Micros,
    next: u64,
    limits: BTreeMap<LimitKey, Limit>,
    holds: BTreeMap<u64, Hold>,
}

impl Ledger {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn enter(&mut self, now: Micros) -> Micros {
        self.now = self.now.max(now);
        for (key, limit) in &mut self.limits {
            limit.expire(key.window_us, self.now);
        }
        self.now
    }

    /// Admits the request on all its limits, or changes nothing. The same live `request` again returns the same hold.
    ///
    /// # Errors
    /// A [`Refusal`] when a limit has no room.
    pub fn reserve(&mut self, request: u128, asks: &[Ask], now: Micros) -> Result<HoldId, Refusal> {
        let now = self.enter(now);
        if let Some((index, _)) = self.holds.iter().find(|(_, hold)| hold.request == request) {
            return Ok(HoldId { index: *index });
        }
        let mut blocked = Vec::new();
        for (index, ask) in asks.iter().enumerate() {
            let limit = self.limits.entry(ask.key).or_default();
            limit.n = ask.n;
            let (used, held, requested) = (limit.used(), limit.held, ask.log + ask.hold);
            if used + held + requested <= ask.n {
                continue;
            }
            let need = used + held + requested - ask.n.min(used + held + requested);
            let mut sum = 0;
            let first = limit.log.iter().find(|(_, amount)| {
                sum += amount;
                sum >= need
            });
            let retry = match first {
                _ if requested > ask.n => Retry::Never,
                Some((at, _)) => Retry::At { at: at + ask.key.window_us, estimate: false },
                None => Retry::At { at: now + 1_000_000, estimate: true },
            };
            blocked.push(Blocked { ask: index, used, held, waiting: 0, n: ask.n, requested, retry });
        }
        if !blocked.is_empty() {
            blocked.sort_by_key(|blocked| match blocked.retry {
                Retry::Never => std::cmp::Reverse(Micros::MAX),
                Retry::At { at, .. } => std::cmp::Reverse(at),
            });
            let retry = blocked.first().map_or(Retry::Never, |first| first.retry);
            return Err(Refusal { blocked, retry });
        }
        let mut hold = Hold { request, at: now, keys: Vec::new(), input: 0, output: 0, left: 0 };
        for ask in asks {
            let limit = self.limits.entry(ask.key).or_default();
            hold.keys.push(ask.key);
            match ask.key.kind {
                Kind::Requests => limit.log.push_back((now, ask.log)),
                Kind::Tokens => {
                    limit.log.push_back((now, ask.log));
                    limit.held += ask.hold;
                    (hold.input, hold.left) = (ask.log, ask.hold);
                }
                Kind::Concurrent => limit.held += ask.hold,
            }
        }
        self.next += 1;
        self.holds.insert(self.next, hold);
        Ok(HoldId { index: self.next })
    }

    fn tokens(&mut self, keys: &[LimitKey], mut each: impl FnMut(&mut Limit)) {
        for key in keys.iter().filter(|key| key.kind == Kind::Tokens) {
            each(self.limits.entry(*key).or_default());
        }
    }

    /// Sets what the input really was.
    pub fn input(&mut self, hold: HoldId, exact: u64, now: Micros) {
        let now = self.enter(now);
        let Some(mut entry) = self.holds.remove(&hold.index) else { return };
        let (before, at) = (entry.input, entry.at);
        entry.input = exact;
        if exact < before {
            self.tokens(&entry.keys, |limit| {
                if let Some(logged) = limit.log.iter_mut().find(|logged| logged.0 == at) {
                    logged.1 = logged.1.saturating_sub(before - exact);
                }
            });
        } else {
            let taken = entry.left.min(exact - before);
            entry.left -= taken;
            self.tokens(&entry.keys, |limit| {
                limit.held = limit.held.saturating_sub(taken);
                limit.log.push_back((now, exact - before));
            });
        }
        self.holds.insert(hold.index, entry);
    }

    /// Charges the output so far, all in all; returns what became debt.
    pub fn charge(&mut self, hold: HoldId, total_output: u64, now: Micros) -> u64 {
        let now = self.enter(now);
        let Some(mut entry) = self.holds.remove(&hold.index) else { return 0 };
        let due = total_output.saturating_sub(entry.output);
        let taken = entry.left.min(due);
        entry.left -= taken;
        entry.output += due;
        self.tokens(&entry.keys, |limit| {
            limit.held = limit.held.saturating_sub(taken);
            limit.log.push_back((now, due));
        });
        self.holds.insert(hold.index, entry);
        due - taken
    }

    /// Wants more hold.
    pub fn extend(&mut self, hold: HoldId, want: u64, now: Micros) -> Extend {
        self.enter(now);
        let Some(mut entry) = self.holds.remove(&hold.index) else { return Extend::Granted(0) };
        let mut free = want;
        self.tokens(&entry.keys, |limit| free = free.min(limit.n.saturating_sub(limit.used() + limit.held)));
        self.tokens(&entry.keys, |limit| limit.held += free);
        entry.left += free;
        self.holds.insert(hold.index, entry);
        if free == 0 && want > 0 { Extend::Waiting } else { Extend::Granted(free) }
    }

    fn end(&mut self, hold: HoldId, now: Micros, requests_back: bool, tokens_back: bool, charge: bool) {
        let now = self.enter(now);
        let Some(entry) = self.holds.remove(&hold.index) else { return };
        for key in &entry.keys {
            let limit = self.limits.entry(*key).or_default();
            let logged = match key.kind {
                Kind::Requests if requests_back => 1,
                Kind::Tokens if tokens_back => entry.input,
                Kind::Requests | Kind::Tokens | Kind::Concurrent => 0,
            };
            if let Some(found) = limit.log.iter_mut().find(|found| found.0 == entry.at) {
                found.1 = found.1.saturating_sub(logged);
            }
            match key.kind {
                Kind::Requests => {}
                Kind::Tokens => {
                    limit.held = limit.held.saturating_sub(entry.left);
                    if charge {
                        limit.log.push_back((now, entry.left));
                    }
                }
                Kind::Concurrent => limit.held = limit.held.saturating_sub(1),
            }
        }
    }

    /// Settled: the rest of the hold goes back.
    pub fn release(&mut self, hold: HoldId, now: Micros) {
        self.end(hold, now, false, false, false);
    }

    /// Its owner is gone: the rest of the token hold is charged.
    pub fn lapse(&mut self, hold: HoldId, now: Micros) {
        self.end(hold, now, false, false, true);
    }

    /// Keeps its one request; all tokens back.
    pub fn refund_tokens(&mut self, hold: HoldId, now: Micros) {
        self.end(hold, now, false, true, false);
    }

    /// Request and tokens back.
    pub fn refund_all(&mut self, hold: HoldId, now: Micros) {
        self.end(hold, now, true, true, false);
    }

    /// Changes a limit outside a request.
    pub fn set_n(&mut self, key: LimitKey, n: u64) {
        if let Some(limit) = self.limits.get_mut(&key) {
            limit.n = n;
        }
    }

    /// One limit now.
    pub fn status(&mut self, key: LimitKey, n: u64, now: Micros) -> Status {
        self.enter(now);
        let Some(limit) = self.limits.get_mut(&key) else { return Status { free: n, ..Status::default() } };
        limit.n = n;
        let (used, held) = (limit.used(), limit.held);
        let last = limit.log.iter().rev().find(|(_, amount)| *amount > 0);
        let resets_at = last.map(|(at, _)| at + key.window_us);
        Status { used, held, waiting: 0, debt: 0, free: n.saturating_sub(used + held), resets_at }
    }

    /// Lets time pass; when something would next change for those who wait.
    pub fn advance(&mut self, now: Micros) -> Option<Micros> {
        self.enter(now);
        None
    }

    /// Nothing used, held or owed.
    pub fn is_empty(&mut self, now: Micros) -> bool {
        self.enter(now);
        self.limits.retain(|_, limit| !limit.log.is_empty() || limit.held > 0);
        self.limits.is_empty() && self.holds.is_empty()
    }

    /// What a hold has left; none when it has ended.
    #[must_use]
    pub fn hold_left(&self, hold: HoldId) -> Option<u64> {
        self.holds.get(&hold.index).map(|hold| hold.left)
    }
}
