//! Whose turn it is among several that serve alike. It knows neither what they are nor why one is left out.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Turns among those that are open: one after the other, each as often as any other.
#[derive(Debug, Default)]
pub(crate) struct Rotation(AtomicUsize);

/// Which of several are open: bit `n` for the one at place `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenPlaces(u32);

impl OpenPlaces {
    /// Those of the first `count` places, at most 32, that are not closed.
    pub(crate) fn of(count: usize, is_closed: impl Fn(usize) -> bool) -> Self {
        Self((0..count.min(32)).filter(|place| !is_closed(*place)).fold(0, |open, place| open | 1 << place))
    }

    /// These and the one at `place`, if that is below 32.
    pub(crate) const fn with(self, place: usize) -> Self {
        if place < 32 { Self(self.0 | 1 << place) } else { self }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn nth(self, n: usize) -> usize {
        let rest = (0..n).fold(self.0, |open, _| open & open.wrapping_sub(1));
        rest.trailing_zeros() as usize
    }
}

impl Rotation {
    /// The place whose turn it is; `None`: none is open.
    pub(crate) fn next(&self, open: OpenPlaces) -> Option<usize> {
        let many = open.0.count_ones() as usize;
        (many > 0).then(|| open.nth(self.0.fetch_add(1, Relaxed) % many))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(rotation: &Rotation, count: usize, closed: &[usize], times: usize) -> Vec<usize> {
        let open = || OpenPlaces::of(count, |place| closed.contains(&place));
        (0..times).filter_map(|_| rotation.next(open())).collect()
    }

    #[test]
    fn each_has_its_turn() {
        assert_eq!(turns(&Rotation::default(), 3, &[], 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(turns(&Rotation::default(), 1, &[], 3), [0, 0, 0]);
        assert_eq!(turns(&Rotation::default(), 32, &[], 33)[30..], [30, 31, 0]);
    }

    #[test]
    fn what_is_closed_has_none_and_the_others_share_evenly() {
        for closed in 0..3 {
            let turns = turns(&Rotation::default(), 4, &[closed], 300);
            let share = |place: usize| turns.iter().filter(|turn| **turn == place).count();
            assert_eq!(
                (0..4).map(share).collect::<Vec<_>>(),
                (0..4).map(|place| if place == closed { 0 } else { 100 }).collect::<Vec<_>>()
            );
        }
        assert_eq!(turns(&Rotation::default(), 3, &[0, 2], 2), [1, 1]);
    }

    #[test]
    fn where_none_is_open_nobody_has_a_turn() {
        let rotation = Rotation::default();
        assert_eq!(rotation.next(OpenPlaces::of(3, |_| true)), None);
        assert_eq!(rotation.next(OpenPlaces::of(0, |_| false)), None);
        assert_eq!(turns(&rotation, 3, &[], 1), [0], "and no turn is lost");
    }
}
