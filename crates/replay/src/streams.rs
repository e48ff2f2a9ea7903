//! Answers under way: output is produced at a pace, and relayed in pieces as far as the hold covers it.
//! It admits nothing.

use domain::{Kind, OnExhausted};
use limits::{Cover, HoldId, Settlement};

use crate::queue::Event;
use crate::simulation::Simulation;
use crate::witness::Witness;

/// The least that a stream goes on with, in tokens.
const LEAST: u64 = 16;
/// By so much a hold is made larger than what is needed at the moment, where there is room.
const LOOKAHEAD: u64 = 64;

/// One answer under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    hold: HoldId,
    account: u32,
    lengths: u32,
    output: u64,
    relayed: u64,
    /// What the hold still covers.
    left: u64,
    started: u64,
    us_per_token: u64,
    paused_since: Option<u64>,
    paused_us: u64,
    /// Counts pauses, so that the end of an old one is told from that of this one. Goes on when the slot is used again.
    pause: u32,
}

impl Stream {
    pub(crate) fn new(hold: HoldId, account: u32, lengths: u32, output: u32, left: u64, started: u64, us_per_token: u64) -> Self {
        let output = u64::from(output);
        Self { hold, account, lengths, output, relayed: 0, left, started, us_per_token, paused_since: None, paused_us: 0, pause: 0 }
    }

    /// When the last token will have been produced.
    pub(crate) fn ends_at(&self) -> u64 {
        self.started.saturating_add(self.output.saturating_mul(self.us_per_token))
    }

    /// Tokens produced and not relayed.
    fn due(&self, now: u64) -> u64 {
        let produced = if now >= self.ends_at() { self.output } else { (now - self.started) / self.us_per_token };
        produced - self.relayed
    }
}

/// All answers under way, by slot.
#[derive(Default)]
pub(crate) struct Streams {
    slots: Vec<Stream>,
    vacant: Vec<u32>,
}

impl Streams {
    pub(crate) fn open(&mut self, stream: Stream) -> u32 {
        match self.vacant.pop() {
            Some(slot) => {
                let pause = self.slots[slot as usize].pause;
                self.slots[slot as usize] = Stream { pause, ..stream };
                slot
            }
            None => {
                self.slots.push(stream);
                (self.slots.len() - 1) as u32
            }
        }
    }
}

impl<W: Witness> Simulation<'_, W> {
    /// Plans a stream's next piece, which is its last if it ends before a whole one.
    pub(crate) fn plan_next(&mut self, stream: u32, ends_at: u64) {
        let next = self.now + self.settings.piece_us;
        if ends_at > next {
            self.queue.plan_piece(next, stream);
        } else {
            self.queue.plan(ends_at.max(self.now), Event::Relay(stream));
        }
    }

    /// Relays what a stream has produced, and plans what comes next: a piece, its end, or a pause.
    pub(crate) fn relay(&mut self, slot: u32) {
        let now = self.now;
        let stream = self.streams.slots[slot as usize];
        let due = stream.due(now);
        let relayed = match self.on_exhausted {
            OnExhausted::Overdraft => {
                self.pass_on(slot, due);
                due
            }
            OnExhausted::Pace | OnExhausted::Cut => self.pass_on_covered(slot, due),
        };
        if relayed < due {
            match self.on_exhausted {
                OnExhausted::Pace => self.pause(slot),
                OnExhausted::Overdraft | OnExhausted::Cut => self.end(slot),
            }
        } else if stream.relayed + due == stream.output {
            self.end(slot);
        } else {
            self.plan_next(slot, stream.ends_at());
            // What was charged now has a time at which it expires, for which others may wait.
            self.serve(stream.account);
        }
    }

    /// Relays as much as there is room for, extending the hold; returns how much that was.
    fn pass_on_covered(&mut self, slot: u32, due: u64) -> u64 {
        let mut relayed = 0;
        loop {
            let stream = &self.streams.slots[slot as usize];
            let piece = stream.left.min(due - relayed);
            let (account, hold) = (stream.account, stream.hold);
            if piece > 0 {
                self.pass_on(slot, piece);
                relayed += piece;
            }
            let rest = due - relayed;
            if rest == 0 {
                return relayed;
            }
            match self.accounts.ledger(account).cover(hold, rest.min(LEAST), rest.saturating_add(LOOKAHEAD), self.now) {
                Cover::Covered(left) if left > 0 => self.set_left(slot, left),
                Cover::Covered(_) => return relayed,
                Cover::Waiting => {
                    self.set_left(slot, 0);
                    return relayed;
                }
            }
        }
    }

    /// Relays so many tokens, whatever covers them.
    fn pass_on(&mut self, slot: u32, tokens: u64) {
        if tokens == 0 {
            return;
        }
        let now = self.now;
        let stream = &mut self.streams.slots[slot as usize];
        stream.relayed += tokens;
        let Stream { account, hold, relayed, left, .. } = *stream;
        stream.left = left.saturating_sub(tokens);
        let debt = self.accounts.ledger(account).charge(hold, relayed, now);
        let booked = &mut self.accounts.all[account as usize];
        let pool = &mut self.pools[booked.lane as usize];
        pool.output += tokens;
        pool.debt += debt;
        booked.happened(Kind::Tokens, tokens, now, pool);
        self.witness.relayed(account as usize, tokens, now);
        self.witness.held(account as usize, left, left.saturating_sub(tokens));
    }

    fn set_left(&mut self, slot: u32, left: u64) {
        let stream = &mut self.streams.slots[slot as usize];
        let before = std::mem::replace(&mut stream.left, left);
        self.witness.held(stream.account as usize, before, left);
    }

    /// The stream has its place in the ledger's queue, and takes the same one here.
    fn pause(&mut self, slot: u32) {
        let stream = &mut self.streams.slots[slot as usize];
        let account = stream.account;
        stream.pause = stream.pause.wrapping_add(1);
        stream.paused_since = Some(self.now);
        let pause = stream.pause;
        self.accounts.all[account as usize].waiting.push_back(slot);
        self.witness.waits(account as usize, true);
        self.queue.plan(self.now.saturating_add(self.settings.max_pause_us), Event::PauseEnds { stream: slot, pause });
        self.serve(account);
    }

    /// It has paused too long: it is cut, if it is still this pause.
    pub(crate) fn pause_ends(&mut self, slot: u32, pause: u32) {
        let stream = &self.streams.slots[slot as usize];
        if stream.pause != pause || stream.paused_since.is_none() {
            return;
        }
        let account = stream.account;
        self.accounts.all[account as usize].waiting.retain(|other| *other != slot);
        self.witness.waits(account as usize, false);
        self.end(slot);
    }

    /// Time has passed for an organisation in which somebody waits.
    pub(crate) fn wake(&mut self, org: u32) {
        if self.accounts.orgs[org as usize].wakes_at != self.now {
            return;
        }
        self.accounts.orgs[org as usize].wakes_at = u64::MAX;
        for lane in 0..self.pools.len() {
            if let Some(account) = self.accounts.orgs[org as usize].account(lane) {
                self.serve(account);
            }
        }
    }

    /// Lets those go on whom the ledger has served, in their order, and plans when to look again.
    pub(crate) fn serve(&mut self, account: u32) {
        if self.accounts.all[account as usize].waiting.is_empty() {
            return;
        }
        let next = self.accounts.ledger(account).advance(self.now);
        while let Some(slot) = self.accounts.all[account as usize].waiting.front().copied() {
            let stream = &mut self.streams.slots[slot as usize];
            // Whoever waits holds nothing.
            let Some(left) = self.accounts.ledger(account).hold_left(stream.hold).filter(|left| *left > 0) else { break };
            stream.paused_us += stream.paused_since.take().map_or(0, |since| self.now - since);
            self.accounts.all[account as usize].waiting.pop_front();
            self.witness.waits(account as usize, false);
            self.set_left(slot, left);
            self.queue.plan(self.now, Event::Relay(slot));
        }
        let org = &mut self.accounts.orgs[self.accounts.all[account as usize].org as usize];
        if let Some(at) = next.filter(|at| *at < org.wakes_at) {
            org.wakes_at = at;
            self.queue.plan(at, Event::Wake(self.accounts.all[account as usize].org));
        }
    }

    /// The end of an answer, however much of it was relayed.
    fn end(&mut self, slot: u32) {
        let now = self.now;
        self.last_at = now;
        let stream = self.streams.slots[slot as usize];
        self.streams.vacant.push(slot);
        let settlement = Settlement { input: None, output: stream.relayed };
        self.accounts.ledger(stream.account).settle(stream.hold, settlement, now);
        self.accounts.lengths[stream.lengths as usize].note(stream.relayed);
        let booked = &mut self.accounts.all[stream.account as usize];
        let pool = &mut self.pools[booked.lane as usize];
        if stream.relayed < stream.output {
            pool.cut += 1;
            pool.cut_tokens += stream.output - stream.relayed;
        }
        let paused_us = stream.paused_us + stream.paused_since.map_or(0, |since| now - since);
        if paused_us > 0 {
            pool.paused.note(paused_us);
        }
        booked.open(false, now, pool);
        self.witness.held(stream.account as usize, stream.left, 0);
        self.witness.ended(stream.account as usize, now);
        self.serve(stream.account);
    }
}
