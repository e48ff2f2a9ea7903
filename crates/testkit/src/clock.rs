//! A clock that moves only when a test moves it. It never reads the machine's.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};

use domain::{Clock, Now, UnixMicros};

/// Both clocks of `domain::Clock`, at rest until advanced. Shared by `Arc`.
#[derive(Debug)]
pub struct ManualClock {
    mono_us: AtomicU64,
    /// Wall time at steady time 0.
    wall_offset_us: AtomicI64,
}

/// 1,000 s since boot: so that nothing mistakes the start for time 0.
const START_MONO_US: u64 = 1_000_000_000;
const START_WALL: &str = "2026-02-05T15:30:00Z";

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(START_WALL)
    }
}

impl ManualClock {
    /// A clock at 2026-02-05T15:30:00Z.
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock at this RFC 3339 time.
    pub fn at(wall: &str) -> Self {
        let wall: UnixMicros = wall.parse().expect("an RFC 3339 time");
        Self { mono_us: AtomicU64::new(START_MONO_US), wall_offset_us: AtomicI64::new(wall.0 - START_MONO_US as i64) }
    }

    /// Moves both clocks on by microseconds.
    pub fn advance_us(&self, us: u64) {
        self.mono_us.fetch_add(us, SeqCst);
    }

    /// Moves both clocks on by milliseconds.
    pub fn advance_ms(&self, ms: u64) {
        self.advance_us(ms * 1_000);
    }

    /// Moves both clocks on by seconds.
    pub fn advance_s(&self, seconds: u64) {
        self.advance_us(seconds * 1_000_000);
    }

    /// Steps wall time alone, as an administrator or NTP would.
    pub fn step_wall_us(&self, us: i64) {
        self.wall_offset_us.fetch_add(us, SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Now {
        let mono_us = self.mono_us.load(SeqCst);
        Now { mono_us, wall: UnixMicros(self.wall_offset_us.load(SeqCst) + mono_us as i64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_move_together_and_only_when_told() {
        let clock = ManualClock::at("2026-02-05T15:32:36Z");
        let start = clock.now();
        assert_eq!(clock.now(), start);
        clock.advance_ms(5_000);
        assert_eq!(clock.now().wall.to_string(), "2026-02-05T15:32:41Z");
        assert_eq!(clock.now().mono_us - start.mono_us, 5_000_000);
        clock.step_wall_us(-1_000_000);
        assert_eq!(clock.now().wall.to_string(), "2026-02-05T15:32:40Z");
        assert_eq!(clock.now().mono_us - start.mono_us, 5_000_000);
    }
}
