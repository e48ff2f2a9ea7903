//! One ledger behind one lock, and the guard that settles a hold exactly once.
//! It knows no clock and blocks nowhere but at the lock.

use std::sync::{Arc, Mutex, PoisonError};

use crate::key::{Ask, Micros};
use crate::ledger::{HoldId, Ledger};
use crate::refusal::Refusal;
use crate::status::{Extend, Settlement};

/// A ledger that many threads use. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedLedger {
    ledger: Arc<Mutex<Ledger>>,
}

impl SharedLedger {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `act` under the lock.
    pub fn with<R>(&self, act: impl FnOnce(&mut Ledger) -> R) -> R {
        act(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// [`Ledger::reserve`], with a guard for the hold.
    ///
    /// # Errors
    /// A [`Refusal`] when a limit has no room.
    pub fn reserve(&self, request: u128, asks: &[Ask], now: Micros) -> Result<HoldGuard, Refusal> {
        let id = self.with(|ledger| ledger.reserve(request, asks, now))?;
        Ok(HoldGuard { ledger: self.clone(), id, seen: now, settled: false })
    }
}

/// Owns a hold. Dropped before it is settled, it lapses.
#[must_use]
#[derive(Debug)]
pub struct HoldGuard {
    ledger: SharedLedger,
    id: HoldId,
    seen: Micros,
    settled: bool,
}

impl HoldGuard {
    #[must_use]
    pub fn id(&self) -> HoldId {
        self.id
    }

    #[must_use]
    pub fn ledger(&self) -> &SharedLedger {
        &self.ledger
    }

    /// [`Ledger::input`]
    pub fn input(&mut self, exact: u64, now: Micros) {
        self.seen = now;
        self.ledger.with(|ledger| ledger.input(self.id, exact, now));
    }

    /// [`Ledger::charge`]
    pub fn charge(&mut self, total_output: u64, now: Micros) -> u64 {
        self.seen = now;
        self.ledger.with(|ledger| ledger.charge(self.id, total_output, now))
    }

    /// [`Ledger::extend`]
    pub fn extend(&mut self, want: u64, now: Micros) -> Extend {
        self.seen = now;
        self.ledger.with(|ledger| ledger.extend(self.id, want, now))
    }

    /// [`Ledger::hold_left`]; 0 when the hold has ended.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.ledger.with(|ledger| ledger.hold_left(self.id)).unwrap_or(0)
    }

    /// Input, output and release under one lock; returns what became debt, in tokens.
    pub fn settle(mut self, settlement: Settlement, now: Micros) -> u64 {
        self.settled = true;
        self.ledger.with(|ledger| {
            if let Some(exact) = settlement.input {
                ledger.input(self.id, exact, now);
            }
            let debt = ledger.charge(self.id, settlement.output, now);
            ledger.release(self.id, now);
            debt
        })
    }

    /// [`Ledger::release`]
    pub fn release(mut self, now: Micros) {
        self.settled = true;
        self.ledger.with(|ledger| ledger.release(self.id, now));
    }

    /// [`Ledger::lapse`]
    pub fn lapse(mut self, now: Micros) {
        self.settled = true;
        self.ledger.with(|ledger| ledger.lapse(self.id, now));
    }

    /// [`Ledger::refund_tokens`]
    pub fn refund_tokens(mut self, now: Micros) {
        self.settled = true;
        self.ledger.with(|ledger| ledger.refund_tokens(self.id, now));
    }

    /// [`Ledger::refund_all`]
    pub fn refund_all(mut self, now: Micros) {
        self.settled = true;
        self.ledger.with(|ledger| ledger.refund_all(self.id, now));
    }
}

impl Drop for HoldGuard {
    fn drop(&mut self) {
        if !self.settled {
            self.ledger.with(|ledger| ledger.lapse(self.id, self.seen));
        }
    }
}
