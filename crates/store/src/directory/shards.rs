//! A map in 256 parts, each swapped whole: reads take no lock, and a change copies one part.
//! It knows nothing of what it holds but how to find it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use hashbrown::HashTable;

/// What a map in parts holds: a thing that carries its own evenly spread identity.
pub(crate) trait Spread {
    /// What it is found by.
    type Id: PartialEq;
    /// Its identity.
    fn id(&self) -> &Self::Id;
    /// 64 evenly spread bits of an identity.
    fn bits(id: &Self::Id) -> u64;
}

const PARTS: usize = 256;

type Part<T> = HashTable<Arc<T>>;

pub(crate) struct Shards<T> {
    parts: Box<[ArcSwap<Part<T>>]>,
    len: AtomicUsize,
}

/// The table takes the low and the highest bits, so the part takes others.
fn part_of(bits: u64) -> usize {
    (bits >> 40) as usize % PARTS
}

impl<T: Spread> Shards<T> {
    pub(crate) fn get(&self, id: &T::Id) -> Option<Arc<T>> {
        let bits = T::bits(id);
        let part = self.parts.get(part_of(bits))?.load();
        part.find(bits, |item| item.id() == id).cloned()
    }

    /// Puts the item in the place of the one with its identity, if there is one. Callers take turns.
    pub(crate) fn put(&self, item: Arc<T>) {
        let bits = T::bits(item.id());
        let Some(part) = self.parts.get(part_of(bits)) else { return };
        let mut copy = Part::clone(&part.load());
        if let Some(there) = copy.find_mut(bits, |other| other.id() == item.id()) {
            *there = item;
        } else {
            copy.insert_unique(bits, item, |item| T::bits(item.id()));
            self.len.fetch_add(1, Ordering::Relaxed);
        }
        part.store(Arc::new(copy));
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Calls `each` with everything there is, part by part.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&Arc<T>)) {
        for part in &self.parts {
            part.load().iter().for_each(&mut each);
        }
    }
}

/// Fills a map before it is shared.
pub(crate) struct Filling<T> {
    parts: Vec<Part<T>>,
    len: usize,
}

impl<T: Spread> Filling<T> {
    /// With room for about so many.
    pub(crate) fn new(expected: usize) -> Self {
        let each = expected / PARTS + expected / PARTS / 8;
        Self { parts: (0..PARTS).map(|_| Part::with_capacity(each)).collect(), len: 0 }
    }

    /// Adds an item whose identity is not there yet.
    pub(crate) fn add(&mut self, item: Arc<T>) {
        let bits = T::bits(item.id());
        if let Some(part) = self.parts.get_mut(part_of(bits)) {
            part.insert_unique(bits, item, |item| T::bits(item.id()));
            self.len += 1;
        }
    }

    pub(crate) fn get(&self, id: &T::Id) -> Option<&Arc<T>> {
        let bits = T::bits(id);
        self.parts.get(part_of(bits))?.find(bits, |item| item.id() == id)
    }

    pub(crate) fn share(self) -> Shards<T> {
        let parts = self.parts.into_iter().map(ArcSwap::from_pointee).collect();
        Shards { parts, len: AtomicUsize::new(self.len) }
    }
}
