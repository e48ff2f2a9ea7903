//! A map in 1024 parts, each swapped whole: reads take no lock, and a change copies one part. Parts keep no room for what may come, and
//! what they hold lies side by side in them. It knows nothing of what it holds but how to find it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;

/// What a map in parts holds: a thing that carries its own evenly spread identity.
pub(crate) trait Spread {
    /// What it is found by.
    type Id: PartialEq;
    /// Its identity.
    fn id(&self) -> &Self::Id;
    /// 64 evenly spread bits of an identity.
    fn bits(id: &Self::Id) -> u64;
}

impl<T: Spread> Spread for Arc<T> {
    type Id = T::Id;

    fn id(&self) -> &T::Id {
        T::id(self)
    }

    fn bits(id: &T::Id) -> u64 {
        T::bits(id)
    }
}

const PARTS: usize = 1_024;

/// A part's place among the others, by the higher bits.
fn part_of(bits: u64) -> usize {
    (bits >> 40) as usize % PARTS
}

/// The bucket, one of `buckets`, by the lower bits: it rises as they do.
fn bucket_of(bits: u64, buckets: usize) -> usize {
    (((bits & u64::from(u32::MAX)) * buckets as u64) >> 32) as usize
}

/// Items in the order of their buckets, of which there are as many: so a bucket has one item on average, and few have many.
struct Part<T> {
    items: Box<[T]>,
    /// Where the items of each bucket begin, and at last how many items there are; empty where there are none.
    begins: Box<[u32]>,
}

impl<T: Spread> Part<T> {
    fn of(mut items: Vec<T>) -> Self {
        items.sort_by_cached_key(|item| T::bits(item.id()) as u32);
        let mut begins = Vec::with_capacity(items.len() + 1);
        for (place, item) in (0..).zip(&items) {
            let bucket = bucket_of(T::bits(item.id()), items.len());
            begins.resize(begins.len().max(bucket + 1), place);
        }
        begins.resize(items.len() + 1, u32::try_from(items.len()).unwrap_or(u32::MAX));
        Self { items: items.into(), begins: begins.into() }
    }

    /// The place of the item with these bits that is the one.
    fn find(&self, bits: u64, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        let bucket = bucket_of(bits, self.items.len());
        let [begin, end] = *self.begins.get(bucket..)?.first_chunk()?;
        let found = self.items.get(begin as usize..end as usize)?.iter().position(is_it)?;
        Some(begin as usize + found)
    }
}

pub(crate) struct Shards<T> {
    parts: Box<[ArcSwap<Part<T>>]>,
    len: AtomicUsize,
}

impl<T: Spread + Clone> Shards<T> {
    pub(crate) fn get(&self, id: &T::Id) -> Option<T> {
        self.find(T::bits(id), |item| item.id() == id)
    }

    /// The item with these bits of its identity that is the one.
    pub(crate) fn find(&self, bits: u64, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let part = self.parts.get(part_of(bits))?.load();
        part.find(bits, |item| T::bits(item.id()) == bits && is_it(item)).and_then(|place| part.items.get(place)).cloned()
    }

    /// Puts the item in the place of the one with its identity, if there is one. Callers take turns.
    pub(crate) fn put(&self, item: T) {
        let Some(part) = self.parts.get(part_of(T::bits(item.id()))) else { return };
        let before = part.load();
        let mut items = before.items.to_vec();
        match before.find(T::bits(item.id()), |there| there.id() == item.id()).and_then(|place| items.get_mut(place)) {
            Some(there) => *there = item,
            None => {
                items.reserve_exact(1);
                items.push(item);
                self.len.fetch_add(1, Ordering::Relaxed);
            }
        }
        part.store(Arc::new(Part::of(items)));
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Calls `each` with everything there is, part by part.
    pub(crate) fn for_each(&self, mut each: impl FnMut(&T)) {
        for part in &self.parts {
            part.load().items.iter().for_each(&mut each);
        }
    }
}

/// Fills a map before it is shared.
pub(crate) struct Filling<T> {
    parts: Vec<Vec<T>>,
}

impl<T: Spread> Filling<T> {
    /// With room for about so many.
    pub(crate) fn new(expected: usize) -> Self {
        let each = expected / PARTS + expected / PARTS / 8;
        Self { parts: (0..PARTS).map(|_| Vec::with_capacity(each)).collect() }
    }

    /// Adds an item whose identity is not there yet.
    pub(crate) fn add(&mut self, item: T) {
        if let Some(part) = self.parts.get_mut(part_of(T::bits(item.id()))) {
            part.push(item);
        }
    }

    pub(crate) fn share(self) -> Shards<T> {
        let len = self.parts.iter().map(Vec::len).sum();
        let nothing = Arc::new(Part::of(Vec::new()));
        let part = |items: Vec<T>| if items.is_empty() { Arc::clone(&nothing) } else { Arc::new(Part::of(items)) };
        let parts = self.parts.into_iter().map(|items| ArcSwap::new(part(items))).collect();
        Shards { parts, len: AtomicUsize::new(len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Item {
        id: u64,
        worth: u64,
    }

    impl Spread for Item {
        type Id = u64;

        fn id(&self) -> &u64 {
            &self.id
        }

        fn bits(id: &u64) -> u64 {
            *id
        }
    }

    /// Spread over all bits, one number for each `n`.
    fn id(n: u64) -> u64 {
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn filled(ids: impl Iterator<Item = u64>) -> Shards<Item> {
        let mut filling = Filling::new(0);
        ids.for_each(|id| filling.add(Item { id, worth: id }));
        filling.share()
    }

    #[test]
    fn what_was_filled_in_is_found_and_nothing_else() {
        for count in [0, 1, 2, 1_000, 20_000] {
            let map = filled((0..count).map(id));
            assert!((0..count).all(|n| map.get(&id(n)).is_some_and(|item| item.worth == id(n))), "{count}");
            assert!((count..count + 1_000).all(|n| map.get(&id(n)).is_none()), "{count}");
            let mut seen = 0;
            map.for_each(|_| seen += 1);
            assert_eq!((map.len() as u64, seen), (count, count));
        }
    }

    #[test]
    fn what_is_put_is_found_and_takes_the_place_of_its_like() {
        let map = filled(std::iter::empty());
        for n in 0..3_000 {
            map.put(Item { id: id(n), worth: 1 });
            map.put(Item { id: id(n / 2), worth: 2 });
        }
        assert_eq!(map.len(), 3_000);
        assert!((0..3_000).all(|n| map.get(&id(n)).is_some_and(|item| item.worth == if n < 1_500 { 2 } else { 1 })));
    }

    #[test]
    fn identities_that_are_not_spread_are_found_too() {
        // All in one part and one bucket; and such that differ in the bits that choose neither.
        for ids in [[0, 1, 2, 3], [0, 1 << 33, 1 << 34, 1 << 35], [u64::MAX, u64::MAX - 1, u64::MAX << 8, 0]] {
            let map = filled(ids.into_iter());
            assert!(ids.iter().all(|id| map.get(id).is_some_and(|item| item.worth == *id)), "{ids:?}");
            assert!(map.get(&7).is_none());
        }
    }
}
