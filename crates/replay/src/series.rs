//! A figure over time, in slots of equal length. What is too long for the slots there may be makes the slots longer.

use crate::caps;

/// How figures of one slot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// The greatest stands for all.
    Most,
    /// They add up.
    Sum,
}

/// At most 8,192 slots.
#[derive(Clone, Debug)]
pub struct Series {
    fold: Fold,
    slot_us: u64,
    slots: Vec<u64>,
}

impl Series {
    /// With slots so long to begin with.
    #[must_use]
    pub fn new(fold: Fold, slot_us: u64) -> Self {
        Self { fold, slot_us: slot_us.max(1), slots: Vec::new() }
    }

    /// Notes a figure at a time.
    pub fn note(&mut self, figure: u64, at: u64) {
        let mut slot = at / self.slot_us;
        while slot >= caps::SLOTS as u64 {
            self.double();
            slot = at / self.slot_us;
        }
        let slot = slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, 0);
        }
        if let Some(so_far) = self.slots.get_mut(slot) {
            *so_far = self.fold.of(*so_far, figure);
        }
    }

    /// The figures, each with the beginning of its slot, in microseconds.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.slots.iter().enumerate().map(|(slot, figure)| (slot as u64 * self.slot_us, *figure))
    }

    /// How long a slot is, in microseconds.
    #[must_use]
    pub fn slot_us(&self) -> u64 {
        self.slot_us
    }

    fn double(&mut self) {
        let fold = self.fold;
        let of_pair = |pair: &[u64]| pair.iter().copied().reduce(|a, b| fold.of(a, b)).unwrap_or(0);
        self.slots = self.slots.chunks(2).map(of_pair).collect();
        self.slot_us = self.slot_us.saturating_mul(2);
    }
}

impl Fold {
    fn of(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Most => a.max(b),
            Self::Sum => a.saturating_add(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_slot_become_one() {
        for (fold, expected) in [(Fold::Most, [5, 0, 7]), (Fold::Sum, [8, 0, 7])] {
            let mut series = Series::new(fold, 10);
            [(3, 0), (5, 9), (7, 20)].into_iter().for_each(|(figure, at)| series.note(figure, at));
            assert_eq!(series.iter().collect::<Vec<_>>(), [(0, expected[0]), (10, expected[1]), (20, expected[2])]);
        }
    }

    #[test]
    fn a_long_time_has_long_slots_and_loses_nothing() {
        let mut series = Series::new(Fold::Sum, 1);
        (0..100_000).for_each(|at| series.note(1, at));
        series.note(1, 1 << 50);
        assert_eq!(series.iter().map(|(_, figure)| figure).sum::<u64>(), 100_001);
        assert!(series.slots.len() <= caps::SLOTS && series.slot_us().is_power_of_two());
    }
}
