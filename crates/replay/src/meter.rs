//! How much really happened in any window, by adding up the events themselves. It knows nothing of the limiter, so that it can find it
//! wrong.

use std::collections::VecDeque;

use crate::caps;

const HOUR_US: u64 = 3_600_000_000;

/// The sum of the events of the last window, and the greatest that it has ever been.
///
/// An event at `s` is in the window that ends at `t` when `t - window < s <= t`. Windows of up to an hour are exact; in longer ones an
/// event may count 1/65,536 of the window too long, so that the peak is never called lower than it was.
#[derive(Clone, Debug)]
pub struct Meter {
    window_us: u64,
    span_us: u64,
    /// When, and how much; the earliest first.
    events: VecDeque<(u64, u64)>,
    last_since: u64,
    sum: u64,
    peak: u64,
    peak_at: u64,
}

impl Meter {
    /// Of a window so long.
    #[must_use]
    pub fn new(window_us: u64) -> Self {
        let span_us = if window_us > HOUR_US { window_us / caps::WINDOW_SLOTS } else { 0 };
        Self { window_us, span_us, events: VecDeque::new(), last_since: 0, sum: 0, peak: 0, peak_at: 0 }
    }

    /// So much happened now. Times never fall.
    pub fn add(&mut self, amount: u64, now: u64) {
        if amount == 0 {
            return;
        }
        self.expire(now);
        self.sum += amount;
        match self.events.back_mut() {
            Some((at, sum)) if *at == now || now - self.last_since < self.span_us => {
                *at = now;
                *sum += amount;
            }
            Some(_) | None => {
                self.events.push_back((now, amount));
                self.last_since = now;
            }
        }
        if self.sum > self.peak {
            (self.peak, self.peak_at) = (self.sum, now);
        }
    }

    /// What happened in the window that ends now.
    pub fn sum(&mut self, now: u64) -> u64 {
        self.expire(now);
        self.sum
    }

    /// The most that ever happened in one window, and the end of that window.
    #[must_use]
    pub fn peak(&self) -> (u64, u64) {
        (self.peak, self.peak_at)
    }

    fn expire(&mut self, now: u64) {
        while let Some((at, amount)) = self.events.front()
            && now - at >= self.window_us
        {
            self.sum -= amount;
            self.events.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_event_counts_until_just_before_a_window_later() {
        let mut meter = Meter::new(60);
        meter.add(5, 100);
        meter.add(2, 100);
        assert_eq!((meter.sum(159), meter.sum(160)), (7, 0));
        assert_eq!(meter.peak(), (7, 100));
    }

    #[test]
    fn a_long_window_is_never_measured_too_low() {
        let day = 24 * HOUR_US;
        let mut meter = Meter::new(day);
        for now in 0..200_000 {
            meter.add(1, now * 1_000_000);
        }
        let (peak, _) = meter.peak();
        assert!((86_400..=86_402).contains(&peak), "{peak}");
        assert!(meter.events.len() <= 65_537 + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_peak_is_that_of_all_windows(steps in prop::collection::vec((0u64..30, 0u64..9), 1..80)) {
            let mut meter = Meter::new(60);
            let (mut now, mut events) = (1_000, Vec::new());
            for (step, amount) in steps {
                now += step;
                events.push((now, amount));
                meter.add(amount, now);
            }
            let of = |end: u64| events.iter().filter(|(at, _)| *at <= end && at + 60 > end).map(|(_, amount)| amount).sum::<u64>();
            prop_assert_eq!(meter.peak().0, (1_000..now + 61).map(of).max().unwrap_or(0));
        }
    }
}
