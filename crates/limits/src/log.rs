//! The log of one limit: what was counted when, so that "how much" is a subtraction and "when" a short search.
//! It knows no number that must not be passed; that is the limit's.

use std::collections::VecDeque;

use crate::caps::Caps;
use crate::key::Micros;

/// Every so many entries one is marked, so that no search looks at more than these. A log of a quiet pool has no marks.
const BLOCK: u32 = 128;

/// The least by which a log grows, in bytes.
const GROW: usize = 24;

/// Bytes that are read and written at once: an entry, unless its numbers are great. So many there are behind the last entry.
const WORD: usize = 8;

/// More than the bytes of the longest entry.
const LONGEST: usize = 24;

/// An entry that is found without reading those before it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Where it begins, in bytes from the beginning of all; wraps.
    place: u32,
    at: Micros,
    /// Everything ever counted, up to and with this entry; wraps.
    sum: u64,
}

/// Apart, since few logs have any.
#[derive(Clone, Debug, Default)]
struct Marks {
    all: VecDeque<Mark>,
}

/// Entries one after another, each as the distance in time from the one before and the amount, both in groups of seven bits, the lowest
/// first and the last with its highest bit clear: four or five bytes as a rule, and to be read in both directions. Times rise strictly.
/// The last entry is written when the next one comes, so that merging into it is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    bytes: Vec<u8>,
    /// Where the last entry that is written ends in `bytes`. What follows means nothing.
    end: u32,
    marks: Option<Box<Marks>>,
    /// How many bytes there were before these; wraps.
    origin: u32,
    /// Where the first entry that counts begins in `bytes`. What it says of its distance means nothing.
    start: u32,
    len: u32,
    /// Entries since the last mark.
    unmarked: u32,
    /// Time of the first entry, and of the last; meaningless when there is none.
    front_at: Micros,
    back_at: Micros,
    back_amount: u64,
    /// Time of the last entry that is written.
    written_at: Micros,
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
        let mut place = self.start as usize;
        // The last entry counts.
        while now - self.front_at >= window {
            let (_, amount, next) = read(&self.bytes, place);
            self.base = self.base.wrapping_add(amount);
            self.len -= 1;
            self.front_at = if next < self.end as usize { self.front_at + read(&self.bytes, next).0 } else { self.back_at };
            place = next;
        }
        self.start = place as u32;
        self.unmarked = self.unmarked.min(self.len);
        if let Some(marks) = &mut self.marks {
            while marks.all.front().is_some_and(|mark| mark.at < self.front_at) {
                marks.all.pop_front();
            }
            if marks.all.is_empty() {
                self.marks = None;
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
            self.merge(amount, now);
        } else {
            self.push(amount, now);
        }
    }

    fn merges(&self, now: Micros, window: Micros, caps: &Caps) -> bool {
        let full = caps.log_entries(window);
        self.len as usize >= full && (now - self.back_since).saturating_mul(full as u64) < window.saturating_mul(2)
    }

    /// Has an entry behind the last, which is written now.
    fn push(&mut self, amount: u64, now: Micros) {
        if self.len == 0 {
            self.front_at = now;
        } else {
            let distance = if self.start == self.end { 0 } else { self.back_at - self.written_at };
            let place = self.write(distance, self.back_amount);
            self.written_at = self.back_at;
            self.unmarked += 1;
            if self.unmarked >= BLOCK {
                self.unmarked = 0;
                let mark = Mark { place, at: self.back_at, sum: self.total.wrapping_sub(amount) };
                self.marks.get_or_insert_default().all.push_back(mark);
            }
        }
        (self.back_at, self.back_since, self.back_amount) = (now, now, amount);
        self.len += 1;
    }

    /// Adds to the last entry, and gives it this time.
    #[inline]
    fn merge(&mut self, amount: u64, now: Micros) {
        self.back_amount = self.back_amount.wrapping_add(amount);
        self.back_at = now;
        if self.len == 1 {
            self.front_at = now;
        }
    }

    /// Writes an entry; where it begins.
    #[inline]
    fn write(&mut self, distance: Micros, amount: u64) -> u32 {
        if self.bytes.len() < self.end as usize + LONGEST {
            self.make_room();
        }
        let place = self.end as usize;
        if (distance | amount) < SHORT
            && let Some(word) = self.bytes.get_mut(place..place + WORD)
        {
            let ((distance, first), (amount, second)) = (spread(distance), spread(amount));
            word.copy_from_slice(&(distance | amount << (8 * first)).to_le_bytes());
            self.end += first + second;
        } else {
            self.write_long(distance, amount);
        }
        self.origin.wrapping_add(place as u32)
    }

    #[cold]
    fn write_long(&mut self, distance: Micros, amount: u64) {
        for mut value in [distance, amount] {
            while value >= 0x80 {
                self.bytes[self.end as usize] = value as u8 | 0x80;
                self.end += 1;
                value >>= 7;
            }
            self.bytes[self.end as usize] = value as u8;
            self.end += 1;
        }
    }

    /// By what has expired, if that is an eighth; else by an eighth more memory. So little is unused, and each byte is moved a few times.
    #[cold]
    fn make_room(&mut self) {
        let expired = self.start as usize;
        if expired > 0 && expired * 8 >= self.bytes.len() {
            self.bytes.copy_within(expired..self.end as usize, 0);
            self.origin = self.origin.wrapping_add(self.start);
            self.end -= self.start;
            self.start = 0;
        }
        let end = self.end as usize;
        let room = end + LONGEST + GROW.max(end / 8);
        if self.bytes.len() < end + LONGEST {
            self.bytes.reserve_exact(room - self.bytes.len());
            self.bytes.resize(room, 0);
        } else if self.bytes.len() > 2 * room {
            self.bytes.truncate(room);
            self.bytes.shrink_to_fit();
        }
    }

    /// Where the entry that ends here begins, and its amount.
    fn entry_before(&self, end: usize) -> (usize, usize) {
        let begin = |end: usize| {
            let mut at = end.saturating_sub(1);
            while at > 0 && self.bytes[at - 1] >= 0x80 {
                at -= 1;
            }
            at
        };
        let amount_at = begin(end);
        (begin(amount_at), amount_at)
    }

    /// Where the entry of this mark ends.
    fn end_of(&self, mark: &Mark) -> usize {
        read(&self.bytes, mark.place.wrapping_sub(self.origin) as usize).2
    }

    /// Takes back `amount` that was counted at `at` and hasn't expired. The entry that contains it is the first that isn't earlier: merging
    /// only makes entries later, and never past the next.
    pub(crate) fn refund(&mut self, at: Micros, amount: u64) {
        if self.len == 0 || self.back_at < at {
            return;
        }
        let amount = if self.start == self.end || self.written_at < at {
            let amount = amount.min(self.back_amount);
            self.back_amount -= amount;
            amount
        } else {
            self.refund_written(at, amount)
        };
        self.total = self.total.wrapping_sub(amount);
        for mark in self.marks.iter_mut().flat_map(|marks| marks.all.iter_mut().rev()).take_while(|mark| mark.at >= at) {
            mark.sum = mark.sum.wrapping_sub(amount);
        }
    }

    /// Takes back from the first written entry that isn't earlier; how much.
    fn refund_written(&mut self, at: Micros, amount: u64) -> u64 {
        let first_later = self.marks.iter().flat_map(|marks| marks.all.iter().rev()).take_while(|mark| mark.at >= at).last();
        let (mut end, mut time) = first_later.map_or((self.end as usize, self.written_at), |mark| (self.end_of(mark), mark.at));
        let (mut place, mut amount_at) = self.entry_before(end);
        while place > self.start as usize {
            time -= read(&self.bytes, place).0;
            if time < at {
                break;
            }
            end = place;
            (place, amount_at) = self.entry_before(end);
        }
        let counted = read(&self.bytes, place).1;
        let amount = amount.min(counted);
        let mut left = counted - amount;
        // As many bytes as before.
        for byte in &mut self.bytes[amount_at..end] {
            *byte = (*byte & 0x80) | (left as u8 & 0x7f);
            left >>= 7;
        }
        amount
    }

    /// Time of the entry by whose expiry `need` units have expired; `need` from 1 to `used`.
    pub(crate) fn reaches(&self, need: u64) -> Option<Micros> {
        let mark = self.marks.as_ref().and_then(|marks| {
            let short = marks.all.partition_point(|mark| mark.sum.wrapping_sub(self.base) < need);
            marks.all.get(short.checked_sub(1)?)
        });
        let (from, time, sum) =
            mark.map_or((self.start as usize, None, 0), |mark| (self.end_of(mark), Some(mark.at), mark.sum.wrapping_sub(self.base)));
        self.entries_from(from, time)
            .scan(sum, |sum, (at, amount)| Some((at, add(sum, amount))))
            .find(|(_, sum)| *sum >= need)
            .map(|(at, _)| at)
    }

    /// Time of the last entry, if nothing made it empty.
    pub(crate) fn last(&self) -> Option<Micros> {
        (self.len > 0 && self.back_amount > 0).then_some(self.back_at)
    }

    /// What still counts: when, and how much.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Micros, u64)> {
        self.entries_from(self.start as usize, None).filter(|(_, amount)| *amount > 0)
    }

    /// The entries from here on, behind one of this time; none before the first.
    fn entries_from(&self, mut place: usize, mut before: Option<Micros>) -> impl Iterator<Item = (Micros, u64)> {
        std::iter::from_fn(move || {
            if place >= self.end as usize {
                return None;
            }
            let (distance, amount, next) = read(&self.bytes, place);
            let at = before.map_or(self.front_at, |before| before + distance);
            (place, before) = (next, Some(at));
            Some((at, amount))
        })
        .chain((self.len > 0).then_some((self.back_at, self.back_amount)))
    }

    /// Has these entries and no others. One that isn't later than the one before joins it.
    pub(crate) fn restore(&mut self, entries: impl Iterator<Item = (Micros, u64)>) {
        *self = Self::default();
        for (at, amount) in entries.filter(|(_, amount)| *amount > 0) {
            let before = self.total;
            self.total = self.total.saturating_add(amount);
            let amount = self.total - before;
            if self.len > 0 && at <= self.back_at {
                self.merge(amount, self.back_at);
            } else {
                self.push(amount, at);
            }
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let marks = self.marks.as_ref().map_or(0, |marks| size_of::<Marks>() + marks.all.capacity() * size_of::<Mark>());
        self.bytes.capacity() + marks
    }
}

fn add(sum: &mut u64, amount: u64) -> u64 {
    *sum = sum.wrapping_add(amount);
    *sum
}

/// Numbers below this take four bytes at most.
const SHORT: u64 = 1 << 28;

/// The highest bits of four bytes.
const HIGHEST: u64 = 0x8080_8080;

/// A number below [`SHORT`] as it is written, and how many bytes that takes.
#[inline]
fn spread(value: u64) -> (u64, u32) {
    let bytes = (70 - (value | 1).leading_zeros()) / 7;
    let groups = value & 0x7f | (value & 0x3f80) << 1 | (value & 0x1f_c000) << 2 | (value & 0xfe0_0000) << 3;
    (groups | HIGHEST & ((1 << (8 * (bytes - 1))) - 1), bytes)
}

/// The number at the beginning of these bytes, and how many they are; none if they are more than four.
#[inline(always)]
fn gather(word: u64) -> Option<(u64, u32)> {
    let last = !word & HIGHEST;
    if last == 0 {
        return None;
    }
    let word = word & (last ^ (last - 1));
    let value = word & 0x7f | (word & 0x7f00) >> 1 | (word & 0x7f_0000) >> 2 | (word & 0x7f00_0000) >> 3;
    Some((value, last.trailing_zeros() / 8 + 1))
}

/// The entry that begins here: distance, amount, and where it ends.
#[inline(always)]
fn read(bytes: &[u8], place: usize) -> (Micros, u64, usize) {
    let word = bytes.get(place..).and_then(<[u8]>::first_chunk::<WORD>).map_or(0, |word| u64::from_le_bytes(*word));
    if let Some((distance, first)) = gather(word)
        && let Some((amount, second)) = gather(word >> (8 * first))
    {
        return (distance, amount, place + (first + second) as usize);
    }
    let (distance, amount_at) = read_long(bytes, place);
    let (amount, end) = read_long(bytes, amount_at);
    (distance, amount, end)
}

#[cold]
fn read_long(bytes: &[u8], mut place: usize) -> (u64, usize) {
    let (mut value, mut shift) = (0, 0);
    while let Some(byte) = bytes.get(place) {
        place += 1;
        value |= u64::from(*byte & 0x7f) << shift;
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    (value, place)
}
