//! Those who wait: extensions of holds and debt, served in the order they came as room frees.
//! It admits nothing new; while anything waits on a limit, nobody does.

use crate::hold::{Hold, HoldId};
use crate::key::{Kind, Micros};
use crate::ledger::Ledger;
use crate::limit::Limit;
use crate::queue::Item;
use crate::status::Extend;

impl Ledger {
    /// Wants `want` tokens more for a hold: as many as are free on every token limit at once, if that is at least
    /// [`Caps::chunk`](crate::Caps::chunk) or all. Otherwise the hold joins the queues of all of them in one step and holds nothing more
    /// until it is first in each, so no two wait for each other.
    ///
    /// Asked again, it tells what was granted since, and then the hold has left the queues; until then the first `want` stands.
    /// A limit with a window over [`Caps::pause_us`](crate::Caps::pause_us) makes nobody wait: it holds what it can, and what is charged
    /// beyond becomes debt there. A hold that has ended is granted 0.
    ///
    /// Whoever waits must go on charging what it still holds: others may wait for that.
    pub fn extend(&mut self, hold: HoldId, want: u64, now: Micros) -> Extend {
        let now = self.enter(now);
        let Some(slot) = self.holds.slot(hold) else { return Extend::Granted(0) };
        let Some(hold) = self.holds.get_mut(slot) else { return Extend::Granted(0) };
        if hold.unclaimed > 0 {
            let granted = std::mem::take(&mut hold.unclaimed);
            self.leave(slot);
            self.pump_if_waiting(now);
            return Extend::Granted(granted);
        }
        if hold.wanted > 0 {
            return Extend::Waiting;
        }
        let mut free = want;
        for place in hold.places.as_slice() {
            let limit = &mut self.limits[*place];
            limit.expire(now);
            if limit.pauses(self.caps) {
                free = free.min(limit.free());
            }
        }
        if free >= self.least(slot, want) {
            self.grant(slot, free);
            Extend::Granted(free)
        } else {
            self.join(slot, want);
            Extend::Waiting
        }
    }

    /// The least that is granted of a wish: a chunk, or all, or what the lowest limit could ever give.
    fn least(&self, slot: u32, want: u64) -> u64 {
        let chunk = want.min(self.caps.chunk);
        self.pausing(slot).map(|limit| limit.n).fold(chunk, u64::min).max(want.min(1))
    }

    /// The limits for whose room a hold waits.
    fn pausing(&self, slot: u32) -> impl Iterator<Item = &Limit> {
        let places = self.holds.get(slot).map_or(&[] as &[u16], |hold| hold.places.as_slice());
        places.iter().map(|place| &self.limits[*place]).filter(|limit| limit.pauses(self.caps))
    }

    /// Adds to a hold, on all its token limits.
    fn grant(&mut self, slot: u32, amount: u64) {
        let Some(hold) = self.holds.get_mut(slot) else { return };
        let caps = self.caps;
        let given = |limit: &Limit| if limit.pauses(caps) { amount } else { amount.min(limit.free()) };
        let tokens = |limit: &Limit| limit.key.kind == Kind::Tokens;
        if hold.places.as_slice().iter().map(|place| &self.limits[*place]).any(|limit| tokens(limit) && given(limit) < amount) {
            hold.keep_apart();
        }
        for position in 0..hold.places.as_slice().len() {
            let limit = &mut self.limits[hold.places.as_slice()[position]];
            if !tokens(limit) {
                continue;
            }
            let own = given(limit);
            limit.held += own;
            if let Some(kept) = hold.own_mut(position) {
                *kept += own;
            }
        }
        hold.left += amount;
    }

    fn join(&mut self, slot: u32, want: u64) {
        let Some(hold) = self.holds.get_mut(slot) else { return };
        hold.wanted = want;
        for place in hold.places.as_slice() {
            let limit = &mut self.limits[*place];
            if limit.pauses(self.caps) {
                limit.with_queue(|queue| queue.join(slot, want));
            }
        }
        self.waits = true;
    }

    /// A hold wants no more, whatever it was granted.
    pub(crate) fn leave(&mut self, slot: u32) {
        let Some(hold) = self.holds.get_mut(slot).filter(|hold| hold.wanted > 0) else { return };
        let wanted = std::mem::take(&mut hold.wanted);
        for place in hold.places.as_slice() {
            let limit = &mut self.limits[*place];
            if limit.pauses(self.caps) {
                limit.with_queue(|queue| queue.leave(slot, wanted));
            }
        }
    }

    pub(crate) fn pump_if_waiting(&mut self, now: Micros) {
        if self.waits {
            self.pump(now);
        }
    }

    /// Serves whom there is room for now.
    pub(crate) fn pump(&mut self, now: Micros) {
        let queued = self.limits.queued();
        for place in &queued {
            self.limits[*place].expire(now);
        }
        let mut moved = true;
        while moved {
            moved = false;
            for place in &queued {
                while self.serve_front(*place, now) {
                    moved = true;
                }
            }
        }
        self.waits = queued.iter().any(|place| self.limits[*place].waits());
    }

    fn serve_front(&mut self, place: u16, now: Micros) -> bool {
        match self.limits[place].front() {
            Some(Item::Debt(_)) => self.limits[place].pay(now, self.caps),
            Some(Item::Waiter(slot)) => self.serve(slot, now),
            None => false,
        }
    }

    /// Grants a waiter what there is room for, if it is first wherever it waits.
    fn serve(&mut self, slot: u32, now: Micros) -> bool {
        let Some(wanted) = self.holds.get(slot).map(|hold| hold.wanted) else { return false };
        let amount = self.pausing(slot).map(Limit::room).fold(wanted, u64::min);
        if amount < self.least(slot, wanted) || !self.is_first(slot) {
            return false;
        }
        let places = self.holds.get(slot).map_or(&[] as &[u16], |hold| hold.places.as_slice());
        for place in places {
            let limit = &mut self.limits[*place];
            limit.expire(now);
            if limit.pauses(self.caps) {
                limit.with_queue(|queue| queue.wanted -= amount);
            }
        }
        self.grant(slot, amount);
        if let Some(hold) = self.holds.get_mut(slot) {
            hold.unclaimed += amount;
            hold.wanted = wanted - amount;
        }
        if amount == wanted {
            self.leave_served(slot);
        }
        true
    }

    fn leave_served(&mut self, slot: u32) {
        let places = self.holds.get(slot).map_or(&[] as &[u16], |hold| hold.places.as_slice());
        for place in places {
            let limit = &mut self.limits[*place];
            if limit.pauses(self.caps) {
                limit.with_queue(|queue| queue.leave(slot, 0));
            }
        }
    }

    fn is_first(&self, slot: u32) -> bool {
        self.pausing(slot).all(|limit| limit.front() == Some(Item::Waiter(slot)))
    }

    /// Lives through everything that happens to those who wait until `now`, each at its own time. After too many steps the rest happens
    /// at `now`: later than it could, never earlier.
    pub(crate) fn step_until(&mut self, now: Micros) {
        for _ in 0..self.caps.steps {
            match self.next_change() {
                Some(at) if at <= now => {
                    self.now = at;
                    self.pump(at);
                }
                Some(_) | None => return,
            }
        }
        self.now = now;
        self.pump(now);
    }

    /// When expiry alone next lets anybody be served.
    pub(crate) fn next_change(&self) -> Option<Micros> {
        let fronts = self.limits.queued().into_iter().filter_map(|place| {
            let limit = &self.limits[place];
            match limit.front()? {
                Item::Debt(_) => limit.has_room_at(1),
                Item::Waiter(slot) => self.served_at(slot),
            }
        });
        fronts.min().map(|at| at.max(self.now.saturating_add(1)))
    }

    /// When expiry alone lets this hold be served; none if others come before it, or holds have to end.
    pub(crate) fn served_at(&self, slot: u32) -> Option<Micros> {
        let hold: &Hold = self.holds.get(slot).filter(|_| self.is_first(slot))?;
        let least = self.least(slot, hold.wanted);
        self.pausing(slot).try_fold(0, |latest, limit| limit.has_room_at(least).map(|at| latest.max(at)))
    }
}
