//! One ledger behind one lock, and the guard that settles a hold exactly once.
//! It knows no clock, and blocks nowhere but at the lock.

use crate::caps::Caps;
use crate::hold::HoldId;
use crate::key::{Ask, Micros};
use crate::ledger::Ledger;
use crate::refusal::Refusal;
use crate::status::{Cover, Settlement};
use crate::sync::{Arc, AtomicBool, Mutex, MutexGuard, Ordering, lock};

/// A ledger that many threads use. Clones share it.
///
/// A panic under the lock doesn't take the ledger down: whoever comes next makes its sums agree with its holds and goes on.
#[derive(Clone, Debug, Default)]
pub struct SharedLedger {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ledger: Mutex<Ledger>,
    /// Holds whose guards were dropped unsettled. Apart from the ledger, so that a drop never waits for it, nor for itself.
    dropped: Mutex<Vec<HoldId>>,
    /// Whether there are any: saves the second lock.
    any_dropped: AtomicBool,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        let (mut ledger, torn) = lock(&self.ledger);
        if torn {
            ledger.repair();
        }
        if self.any_dropped.load(Ordering::Acquire) {
            let (mut dropped, _) = lock(&self.dropped);
            self.any_dropped.store(false, Ordering::Release);
            for hold in std::mem::take(&mut *dropped) {
                ledger.abandon(hold);
            }
        }
        ledger
    }

    fn drop_unsettled(&self, hold: HoldId) {
        let (mut dropped, _) = lock(&self.dropped);
        dropped.push(hold);
        self.any_dropped.store(true, Ordering::Release);
    }
}

impl SharedLedger {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With bounds of one's own.
    #[must_use]
    pub fn with_caps(caps: &'static Caps) -> Self {
        Ledger::with_caps(caps).into()
    }

    /// Runs `act` under the lock. It must not lock the same ledger again.
    pub fn with<R>(&self, act: impl FnOnce(&mut Ledger) -> R) -> R {
        act(&mut self.inner.lock())
    }

    /// [`Ledger::reserve`], with a guard for the hold. The same live request again gets a guard of the same hold; whichever settles first
    /// settles it.
    ///
    /// # Errors
    /// As [`Ledger::reserve`].
    pub fn reserve(&self, request: u128, asks: &[Ask], now: Micros) -> Result<HoldGuard, Refusal> {
        self.reserve_and(request, asks, now, || Ok(())).map(|(guard, ())| guard)
    }

    /// The same for a request that asks elsewhere too, as one step: `also` runs under the lock once there is room here, and where it refuses
    /// nothing is taken here either. It may lock another ledger, and nobody may lock these two the other way round.
    ///
    /// # Errors
    /// As [`Ledger::reserve`], or what `also` says.
    pub fn reserve_and<T, E: From<Refusal>>(
        &self,
        request: u128,
        asks: &[Ask],
        now: Micros,
        also: impl FnOnce() -> Result<T, E>,
    ) -> Result<(HoldGuard, T), E> {
        let (hold, at, other) = self.with(|ledger| {
            let hold = ledger.reserve(request, asks, now)?;
            let other = also().inspect_err(|_| ledger.refund_all(hold, now))?;
            Ok::<_, E>((hold, ledger.admitted_at(hold), other))
        })?;
        Ok((HoldGuard { ledger: self.clone(), hold, at: at.unwrap_or(now), settled: false }, other))
    }
}

impl From<Ledger> for SharedLedger {
    fn from(ledger: Ledger) -> Self {
        Self { inner: Arc::new(Inner { ledger: Mutex::new(ledger), ..Inner::default() }) }
    }
}

/// Owns a hold, and settles it exactly once.
///
/// Dropped unsettled (a panic, a cancelled task) it lapses: what is left of the hold is charged, at the time of the next call of the
/// ledger, since a drop has no clock and an earlier time would let what was relayed expire early. Until then it is held.
#[must_use]
#[derive(Debug)]
pub struct HoldGuard {
    ledger: SharedLedger,
    hold: HoldId,
    at: Micros,
    settled: bool,
}

impl HoldGuard {
    #[must_use]
    pub fn id(&self) -> HoldId {
        self.hold
    }

    #[must_use]
    pub fn ledger(&self) -> &SharedLedger {
        &self.ledger
    }

    /// When it was admitted, by the ledger's clock: what a journal writes with the grant.
    #[must_use]
    pub fn admitted_at(&self) -> Micros {
        self.at
    }

    /// [`Ledger::hold_left`]; 0 when the hold has ended.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.ledger.with(|ledger| ledger.hold_left(self.hold)).unwrap_or(0)
    }

    /// [`Ledger::input`]
    pub fn input(&mut self, exact: u64, now: Micros) -> u64 {
        self.ledger.with(|ledger| ledger.input(self.hold, exact, now))
    }

    /// [`Ledger::recount`]
    pub fn recount(&mut self, now: Micros) {
        self.ledger.with(|ledger| ledger.recount(self.hold, now));
    }

    /// [`Ledger::charge`]
    pub fn charge(&mut self, total_output: u64, now: Micros) -> u64 {
        self.ledger.with(|ledger| ledger.charge(self.hold, total_output, now))
    }

    /// [`Ledger::covers`]
    #[must_use]
    pub fn covers(&self, settlement: Settlement) -> bool {
        self.ledger.with(|ledger| ledger.covers(self.hold, settlement))
    }

    /// [`Ledger::cover`]
    pub fn cover(&mut self, least: u64, want: u64, now: Micros) -> Cover {
        self.ledger.with(|ledger| ledger.cover(self.hold, least, want, now))
    }

    /// [`Ledger::cover_beyond`]
    pub fn cover_beyond(&mut self, processed: u64, least: u64, want: u64, now: Micros) -> Cover {
        self.ledger.with(|ledger| ledger.cover_beyond(self.hold, processed, least, want, now))
    }

    /// [`Ledger::stand_back`]
    pub fn stand_back(&mut self, processed: u64, now: Micros) {
        self.ledger.with(|ledger| ledger.stand_back(self.hold, processed, now));
    }

    /// [`Ledger::cancel_wait`]
    pub fn cancel_wait(&mut self, now: Micros) {
        self.ledger.with(|ledger| ledger.cancel_wait(self.hold, now));
    }

    /// [`Ledger::next_chance`]
    #[must_use]
    pub fn next_chance(&self, now: Micros) -> Option<Micros> {
        self.ledger.with(|ledger| ledger.next_chance(self.hold, now))
    }

    /// [`Ledger::settle`]
    pub fn settle(self, settlement: Settlement, now: Micros) -> u64 {
        self.finish(|ledger, hold| ledger.settle(hold, settlement, now))
    }

    /// [`Ledger::release`]
    pub fn release(self, now: Micros) {
        self.finish(|ledger, hold| ledger.release(hold, now));
    }

    /// [`Ledger::lapse`]
    pub fn lapse(self, now: Micros) {
        self.finish(|ledger, hold| ledger.lapse(hold, now));
    }

    /// [`Ledger::refund_tokens`]
    pub fn refund_tokens(self, now: Micros) {
        self.finish(|ledger, hold| ledger.refund_tokens(hold, now));
    }

    /// [`Ledger::refund_all`]
    pub fn refund_all(self, now: Micros) {
        self.finish(|ledger, hold| ledger.refund_all(hold, now));
    }

    /// A panic before the end leaves the guard unsettled, so that it lapses.
    fn finish<R>(mut self, act: impl FnOnce(&mut Ledger, HoldId) -> R) -> R {
        let result = act(&mut self.ledger.inner.lock(), self.hold);
        self.settled = true;
        result
    }
}

impl Drop for HoldGuard {
    fn drop(&mut self) {
        if !self.settled {
            self.ledger.inner.drop_unsettled(self.hold);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::{Kind, LimitKey};

    #[test]
    fn a_step_torn_by_a_panic_is_mended_by_whoever_comes_next() {
        let ask = Ask { key: LimitKey { pool: 1, kind: Kind::Concurrent, window_us: 0 }, n: 2, log: 0, hold: 1 };
        let shared = SharedLedger::new();
        let guard = shared.reserve(1, &[ask], 1).unwrap();
        let tear = |ledger: &mut Ledger| {
            ledger.limits.iter_mut().for_each(|limit| limit.held = 77);
            panic!("in the midst of a step");
        };
        catch_unwind(AssertUnwindSafe(|| shared.with(tear))).unwrap_err();
        assert_eq!(shared.with(|ledger| ledger.status(ask.key, 2, 1)).held, 1);
        guard.release(2);
        assert_eq!(shared.with(|ledger| ledger.status(ask.key, 2, 2)).held, 0);
    }
}
