//! How long to wait where nobody said: twice as long each time, with jitter, up to a bound.

use crate::caps;

/// A first wait and a longest one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    first_us: u64,
    most_us: u64,
}

impl Backoff {
    pub(super) const WAIT: Self = Self { first_us: caps::WAIT_FIRST_US, most_us: caps::WAIT_MAX_US };
    pub(super) const ALARM: Self = Self { first_us: caps::ALARM_FIRST_US, most_us: caps::ALARM_MAX_US };

    /// The wait after `before` others in a row: between half and the whole of its step, so that those who failed together don't all
    /// come back together.
    pub(super) fn wait_us(self, before: u32, random: u64) -> u64 {
        let step = self.first_us.saturating_mul(1 << before.min(16)).min(self.most_us);
        step - random % (step / 2 + 1)
    }

    pub(super) const fn most_us(self) -> u64 {
        self.most_us
    }
}
