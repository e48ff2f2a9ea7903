//! The recorder's front: where requests end. What ended is in the journal when the call returns; a task carries it to the database.

mod batch;
mod counter_bytes;
mod keeper;
mod writer;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Clock, RefusalEvent, UsageRecord};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::journal::tail::Position;
use crate::journal::{Entry, Journal};
use crate::pools::{End, Hold};
use crate::sql::Database;
use crate::{Pools, StoreHealth};

pub(crate) use self::writer::POSITION;
pub(crate) use batch::{Batch, CounterLabels, Counters, CountersOf, Ending, MergedRefusal, minute_of};
pub(crate) use counter_bytes::{put_counters, take_counters};
use writer::Writer;

/// Takes usage records and refusals; a task writes them to the database in batches. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    front: Arc<Front>,
}

/// What the hot path and the writer share.
struct Front {
    journal: Arc<Journal>,
    pools: Pools,
    clock: Arc<dyn Clock>,
    closing: AtomicBool,
    written: AtomicU64,
    failed_attempts: AtomicU64,
    writable: AtomicBool,
    last_fault: Mutex<Option<String>>,
    /// The writer has ended.
    ended: CancellationToken,
}

impl Recorder {
    /// Starts the writer on `tasks`, which goes on in the journal at `from`, and what keeps the journal. `give_back` is called when it has
    /// become quiet.
    pub(crate) fn start(
        journal: Arc<Journal>,
        from: Position,
        database: Database,
        pools: Pools,
        clock: Arc<dyn Clock>,
        give_back: fn(),
        tasks: &TaskTracker,
    ) -> Self {
        let front = Arc::new(Front {
            journal: Arc::clone(&journal),
            pools: pools.clone(),
            clock: Arc::clone(&clock),
            closing: AtomicBool::new(false),
            written: AtomicU64::new(0),
            failed_attempts: AtomicU64::new(0),
            writable: AtomicBool::new(true),
            last_fault: Mutex::new(None),
            ended: CancellationToken::new(),
        });
        tasks.spawn(Writer::new(Arc::clone(&front), from, database, pools.clone(), clock, give_back).run());
        tasks.spawn(keeper::run(journal, pools, front.ended.clone()));
        Self { front }
    }

    /// Ends a request: its hold as `end` says, and its record, which learns what debt this made. Both are in the journal when this returns;
    /// where it can't be written to they wait in memory for that. Returns the debt in tokens.
    pub fn finish(&self, mut hold: Hold, end: End, now_us: u64, mut record: UsageRecord) -> u64 {
        if hold.covers(end) {
            // The journal first: a slow disk may keep it, and what is relayed when it returns is held until then and counts from then.
            let entry = hold.take_entry();
            self.write(entry, end, now_us, &record);
            return hold.end_in_ledger(end, now_us.max(self.front.clock.now().mono_us)).0;
        }
        let (debt, entry) = hold.end_in_ledger(end, now_us);
        record.debt = record.debt.saturating_add(debt);
        self.write(entry, end, now_us, &record);
        debt
    }

    fn write(&self, entry: Option<Entry>, end: End, now_us: u64, record: &UsageRecord) {
        match entry {
            Some(entry) => entry.end(end, now_us, Some(record)),
            // Its grant is not in the journal.
            None => self.front.journal.usage(record),
        }
    }

    /// Writes a usage record. Never waits for the database, never loses it.
    pub fn usage(&self, record: UsageRecord) {
        self.front.journal.usage(&record);
    }

    /// Writes a refusal. Never waits for the database, never loses it.
    pub fn refusal(&self, refusal: RefusalEvent) {
        self.front.journal.refusal(&refusal);
    }

    /// Whether nothing new may be admitted (503), because the journal doesn't take it.
    pub fn is_full(&self) -> bool {
        !self.front.journal.admits()
    }

    /// Records and refusals that wait for the database.
    pub fn queued(&self) -> usize {
        usize::try_from(self.front.journal.backlog().waiting()).unwrap_or(usize::MAX)
    }

    /// Returns once everything recorded before the call is in the database, or the writer has ended.
    pub async fn flush(&self) {
        tokio::select! {
            () = self.front.journal.backlog().all_done() => {}
            () = self.front.ended.cancelled() => {}
        }
    }

    /// Ends the writer once everything is in the database, and then the journal.
    pub(crate) async fn close(&self) {
        self.front.closing.store(true, Ordering::Release);
        self.front.journal.backlog().hurry();
        self.front.ended.cancelled().await;
        let (journal, pools) = (Arc::clone(&self.front.journal), self.front.pools.clone());
        drop(tokio::task::spawn_blocking(move || journal.close(&pools)).await);
    }

    /// Ready once the writer has ended.
    pub(crate) async fn ended(&self) {
        self.front.ended.cancelled().await;
    }

    /// Cancelled once the writer has ended.
    pub(crate) fn end(&self) -> CancellationToken {
        self.front.ended.clone()
    }

    /// Ends the journal though the database has not everything: what waits there is for the next start. Returns how many records are
    /// in memory alone, and lost.
    pub(crate) async fn close_journal(&self) -> usize {
        let (journal, pools) = (Arc::clone(&self.front.journal), self.front.pools.clone());
        drop(tokio::task::spawn_blocking(move || journal.close(&pools)).await);
        self.front.journal.unwritten()
    }

    pub(crate) fn health(&self) -> StoreHealth {
        let front = &self.front;
        StoreHealth {
            writable: front.writable.load(Ordering::Relaxed),
            queued: self.queued(),
            last_fault: front.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            failed_attempts: front.failed_attempts.load(Ordering::Relaxed),
            written: front.written.load(Ordering::Relaxed),
            damage: None,
            journal: front.journal.health(),
        }
    }
}

impl Front {
    fn note_success(&self, rows: u64) {
        self.written.fetch_add(rows, Ordering::Relaxed);
        self.failed_attempts.store(0, Ordering::Relaxed);
        if !self.writable.swap(true, Ordering::Relaxed) {
            tracing::info!(rows, "the database takes records again");
            *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn note_failure(&self, fault: String) {
        self.failed_attempts.fetch_add(1, Ordering::Relaxed);
        if self.writable.swap(false, Ordering::Relaxed) {
            let waiting = self.journal.backlog().waiting();
            tracing::warn!(waiting, fault, "records can't be written to the database; they wait in the journal and are tried again");
        }
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}
