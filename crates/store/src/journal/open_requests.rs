//! Requests that were granted and have not ended: what must be copied into the next segment, so that earlier ones can go.
//! It knows no file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::records::Whose;

/// Figures of one hold, kept by whoever relays its answer without a lock.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Output tokens charged so far.
    charged: AtomicU64,
    /// Output tokens that the hold ever covered, those charged included.
    covered: AtomicU64,
}

impl Figures {
    pub(crate) fn new(covered: u64) -> Self {
        Self { charged: AtomicU64::new(0), covered: AtomicU64::new(covered) }
    }

    pub(crate) fn charge(&self, total: u64) {
        self.charged.fetch_max(total, Relaxed);
    }

    /// Returns whether that is more than ever before.
    pub(crate) fn cover(&self, total: u64) -> bool {
        self.covered.fetch_max(total, Relaxed) < total
    }

    pub(crate) fn charged(&self) -> u64 {
        self.charged.load(Relaxed)
    }

    pub(crate) fn covered(&self) -> u64 {
        self.covered.load(Relaxed)
    }
}

/// One open request.
pub(crate) struct OpenRequest {
    pub(crate) whose: Whose,
    /// The payload of its grant.
    pub(crate) grant: Box<[u8]>,
    pub(crate) figures: Arc<Figures>,
    /// What was last written of what is charged.
    pub(crate) charged_written: u64,
}

/// All of them, by number.
#[derive(Default)]
pub(crate) struct OpenRequests {
    slots: Vec<Option<OpenRequest>>,
    vacant: Vec<u32>,
}

impl OpenRequests {
    pub(crate) fn insert(&mut self, request: OpenRequest) -> u32 {
        if let Some(number) = self.vacant.pop()
            && let Some(slot) = self.slots.get_mut(number as usize)
        {
            *slot = Some(request);
            return number;
        }
        self.slots.push(Some(request));
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<OpenRequest> {
        let request = self.slots.get_mut(number as usize)?.take()?;
        self.vacant.push(number);
        if self.vacant.len() == self.slots.len() {
            *self = Self::default();
        }
        Some(request)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Numbers go up to here.
    pub(crate) fn end(&self) -> usize {
        self.slots.len()
    }

    /// Those whose numbers lie in a range.
    pub(crate) fn within(&mut self, from: usize, to: usize) -> impl Iterator<Item = &mut OpenRequest> {
        let to = to.min(self.slots.len());
        self.slots.get_mut(from.min(to)..to).unwrap_or_default().iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use domain::{OrgId, RequestId};

    use super::*;

    fn request(n: u128) -> OpenRequest {
        let whose = Whose { org: OrgId::from_bits(1), request: RequestId::from_bits(n) };
        OpenRequest { whose, grant: Box::default(), figures: Arc::default(), charged_written: 0 }
    }

    #[test]
    fn numbers_are_used_again_and_memory_is_given_back() {
        let mut open = OpenRequests::default();
        assert_eq!([1, 2, 3].map(|n| open.insert(request(n))), [0, 1, 2]);
        assert!(open.remove(1).is_some() && open.remove(1).is_none() && open.remove(9).is_none());
        assert_eq!((open.len(), open.end(), open.within(1, 9).count(), open.insert(request(4))), (2, 3, 1, 1));
        (0..3).for_each(|number| assert!(open.remove(number).is_some()));
        assert_eq!((open.len(), open.end()), (0, 0));
    }

    #[test]
    fn figures_only_grow() {
        let figures = Figures::new(5);
        figures.charge(3);
        figures.charge(2);
        assert_eq!(
            (figures.charged(), figures.cover(5), figures.cover(6), figures.cover(4), figures.covered()),
            (3, false, true, false, 6)
        );
    }
}
