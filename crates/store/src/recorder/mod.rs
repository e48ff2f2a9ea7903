//! The recorder's front: what the hot path hands over, without waiting and without a lock that the database knows.

mod batch;
mod writer;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Clock, RefusalEvent, UsageRecord};
use tokio::sync::{Notify, oneshot};
use tokio_util::task::TaskTracker;

use crate::pools::{End, Hold};
use crate::sql::Database;
use crate::{Pools, StoreHealth, caps};

pub(crate) use batch::{Batch, Counters, CountersOf, MergedRefusal, minute_of};
use writer::Writer;

/// Takes usage records and refusals; a task writes them in batches. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    front: Arc<Front>,
}

/// What waits for the writer.
enum Queued {
    Usage(UsageRecord),
    Refusal(RefusalEvent),
    /// Answered once everything before it is written.
    Flush(oneshot::Sender<()>),
    /// The same, and the writer ends.
    Close(oneshot::Sender<()>),
}

/// What the hot path and the writer share.
struct Front {
    queue: Sender<Queued>,
    /// Records and refusals that are not written yet, those in the writer's hands included.
    unwritten: AtomicUsize,
    wake: Notify,
    /// Somebody waits, or a batch is full: the writer need not gather more.
    urgent: AtomicBool,
    written: AtomicU64,
    failed_attempts: AtomicU64,
    writable: AtomicBool,
    last_fault: Mutex<Option<String>>,
}

impl Recorder {
    /// Starts the writer on `tasks`. It also sweeps the pools once a minute.
    pub(crate) fn start(database: Database, pools: Pools, clock: Arc<dyn Clock>, tasks: &TaskTracker) -> Self {
        let (queue, received) = mpsc::channel();
        let front = Arc::new(Front {
            queue,
            unwritten: AtomicUsize::new(0),
            wake: Notify::new(),
            urgent: AtomicBool::new(false),
            written: AtomicU64::new(0),
            failed_attempts: AtomicU64::new(0),
            writable: AtomicBool::new(true),
            last_fault: Mutex::new(None),
        });
        tasks.spawn(Writer::new(Arc::clone(&front), received, database, pools, clock).run());
        Self { front }
    }

    /// Ends a request: its hold as `end` says, and its record, which learns what debt this made. Returns that debt in tokens.
    pub fn finish(&self, hold: Hold, end: End, now_us: u64, mut record: UsageRecord) -> u64 {
        let debt = hold.end(end, now_us);
        record.debt = record.debt.saturating_add(debt);
        self.usage(record);
        debt
    }

    /// Queues a usage record. Never waits, never loses it.
    pub fn usage(&self, record: UsageRecord) {
        self.front.push(Queued::Usage(record));
    }

    /// Queues a refusal. Never waits, never loses it.
    pub fn refusal(&self, refusal: RefusalEvent) {
        self.front.push(Queued::Refusal(refusal));
    }

    /// Whether so much waits for the database that nothing new may be admitted (503).
    pub fn is_full(&self) -> bool {
        self.queued() >= caps::QUEUE_HIGH_WATER
    }

    /// Records and refusals that wait for the database.
    pub fn queued(&self) -> usize {
        self.front.unwritten.load(Ordering::Relaxed)
    }

    /// Returns once everything queued before the call is written.
    pub async fn flush(&self) {
        self.front.say(Queued::Flush).await;
    }

    pub(crate) async fn close(&self) {
        self.front.say(Queued::Close).await;
    }

    pub(crate) fn health(&self) -> StoreHealth {
        let front = &self.front;
        StoreHealth {
            writable: front.writable.load(Ordering::Relaxed),
            queued: self.queued(),
            queue_capacity: caps::QUEUE_HIGH_WATER,
            last_fault: front.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            failed_attempts: front.failed_attempts.load(Ordering::Relaxed),
            written: front.written.load(Ordering::Relaxed),
        }
    }
}

impl Front {
    fn push(&self, queued: Queued) {
        // The writer is woken by the first of a batch and by every fullness of one, not by each.
        let before = self.unwritten.fetch_add(1, Ordering::Relaxed);
        if self.queue.send(queued).is_err() {
            self.unwritten.fetch_sub(1, Ordering::Relaxed);
            tracing::error!("a usage record or refusal came after the store was closed and is lost");
            return;
        }
        if (before + 1).is_multiple_of(caps::BATCH_ROWS) {
            self.hurry();
        } else if before == 0 {
            self.wake.notify_one();
        }
    }

    /// Sends the writer a word and waits for its answer; returns at once where there is no writer any more.
    async fn say(&self, word: impl FnOnce(oneshot::Sender<()>) -> Queued) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(word(answer)).is_ok() {
            self.hurry();
            let _closed_is_answered = answered.await;
        }
    }

    fn hurry(&self) {
        self.urgent.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn note_success(&self, rows: usize) {
        self.unwritten.fetch_sub(rows, Ordering::Relaxed);
        self.written.fetch_add(rows as u64, Ordering::Relaxed);
        self.failed_attempts.store(0, Ordering::Relaxed);
        if !self.writable.swap(true, Ordering::Relaxed) {
            tracing::info!(rows, "the database takes records again");
            *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn note_failure(&self, fault: String) {
        let attempts = self.failed_attempts.fetch_add(1, Ordering::Relaxed) + 1;
        let queued = self.unwritten.load(Ordering::Relaxed);
        tracing::warn!(attempts, queued, fault, "records can't be written; they wait in memory and are tried again");
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
        self.writable.store(false, Ordering::Relaxed);
    }
}
