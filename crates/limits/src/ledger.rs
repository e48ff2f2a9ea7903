//! All limits of one organisation, each request decided on all of them as one step.
//! It knows no lock and no clock: callers bring both.

use crate::caps::{ASKS, Caps};
use crate::hold::{HoldId, Holds, Places};
use crate::key::{Ask, Kind, LimitKey, Micros};
use crate::limit::Limit;
use crate::refusal::{Refusal, Retry};
use crate::status::Status;
use crate::table::Table;

/// All limits of one organisation, and the holds of its requests under way.
///
/// Times are microseconds of one steady clock; one that runs backwards stands still here. Every call sees the ledger as it is at its
/// time: what has expired is gone, and what waited got its room at the moment at which it became free, however long ago that was.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) caps: &'static Caps,
    pub(crate) now: Micros,
    pub(crate) limits: Table,
    pub(crate) holds: Holds,
    /// Requests asked so far.
    requests: u64,
    /// Whether anything waits anywhere. Kept so that nobody looks for it when nothing does.
    pub(crate) waits: bool,
    /// Holds whose owners are gone, to lapse at the next call's time: at their own last one what they relayed since would expire early.
    abandoned: Vec<HoldId>,
}

/// What one request asks of each limit of a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    requests: u64,
    input: u64,
    output: u64,
    concurrent: u64,
}

impl Wants {
    pub(crate) fn of(asks: &[Ask]) -> Self {
        let mut wants = Self { requests: 0, input: 0, output: u64::MAX, concurrent: 0 };
        for ask in asks {
            match ask.key.kind {
                Kind::Requests => wants.requests = wants.requests.max(ask.log),
                Kind::Tokens => {
                    wants.input = wants.input.max(ask.log);
                    wants.output = wants.output.min(ask.hold);
                }
                Kind::Concurrent => wants.concurrent = wants.concurrent.max(ask.hold),
            }
        }
        wants
    }

    fn fit(self, limit: &Limit) -> bool {
        limit.fits(self.total(limit.key.kind))
    }

    pub(crate) fn total(self, kind: Kind) -> u64 {
        match kind {
            Kind::Requests => self.requests,
            Kind::Tokens => self.input.saturating_add(self.output),
            Kind::Concurrent => self.concurrent,
        }
    }
}

/// What came of looking for the limits of a request; so many places were found.
pub(crate) enum Placed {
    Fits(usize),
    Blocked(usize),
    /// A bound leaves no place for one of them.
    Full,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    #[must_use]
    pub fn new() -> Self {
        Self::with_caps(&Caps::DEFAULT)
    }

    /// With bounds of one's own.
    #[must_use]
    pub fn with_caps(caps: &'static Caps) -> Self {
        Self { caps, now: 0, limits: Table::default(), holds: Holds::default(), requests: 0, waits: false, abandoned: Vec::new() }
    }

    /// Admits a request on all limits it asks, or on none. Its input is counted now; its hold is taken until it ends.
    ///
    /// The same `request` again, while its hold lives, is the same hold and counts nothing.
    ///
    /// An ask fits when `used + held + ask <= n` and nothing waits on that limit. An ask of 0 needs no room, but isn't let past those who
    /// wait.
    ///
    /// # Errors
    /// A [`Refusal`]: limits without room, or a bound of [`Caps`] (then `blocked` is empty).
    pub fn reserve(&mut self, request: u128, asks: &[Ask], now: Micros) -> Result<HoldId, Refusal> {
        let now = self.enter(now);
        if let Some(hold) = self.holds.of_request(request) {
            return Ok(hold);
        }
        let wants = Wants::of(asks);
        let mut places = [0; ASKS];
        let places = match self.place(asks, wants, now, &mut places) {
            Placed::Fits(len) => &places[..len],
            Placed::Blocked(len) => {
                let refusal = self.refusal(asks, wants, &places[..len], now);
                self.unplace(&places[..len]);
                return Err(refusal);
            }
            Placed::Full => return Err(self.full(asks, now)),
        };
        Ok(self.admit(request, wants, places, now))
    }

    /// Finds the limits of a request, adopts their numbers, names them by one hold more, and looks whether all fit.
    pub(crate) fn place(&mut self, asks: &[Ask], wants: Wants, now: Micros, places: &mut [u16; ASKS]) -> Placed {
        if asks.len() > ASKS {
            return Placed::Full;
        }
        self.requests += 1;
        let mut len = 0;
        let mut fits = self.holds.len() < self.caps.holds as usize;
        for ask in asks {
            let next = if len == 0 { 0 } else { places[len - 1] + 1 };
            let Some(place) = self.limits.find_or_make(&ask.key, next, now, self.caps) else {
                self.unplace(&places[..len]);
                return Placed::Full;
            };
            let limit = &mut self.limits[place];
            if limit.asked_by == self.requests {
                continue;
            }
            limit.asked_by = self.requests;
            limit.n = ask.n.min(self.caps.n);
            limit.named += 1;
            limit.expire(now);
            fits &= wants.fit(limit);
            places[len] = place;
            len += 1;
        }
        if self.waits {
            // A raised number may have made room for those who wait.
            self.pump(now);
            fits = self.holds.len() < self.caps.holds as usize && places[..len].iter().all(|place| wants.fit(&self.limits[*place]));
        }
        if fits { Placed::Fits(len) } else { Placed::Blocked(len) }
    }

    pub(crate) fn admit(&mut self, request: u128, wants: Wants, places: &[u16], now: Micros) -> HoldId {
        let mut tokens = false;
        for place in places {
            let limit = &mut self.limits[*place];
            match limit.key.kind {
                Kind::Requests => limit.count(wants.requests, now, self.caps),
                Kind::Tokens => {
                    tokens = true;
                    limit.count(wants.input, now, self.caps);
                    limit.held += wants.output;
                }
                Kind::Concurrent => limit.held += wants.concurrent,
            }
        }
        let (id, hold) = self.holds.open(request, now, Places::of(places));
        (hold.requests, hold.concurrent) = (wants.requests, wants.concurrent);
        if tokens {
            (hold.input, hold.left) = (wants.input, wants.output);
        }
        id
    }

    /// Changes a limit at once, outside a request. Lowering revokes nothing. A key never asked needs no word: each ask brings its number.
    pub fn set_n(&mut self, key: LimitKey, n: u64) {
        if let Some(place) = self.limits.find(&key) {
            self.limits[place].n = n.min(self.caps.n);
            self.pump_if_waiting(self.now);
        }
    }

    /// One limit now, whose number is `n` from now on. Of a key never asked: nothing used, all free.
    pub fn status(&mut self, key: LimitKey, n: u64, now: Micros) -> Status {
        let now = self.enter(now);
        let Some(place) = self.limits.find(&key) else { return Status { free: n.min(self.caps.n), ..Status::default() } };
        self.set_n(key, n);
        let limit = &mut self.limits[place];
        limit.expire(now);
        Status {
            used: limit.used(),
            held: limit.held,
            waiting: limit.waiting(),
            debt: limit.owed(),
            free: limit.free(),
            resets_at: limit.resets_at(),
        }
    }

    /// Lets time pass: expires, charges debt, serves those who wait. Returns when that would next change anything for them; none when
    /// nothing waits, or only for holds to end.
    pub fn advance(&mut self, now: Micros) -> Option<Micros> {
        let now = self.enter(now);
        self.limits.iter_mut().for_each(|limit| limit.expire(now));
        if self.waits { self.next_change() } else { None }
    }

    /// Whether nothing is used, held or owed, so that the ledger is as good as new and may be dropped. Gives back the memory of every
    /// limit of which that is true.
    pub fn is_empty(&mut self, now: Micros) -> bool {
        let now = self.enter(now);
        self.limits.sweep(now);
        self.holds.shrink();
        self.abandoned.shrink_to_fit();
        self.limits.is_empty() && self.holds.len() == 0
    }

    /// Tokens that a hold may still take; none when it has ended.
    #[must_use]
    pub fn hold_left(&self, hold: HoldId) -> Option<u64> {
        self.holds.slot(hold).and_then(|slot| self.holds.get(slot)).map(|hold| hold.left)
    }

    /// The time of the last call, as this ledger took it: a clock that ran backwards stood still. What a journal should write.
    #[must_use]
    pub fn now(&self) -> Micros {
        self.now
    }

    /// When a hold was admitted; none when it has ended.
    #[must_use]
    pub fn admitted_at(&self, hold: HoldId) -> Option<Micros> {
        self.holds.slot(hold).and_then(|slot| self.holds.get(slot)).map(|hold| hold.at)
    }

    /// Holds that live.
    #[must_use]
    pub fn holds(&self) -> usize {
        self.holds.len()
    }

    /// Memory of the ledger, in bytes, without the allocator's own.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.limits.memory_bytes() + self.holds.memory_bytes() + self.abandoned.capacity() * size_of::<HoldId>()
    }

    /// This hold's owner is gone without a word, or a clock: it lapses at the time of the next call.
    pub(crate) fn abandon(&mut self, hold: HoldId) {
        self.abandoned.push(hold);
    }

    /// Makes the sums agree with the holds again, after a panic may have torn a step. Those who wait have to ask again.
    pub(crate) fn repair(&mut self) {
        for limit in self.limits.iter_mut() {
            (limit.held, limit.named) = (0, 0);
            limit.with_queue(crate::queue::Queue::keep_debt_only);
        }
        for hold in self.holds.iter_mut() {
            hold.wanted = 0;
            for (position, place) in hold.places.as_slice().iter().enumerate() {
                let limit = &mut self.limits[*place];
                limit.named += 1;
                match limit.key.kind {
                    Kind::Requests => {}
                    Kind::Tokens => limit.held += hold.own(position),
                    Kind::Concurrent => limit.held += hold.concurrent,
                }
            }
        }
        self.waits = true;
        self.pump(self.now);
    }

    /// Time passes until `now`, or stands still if that is past.
    #[inline(always)]
    pub(crate) fn enter(&mut self, now: Micros) -> Micros {
        let now = now.max(self.now);
        if self.waits || !self.abandoned.is_empty() {
            self.catch_up(now);
        }
        self.now = now;
        now
    }

    #[cold]
    fn catch_up(&mut self, now: Micros) {
        if self.waits {
            self.step_until(now);
        }
        self.now = now;
        for hold in std::mem::take(&mut self.abandoned) {
            self.lapse_now(hold, now);
        }
    }

    fn unplace(&mut self, places: &[u16]) {
        for place in places {
            self.limits[*place].named -= 1;
        }
    }

    /// The refusal of a request for which a bound leaves no place.
    fn full(&self, asks: &[Ask], now: Micros) -> Refusal {
        let never = asks.len() > ASKS;
        let retry = if never { Retry::Never } else { Retry::At { at: now.saturating_add(self.caps.estimate_min_us), estimate: true } };
        Refusal { blocked: Vec::new(), retry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_has_torn_is_mended_from_the_holds() {
        let tokens = Ask { key: LimitKey { pool: 1, kind: Kind::Tokens, window_us: 60_000_000 }, n: 100, log: 10, hold: 20 };
        let concurrent = Ask { key: LimitKey { pool: 1, kind: Kind::Concurrent, window_us: 0 }, n: 5, log: 0, hold: 1 };
        let mut ledger = Ledger::new();
        let hold = ledger.reserve(1, &[tokens, concurrent], 1).unwrap();
        ledger.reserve(2, &[tokens], 1).unwrap();
        ledger.charge(hold, 75, 1);
        let before = [ledger.status(tokens.key, 100, 1), ledger.status(concurrent.key, 5, 1)];
        assert_eq!(before[0].debt, 15);
        for limit in ledger.limits.iter_mut() {
            (limit.held, limit.named) = (77, 0);
        }
        ledger.repair();
        assert_eq!([ledger.status(tokens.key, 100, 1), ledger.status(concurrent.key, 5, 1)], before);
        ledger.release(hold, 2);
        assert_eq!(ledger.status(concurrent.key, 5, 2).held, 0);
    }
}
