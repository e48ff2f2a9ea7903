//! The rules of limits once more, by brute force: a list of events a limit, and sums over all of them.
//! It shares no line with the crate, and is as slow as it is plain.

use std::collections::BTreeMap;

use limits::{Ask, Kind, LimitKey, Status};

/// Streams wait for limits up to this window.
const PAUSE_US: u64 = 120_000_000;

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: u64,
    pub(crate) amount: u64,
    /// Whose input or request this was; none for what can't be given back.
    pub(crate) given_by: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Entry {
    Waiter(u64),
    Debt(u64),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) n: u64,
    pub(crate) events: Vec<Event>,
    pub(crate) queue: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub(crate) struct OracleHold {
    pub(crate) request: u128,
    /// When its request and input were counted.
    pub(crate) at: u64,
    pub(crate) own: BTreeMap<LimitKey, u64>,
    pub(crate) left: u64,
    pub(crate) input: u64,
    pub(crate) late_input: u64,
    pub(crate) output: u64,
    pub(crate) wanted: u64,
    /// Granted while it waited, and not yet heard of.
    pub(crate) unheard: u64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) now: u64,
    pub(crate) lines: BTreeMap<LimitKey, Line>,
    pub(crate) holds: BTreeMap<u64, OracleHold>,
    pub(crate) next: u64,
}

fn pauses(key: &LimitKey) -> bool {
    key.kind == Kind::Tokens && key.window_us <= PAUSE_US
}

pub(crate) fn asked_of(ask: &Ask) -> u64 {
    match ask.key.kind {
        Kind::Requests => ask.log,
        Kind::Tokens => ask.log + ask.hold,
        Kind::Concurrent => ask.hold,
    }
}

impl Oracle {
    pub(crate) fn used_at(&self, key: &LimitKey, t: u64) -> u64 {
        let Some(line) = self.lines.get(key) else { return 0 };
        line.events.iter().filter(|e| e.at <= t && t < e.at + key.window_us).map(|e| e.amount).sum()
    }

    pub(crate) fn used(&self, key: &LimitKey) -> u64 {
        self.used_at(key, self.now)
    }

    pub(crate) fn held(&self, key: &LimitKey) -> u64 {
        self.holds.values().filter_map(|h| h.own.get(key)).sum()
    }

    pub(crate) fn debt(&self, key: &LimitKey) -> u64 {
        let Some(line) = self.lines.get(key) else { return 0 };
        line.queue.iter().map(|e| if let Entry::Debt(d) = e { *d } else { 0 }).sum()
    }

    pub(crate) fn waiting(&self, key: &LimitKey) -> u64 {
        let Some(line) = self.lines.get(key) else { return 0 };
        let of = |e: &Entry| match e {
            Entry::Debt(d) => *d,
            Entry::Waiter(h) => self.holds[h].wanted,
        };
        line.queue.iter().map(of).sum()
    }

    pub(crate) fn room(&self, key: &LimitKey) -> u64 {
        self.lines.get(key).map_or(0, |l| l.n).saturating_sub(self.used(key) + self.held(key))
    }

    fn queued(&self, key: &LimitKey) -> bool {
        self.lines.get(key).is_some_and(|l| !l.queue.is_empty())
    }

    pub(crate) fn status(&self, key: &LimitKey, n: u64) -> Status {
        let (used, held) = (self.used(key), self.held(key));
        let free = if self.queued(key) { 0 } else { n.saturating_sub(used + held) };
        let last = self.lines.get(key).and_then(|l| l.events.iter().filter(|e| e.amount > 0).map(|e| e.at).max());
        let resets_at = last.map(|at| at + key.window_us).filter(|at| *at > self.now);
        Status { used, held, waiting: self.waiting(key), debt: self.debt(key), free, resets_at }
    }

    /// Every moment after now at which anything stops counting.
    pub(crate) fn expiries(&self) -> Vec<u64> {
        let of = |(key, line): (&LimitKey, &Line)| line.events.iter().map(|e| e.at + key.window_us).collect::<Vec<_>>();
        let mut all: Vec<u64> = self.lines.iter().flat_map(of).filter(|t| *t > self.now).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(crate) fn enter(&mut self, now: u64) {
        let now = now.max(self.now);
        while self.lines.values().any(|l| !l.queue.is_empty()) {
            let Some(next) = self.expiries().first().copied().filter(|t| *t <= now) else { break };
            self.now = next;
            self.serve();
        }
        self.now = now;
        for (key, line) in &mut self.lines {
            line.events.retain(|e| e.amount > 0 && now < e.at + key.window_us);
        }
    }

    pub(crate) fn fits(&self, asks: &[Ask]) -> bool {
        self.blocked(asks).is_empty()
    }

    /// Indices of the asks that don't fit.
    pub(crate) fn blocked(&self, asks: &[Ask]) -> Vec<usize> {
        let fits = |a: &Ask| {
            let room = a.n.saturating_sub(self.used(&a.key) + self.held(&a.key));
            !self.queued(&a.key) && asked_of(a) <= room
        };
        (0..asks.len()).filter(|i| !fits(&asks[*i])).collect()
    }

    fn adopt(&mut self, asks: &[Ask]) {
        for ask in asks {
            self.lines.entry(ask.key).or_default().n = ask.n;
        }
        self.serve();
    }

    pub(crate) fn reserve(&mut self, request: u128, asks: &[Ask], now: u64) -> Result<u64, Vec<usize>> {
        self.enter(now);
        if let Some((id, _)) = self.holds.iter().find(|(_, h)| h.request == request) {
            return Ok(*id);
        }
        self.adopt(asks);
        let blocked = self.blocked(asks);
        if !blocked.is_empty() {
            return Err(blocked);
        }
        self.next += 1;
        let (own, at) = (BTreeMap::new(), self.now);
        let mut hold = OracleHold { request, at, own, left: 0, input: 0, late_input: 0, output: 0, wanted: 0, unheard: 0 };
        for ask in asks {
            let line = self.lines.get_mut(&ask.key).unwrap();
            let event = Event { at: self.now, amount: ask.log, given_by: Some(self.next) };
            match ask.key.kind {
                Kind::Requests => {
                    line.events.push(event);
                    hold.own.insert(ask.key, 0);
                }
                Kind::Tokens => {
                    line.events.push(event);
                    hold.own.insert(ask.key, ask.hold);
                    (hold.input, hold.left) = (ask.log, ask.hold);
                }
                Kind::Concurrent => {
                    hold.own.insert(ask.key, ask.hold);
                }
            }
        }
        self.holds.insert(self.next, hold);
        Ok(self.next)
    }

    fn token_keys(&self, id: u64) -> Vec<LimitKey> {
        self.holds[&id].own.keys().filter(|k| k.kind == Kind::Tokens).copied().collect()
    }

    fn pausing_keys(&self, id: u64) -> Vec<LimitKey> {
        self.holds[&id].own.keys().filter(|k| pauses(k)).copied().collect()
    }

    /// Charges; the greatest debt.
    fn take(&mut self, id: u64, due: u64) -> u64 {
        let covered = due.min(self.holds[&id].left);
        self.holds.get_mut(&id).unwrap().left -= covered;
        let mut most = 0;
        for key in self.token_keys(id) {
            let own = self.holds.get_mut(&id).unwrap().own.get_mut(&key).unwrap();
            let from_hold = covered.min(*own);
            *own -= from_hold;
            self.log(&key, from_hold);
            let excess = due - from_hold;
            let fits = if self.queued(&key) { 0 } else { excess.min(self.room(&key)) };
            self.log(&key, fits);
            let debt = excess - fits;
            if debt > 0 {
                self.lines.get_mut(&key).unwrap().queue.push(Entry::Debt(debt));
            }
            most = most.max(debt);
        }
        most
    }

    fn log(&mut self, key: &LimitKey, amount: u64) {
        let at = self.now;
        if amount > 0 {
            self.lines.get_mut(key).unwrap().events.push(Event { at, amount, given_by: None });
        }
    }

    fn give_back(&mut self, id: u64, key: &LimitKey, amount: u64) {
        let now = self.now;
        let window = key.window_us;
        for event in &mut self.lines.get_mut(key).unwrap().events {
            if event.given_by == Some(id) && now < event.at + window {
                event.amount -= amount;
            }
        }
    }

    pub(crate) fn input(&mut self, id: u64, exact: u64, now: u64) -> u64 {
        self.enter(now);
        if !self.holds.contains_key(&id) {
            return 0;
        }
        let missing = self.set_input(id, exact);
        let debt = self.take(id, missing);
        self.serve();
        debt
    }

    fn set_input(&mut self, id: u64, exact: u64) -> u64 {
        let hold = self.holds.get_mut(&id).unwrap();
        let counted = hold.input + hold.late_input;
        if exact >= counted {
            hold.late_input += exact - counted;
            return exact - counted;
        }
        let excess = (counted - exact).min(hold.input);
        hold.input -= excess;
        for key in self.token_keys(id) {
            self.give_back(id, &key, excess);
        }
        0
    }

    /// Its request and input count from now on, unless any of them no longer counts.
    pub(crate) fn recount(&mut self, id: u64, now: u64) {
        self.enter(now);
        let Some(hold) = self.holds.get_mut(&id) else { return };
        let at = self.now;
        let counts = |key: &LimitKey| key.kind == Kind::Concurrent || at < hold.at + key.window_us;
        if !hold.own.keys().all(counts) {
            return;
        }
        hold.at = at;
        let events = self.lines.values_mut().flat_map(|line| &mut line.events);
        events.filter(|event| event.given_by == Some(id)).for_each(|event| event.at = at);
    }

    pub(crate) fn charge(&mut self, id: u64, total: u64, now: u64) -> u64 {
        self.enter(now);
        let Some(hold) = self.holds.get_mut(&id) else { return 0 };
        let due = total.saturating_sub(hold.output);
        hold.output += due;
        self.take(id, due)
    }

    /// Input, charge and release at once.
    pub(crate) fn settle(&mut self, id: u64, input: Option<u64>, total: u64, now: u64) -> u64 {
        self.enter(now);
        if !self.holds.contains_key(&id) {
            return 0;
        }
        let missing = input.map_or(0, |exact| self.set_input(id, exact));
        let hold = self.holds.get_mut(&id).unwrap();
        let due = total.saturating_sub(hold.output);
        hold.output += due;
        let debt = self.take(id, due + missing);
        self.end(id);
        debt
    }

    fn end(&mut self, id: u64) -> OracleHold {
        self.leave(id);
        let hold = self.holds.remove(&id).unwrap();
        self.serve();
        hold
    }

    pub(crate) fn release(&mut self, id: u64, now: u64) {
        self.enter(now);
        if self.holds.contains_key(&id) {
            self.end(id);
        }
    }

    pub(crate) fn lapse(&mut self, id: u64, now: u64) {
        self.enter(now);
        if let Some(left) = self.holds.get(&id).map(|h| h.left) {
            self.take(id, left);
            self.end(id);
        }
    }

    pub(crate) fn refund(&mut self, id: u64, requests_too: bool, now: u64) {
        self.enter(now);
        if !self.holds.contains_key(&id) {
            return;
        }
        let input = self.holds[&id].input;
        for key in self.holds[&id].own.keys().copied().collect::<Vec<_>>() {
            match key.kind {
                Kind::Tokens => self.give_back(id, &key, input),
                Kind::Requests if requests_too => self.give_back(id, &key, 1),
                Kind::Requests | Kind::Concurrent => {}
            }
        }
        self.end(id);
    }

    /// What is left then; none: waits.
    pub(crate) fn cover(&mut self, id: u64, least: u64, want: u64, now: u64) -> Option<u64> {
        self.enter(now);
        let Some(hold) = self.holds.get_mut(&id) else { return Some(0) };
        if hold.wanted > 0 {
            return None;
        }
        hold.unheard = 0;
        let left = hold.left;
        let wish = want.max(least) - want.max(least).min(left);
        let keys = self.pausing_keys(id);
        let free = |k: &LimitKey| if self.queued(k) { 0 } else { self.room(k) };
        let more = keys.iter().map(free).min().unwrap_or(wish).min(wish);
        if left + more >= self.least(id, least) {
            self.grant(id, more);
            return Some(left + more);
        }
        let hold = self.holds.get_mut(&id).unwrap();
        (hold.left, hold.wanted) = (0, least);
        hold.own.iter_mut().filter(|(key, _)| key.kind == Kind::Tokens).for_each(|(_, own)| *own = 0);
        for key in keys {
            self.lines.get_mut(&key).unwrap().queue.push(Entry::Waiter(id));
        }
        self.serve();
        let hold = self.holds.get_mut(&id).unwrap();
        hold.unheard = 0;
        (hold.wanted == 0).then_some(hold.left)
    }

    pub(crate) fn cancel_wait(&mut self, id: u64, now: u64) {
        self.enter(now);
        if self.holds.contains_key(&id) {
            self.leave(id);
            self.serve();
        }
    }

    /// The least there must be of what is wanted.
    fn least(&self, id: u64, wanted: u64) -> u64 {
        let n = self.pausing_keys(id).iter().map(|k| self.lines[k].n.max(1)).min();
        n.map_or(wanted, |n| wanted.min(n))
    }

    fn grant(&mut self, id: u64, amount: u64) {
        for key in self.token_keys(id) {
            let room = if self.queued(&key) { 0 } else { self.room(&key) };
            let own = if pauses(&key) { amount } else { amount.min(room) };
            *self.holds.get_mut(&id).unwrap().own.get_mut(&key).unwrap() += own;
        }
        let hold = self.holds.get_mut(&id).unwrap();
        hold.left += amount;
    }

    fn leave(&mut self, id: u64) {
        self.holds.get_mut(&id).unwrap().wanted = 0;
        for line in self.lines.values_mut() {
            line.queue.retain(|e| *e != Entry::Waiter(id));
        }
    }

    pub(crate) fn set_n(&mut self, key: LimitKey, n: u64) {
        if let Some(line) = self.lines.get_mut(&key) {
            line.n = n;
            self.serve();
        }
    }

    /// Serves whoever is first and has room, until nobody is.
    fn serve(&mut self) {
        let keys: Vec<LimitKey> = self.lines.keys().copied().collect();
        loop {
            let mut moved = false;
            for key in &keys {
                while self.serve_front(key) {
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn serve_front(&mut self, key: &LimitKey) -> bool {
        match self.lines[key].queue.first().cloned() {
            None => false,
            Some(Entry::Debt(debt)) => {
                let paid = debt.min(self.room(key));
                self.log(key, paid);
                let queue = &mut self.lines.get_mut(key).unwrap().queue;
                queue[0] = Entry::Debt(debt - paid);
                if debt == paid {
                    queue.remove(0);
                }
                paid > 0
            }
            Some(Entry::Waiter(id)) => {
                let keys = self.pausing_keys(id);
                let amount = self.least(id, self.holds[&id].wanted);
                let first = keys.iter().all(|k| self.lines[k].queue[0] == Entry::Waiter(id));
                if !first || keys.iter().any(|k| self.room(k) < amount) {
                    return false;
                }
                self.leave(id);
                self.grant(id, amount);
                self.holds.get_mut(&id).unwrap().unheard += amount;
                true
            }
        }
    }

    /// The first moment after now at which anything expires and thereby changes the queues in which this hold stands.
    pub(crate) fn next_chance(&self, id: u64) -> Option<u64> {
        let hold = self.holds.get(&id).filter(|hold| hold.wanted > 0)?;
        let queues =
            |oracle: &Self| -> Vec<Vec<Entry>> { hold.own.keys().filter(|k| pauses(k)).map(|k| oracle.lines[k].queue.clone()).collect() };
        let mut later = self.clone();
        for next in self.expiries() {
            later.now = next;
            later.serve();
            if queues(&later) != queues(self) {
                return Some(next);
            }
        }
        None
    }

    /// The first moment after now at which these asks fit if nothing else happens: tried at every moment at which anything expires.
    pub(crate) fn earliest(&self, asks: &[Ask], until: u64) -> Option<u64> {
        let mut later = self.clone();
        loop {
            let next = later.expiries().first().copied().filter(|t| *t <= until)?;
            later.now = next;
            later.serve();
            if later.fits(asks) {
                return Some(next);
            }
        }
    }
}
