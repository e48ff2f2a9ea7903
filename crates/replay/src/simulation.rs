//! A workload on one plan: requests arrive, are admitted or refused by the real ledger, and are answered at the pace of a model.
//! It knows no file, and time is the trace's.

use domain::{Catalogue, HoldPolicy, Kind, OnExhausted, PlanId, UnixMicros};
use limits::{Refusal, Retry};

use crate::accounts::Accounts;
use crate::caps;
use crate::lanes::{Choice, Lanes};
use crate::outcome::{LimitOutcome, Outcome, PoolOutcome};
use crate::queue::{Event, Queue};
use crate::row::{Labels, Row};
use crate::settings::Settings;
use crate::streams::{Stream, Streams};
use crate::witness::Witness;

/// The first arrival's time, so that nothing is ever before the beginning.
const START_US: u64 = 1;
const MS_US: u64 = 1_000;

/// A workload on one plan, as far as it has arrived.
pub struct Simulation<'a, W = ()> {
    pub(crate) settings: Settings,
    hold: HoldPolicy,
    pub(crate) on_exhausted: OnExhausted,
    plan: PlanId,
    us_per_token: u64,
    lanes: Lanes<'a>,
    pub(crate) accounts: Accounts,
    pub(crate) streams: Streams,
    pub(crate) queue: Queue,
    clients: Clients,
    pub(crate) pools: Vec<PoolOutcome>,
    first_at: Option<i64>,
    pub(crate) now: u64,
    /// When a request last arrived or ended.
    pub(crate) last_at: u64,
    requests: u64,
    not_in_plan: u64,
    pub(crate) witness: W,
}

/// A request that asks, perhaps not for the first time.
#[derive(Clone, Copy)]
struct Asking {
    row: Row,
    choice: Choice,
    account: u32,
    number: u64,
    /// When it asked first, and when the client came this time.
    first_at: u64,
    came_at: u64,
}

/// Those who wait to ask again.
#[derive(Default)]
struct Clients {
    slots: Vec<Asking>,
    vacant: Vec<u32>,
}

impl<'a, W: Witness> Simulation<'a, W> {
    /// Nothing has arrived yet. None if there is no such plan.
    pub fn new(catalogue: &'a Catalogue, plan: &PlanId, settings: &Settings, witness: W) -> Option<Self> {
        let described = catalogue.plan(plan.as_str())?;
        Some(Self {
            settings: settings.clone(),
            hold: settings.hold.unwrap_or(described.hold),
            on_exhausted: settings.on_exhausted.unwrap_or(described.on_exhausted),
            plan: plan.clone(),
            us_per_token: settings.us_per_token(),
            lanes: Lanes::new(catalogue, plan.clone()),
            accounts: Accounts::default(),
            streams: Streams::default(),
            queue: Queue::default(),
            clients: Clients::default(),
            pools: Vec::new(),
            first_at: None,
            now: 0,
            last_at: 0,
            requests: 0,
            not_in_plan: 0,
            witness,
        })
    }

    /// The next request of the workload; one that is earlier than the last arrives with it.
    pub fn arrive(&mut self, row: &Row, models: &Labels) {
        let first_at = *self.first_at.get_or_insert(row.at.0);
        let since = u64::try_from(row.at.0.saturating_sub(first_at)).unwrap_or(0);
        let since = if self.settings.speed_up == 1.0 { since } else { (since as f64 / self.settings.speed_up) as u64 };
        let at = since.saturating_add(START_US).max(self.now);
        self.run_until(at);
        (self.now, self.last_at) = (at, at);
        self.requests += 1;
        let choice = self.lanes.of(row, models, &self.settings);
        let Some(lane) = choice.lane else {
            self.not_in_plan += 1;
            return;
        };
        while let Some(lane) = self.lanes.lanes.get(self.pools.len()) {
            let limits = lane.pool.limits.iter().map(|limit| LimitOutcome::new(limit.kind, limit.window_us, limit.n)).collect();
            self.pools.push(PoolOutcome::new(lane.pool.name.text(), lane.pool.enforce, limits));
        }
        self.pools[lane as usize].requests += 1;
        let account = self.accounts.of(row.org, lane, &self.lanes.lanes, &self.settings);
        self.ask(Asking { row: *row, choice, account, number: self.requests, first_at: at, came_at: at });
    }

    /// No more requests arrive: lets those under way come to their ends.
    pub fn finish(mut self) -> (Outcome, W) {
        self.run_until(u64::MAX);
        let span_us = self.last_at.saturating_sub(START_US);
        for pool in &mut self.pools {
            pool.limits.iter_mut().for_each(|limit| limit.peak_at = limit.peak_at.saturating_sub(START_US));
        }
        let from = UnixMicros(self.first_at.unwrap_or(0));
        let Self { plan, requests, not_in_plan, pools, witness, .. } = self;
        (Outcome { plan, requests, not_in_plan, from, span_us, pools }, witness)
    }

    fn run_until(&mut self, until: u64) {
        while let Some((at, event)) = self.queue.next_until(until) {
            self.now = at;
            match event {
                Event::Relay(stream) => self.relay(stream),
                Event::PauseEnds { stream, pause } => self.pause_ends(stream, pause),
                Event::Wake(org) => self.wake(org),
                Event::Return(slot) => self.come_back(slot),
            }
        }
    }

    fn come_back(&mut self, slot: u32) {
        let asking = self.clients.slots[slot as usize];
        self.clients.vacant.push(slot);
        self.ask(asking);
    }

    /// Output to hold, before what the limit leaves bounds it.
    fn hold(&mut self, asking: &Asking) -> u64 {
        let stated = asking.row.max_tokens.or(self.settings.max_tokens).map(u64::from);
        let accounts = &mut self.accounts;
        let learned = |default| {
            let lengths = accounts.lengths_of(asking.row.org, asking.row.model);
            accounts.lengths[lengths as usize].hold(default)
        };
        self.lanes.models[asking.choice.model as usize].output_to_hold(self.hold, stated, learned)
    }

    fn ask(&mut self, asking: Asking) {
        // Who waits comes before, at this very moment as well.
        self.serve(asking.account);
        let input = u64::from(asking.row.input);
        let mut hold = self.hold(&asking);
        let lane = &self.lanes.lanes[self.accounts.all[asking.account as usize].lane as usize];
        if let Some(n) = lane.least_tokens {
            hold = hold.min(n.saturating_sub(input));
        } else if !lane.counts_tokens {
            hold = 0;
        }
        let (asks, len) = lane.asks(input, hold);
        let asks = &asks[..len];
        let now = self.now;
        match self.accounts.ledger(asking.account).reserve(u128::from(asking.number), asks, now) {
            Ok(id) => {
                self.witness.admitted(asking.account as usize, asks, now);
                self.begin(&asking, id, hold);
            }
            Err(refusal) => {
                if !self.waits_in_gateway(&asking, &refusal) {
                    self.witness.refused(asking.account as usize, asks, now);
                    self.refuse(asking, &refusal, |ask| (asks[ask].key.kind, asks[ask].key.window_us));
                }
            }
        }
    }

    fn begin(&mut self, asking: &Asking, hold: limits::HoldId, left: u64) {
        let row = &asking.row;
        let now = self.now;
        let account = &mut self.accounts.all[asking.account as usize];
        let pool = &mut self.pools[account.lane as usize];
        pool.admitted += 1;
        pool.input += u64::from(row.input);
        if now > asking.first_at {
            pool.waited.note(now - asking.first_at);
        }
        account.happened(Kind::Requests, 1, now, pool);
        account.happened(Kind::Tokens, u64::from(row.input), now, pool);
        account.open(true, now, pool);
        let us_per_token = match row.duration_ms {
            Some(ms) => (u64::from(ms) * MS_US / u64::from(row.output).max(1)).max(1),
            None => self.us_per_token,
        };
        let lengths = self.accounts.lengths_of(row.org, row.model);
        let stream = Stream::new(hold, asking.account, lengths, row.output, left, now, us_per_token);
        let ends_at = stream.ends_at();
        let stream = self.streams.open(stream);
        self.plan_next(stream, ends_at);
    }

    /// Whether a request that doesn't fit waits for room instead of being refused.
    fn waits_in_gateway(&mut self, asking: &Asking, refusal: &Refusal) -> bool {
        match refusal.retry {
            Retry::At { at, .. } if at - asking.came_at <= self.settings.micro_wait_us => self.waits_until(*asking, at),
            Retry::At { .. } | Retry::Never => false,
        }
    }

    fn refuse(&mut self, mut asking: Asking, refusal: &Refusal, limit_of: impl Fn(usize) -> (limits::Kind, u64)) {
        let now = self.now;
        let pool = &mut self.pools[self.accounts.all[asking.account as usize].lane as usize];
        pool.refusals += 1;
        pool.refusals_over_time.note(1, now);
        for blocked in &refusal.blocked {
            let (kind, window_us) = limit_of(blocked.ask);
            let limit = pool.limits.iter_mut().find(|limit| is_same(limit.kind, kind) && limit.window_us == window_us);
            limit.into_iter().for_each(|limit| limit.refusals += 1);
        }
        match refusal.retry {
            Retry::Never => pool.too_large += 1,
            Retry::At { at, .. } => {
                // Clients hear whole milliseconds, rounded up.
                let told = (at - now).div_ceil(MS_US) * MS_US;
                pool.announced.note(told);
                asking.came_at = now + told;
                if asking.came_at - asking.first_at <= self.settings.wait_us && self.waits_until(asking, asking.came_at) {
                    return;
                }
            }
        }
        self.last_at = now;
        self.pools[self.accounts.all[asking.account as usize].lane as usize].refused += 1;
    }

    fn waits_until(&mut self, asking: Asking, at: u64) -> bool {
        let slot = match self.clients.vacant.pop() {
            Some(slot) => slot,
            None if self.clients.slots.len() < caps::WAITING_CLIENTS => {
                self.clients.slots.push(asking);
                (self.clients.slots.len() - 1) as u32
            }
            None => return false,
        };
        self.clients.slots[slot as usize] = asking;
        self.queue.plan(at, Event::Return(slot));
        true
    }
}

fn is_same(kind: Kind, other: limits::Kind) -> bool {
    match kind {
        Kind::Requests => other == limits::Kind::Requests,
        Kind::Tokens => other == limits::Kind::Tokens,
        Kind::Concurrent => other == limits::Kind::Concurrent,
    }
}
