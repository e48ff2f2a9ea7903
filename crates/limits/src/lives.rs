//! How long the last holds of a limit lived, to guess when those of today end.
//! It knows nothing exact; whatever is drawn from it is announced as an estimate.

use crate::key::Micros;

const KEPT: usize = 7;

/// The last few lives, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives {
    millis: [u32; KEPT],
    seen: u32,
}

impl Lives {
    pub(crate) fn note(&mut self, life: Micros) {
        self.millis[self.seen as usize % KEPT] = u32::try_from(life / 1_000).unwrap_or(u32::MAX);
        // Never back below a full array, once it is full.
        self.seen = if self.seen as usize + 1 == 2 * KEPT { KEPT as u32 } else { self.seen + 1 };
    }

    /// The median; none until a hold has ended.
    pub(crate) fn median(&self) -> Option<Micros> {
        let mut known = self.millis;
        let known = known.get_mut(..KEPT.min(self.seen as usize)).filter(|known| !known.is_empty())?;
        known.sort_unstable();
        known.get(known.len() / 2).map(|millis| Micros::from(*millis) * 1_000)
    }
}
