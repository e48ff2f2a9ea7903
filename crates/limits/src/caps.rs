//! Every bound of this crate in one place.
//! It knows numbers only; what happens at a bound is told where the bound is kept.

use crate::key::{Micros, SECOND_US};

/// Most limits that one request may ask.
pub const ASKS: usize = 64;

/// The bounds of one [`Ledger`](crate::Ledger). [`Caps::DEFAULT`] is what production uses; tests make them small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Most limits of one ledger.
    pub limits: u16,
    /// Most holds alive at once in one ledger.
    pub holds: u32,
    /// The greatest number of a limit; a greater one is as good as this, and sums of a few such numbers don't overflow.
    pub n: u64,
    /// Entries of a log, for windows up to [`Caps::minute_us`], below which nothing but the same microsecond is merged.
    pub log_minute: u32,
    /// The same for longer windows.
    pub log_long: u32,
    /// The longest window, in microseconds, that counts as a minute window.
    pub minute_us: Micros,
    /// The longest window, in microseconds, whose limit makes a stream wait for room. Longer ones turn the excess into debt.
    pub pause_us: Micros,
    /// Steps that one call simulates while something waits; past them the rest is charged at the call's own time, so later than it could.
    pub steps: u32,
    /// Waiters looked at to learn whether an announced time is exact; with more it is called an estimate.
    pub exact_waiters: u32,
    /// Slots looked at for the median remaining life of holds.
    pub sample: u32,
    /// The life of a hold, in microseconds, that is assumed until one has ended.
    pub assumed_life_us: Micros,
    /// The shortest estimate announced, in microseconds.
    pub estimate_min_us: Micros,
    /// The longest estimate announced for a limit without a window, in microseconds.
    pub concurrent_wait_us: Micros,
}

impl Caps {
    pub const DEFAULT: Self = Self {
        limits: 1_000,
        holds: 10_000,
        n: 1 << 62,
        log_minute: 4_096,
        log_long: 1_024,
        minute_us: 60 * SECOND_US,
        pause_us: 120 * SECOND_US,
        steps: 4_096,
        exact_waiters: 64,
        sample: 512,
        assumed_life_us: 10 * SECOND_US,
        estimate_min_us: SECOND_US,
        concurrent_wait_us: 60 * SECOND_US,
    };

    /// Entries of a log of this window at which merging starts. It never has more than half as many again and one.
    pub(crate) fn log_entries(&self, window_us: Micros) -> usize {
        let entries = if window_us <= self.minute_us { self.log_minute } else { self.log_long };
        entries.max(2) as usize
    }

    /// How long one entry of a full log may gather, in microseconds: by so much a refusal may err.
    #[must_use]
    pub fn log_span_us(&self, window_us: Micros) -> Micros {
        let entries = if window_us <= self.minute_us { self.log_minute } else { self.log_long };
        window_us.saturating_mul(2) / Micros::from(entries.max(2))
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self::DEFAULT
    }
}
