//! One limit: its number, its log, what is held, and what waits.
//! It knows no other limit and no hold.

use crate::caps::Caps;
use crate::key::{Kind, LimitKey, Micros};
use crate::lives::Lives;
use crate::log::Log;
use crate::queue::{Item, Queue};

#[derive(Clone, Debug)]
pub(crate) struct Limit {
    pub(crate) key: LimitKey,
    pub(crate) n: u64,
    pub(crate) held: u64,
    /// Holds that name this limit, whether or not they hold anything of it.
    pub(crate) named: u32,
    /// The request that asked it last, by the ledger's count: so that it counts once if it is asked twice.
    pub(crate) asked_by: u64,
    /// Whether its place is free for another limit.
    pub(crate) vacant: bool,
    pub(crate) lives: Lives,
    pub(crate) log: Log,
    /// None when nothing waits.
    pub(crate) queue: Option<Box<Queue>>,
}

impl Limit {
    pub(crate) fn new(key: LimitKey) -> Self {
        Self { key, n: 0, held: 0, named: 0, asked_by: 0, vacant: false, lives: Lives::default(), log: Log::default(), queue: None }
    }

    pub(crate) fn used(&self) -> u64 {
        self.log.used()
    }

    /// What used and held leave of the limit: 0 right after it was lowered below them.
    pub(crate) fn room(&self) -> u64 {
        self.n.saturating_sub(self.used()).saturating_sub(self.held)
    }

    /// What something new could get: nothing while anything waits.
    pub(crate) fn free(&self) -> u64 {
        if self.waits() { 0 } else { self.room() }
    }

    /// Whether something new that asks this much may pass: it needs room, and nothing may wait, be the ask ever so small.
    pub(crate) fn fits(&self, ask: u64) -> bool {
        !self.waits() && ask <= self.room()
    }

    pub(crate) fn waits(&self) -> bool {
        self.queue.is_some()
    }

    pub(crate) fn queue(&self) -> Option<&Queue> {
        self.queue.as_deref()
    }

    pub(crate) fn front(&self) -> Option<Item> {
        self.queue.as_ref().and_then(|queue| queue.front())
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.queue.as_ref().map_or(0, |queue| queue.waiting())
    }

    pub(crate) fn owed(&self) -> u64 {
        self.queue.as_ref().map_or(0, |queue| queue.owed)
    }

    /// Whether a stream waits for room of this limit. Where the window is long it doesn't: what exceeds the hold becomes debt.
    pub(crate) fn pauses(&self, caps: &Caps) -> bool {
        self.key.kind == Kind::Tokens && self.key.window_us <= caps.pause_us
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.used() == 0 && self.held == 0 && self.named == 0 && !self.waits()
    }

    #[inline]
    pub(crate) fn expire(&mut self, now: Micros) {
        self.log.expire(self.key.window_us, now);
    }

    #[inline]
    pub(crate) fn count(&mut self, amount: u64, now: Micros, caps: &Caps) {
        self.log.append(amount, now, self.key.window_us, caps);
    }

    /// Takes back what was counted at `at`, unless it has stopped counting.
    pub(crate) fn refund(&mut self, at: Micros, amount: u64, now: Micros) {
        if amount > 0 && now - at < self.key.window_us {
            self.log.refund(at, amount);
        }
    }

    /// Changes the queue, and drops it when it has become empty.
    pub(crate) fn with_queue<R>(&mut self, change: impl FnOnce(&mut Queue) -> R) -> R {
        let mut queue = self.queue.take().unwrap_or_default();
        let result = change(&mut queue);
        self.queue = if queue.is_empty() { None } else { Some(queue) };
        result
    }

    /// Pays debt in front of the queue as far as there is room; whether anything was paid.
    pub(crate) fn pay(&mut self, now: Micros, caps: &Caps) -> bool {
        let room = self.room();
        let paid = self.with_queue(|queue| queue.pay(room));
        self.count(paid, now, caps);
        paid > 0
    }

    /// When `need` units have expired, of those that are used.
    pub(crate) fn expired_at(&self, need: u64) -> Option<Micros> {
        self.log.reaches(need).map(|at| at.saturating_add(self.key.window_us))
    }

    /// When what is counted reaches 0.
    pub(crate) fn resets_at(&self) -> Option<Micros> {
        let last = self.log.last().map(|at| at.saturating_add(self.key.window_us));
        Some(self.used()).filter(|used| *used > 0).and_then(|used| last.or_else(|| self.expired_at(used)))
    }

    /// When expiry alone makes room for `ask`: 0 when there is room, none when it doesn't suffice.
    pub(crate) fn has_room_at(&self, ask: u64) -> Option<Micros> {
        let need = (u128::from(self.used()) + u128::from(self.held) + u128::from(ask)).saturating_sub(u128::from(self.n));
        let need = u64::try_from(need).ok().filter(|need| *need <= self.used())?;
        if need == 0 { Some(0) } else { self.expired_at(need) }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.log.memory_bytes() + self.queue.as_ref().map_or(0, |queue| queue.memory_bytes())
    }
}
