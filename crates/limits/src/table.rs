//! The limits of one ledger, by key and by index. An index stays while any hold names its limit.
//! It decides nothing.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

use crate::caps::Caps;
use crate::hash::Mix;
use crate::key::{LimitKey, Micros};
use crate::limit::Limit;

#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    limits: Vec<Limit>,
    vacant: Vec<u16>,
    places: HashMap<LimitKey, u16, Mix>,
}

impl Table {
    #[inline]
    pub(crate) fn find(&self, key: &LimitKey) -> Option<u16> {
        self.places.get(key).copied()
    }

    /// The place of this key, made if need be and the bound allows.
    pub(crate) fn make(&mut self, key: LimitKey, n: u64, now: Micros, caps: &Caps) -> Option<u16> {
        if self.places.len() >= usize::from(caps.limits) {
            self.sweep(now);
        }
        if self.places.len() >= usize::from(caps.limits) {
            return None;
        }
        let limit = Limit::new(key, n);
        let place = if let Some(place) = self.vacant.pop() {
            self[place] = limit;
            place
        } else {
            self.limits.push(limit);
            u16::try_from(self.limits.len() - 1).ok()?
        };
        self.places.insert(key, place);
        Some(place)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Limit> {
        self.limits.iter_mut()
    }

    /// The places on which something waits, in the order of their keys.
    pub(crate) fn queued(&self) -> Vec<u16> {
        let waits = |place: &u16| self.limits[usize::from(*place)].waits();
        let mut queued: Vec<u16> = (0..self.limits.len()).filter_map(|place| u16::try_from(place).ok()).filter(waits).collect();
        queued.sort_unstable_by_key(|place| self[*place].key);
        queued
    }

    /// Forgets limits of which nothing is counted, held, owed or named, and gives their memory back.
    pub(crate) fn sweep(&mut self, now: Micros) {
        let (limits, vacant) = (&mut self.limits, &mut self.vacant);
        self.places.retain(|_, place| {
            let limit = &mut limits[usize::from(*place)];
            limit.expire(now);
            let idle = limit.is_idle();
            if idle {
                vacant.push(*place);
            }
            !idle
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
        limits + spare + self.vacant.capacity() * size_of::<u16>() + self.places.capacity() * 33
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
