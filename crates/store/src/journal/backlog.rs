//! How many records wait for the database, and the word to whoever writes them there. It knows no record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{Notify, watch};

use crate::caps;

/// Counts what is in the journal and not in the database.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// Records ever added, and of those what is in the database.
    added: AtomicU64,
    done: watch::Sender<u64>,
    wake: Notify,
    /// Somebody waits, or a batch is full: the writer need not gather more.
    urgent: AtomicBool,
}

impl Backlog {
    /// With so many that wait already.
    pub(crate) fn new(waiting: u64) -> Self {
        Self { added: AtomicU64::new(waiting), done: watch::Sender::new(0), wake: Notify::new(), urgent: AtomicBool::new(waiting > 0) }
    }

    pub(crate) fn added(&self) -> u64 {
        self.added.load(Ordering::Acquire)
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.added().saturating_sub(*self.done.borrow())
    }

    /// One more. The writer is woken by the first of a batch and by every fullness of one, not by each.
    pub(crate) fn add_one(&self) {
        let added = self.added.fetch_add(1, Ordering::AcqRel) + 1;
        let waiting = added.saturating_sub(*self.done.borrow());
        if waiting.is_multiple_of(caps::BATCH_ROWS as u64) {
            self.hurry();
        } else if waiting <= 1 {
            self.wake.notify_one();
        }
    }

    /// So many more are in the database.
    pub(crate) fn done(&self, written: u64) {
        self.done.send_modify(|done| *done = done.saturating_add(written));
    }

    /// Everything that had been added when `added` said so is.
    pub(crate) fn done_up_to(&self, added: u64) {
        self.done.send_modify(|done| *done = added.max(*done));
    }

    /// Returns once everything that was added before the call is in the database.
    pub(crate) async fn all_done(&self) {
        let (added, mut done) = (self.added(), self.done.subscribe());
        self.hurry();
        drop(done.wait_for(|done| *done >= added).await);
    }

    /// Gather no more.
    pub(crate) fn hurry(&self) {
        self.urgent.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::Acquire)
    }

    /// Before the journal is read: what hurries afterwards is either read then or hurries again.
    pub(crate) fn calm(&self) {
        self.urgent.store(false, Ordering::Release);
    }

    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}
