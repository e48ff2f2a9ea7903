//! How long the last holds of a limit lived, to guess when those of today end.
//! It knows nothing exact; whatever is drawn from it is announced as an estimate.

use crate::key::Micros;

const KEPT: usize = 7;
const HUNDREDTH_US: Micros = 10_000;

/// The last few lives, in hundredths of a second: up to eleven minutes, and what is longer counts as that.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives {
    hundredths: [u16; KEPT],
    seen: u16,
}

impl Lives {
    pub(crate) fn note(&mut self, life: Micros) {
        self.hundredths[usize::from(self.seen) % KEPT] = u16::try_from(life / HUNDREDTH_US).unwrap_or(u16::MAX);
        // Never back below a full array, once it is full.
        self.seen = if usize::from(self.seen) + 1 == 2 * KEPT { KEPT as u16 } else { self.seen + 1 };
    }

    /// The median; none until a hold has ended.
    pub(crate) fn median(&self) -> Option<Micros> {
        let mut known = self.hundredths;
        let known = known.get_mut(..KEPT.min(usize::from(self.seen))).filter(|known| !known.is_empty())?;
        known.sort_unstable();
        known.get(known.len() / 2).map(|life| Micros::from(*life) * HUNDREDTH_US)
    }
}
