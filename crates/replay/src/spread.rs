//! How times are spread: how many, the longest, all together, and percentiles to within 2 %.

/// Places to a power of two.
const FINE: u32 = 32;

/// Times of which only how often they came is kept, in steps of 1/32 of their size.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    counts: Vec<u64>,
    count: u64,
    total: u128,
    most: u64,
}

impl Spread {
    /// One time, in microseconds.
    pub fn note(&mut self, micros: u64) {
        let step = step(micros);
        if step >= self.counts.len() {
            self.counts.resize(step + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(step) {
            *count += 1;
        }
        self.count += 1;
        self.total += u128::from(micros);
        self.most = self.most.max(micros);
    }

    /// How many times.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, in microseconds.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.most
    }

    /// All together, in microseconds.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.total
    }

    /// The time that `percent` of them don't exceed, in microseconds; 0 when there is none.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let step = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        step.map_or(0, |step| middle(step).min(self.most))
    }
}

fn step(micros: u64) -> usize {
    let micros = micros.max(1);
    let power = micros.ilog2();
    let below = (u128::from(micros - (1 << power)) * u128::from(FINE)) >> power;
    power as usize * FINE as usize + below as usize
}

fn middle(step: usize) -> u64 {
    let (power, below) = (step as u32 / FINE, step as u32 % FINE);
    let at = |below: u32| (1u128 << power) + ((u128::from(below) << power) / u128::from(FINE));
    u64::try_from(at(below).midpoint(at(below + 1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_two_percent() {
        let mut spread = Spread::default();
        (1..=10_000).for_each(|n| spread.note(n * 1_000));
        for percent in [1, 10, 50, 90, 99] {
            let (exact, said) = (percent * 100_000, spread.percentile(percent));
            assert!(said.abs_diff(exact) * 50 <= exact, "{percent}: {said}");
        }
        assert_eq!((spread.count(), spread.most()), (10_000, 10_000_000));
        assert_eq!(spread.total(), 50_005_000_000);
    }

    #[test]
    fn nothing_and_the_greatest_are_no_trouble() {
        assert_eq!(Spread::default().percentile(50), 0);
        let mut spread = Spread::default();
        [0, u64::MAX].into_iter().for_each(|n| spread.note(n));
        assert_eq!((spread.percentile(50), spread.most()), (1, u64::MAX));
    }
}
