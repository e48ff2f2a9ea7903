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

/// Times rise strictly from entry to entry; sums never fall.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// All chunks but the newest.
    older: VecDeque<Box<Chunk>>,
    newest: Option<Box<Chunk>>,
    /// Entries of the oldest chunk that have expired.
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
        while let Some(front) = self.older.front().or(self.newest.as_ref())
            && now - self.front_at >= window
        {
            self.base = front.sum(self.skip);
            self.len -= 1;
            self.skip += 1;
            // The newest chunk is never used up here, since the last entry counts.
            if self.skip == front.len {
                self.older.pop_front();
                self.skip = 0;
            }
            if let Some(front) = self.older.front().or(self.newest.as_ref()) {
                self.front_at = front.at(self.skip);
            }
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
        self.len >= full && (now - self.back_since).saturating_mul(full as u64) < window.saturating_mul(2)
    }

    /// Writes an entry behind the last.
    fn push(&mut self, now: Micros) {
        if self.len == 0 {
            self.front_at = now;
        }
        self.back_at = now;
        if let Some(newest) = &mut self.newest
            && newest.len < CHUNK
            && let Some(entry) = newest.distance(now, self.total)
        {
            newest.entries[newest.len] = entry;
            newest.len += 1;
        } else {
            self.push_chunk(now);
        }
    }

    fn push_chunk(&mut self, now: Micros) {
        let chunk = Chunk { at: now, sum: self.total, len: 1, entries: [(0, 0); CHUNK] };
        self.older.extend(self.newest.replace(Box::new(chunk)));
    }

    /// Gives the last entry this time, and everything counted so far.
    fn move_back(&mut self, now: Micros) {
        let Some(newest) = &mut self.newest else { return };
        // A full log has two entries at least, so the time of the first stays what it is.
        self.back_at = now;
        let last = newest.len - 1;
        if last == 0 {
            (newest.at, newest.sum) = (now, self.total);
        } else if let Some(entry) = newest.distance(now, self.total) {
            newest.entries[last] = entry;
        } else {
            // Too far from the chunk's first: it becomes the first of another. Something before it in this chunk still counts: a full log
            // has two entries, and within one microsecond nothing expires.
            newest.len = last;
            self.push_chunk(now);
        }
    }

    /// Takes back `amount` that was counted at `at` and hasn't expired. The entry that contains it is the first that isn't earlier: merging
    /// only makes entries later, and never past the next. Every sum from that entry on falls.
    pub(crate) fn refund(&mut self, at: Micros, amount: u64) {
        self.total = self.total.wrapping_sub(amount);
        for chunk in self.older.iter_mut().chain(&mut self.newest).rev() {
            if chunk.at >= at {
                chunk.sum = chunk.sum.wrapping_sub(amount);
                continue;
            }
            // Never more than the entry's own amount, so never more than the distance, which fits.
            let amount = u32::try_from(amount).unwrap_or(u32::MAX);
            let first = chunk.at;
            let end = chunk.len;
            for entry in chunk.entries[..end].iter_mut().rev().take_while(|entry| first + Micros::from(entry.0) >= at) {
                entry.1 = entry.1.saturating_sub(amount);
            }
            return;
        }
    }

    /// Time of the entry by whose expiry `need` units have expired; `need` from 1 to `used`.
    pub(crate) fn reaches(&self, need: u64) -> Option<Micros> {
        let reached = |chunk: &Chunk, index: usize| chunk.sum(index).wrapping_sub(self.base) >= need;
        // The first entry that reaches it is in the last chunk whose first entry doesn't, or begins the next chunk. The first entry of the
        // oldest chunk may have expired, and isn't asked.
        let chunks = 1 + self.older.len();
        let chunk = |number: usize| self.older.get(number).or(self.newest.as_ref());
        let number = first(1, chunks, |number| chunk(number).is_some_and(|chunk| reached(chunk, 0))) - 1;
        let within = chunk(number)?;
        let index = first(if number == 0 { self.skip } else { 0 }, within.len, |index| reached(within, index));
        if index < within.len { Some(within.at(index)) } else { chunk(number + 1).map(|next| next.at) }
    }

    /// What still counts: when, and how much.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Micros, u64)> {
        let chunks = self.older.iter().chain(&self.newest).enumerate();
        let all = chunks.flat_map(|(number, chunk)| {
            let from = if number == 0 { self.skip } else { 0 };
            (from..chunk.len).map(|index| (chunk.at(index), chunk.sum(index)))
        });
        let amounts = all.scan(self.base, |before, (at, sum)| Some((at, sum.wrapping_sub(std::mem::replace(before, sum)))));
        amounts.filter(|(_, amount)| *amount > 0)
    }

    /// Has these entries and no others. One that isn't later than the one before joins it.
    pub(crate) fn restore(&mut self, entries: impl Iterator<Item = (Micros, u64)>) {
        *self = Self::default();
        for (at, amount) in entries.filter(|(_, amount)| *amount > 0) {
            self.total = self.total.saturating_add(amount);
            if self.len > 0 && at <= self.back_at {
                self.move_back(self.back_at);
            } else {
                self.push(at);
                self.back_since = at;
                self.len += 1;
            }
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let chunks = self.older.len() + usize::from(self.newest.is_some());
        self.older.capacity() * size_of::<Box<Chunk>>() + chunks * size_of::<Chunk>()
    }
}

/// The first number from `low` to below `high` for which `holds`, which must hold for all after it as well; else `high`.
fn first(mut low: usize, mut high: usize, holds: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
