//! How long the answers of one organisation's requests to one model have been, and from that what to hold for the next.
//! It knows no request's `max_tokens` and no limit: whoever holds applies those bounds.

/// Lengths that are remembered.
const KEPT: usize = 200;
/// With fewer known than this, the catalogue's default stands.
const ENOUGH: usize = 20;
/// The least that is held from what was learned, in tokens.
const FLOOR: u64 = 64;

/// The last 200 output lengths of one organisation and model, in 32 to 432 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputLengths {
    /// In tokens, the oldest at `oldest` once all places are taken. 65,535 stands for anything longer.
    kept: Vec<u16>,
    oldest: u8,
    /// The 90th percentile of `kept`, kept up to date; 0 while there is nothing.
    percentile_90: u16,
}

impl OutputLengths {
    /// Nothing known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { kept: Vec::new(), oldest: 0, percentile_90: 0 }
    }

    /// An answer ended with so many output tokens, reasoning included.
    pub fn note(&mut self, tokens: u64) {
        let length = u16::try_from(tokens).unwrap_or(u16::MAX);
        if self.kept.len() < KEPT {
            self.make_room();
            self.kept.push(length);
        } else if let Some(oldest) = self.kept.get_mut(usize::from(self.oldest)) {
            *oldest = length;
            self.oldest = if usize::from(self.oldest) + 1 == KEPT { 0 } else { self.oldest + 1 };
        }
        self.find_percentile();
    }

    /// Output tokens to hold for the next request: the 90th percentile (by nearest rank) of what is known, at least 64. Until 20
    /// lengths are known it is `default`, the catalogue's figure for the model.
    #[must_use]
    pub fn hold(&self, default: u64) -> u64 {
        if self.kept.len() < ENOUGH { default } else { u64::from(self.percentile_90).max(FLOOR) }
    }

    /// How many lengths are known, at most 200.
    #[must_use]
    pub fn known(&self) -> usize {
        self.kept.len()
    }

    /// Memory in bytes, without the allocator's own.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.kept.capacity() * size_of::<u16>()
    }

    fn make_room(&mut self) {
        let (len, capacity) = (self.kept.len(), self.kept.capacity());
        if len == capacity {
            self.kept.reserve_exact(len.max(8).min(KEPT - len));
        }
    }

    /// One length more or another changes the rank of the percentile by one or two, so it moves to a neighbour; that costs a pass or
    /// three over 400 bytes instead of sorting them.
    fn find_percentile(&mut self) {
        let rank = (self.kept.len() * 9).div_ceil(10);
        loop {
            let now = self.percentile_90;
            let (below, not_above) = self
                .kept
                .iter()
                .fold((0u16, 0u16), |(below, not_above), length| (below + u16::from(*length < now), not_above + u16::from(*length <= now)));
            let next = if usize::from(below) >= rank {
                self.kept.iter().copied().filter(|length| *length < now).max()
            } else if usize::from(not_above) < rank {
                self.kept.iter().copied().filter(|length| *length > now).min()
            } else {
                None
            };
            match next {
                Some(next) => self.percentile_90 = next,
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn of(lengths: impl IntoIterator<Item = u64>) -> OutputLengths {
        let mut known = OutputLengths::new();
        lengths.into_iter().for_each(|length| known.note(length));
        known
    }

    #[test]
    fn until_twenty_are_known_the_default_stands() {
        assert_eq!(OutputLengths::new().hold(1_024), 1_024);
        assert_eq!(of([500; 19]).hold(1_024), 1_024);
        assert_eq!(of([500; 19]).hold(7), 7);
        assert_eq!(of([500; 20]).hold(1_024), 500);
    }

    #[test]
    fn nine_of_ten_answers_fit() {
        assert_eq!(of(1..=200).hold(0), 180);
        assert_eq!(of((1..=200).rev()).hold(0), 180);
        assert_eq!(of((1..=20).map(|n| n * 100)).hold(0), 1_800);
        assert_eq!(of((1..=21).map(|n| n * 100)).hold(0), 1_900);
    }

    #[test]
    fn short_answers_hold_the_floor() {
        assert_eq!(of([3; 40]).hold(1_024), 64);
        assert_eq!(of([0; 40]).hold(1_024), 64);
        assert_eq!(of([65; 40]).hold(1_024), 65);
    }

    #[test]
    fn only_the_last_two_hundred_count() {
        let mut known = of([9_000; 200]);
        (0..179).for_each(|_| known.note(100));
        assert_eq!(known.hold(0), 9_000);
        known.note(100);
        assert_eq!((known.hold(0), known.known()), (100, 200));
    }

    #[test]
    fn a_length_beyond_what_is_kept_is_the_longest_there_is() {
        assert_eq!(of([1_000_000; 20]).hold(0), 65_535);
        assert_eq!(of([u64::MAX; 20]).hold(0), 65_535);
    }

    #[test]
    fn memory_grows_on_demand_and_has_a_bound() {
        let sizes: Vec<_> = [0, 1, 8, 9, 200, 5_000].map(|count| of((0..count).map(|n| n % 777)).memory_bytes()).into();
        let own = size_of::<OutputLengths>();
        assert_eq!(sizes, [own, own + 16, own + 16, own + 32, own + 400, own + 400]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn it_is_what_sorting_gives(lengths in prop::collection::vec(prop_oneof![0u64..5, 0u64..400, 0u64..100_000], 1..500)) {
            let (mut known, mut last) = (OutputLengths::new(), VecDeque::new());
            for length in lengths {
                known.note(length);
                last.push_back(length.min(65_535));
                last.drain(..last.len().saturating_sub(200));
                let mut sorted: Vec<_> = last.iter().copied().collect();
                sorted.sort_unstable();
                let percentile = sorted[(sorted.len() * 9).div_ceil(10) - 1];
                prop_assert_eq!(known.hold(1_024), if sorted.len() < 20 { 1_024 } else { percentile.max(64) });
            }
        }
    }
}
