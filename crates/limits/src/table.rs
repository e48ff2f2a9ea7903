//! The limits of one ledger, by key and by place. A place stays while any hold names its limit.
//! It decides nothing.

use std::ops::{Index, IndexMut};

use crate::caps::Caps;
use crate::key::{LimitKey, Micros};
use crate::limit::Limit;

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    limits: Vec<Limit>,
    /// Every place but the vacant ones, in the order of their keys.
    places: Vec<u16>,
    vacant: Vec<u16>,
}

impl Table {
    pub(crate) fn find(&self, key: &LimitKey) -> Option<u16> {
        self.search(key).ok().map(|found| self.places[found])
    }

    /// The place of this key, which is new if need be and the bound allows. It looks at `guess` first: limits that are asked together
    /// were made together.
    #[inline]
    pub(crate) fn find_or_make(&mut self, key: &LimitKey, guess: u16, now: Micros, caps: &Caps) -> Option<u16> {
        match self.limits.get(usize::from(guess)) {
            Some(limit) if limit.key == *key && !limit.vacant => Some(guess),
            Some(_) | None => self.find(key).or_else(|| self.make(*key, now, caps.limits)),
        }
    }

    fn search(&self, key: &LimitKey) -> Result<usize, usize> {
        self.places.binary_search_by(|place| self.limits[usize::from(*place)].key.cmp(key))
    }

    /// The place of a key that has none, if the bound of `most` limits allows.
    #[cold]
    fn make(&mut self, key: LimitKey, now: Micros, most: u16) -> Option<u16> {
        if self.places.len() >= usize::from(most) {
            self.sweep(now);
        }
        if self.places.len() >= usize::from(most) {
            return None;
        }
        let limit = Limit::new(key);
        let place = match self.vacant.pop() {
            Some(place) => {
                self[place] = limit;
                place
            }
            None => self.push(limit)?,
        };
        let order = self.search(&key).err()?;
        self.places.insert(order, place);
        Some(place)
    }

    fn push(&mut self, limit: Limit) -> Option<u16> {
        let place = u16::try_from(self.limits.len()).ok()?;
        if self.limits.len() == self.limits.capacity() {
            // Most ledgers have few limits, and there are many ledgers.
            let more = (self.limits.len() / 2).max(2);
            self.limits.reserve_exact(more);
            self.places.reserve_exact(more);
        }
        self.limits.push(limit);
        Some(place)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Limit> {
        self.limits.iter_mut()
    }

    /// The places on which something waits, in the order of their keys.
    pub(crate) fn queued(&self) -> Vec<u16> {
        self.places.iter().copied().filter(|place| self[*place].waits()).collect()
    }

    /// Forgets limits of which nothing is counted, held, owed or named, and gives their memory back.
    pub(crate) fn sweep(&mut self, now: Micros) {
        let (limits, vacant) = (&mut self.limits, &mut self.vacant);
        self.places.retain(|place| {
            let limit = &mut limits[usize::from(*place)];
            limit.expire(now);
            if limit.is_idle() {
                *limit = Limit { vacant: true, ..Limit::new(limit.key) };
                vacant.push(*place);
                return false;
            }
            true
        });
        if self.places.is_empty() {
            *self = Self::default();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let spare = (self.limits.capacity() - self.limits.len()) * size_of::<Limit>();
        let limits: usize = self.limits.iter().map(Limit::memory_bytes).sum();
        limits + spare + (self.vacant.capacity() + self.places.capacity()) * size_of::<u16>()
    }
}

impl Index<u16> for Table {
    type Output = Limit;

    #[inline]
    fn index(&self, place: u16) -> &Limit {
        &self.limits[usize::from(place)]
    }
}

impl IndexMut<u16> for Table {
    #[inline]
    fn index_mut(&mut self, place: u16) -> &mut Limit {
        &mut self.limits[usize::from(place)]
    }
}
