//! The life of a hold after it was admitted: input corrected, output charged, and each way to end.
//! It admits nothing and refuses nothing; what has no room becomes debt.

use crate::caps::Caps;
use crate::hold::HoldId;
use crate::key::{Kind, Micros};
use crate::ledger::Ledger;
use crate::limit::Limit;
use crate::status::Settlement;

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Released,
    TokensBack,
    AllBack,
}

impl Ledger {
    /// Sets what the input really was, in tokens. What was counted too much is given back; what is missing is taken from the hold, then
    /// from what is free, and the rest becomes debt, which is returned (the most that any limit is owed).
    ///
    /// What was found missing once stays charged, should a still later figure be lower than the first.
    pub fn input(&mut self, hold: HoldId, exact: u64, now: Micros) -> u64 {
        let now = self.enter(now);
        let Some(slot) = self.holds.slot(hold) else { return 0 };
        let missing = self.set_input(slot, exact, now);
        let debt = self.take(slot, missing, now);
        self.pump_if_waiting(now);
        debt
    }

    /// Charges the output that was processed so far, in tokens and from the beginning, so that the same figure again charges nothing.
    /// It is covered by the hold; beyond it by what is free, and the rest becomes debt, which is returned (the most that any limit is owed).
    pub fn charge(&mut self, hold: HoldId, total_output: u64, now: Micros) -> u64 {
        let now = self.enter(now);
        let Some(slot) = self.holds.slot(hold) else { return 0 };
        let due = self.set_output(slot, total_output);
        self.take(slot, due, now)
    }

    /// [`Ledger::input`], [`Ledger::charge`] and [`Ledger::release`] as one step.
    pub fn settle(&mut self, hold: HoldId, settlement: Settlement, now: Micros) -> u64 {
        let now = self.enter(now);
        let Some(slot) = self.holds.slot(hold) else { return 0 };
        let missing = settlement.input.map_or(0, |exact| self.set_input(slot, exact, now));
        let due = self.set_output(slot, settlement.output).saturating_add(missing);
        let debt = self.take(slot, due, now);
        self.end(slot, End::Released, now);
        debt
    }

    /// Whether [`Ledger::settle`] would make no debt whatever else happens: the hold covers this output, and the input was counted.
    #[must_use]
    pub fn covers(&self, hold: HoldId, settlement: Settlement) -> bool {
        let Some(hold) = self.holds.slot(hold).and_then(|slot| self.holds.get(slot)) else { return false };
        let due = settlement.output.saturating_sub(hold.output);
        let is_counted = settlement.input.is_none_or(|exact| exact <= hold.input.saturating_add(hold.input_later));
        is_counted
            && hold
                .places
                .as_slice()
                .iter()
                .enumerate()
                .all(|(position, place)| self.limits[*place].key.kind != Kind::Tokens || hold.own(position) >= due)
    }

    /// The request has ended: what is left of its hold goes back.
    pub fn release(&mut self, hold: HoldId, now: Micros) {
        let now = self.enter(now);
        if let Some(slot) = self.holds.slot(hold) {
            self.end(slot, End::Released, now);
        }
    }

    /// Its owner is gone, and nobody knows what was relayed: all that is left of its token hold is charged, its concurrency is freed.
    pub fn lapse(&mut self, hold: HoldId, now: Micros) {
        let now = self.enter(now);
        self.lapse_now(hold, now);
    }

    /// Rejected as the client's fault: it keeps its request, and its input and hold go back. Output that was charged stays charged.
    pub fn refund_tokens(&mut self, hold: HoldId, now: Micros) {
        let now = self.enter(now);
        if let Some(slot) = self.holds.slot(hold) {
            self.end(slot, End::TokensBack, now);
        }
    }

    /// Nobody produced anything: its request, input and hold go back. Output that was charged stays charged.
    pub fn refund_all(&mut self, hold: HoldId, now: Micros) {
        let now = self.enter(now);
        if let Some(slot) = self.holds.slot(hold) {
            self.end(slot, End::AllBack, now);
        }
    }

    /// What was counted when it was admitted, its request and its input, counts from now on instead: where it counts for somebody else it
    /// has only now arrived. Nothing changes once any of it has stopped counting.
    pub fn recount(&mut self, hold: HoldId, now: Micros) {
        let now = self.enter(now);
        let Some(hold) = self.holds.slot(hold).and_then(|slot| self.holds.get_mut(slot)) else { return };
        let logs = |limit: &Limit| limit.key.kind != Kind::Concurrent;
        let has_expired = |place: &u16| logs(&self.limits[*place]) && now - hold.at >= self.limits[*place].key.window_us;
        if hold.places.as_slice().iter().any(has_expired) {
            return;
        }
        for place in hold.places.as_slice() {
            let limit = &mut self.limits[*place];
            let counted = match limit.key.kind {
                Kind::Requests => hold.requests,
                Kind::Tokens => hold.input,
                Kind::Concurrent => continue,
            };
            limit.expire(now);
            limit.refund(hold.at, counted, now);
            limit.count(counted, now, self.caps);
        }
        hold.at = now;
    }

    /// Gives back what the input was counted too high; returns what it lacks.
    fn set_input(&mut self, slot: u32, exact: u64, now: Micros) -> u64 {
        let Some(hold) = self.holds.get_mut(slot) else { return 0 };
        let counted = hold.input.saturating_add(hold.input_later);
        if exact >= counted {
            let missing = exact - counted;
            hold.input_later = hold.input_later.saturating_add(missing);
            return missing;
        }
        let excess = (counted - exact).min(hold.input);
        hold.input -= excess;
        for place in hold.places.as_slice() {
            let limit = &mut self.limits[*place];
            if limit.key.kind == Kind::Tokens {
                limit.expire(now);
                limit.refund(hold.at, excess, now);
            }
        }
        0
    }

    pub(crate) fn set_output(&mut self, slot: u32, total: u64) -> u64 {
        let Some(hold) = self.holds.get_mut(slot) else { return 0 };
        let due = total.saturating_sub(hold.output);
        hold.output += due;
        due
    }

    /// Charges tokens to every token limit of a hold: from the hold, beyond it from what is free, and the rest as debt. Returns the
    /// greatest debt that this made.
    pub(crate) fn take(&mut self, slot: u32, due: u64, now: Micros) -> u64 {
        let Some(hold) = self.holds.get_mut(slot).filter(|_| due > 0) else { return 0 };
        let covered = due.min(hold.left);
        hold.left -= covered;
        let mut most = 0;
        for position in 0..hold.places.as_slice().len() {
            let limit = &mut self.limits[hold.places.as_slice()[position]];
            if limit.key.kind != Kind::Tokens {
                continue;
            }
            limit.expire(now);
            let mut own = covered;
            if let Some(kept) = hold.own_mut(position) {
                own = covered.min(*kept);
                *kept -= own;
            }
            limit.held -= own;
            limit.count(own, now, self.caps);
            if due > own {
                let debt = Self::charge_excess(limit, due - own, now, self.caps);
                self.waits |= debt > 0;
                most = most.max(debt);
            }
        }
        most
    }

    /// Charges what no hold covers; returns what there is no room for, which joins the queue.
    fn charge_excess(limit: &mut Limit, excess: u64, now: Micros, caps: &Caps) -> u64 {
        let fits = excess.min(limit.free());
        limit.count(fits, now, caps);
        let debt = excess - fits;
        if debt > 0 {
            limit.with_queue(|queue| queue.owe(debt));
        }
        debt
    }

    pub(crate) fn lapse_now(&mut self, hold: HoldId, now: Micros) {
        let Some(slot) = self.holds.slot(hold) else { return };
        let left = self.holds.get(slot).map_or(0, |hold| hold.left);
        self.take(slot, left, now);
        self.end(slot, End::Released, now);
    }

    fn end(&mut self, slot: u32, end: End, now: Micros) {
        self.leave(slot);
        let Some(hold) = self.holds.get_mut(slot) else { return };
        for (position, place) in hold.places.as_slice().iter().enumerate() {
            let limit = &mut self.limits[*place];
            limit.expire(now);
            limit.named -= 1;
            match limit.key.kind {
                Kind::Requests if end == End::AllBack => limit.refund(hold.at, hold.requests, now),
                Kind::Requests => {}
                Kind::Tokens => {
                    limit.held -= hold.own(position);
                    limit.lives.note(now - hold.at);
                    if end != End::Released {
                        limit.refund(hold.at, hold.input, now);
                    }
                }
                Kind::Concurrent => {
                    limit.held -= hold.concurrent;
                    limit.lives.note(now - hold.at);
                }
            }
        }
        self.holds.remove(slot);
        self.pump_if_waiting(now);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::key::{Ask, LimitKey};

    #[test]
    fn a_settlement_is_covered_if_it_can_make_no_debt() {
        let mut ledger = Ledger::new();
        let key = LimitKey { pool: 1, kind: Kind::Tokens, window_us: 60_000_000 };
        let hold = ledger.reserve(1, &[Ask { key, n: 100, log: 20, hold: 30 }], 1).unwrap();
        ledger.charge(hold, 10, 2);
        let covers = |ledger: &Ledger, input, output| ledger.covers(hold, Settlement { input, output });
        assert!(covers(&ledger, Some(20), 30) && covers(&ledger, None, 5));
        assert!(!covers(&ledger, Some(21), 30) && !covers(&ledger, Some(20), 31));
        ledger.release(hold, 3);
        assert!(!covers(&ledger, None, 0));
    }
}
