//! The only clock: it reads the machine's. Everything else takes `Now` or `Arc<dyn Clock>`.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::{Clock, Now, UnixMicros};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// `CLOCK_BOOTTIME` and `CLOCK_REALTIME`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// What the steady clock reads at a boot, in microseconds: 400 days, so that what happened before it, in any window, has a time as well.
const AT_BOOT_US: u64 = 400 * 86_400 * 1_000_000;

impl Clock for SystemClock {
    fn now(&self) -> Now {
        let mono_us = AT_BOOT_US + u64::try_from(micros(clock_gettime(ClockId::Boottime))).unwrap_or(0);
        Now { mono_us, wall: UnixMicros(wall_us()) }
    }
}

/// Read through the C library, so that a test can step it for this process alone (libfaketime).
#[expect(clippy::disallowed_methods, reason = "this is where the machine's clock is read")]
fn wall_us() -> i64 {
    let signed = |us: u128| i64::try_from(us).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => signed(since.as_micros()),
        Err(before) => -signed(before.duration().as_micros()),
    }
}

fn micros(t: Timespec) -> i64 {
    t.tv_sec.saturating_mul(1_000_000).saturating_add(t.tv_nsec / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_forward_and_knows_the_century() {
        let (a, b) = (SystemClock.now(), SystemClock.now());
        assert!(a.mono_us <= b.mono_us && a.mono_us > AT_BOOT_US);
        assert!(a.wall > UnixMicros(1_700_000_000_000_000));
    }
}
