//! The journal: every grant before a byte goes to a provider, every end with its usage record before the answer is complete. After a
//! crash it tells what ledgers held; meanwhile it carries usage records to the database. It knows no SQL and no plan.

mod attempt_bytes;
mod backlog;
mod condition;
mod core;
pub(crate) mod disk;
mod entry;
pub(crate) mod format;
mod keeping;
mod ledger_bytes;
mod mapped;
mod open_requests;
pub(crate) mod records;
pub(crate) mod replay;
pub(crate) mod tail;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod usage_bytes;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{Clock, RefusalEvent, UsageRecord};
use limits::Ask;

use self::backlog::Backlog;
use self::condition::Condition;
pub use self::condition::{JournalHealth, JournalRefuses};
use self::core::Core;
pub(crate) use self::core::Extent;
use self::disk::Disk;
pub(crate) use self::entry::Entry;
use self::format::BootId;
use self::keeping::Steps;
pub(crate) use self::keeping::{Begin, Ledgers};
pub(crate) use self::ledger_bytes::put_ledger;
use self::open_requests::{Figures, OpenRequest};
pub use self::records::GrantFacts;
use self::records::{Figure, Grant, Whose};
use crate::pools::End;

/// The journal can't be written: nothing new may begin. `Display` is for the log; the operator is told why elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal can't be written")]
pub struct Unwritable;

/// The journal of one data folder.
pub(crate) struct Journal {
    core: Mutex<Core>,
    disk: Box<dyn Disk>,
    clock: Arc<dyn Clock>,
    boot: BootId,
    condition: Condition,
    backlog: Backlog,
    steps: Steps,
    /// The segment before which the database has everything.
    recorded: AtomicU64,
    /// Something that happened before this steady time is missing; 0: nothing.
    loss_at: AtomicU64,
    /// Held while a segment is begun and filled: one at a time.
    rotating: Mutex<()>,
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits for the database.
    pub(crate) fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Whether a new request may begin.
    pub(crate) fn admits(&self) -> bool {
        self.condition.admits()
    }

    pub(crate) fn health(&self) -> JournalHealth {
        self.condition.health(&self.lock())
    }

    /// Records that are in memory alone.
    pub(crate) fn unwritten(&self) -> usize {
        self.lock().pending_recordables()
    }

    /// Writes that a request was admitted. Not under an organisation's lock.
    pub(crate) fn grant(self: &Arc<Self>, grant: &Grant<'_>, asks: &[Ask]) -> Result<Entry, Unwritable> {
        let figures = Arc::new(Figures::new(grant.output));
        let whose = Whose { org: grant.org, request: grant.request };
        let mut core = self.lock();
        if core.is_closed || !self.admits() {
            return Err(Unwritable);
        }
        let start = core.put(records::GRANT, |into| grant.put(into, asks));
        let payload = core.payload(start);
        let written = core.write();
        self.condition.wrote(&core, &written);
        if written.is_err() {
            core.take_back(start);
            return Err(Unwritable);
        }
        let open = OpenRequest { whose, grant: payload, figures: Arc::clone(&figures), charged_written: 0 };
        let slot = core.open.insert(open);
        drop(core);
        Ok(Entry::new(Arc::clone(self), slot, whose, figures))
    }

    /// Writes what a hold covers from now on. Where that fails, the next segment's copy of the grant has it.
    fn cover(&self, figure: &Figure) {
        let mut core = self.lock();
        let start = core.put(records::COVER, |into| figure.put(into));
        let written = core.write();
        self.condition.wrote(&core, &written);
        if written.is_err() {
            core.take_back(start);
        }
    }

    /// Writes along with the next record, or a little later.
    fn input(&self, figure: &Figure) {
        if self.admits() {
            self.lock().put(records::INPUT, |into| figure.put(into));
        }
    }

    /// Writes the end of a hold, with its usage record where there is one: both or neither.
    pub(crate) fn end(&self, slot: Option<u32>, whose: Whose, end: End, at: u64, usage: Option<&UsageRecord>) {
        let mut core = self.lock();
        if let Some(slot) = slot {
            core.open.remove(slot);
        }
        let fill = |into: &mut Vec<u8>| records::put_end(into, whose, end, at, usage);
        if usage.is_some() {
            self.record(core, records::END, fill);
        } else if !core.is_closed {
            core.put(records::END, fill);
            let written = core.write();
            self.condition.wrote(&core, &written);
        }
    }

    /// Writes a usage record that has no hold.
    pub(crate) fn usage(&self, usage: &UsageRecord) {
        self.record(self.lock(), records::USAGE, |into| usage_bytes::put_usage(into, usage));
    }

    /// Writes a refusal.
    pub(crate) fn refusal(&self, event: &RefusalEvent) {
        self.record(self.lock(), records::REFUSAL, |into| records::put_refusal(into, event));
    }

    fn record(&self, mut core: MutexGuard<'_, Core>, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
        if core.is_closed {
            tracing::error!("a usage record or refusal came after the store was closed and is lost");
            return;
        }
        core.put_recordable(kind, fill);
        let written = core.write();
        self.condition.wrote(&core, &written);
        drop(core);
        self.backlog.add_one();
    }

    /// Its owner is gone without a word: it is written down as it would be after a crash.
    fn abandon(&self, slot: u32) {
        let at = self.clock.now().mono_us;
        let Some(open) = self.lock().open.remove(slot) else { return };
        let Some(grant) = Grant::take(&open.grant, &mut Vec::new()) else { return };
        let figures = &open.figures;
        let usage = grant.interrupted(grant.input, figures.charged(), figures.covered(), at.saturating_sub(grant.at));
        self.end(None, open.whose, End::Lapsed, at, Some(&usage));
    }
}
