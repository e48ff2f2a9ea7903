//! What attempts came to in the last minutes: counts in slices of time, and the times to the first byte in classes. It judges little.

use crate::caps;

const SLICES: usize = caps::SEEN_SLICES as usize;
/// Minutes for which times are kept.
const MINUTES: usize = 5;
const MINUTE_US: u64 = 60_000_000;
/// Classes of times, four to an octave: from half a millisecond to eighteen minutes, right to within a fifth.
const CLASSES: usize = 84;
const FIRST_OCTAVE: u32 = 9;

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    number: u64,
    ok: u32,
    failed: u32,
}

#[derive(Debug)]
struct Minute {
    number: u64,
    classes: [u32; CLASSES],
}

impl Default for Minute {
    fn default() -> Self {
        Self { number: 0, classes: [0; CLASSES] }
    }
}

#[derive(Debug, Default)]
pub(super) struct Outcomes {
    slices: [Slice; SLICES],
    minutes: [Minute; MINUTES],
    /// What no longer counts for the circuit: all before this slice, and this much of it.
    forgotten: Slice,
}

impl Outcomes {
    pub(super) fn succeeded(&mut self, now_us: u64, first_byte_us: u64) {
        let slice = self.slice(now_us);
        slice.ok = slice.ok.saturating_add(1);
        let number = now_us / MINUTE_US;
        let minute = &mut self.minutes[(number % MINUTES as u64) as usize];
        if minute.number != number {
            *minute = Minute { number, ..Default::default() };
        }
        let count = &mut minute.classes[class(first_byte_us)];
        *count = count.saturating_add(1);
    }

    pub(super) fn failed(&mut self, now_us: u64) {
        let slice = self.slice(now_us);
        slice.failed = slice.failed.saturating_add(1);
    }

    /// Whether enough of what came in the last minute, and since failures were forgotten, failed.
    pub(super) fn mostly_failed(&self, now_us: u64) -> bool {
        let (mut ok, mut failed) = self.count(now_us, caps::CIRCUIT_SLICES, self.forgotten.number);
        if now_us / caps::SLICE_US < self.forgotten.number + caps::CIRCUIT_SLICES {
            ok = ok.saturating_sub(self.forgotten.ok.into());
            failed = failed.saturating_sub(self.forgotten.failed.into());
        }
        let all = ok + failed;
        all >= caps::OUTCOMES && failed * 100 >= all * caps::FAILED_PERCENT
    }

    /// From now on the circuit begins anew. What people see stays.
    pub(super) fn forget_failures(&mut self, now_us: u64) {
        self.forgotten = *self.slice(now_us);
    }

    /// Of the last five minutes; `None`: nothing came.
    pub(super) fn success_percent(&self, now_us: u64) -> Option<f64> {
        let (ok, failed) = self.count(now_us, caps::SEEN_SLICES, 0);
        (ok + failed > 0).then(|| ok as f64 * 100.0 / (ok + failed) as f64)
    }

    /// The time below which 95 of 100 first bytes of the last five minutes came, rounded up to its class.
    pub(super) fn p95_us(&self, now_us: u64) -> Option<u64> {
        let first = (now_us / MINUTE_US + 1).saturating_sub(MINUTES as u64);
        let minutes = || self.minutes.iter().filter(|minute| minute.number >= first);
        let total: u64 = minutes().flat_map(|minute| &minute.classes).map(|count| u64::from(*count)).sum();
        let (mut seen, wanted) = (0, (total * 95).div_ceil(100));
        let found = (0..CLASSES).find(|class| {
            seen += minutes().filter_map(|minute| minute.classes.get(*class)).map(|count| u64::from(*count)).sum::<u64>();
            seen >= wanted
        });
        found.filter(|_| total > 0).map(above)
    }

    /// Successes and failures in the last `slices` slices, the present one among them, but not before `since`.
    fn count(&self, now_us: u64, slices: u64, since: u64) -> (u64, u64) {
        let first = (now_us / caps::SLICE_US + 1).saturating_sub(slices).max(since);
        let counted = self.slices.iter().filter(|slice| slice.number >= first);
        counted.fold((0, 0), |(ok, failed), slice| (ok + u64::from(slice.ok), failed + u64::from(slice.failed)))
    }

    fn slice(&mut self, now_us: u64) -> &mut Slice {
        let number = now_us / caps::SLICE_US;
        let slice = &mut self.slices[(number % caps::SEEN_SLICES) as usize];
        if slice.number != number {
            *slice = Slice { number, ..Default::default() };
        }
        slice
    }
}

/// Its octave and the two bits below the highest.
const fn class(us: u64) -> usize {
    if us < 1 << FIRST_OCTAVE {
        return 0;
    }
    let octave = us.ilog2();
    let class = ((octave - FIRST_OCTAVE) * 4) as usize + ((us >> (octave - 2)) & 3) as usize;
    if class < CLASSES { class } else { CLASSES - 1 }
}

/// The first time above a class.
const fn above(class: usize) -> u64 {
    (5 + class as u64 % 4) << (FIRST_OCTAVE as u64 - 2 + class as u64 / 4)
}
