//! The log of one limit: what was counted when, summed up, so that "how much" is a subtraction and "when" a binary search.
//! It knows no number that must not be passed; that is the limit's.

use std::collections::VecDeque;

use crate::caps::Caps;
use crate::key::Micros;

/// Entries of a chunk: 256 bytes with its head.
const CHUNK: usize = 29;

/// Consecutive entries, each as the distance in time and in sum from the chunk's first: 8 bytes an entry.
#[derive(Clone, Debug)]
struct Chunk {
    at: Micros,
    sum: u64,
    len: usize,
    entries: [(u32, u32); CHUNK],
}

impl Chunk {
    fn at(&self, index: usize) -> Micros {
        self.at + Micros::from(self.entries[index].0)
    }

    /// Everything ever counted, up to and with this entry; wraps.
    fn sum(&self, index: usize) -> u64 {
        self.sum.wrapping_add(u64::from(self.entries[index].1))
    }

    /// An entry as this chunk would write it; none when it is too far away.
    fn distance(&self, at: Micros, sum: u64) -> Option<(u32, u32)> {
        Some((u32::try_from(at - self.at).ok()?, u32::try_from(sum.wrapping_sub(self.sum)).ok()?))
    }
}

/// Where an entry is: chunk, and index in it.
type Place = (usize, usize);

/// Times rise strictly from entry to entry; sums never fall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    chunks: VecDeque<Box<Chunk>>,
    /// Entries of the first chunk that have expired.
    skip: usize,
    len: usize,
    /// Time of the first entry, and of the last; meaningless when there is none.
    front_at: Micros,
    back_at: Micros,
    /// When the first amount of the last entry was counted: merging moves its time, not this.
    back_since: Micros,
    /// Sum of what has expired, and of everything. Both wrap; only their distance means anything.
    base: u64,
    total: u64,
}

impl Log {
    pub(crate) fn used(&self) -> u64 {
        self.total.wrapping_sub(self.base)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Drops what no longer counts: an entry at `s` counts until just before `s + window`.
    #[inline]
    pub(crate) fn expire(&mut self, window: Micros, now: Micros) {
        if self.len > 0 && now - self.front_at >= window {
            self.expire_front(window, now);
        }
    }

    fn expire_front(&mut self, window: Micros, now: Micros) {
        if now - self.back_at >= window {
            *self = Self::default();
            return;
        }
        while now - self.front_at >= window {
            let Some(front) = self.chunks.front() else { return };
            self.base = front.sum(self.skip);
            self.len -= 1;
            self.skip += 1;
            if self.skip == front.len {
                self.chunks.pop_front();
                self.skip = 0;
            }
            let Some(front) = self.chunks.front() else { return };
            self.front_at = front.at(self.skip);
        }
    }

    /// Counts `amount` now. A full log merges into its last entry while that spans less than 2 `window` / entries, and keeps the later
    /// time, so that nothing expires early.
    #[inline]
    pub(crate) fn append(&mut self, amount: u64, now: Micros, window: Micros, caps: &Caps) {
        if amount == 0 {
            return;
        }
        self.total = self.total.wrapping_add(amount);
        if self.len > 0 && (self.back_at == now || self.merges(now, window, caps)) {
            self.move_back(now);
        } else {
            self.push(now);
            self.back_since = now;
            self.len += 1;
        }
    }

    fn merges(&self, now: Micros, window: Micros, caps: &Caps) -> bool {
        let full = caps.log_entries(window);
        self.len >= full && now - self.back_since < caps.log_span_us(window)
    }

    /// Writes an entry behind the last.
    fn push(&mut self, now: Micros) {
        if self.len == 0 {
            self.front_at = now;
        }
        self.back_at = now;
        if let Some(back) = self.chunks.back_mut()
            && back.len < CHUNK
            && let Some(entry) = back.distance(now, self.total)
        {
            back.entries[back.len] = entry;
            back.len += 1;
            return;
        }
        self.chunks.push_back(Box::new(Chunk { at: now, sum: self.total, len: 1, entries: [(0, 0); CHUNK] }));
    }

    /// Gives the last entry this time, and everything counted so far.
    fn move_back(&mut self, now: Micros) {
        let Some(back) = self.chunks.back_mut() else { return };
        if self.len == 1 {
            self.front_at = now;
        }
        self.back_at = now;
        let last = back.len - 1;
        if last == 0 {
            (back.at, back.sum) = (now, self.total);
        } else if let Some(entry) = back.distance(now, self.total) {
            back.entries[last] = entry;
        } else {
            back.len = last;
            if self.chunks.len() == 1 && self.skip == last {
                self.chunks.clear();
                self.skip = 0;
            }
            self.push(now);
        }
    }

    /// Takes back `amount` that was counted at `at` and hasn't expired. The entry that contains it is the first that isn't earlier: merging
    /// only makes entries later, and never past the next.
    pub(crate) fn refund(&mut self, at: Micros, amount: u64) {
        let (chunk, index) = self.first_not_before(at);
        self.total = self.total.wrapping_sub(amount);
        for (number, later) in self.chunks.iter_mut().enumerate().skip(chunk) {
            if number == chunk && index > 0 {
                let end = later.len;
                for entry in &mut later.entries[index..end] {
                    // Never more than the entry's own amount, so never more than the distance.
                    entry.1 = entry.1.saturating_sub(u32::try_from(amount).unwrap_or(u32::MAX));
                }
            } else {
                later.sum = later.sum.wrapping_sub(amount);
            }
        }
    }

    fn first_not_before(&self, at: Micros) -> Place {
        self.first(|chunk, index| chunk.at(index) >= at)
    }

    /// Time of the entry by whose expiry `need` units have expired; `need` from 1 to `used`.
    pub(crate) fn reaches(&self, need: u64) -> Option<Micros> {
        let (chunk, index) = self.first(|chunk, index| chunk.sum(index).wrapping_sub(self.base) >= need);
        self.chunks.get(chunk).filter(|chunk| index < chunk.len).map(|chunk| chunk.at(index))
    }

    /// The first entry of which `holds` is true; it must be true of all later ones.
    fn first(&self, holds: impl Fn(&Chunk, usize) -> bool) -> Place {
        let (mut low, mut high) = (1, self.chunks.len().max(1));
        while low < high {
            let middle = low.midpoint(high);
            if holds(&self.chunks[middle], 0) { high = middle } else { low = middle + 1 }
        }
        let number = low - 1;
        let Some(chunk) = self.chunks.get(number) else { return (number, 0) };
        let (mut low, mut high) = (if number == 0 { self.skip } else { 0 }, chunk.len);
        while low < high {
            let middle = low.midpoint(high);
            if holds(chunk, middle) { high = middle } else { low = middle + 1 }
        }
        if low == chunk.len { (number + 1, 0) } else { (number, low) }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.chunks.capacity() * size_of::<Box<Chunk>>() + self.chunks.len() * size_of::<Chunk>()
    }
}
