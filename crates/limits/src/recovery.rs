//! What outlives a crash: a ledger's state as plain values, and a journal's operations told again to a new one.
//! It knows no file and no format. It never decides again what was decided: what is told again is counted, whether or not there is room.

use std::collections::HashSet;

use crate::caps::{ASKS, Caps};
use crate::hold::{Hold, Holds, Places};
use crate::key::{Ask, Kind, LimitKey, Micros};
use crate::ledger::{Ledger, Placed, Wants};
use crate::status::Settlement;

/// Everything a [`Ledger`] knows but who waits and how long holds live.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// When it was taken, by the ledger's clock. Every hold that was admitted up to then is in it, unless it had ended.
    pub at: Micros,
    pub limits: Vec<LimitState>,
    pub holds: Vec<HoldState>,
}

/// One limit, in its units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitState {
    pub key: LimitKey,
    pub n: u64,
    /// What still counts: when, and how much. Times rise.
    pub entries: Vec<(Micros, u64)>,
    /// Processed without room, and still to be charged.
    pub owed: u64,
}

/// One hold that lives. Amounts are tokens, but for requests and those under way at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldState {
    pub request: u128,
    /// When it was admitted.
    pub at: Micros,
    /// Its limits, as indices of [`State::limits`].
    pub limits: Vec<u16>,
    pub requests: u64,
    pub concurrent: u64,
    /// Input counted at `at`.
    pub input: u64,
    /// Input counted later.
    pub input_later: u64,
    /// Output charged so far.
    pub output: u64,
    /// Output that it may still take.
    pub left: u64,
    /// What each of its limits really holds for it, where one of a long window holds less than `left`; else empty.
    pub own: Vec<u64>,
}

/// How a request ended, as a journal has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// [`Ledger::settle`]; also [`Ledger::release`], with nothing in it.
    Settled(Settlement),
    /// [`Ledger::lapse`]
    Lapsed,
    /// [`Ledger::refund_tokens`]
    TokensBack,
    /// [`Ledger::refund_all`]
    AllBack,
}

/// A ledger that is made again from its last state and from what a journal says happened since.
///
/// Every operation may be told again that is in the state already or was told before. Those of one request must come in their order;
/// those of different requests may come in any order near that of their times, and then count at the later time. Operations of a request
/// that isn't known do nothing.
///
/// What comes of it is never less than what was processed, if each grant and each cover was written before anything was processed by it:
/// charges and endings that are missing are made up for by [`Recovery::finish`].
#[derive(Clone, Debug)]
pub struct Recovery {
    ledger: Ledger,
    /// When the state was taken, by the old clock.
    since: Option<Micros>,
    /// Requests whose ending was told.
    ended: HashSet<u128>,
    clock: Clock,
}

/// How times of the old clock are told by the new one.
#[derive(Clone, Copy, Debug)]
struct Clock {
    shift_us: i64,
    now: Micros,
}

impl Clock {
    fn shifted(self, at: Micros) -> Micros {
        at.saturating_add_signed(self.shift_us).min(self.now)
    }
}

impl Recovery {
    /// From the last state, if there is one. `now` is the time of the new ledger's clock; `shift_us` is what must be added to a time of the
    /// old one, 0 if it went on. Times that would then be in the future are taken as `now`, and those before the clock's beginning as its
    /// beginning: so let a clock begin later than the longest window, or old entries count for longer than they should.
    #[must_use]
    pub fn new(state: Option<State>, shift_us: i64, now: Micros) -> Self {
        Self::with_caps(&Caps::DEFAULT, state, shift_us, now)
    }

    /// With bounds of one's own.
    #[must_use]
    pub fn with_caps(caps: &'static Caps, state: Option<State>, shift_us: i64, now: Micros) -> Self {
        let since = state.as_ref().map(|state| state.at);
        let mut recovery = Self { ledger: Ledger::with_caps(caps), since, ended: HashSet::new(), clock: Clock { shift_us, now } };
        if let Some(state) = state {
            recovery.restore(state);
        }
        recovery
    }

    /// This request was admitted at [`HoldGuard::admitted_at`](crate::HoldGuard::admitted_at) with these asks.
    pub fn grant(&mut self, request: u128, asks: &[Ask], at: Micros) {
        let in_state = self.since.is_some_and(|since| at <= since);
        if !in_state && !self.ended.contains(&request) {
            let at = self.clock.shifted(at);
            self.ledger.restore_grant(request, asks, at);
        }
    }

    /// So many output tokens were charged or held for it in all, after a [`Ledger::cover`].
    pub fn cover(&mut self, request: u128, total: u64, at: Micros) {
        let at = self.clock.shifted(at);
        self.ledger.restore_cover(request, total, at);
    }

    /// [`Ledger::charge`]
    pub fn charge(&mut self, request: u128, total_output: u64, at: Micros) {
        let at = self.clock.shifted(at);
        if let Some(hold) = self.ledger.holds.of_request(request) {
            self.ledger.charge(hold, total_output, at);
        }
    }

    /// [`Ledger::input`]. Told once it may be told again; a figure that goes to and fro may count too much when told again.
    pub fn input(&mut self, request: u128, exact: u64, at: Micros) {
        let at = self.clock.shifted(at);
        if let Some(hold) = self.ledger.holds.of_request(request) {
            self.ledger.input(hold, exact, at);
        }
    }

    /// Its hold ended so.
    pub fn end(&mut self, request: u128, ending: Ending, at: Micros) {
        let at = self.clock.shifted(at);
        self.ended.insert(request);
        let Some(hold) = self.ledger.holds.of_request(request) else { return };
        match ending {
            Ending::Settled(settlement) => drop(self.ledger.settle(hold, settlement, at)),
            Ending::Lapsed => self.ledger.lapse(hold, at),
            Ending::TokensBack => self.ledger.refund_tokens(hold, at),
            Ending::AllBack => self.ledger.refund_all(hold, at),
        }
    }

    /// Counts so much at `at`, whether or not there is room: for what may be missing after a loss of power. Concurrency isn't counted.
    pub fn fill(&mut self, key: LimitKey, n: u64, amount: u64, at: Micros) {
        let at = self.clock.shifted(at);
        self.ledger.restore_fill(key, n, amount, at);
    }

    /// The ledger as it goes on: every hold that still lives lapses, since its owner is gone.
    #[must_use]
    pub fn finish(mut self) -> Ledger {
        self.ledger.lapse_all(self.clock.now);
        self.ledger.is_empty(self.clock.now);
        self.ledger
    }

    fn restore(&mut self, state: State) {
        let Self { ledger, clock, .. } = self;
        let taken = ledger.enter(clock.shifted(state.at));
        let shifted = |at| clock.shifted(at).min(taken);
        let mut places = Vec::new();
        for limit in state.limits {
            let entries = limit.entries.into_iter().map(|(at, amount)| (shifted(at), amount));
            places.push(ledger.restore_limit(limit.key, limit.n, entries, limit.owed));
        }
        for hold in state.holds {
            let at = shifted(hold.at);
            ledger.restore_hold(hold, at, &places);
        }
    }
}

impl Ledger {
    /// Its state, to be restored after a crash. Whatever is admitted later has a later time.
    pub fn dump(&mut self, now: Micros) -> State {
        let at = self.enter(now);
        let mut state = State { at, ..State::default() };
        let mut indices = Vec::new();
        for limit in self.limits.iter_mut() {
            limit.expire(at);
            // Never more limits than a u16 counts.
            indices.push(state.limits.len() as u16);
            if !limit.vacant && !limit.is_idle() {
                let entries = limit.log.entries().collect();
                state.limits.push(LimitState { key: limit.key, n: limit.n, entries, owed: limit.owed() });
            }
        }
        state.holds = self.holds.dump(&indices);
        // So that a grant of the same microsecond is either in the state or later than it.
        self.enter(at.saturating_add(1));
        state
    }

    /// The owners of all holds are gone: each lapses.
    pub fn lapse_all(&mut self, now: Micros) {
        let now = self.enter(now);
        for hold in self.holds.ids() {
            self.lapse_now(hold, now);
        }
    }

    fn restore_limit(&mut self, key: LimitKey, n: u64, entries: impl Iterator<Item = (Micros, u64)>, owed: u64) -> Option<u16> {
        let place = self.limits.find_or_make(&key, u16::MAX, self.now, self.caps)?;
        let limit = &mut self.limits[place];
        limit.n = n.min(self.caps.n);
        limit.log.restore(entries);
        if owed > 0 {
            limit.with_queue(|queue| queue.owe(owed));
            self.waits = true;
        }
        Some(place)
    }

    fn restore_hold(&mut self, state: HoldState, at: Micros, places: &[Option<u16>]) {
        // More than any hold has: so that no sum of what is held overflows, be the state what it may.
        let most = self.caps.n / u64::from(self.caps.holds.max(1));
        let (concurrent, left) = (state.concurrent.min(most), state.left.min(most));
        let apart = state.own.len() == state.limits.len() && !state.own.is_empty();
        let (mut named, mut owns) = (Vec::with_capacity(state.limits.len()), Vec::new());
        for (index, limit) in state.limits.iter().enumerate() {
            let Some(place) = places.get(usize::from(*limit)).copied().flatten().filter(|place| !named.contains(place)) else { continue };
            let own = if apart { state.own[index].min(left) } else { left };
            let limit = &mut self.limits[place];
            limit.named += 1;
            limit.held = limit.held.saturating_add(match limit.key.kind {
                Kind::Requests => 0,
                Kind::Tokens => own,
                Kind::Concurrent => concurrent,
            });
            named.push(place);
            owns.push(own);
        }
        let (_, hold) = self.holds.open(state.request, at, Places::of(&named));
        (hold.requests, hold.concurrent) = (state.requests, concurrent);
        (hold.input, hold.input_later, hold.output, hold.left) = (state.input, state.input_later, state.output, left);
        if apart {
            hold.keep_apart();
        }
        for (place, own) in owns.into_iter().enumerate() {
            if let Some(kept) = hold.own_mut(place) {
                *kept = own;
            }
        }
    }

    fn restore_grant(&mut self, request: u128, asks: &[Ask], at: Micros) {
        let now = self.enter(at);
        if self.holds.of_request(request).is_some() {
            return;
        }
        let wants = Wants::of(asks);
        let mut places = [0; ASKS];
        match self.place(asks, wants, now, &mut places) {
            Placed::Fits(len) | Placed::Blocked(len) => drop(self.admit(request, wants, &places[..len], now)),
            Placed::Full => {}
        }
    }

    fn restore_cover(&mut self, request: u128, total: u64, at: Micros) {
        self.enter(at);
        let Some(slot) = self.holds.of_request(request).and_then(|hold| self.holds.slot(hold)) else { return };
        let Some(hold) = self.holds.get(slot) else { return };
        let (left, wanted) = (hold.left, total.saturating_sub(hold.output));
        if wanted >= left {
            self.grant(slot, wanted - left);
        } else {
            self.give_back(slot);
            self.grant(slot, wanted);
        }
    }

    fn restore_fill(&mut self, key: LimitKey, n: u64, amount: u64, at: Micros) {
        let now = self.enter(at);
        let Some(place) = self.limits.find_or_make(&key, u16::MAX, now, self.caps) else { return };
        let limit = &mut self.limits[place];
        limit.n = n.min(self.caps.n);
        limit.expire(now);
        if limit.key.kind != Kind::Concurrent {
            limit.count(amount, now, self.caps);
        }
    }
}

impl Holds {
    /// Every hold that lives; `indices` says what to call the limit of each place.
    fn dump(&self, indices: &[u16]) -> Vec<HoldState> {
        let state = |hold: &Hold| HoldState {
            request: hold.request(),
            at: hold.at,
            limits: hold.places.as_slice().iter().filter_map(|place| indices.get(usize::from(*place)).copied()).collect(),
            requests: hold.requests,
            concurrent: hold.concurrent,
            input: hold.input,
            input_later: hold.input_later,
            output: hold.output,
            left: hold.left,
            own: hold.apart().to_vec(),
        };
        self.sample(u32::MAX).map(state).collect()
    }
}
