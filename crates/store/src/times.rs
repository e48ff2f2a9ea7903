//! How long answers took, as histograms that can be added: each power of two is cut into eight, so that a quantile is known within a
//! sixteenth of itself. It knows no clock.

use crate::journal::format::{Put as _, Take};

/// What is told apart at all, as a power of two of microseconds: 64 us.
const UNIT: u32 = 6;
/// Parts of a power of two, as a power of two.
const PARTS: u32 = 3;
/// What is longer counts as this, which is a year.
const LONGEST_US: u64 = 1 << 45;

/// How many times fell into each of some spans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Place and count, in the order of the places, none without a count.
    counts: Vec<(u16, u64)>,
}

/// How long answers took: to the first byte of their body, and to their end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// From arrival to the first byte of the answer's body, of those that had one.
    pub first_byte: Histogram,
    /// From arrival to the end.
    pub duration: Histogram,
}

fn place_of(us: u64) -> u16 {
    let n = us.min(LONGEST_US) >> UNIT;
    let shift = n.checked_ilog2().unwrap_or(0).saturating_sub(PARTS);
    ((u64::from(shift) << PARTS) + (n >> shift)) as u16
}

/// The middle of what has this place, in microseconds.
fn middle_of(place: u16) -> u64 {
    let shift = u32::from(place >> PARTS).saturating_sub(1);
    let first = u64::from(place) - (u64::from(shift) << PARTS);
    let (from, to) = (first << shift << UNIT, (first + 1) << shift << UNIT);
    from + (to - from) / 2
}

impl Histogram {
    /// Counts one time.
    pub fn add(&mut self, us: u64) {
        self.add_to(place_of(us), 1);
    }

    fn add_to(&mut self, place: u16, count: u64) {
        match self.counts.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(at) => {
                if let Some((_, n)) = self.counts.get_mut(at) {
                    *n = n.saturating_add(count);
                }
            }
            Err(at) => self.counts.insert(at, (place, count)),
        }
    }

    /// Adds all that another counted.
    pub fn add_all(&mut self, other: &Self) {
        other.counts.iter().for_each(|(place, count)| self.add_to(*place, *count));
    }

    /// The least time that so many in a hundred don't exceed, in microseconds, within a sixteenth of itself or 32 us; `None`: nothing was
    /// counted.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let all: u64 = self.counts.iter().fold(0, |all, (_, count)| all.saturating_add(*count));
        let rank = (u128::from(all) * u128::from(percent)).div_ceil(100).max(1);
        let mut below = 0_u128;
        let found = self.counts.iter().find(|(_, count)| {
            below += u128::from(*count);
            below >= rank
        });
        found.map(|(place, _)| middle_of(*place))
    }

    fn put(&self, into: &mut Vec<u8>) {
        into.number(self.counts.len() as u64);
        let mut last = 0;
        for (place, count) in &self.counts {
            into.number(u64::from(place - last));
            into.number(*count);
            last = *place;
        }
    }

    fn take(take: &mut Take<'_>) -> Option<Self> {
        let len = take.number()?;
        let mut last = 0_u16;
        let mut one = |_| {
            last = last.checked_add(u16::try_from(take.number()?).ok()?).filter(|place| *place <= place_of(LONGEST_US))?;
            Some((last, take.number()?))
        };
        let counts = (0..len).map(&mut one).collect::<Option<Vec<_>>>()?;
        Some(Self { counts })
    }
}

impl Times {
    /// Adds all that another counted.
    pub fn add_all(&mut self, other: &Self) {
        self.first_byte.add_all(&other.first_byte);
        self.duration.add_all(&other.duration);
    }

    /// An answered request. `first_byte_us`: 0 where nothing came.
    pub(crate) fn add(&mut self, first_byte_us: u64, duration_us: u64) {
        if first_byte_us > 0 {
            self.first_byte.add(first_byte_us);
        }
        self.duration.add(duration_us);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.duration.counts.is_empty()
    }

    /// As bytes: of each histogram how many places, and of each place how much it lies behind the last one and its count.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        bytes
    }

    pub(crate) fn put(&self, into: &mut Vec<u8>) {
        self.first_byte.put(into);
        self.duration.put(into);
    }

    /// What such bytes say; `None` where they are none.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut take = Take::new(bytes);
        Self::take(&mut take).filter(|_| take.is_empty())
    }

    pub(crate) fn take(take: &mut Take<'_>) -> Option<Self> {
        Some(Self { first_byte: Histogram::take(take)?, duration: Histogram::take(take)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_grow_without_a_gap_and_hold_what_they_say() {
        let mut last = 0;
        for us in (0..100_000).chain((17..45).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1])) {
            let place = place_of(us);
            assert!(place == last || place == last + 1 || us > 100_000 && place > last, "{us}: {last} {place}");
            let (middle, error) = (middle_of(place), us.abs_diff(middle_of(place)));
            assert!(error <= 32.max(us / 16), "{us} {middle}");
            last = place;
        }
        assert!(middle_of(place_of(u64::MAX)) >= LONGEST_US);
    }

    #[test]
    fn what_is_no_histogram_is_told() {
        let mut times = Times::default();
        (1..40).for_each(|n| times.add(n * 1_000, n * 90_000));
        let bytes = times.to_bytes();
        assert_eq!(Times::of_bytes(&bytes), Some(times));
        assert!((0..bytes.len()).all(|cut| Times::of_bytes(&bytes[..cut]).is_none()));
        assert_eq!(Times::of_bytes(&[1, 255, 127, 1, 0]), None, "there is no such place");
        let mut one = Times::default();
        one.add(350_000, 2_100_000);
        assert!(one.to_bytes().len() <= 7);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_times_and_sums_those_of_all(
            first in prop::collection::vec(0_u64..3_000_000, 1..200),
            second in prop::collection::vec(0_u64..1 << 40, 0..200),
            percent in 1_u64..=100,
        ) {
            let of = |times: &[u64]| {
                let mut histogram = Histogram::default();
                times.iter().for_each(|us| histogram.add(*us));
                histogram
            };
            let mut sum = of(&first);
            sum.add_all(&of(&second));
            let mut all = [first, second].concat();
            prop_assert_eq!(&sum, &of(&all));
            all.sort_unstable();
            let exact = all[(all.len() * percent as usize).div_ceil(100) - 1];
            let told = sum.percentile(percent).unwrap();
            prop_assert!(told.abs_diff(exact) <= 32.max(exact / 16), "{} {}", told, exact);
        }
    }
}
