//! Those who wait: holds that need more and debt, served in the order they came as room frees.
//! It admits nothing new; while anything waits on a limit, nobody does.

use crate::hold::HoldId;
use crate::key::{Kind, Micros};
use crate::ledger::Ledger;
use crate::limit::Limit;
use crate::queue::Item;
use crate::status::Cover;

impl Ledger {
    /// Has at least `least` tokens left in the hold, and at best `want`, before output of so many is processed.
    ///
    /// What is free on every token limit at once tops the hold up. If that isn't enough, all that the hold has left goes back, it joins the
    /// queues of its token limits in one step, and it holds nothing until it is first in each and `least` is free on all of them: then it
    /// holds just that. Asked again, it tells whether that has come; until then the first `least` stands. So output that can't be divided
    /// is covered as a whole or waits, and no two that wait can wait for each other.
    ///
    /// Charge first what was processed, or say how much it is to [`Ledger::cover_beyond`]: what is given back covers it no more.
    ///
    /// A `least` above what a limit ever lets through is as good as that: then less is left than was wished for, to be charged as a slice,
    /// and the rest is asked for again. A limit with a window over [`Caps::pause_us`](crate::Caps::pause_us) makes nobody wait: it holds
    /// what it can, and what is charged beyond becomes debt there. A hold that has ended has 0 left.
    pub fn cover(&mut self, hold: HoldId, least: u64, want: u64, now: Micros) -> Cover {
        self.cover_beyond(hold, 0, least, want, now)
    }

    /// [`Ledger::cover`] beyond `processed` tokens of output from the beginning, which the hold covers and which are charged later. Where
    /// it has to wait they are charged now, since what is given back covers them no more.
    pub fn cover_beyond(&mut self, hold: HoldId, processed: u64, least: u64, want: u64, now: Micros) -> Cover {
        let now = self.enter(now);
        let Some(slot) = self.holds.slot(hold) else { return Cover::Covered(0) };
        let Some(hold) = self.holds.get(slot) else { return Cover::Covered(0) };
        if hold.wanted > 0 {
            return Cover::Waiting;
        }
        let (left, behind) = (hold.left, processed.saturating_sub(hold.output));
        let wish = want.max(least).saturating_add(behind).saturating_sub(left);
        for place in hold.places.as_slice() {
            self.limits[*place].expire(now);
        }
        let more = self.pausing(slot).map(Limit::free).fold(wish, u64::min);
        if left.saturating_add(more) >= self.least(slot, least).saturating_add(behind) {
            self.grant(slot, more);
            return Cover::Covered(left.saturating_add(more).saturating_sub(behind));
        }
        let due = self.set_output(slot, processed);
        self.take(slot, due, now);
        self.give_back(slot);
        self.join(slot, least);
        self.pump(now);
        // What it gave back may have served those before it, and then itself.
        match self.holds.get(slot) {
            Some(hold) if hold.wanted == 0 => Cover::Covered(hold.left),
            Some(_) | None => Cover::Waiting,
        }
    }

    /// The hold has to wait elsewhere: `processed` tokens of output from the beginning are charged, all that is left of it goes back, and it
    /// doesn't wait here. So what waits elsewhere keeps nobody from anything here. [`Ledger::cover`] takes room again.
    pub fn stand_back(&mut self, hold: HoldId, processed: u64, now: Micros) {
        let now = self.enter(now);
        let Some(slot) = self.holds.slot(hold) else { return };
        let due = self.set_output(slot, processed);
        self.take(slot, due, now);
        self.leave(slot);
        self.give_back(slot);
        self.pump_if_waiting(now);
    }

    /// The hold waits no more. It holds nothing, or what it was granted meanwhile.
    pub fn cancel_wait(&mut self, hold: HoldId, now: Micros) {
        let now = self.enter(now);
        if let Some(slot) = self.holds.slot(hold) {
            self.leave(slot);
            self.pump_if_waiting(now);
        }
    }

    /// For a hold that waits: when to look again, because expiry alone then serves somebody who waits, here or wherever those before it
    /// wait. None when it doesn't wait, or when other holds have to be charged or to end first.
    pub fn next_chance(&mut self, hold: HoldId, now: Micros) -> Option<Micros> {
        self.enter(now);
        let slot = self.holds.slot(hold)?;
        self.holds.get(slot).filter(|hold| hold.wanted > 0)?;
        self.next_change()
    }

    /// The least that a hold is granted of what it wants: all, or what the lowest limit could ever give, and never nothing.
    pub(crate) fn least(&self, slot: u32, wanted: u64) -> u64 {
        self.pausing(slot).map(|limit| limit.n).fold(wanted, u64::min).max(wanted.min(1))
    }

    /// The limits for whose room a hold waits.
    fn pausing(&self, slot: u32) -> impl Iterator<Item = &Limit> {
        let places = self.holds.get(slot).map_or(&[] as &[u16], |hold| hold.places.as_slice());
        places.iter().map(|place| &self.limits[*place]).filter(|limit| limit.pauses(self.caps))
    }

    /// Adds to a hold, on all its token limits.
    pub(crate) fn grant(&mut self, slot: u32, amount: u64) {
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

    /// All that a hold has left goes back.
    pub(crate) fn give_back(&mut self, slot: u32) {
        let Some(hold) = self.holds.get_mut(slot) else { return };
        for (position, place) in hold.places.as_slice().iter().enumerate() {
            let limit = &mut self.limits[*place];
            if limit.key.kind == Kind::Tokens {
                limit.held -= hold.own(position);
            }
        }
        hold.nothing_left();
    }

    fn join(&mut self, slot: u32, wanted: u64) {
        let Some(hold) = self.holds.get_mut(slot) else { return };
        hold.wanted = wanted;
        for place in hold.places.as_slice() {
            let limit = &mut self.limits[*place];
            if limit.pauses(self.caps) {
                limit.with_queue(|queue| queue.join(slot, wanted));
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

    /// Grants a waiter what it wants, if there is room and it is first wherever it waits.
    fn serve(&mut self, slot: u32, now: Micros) -> bool {
        let Some(hold) = self.holds.get(slot) else { return false };
        let amount = self.least(slot, hold.wanted);
        if self.pausing(slot).any(|limit| limit.room() < amount) || !self.is_first(slot) {
            return false;
        }
        for place in hold.places.as_slice() {
            self.limits[*place].expire(now);
        }
        self.leave(slot);
        self.grant(slot, amount);
        true
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
        let fronts = self.limits.queued().into_iter().filter_map(|place| self.front_served_at(&self.limits[place]));
        fronts.min().map(|at| at.max(self.now.saturating_add(1)))
    }

    /// When expiry alone lets whatever is first in this limit's queue be served, or be paid in part.
    fn front_served_at(&self, limit: &Limit) -> Option<Micros> {
        match limit.front()? {
            Item::Debt(_) => limit.has_room_at(1),
            Item::Waiter(slot) => self.served_at(slot),
        }
    }

    /// When expiry alone lets this hold be served; none if others come before it, or holds have to end.
    pub(crate) fn served_at(&self, slot: u32) -> Option<Micros> {
        let hold = self.holds.get(slot).filter(|_| self.is_first(slot))?;
        let least = self.least(slot, hold.wanted);
        self.pausing(slot).try_fold(0, |latest, limit| limit.has_room_at(least).map(|at| latest.max(at)))
    }
}
