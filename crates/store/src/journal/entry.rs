//! One open request's place in the journal. It knows neither ledger nor file.

use std::fmt;
use std::sync::Arc;

use domain::UsageRecord;

use super::Journal;
use super::open_requests::Figures;
use super::records::{Figure, Whose};
use crate::pools::End;

/// What writes down how a granted request fares. Dropped before its end, the request is written down as after a crash.
pub(crate) struct Entry {
    journal: Arc<Journal>,
    slot: u32,
    whose: Whose,
    figures: Arc<Figures>,
    is_over: bool,
}

impl Entry {
    pub(super) fn new(journal: Arc<Journal>, slot: u32, whose: Whose, figures: Arc<Figures>) -> Self {
        Self { journal, slot, whose, figures, is_over: false }
    }

    /// So many output tokens were charged from the beginning. It is written with what comes next, or a little later.
    pub(crate) fn charge(&self, total: u64) {
        self.figures.charge(total);
    }

    /// The hold covers so many output tokens from the beginning. It is written before this returns.
    pub(crate) fn cover(&self, total: u64, at: u64) {
        if self.figures.cover(total) {
            self.journal.cover(&Figure { whose: self.whose, at, tokens: total });
        }
    }

    /// The input was counted exactly.
    pub(crate) fn input(&self, exact: u64, at: u64) {
        self.journal.input(&Figure { whose: self.whose, at, tokens: exact });
    }

    /// The request has ended.
    pub(crate) fn end(mut self, end: End, at: u64, usage: Option<&UsageRecord>) {
        self.is_over = true;
        self.journal.end(Some(self.slot), self.whose, end, at, usage);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.is_over {
            self.journal.abandon(self.slot);
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("whose", &self.whose).field("figures", &self.figures).finish_non_exhaustive()
    }
}
