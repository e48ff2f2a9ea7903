//! How the store is doing, for `/readyz` and the metrics.

/// How the store is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// Whether the last batch was written, or there was none.
    pub writable: bool,
    /// Records and refusals waiting for the database.
    pub queued: usize,
    /// How many may wait before admission stops.
    pub queue_capacity: usize,
    /// Why the last batch could not be written, and what to do; `None` while `writable`.
    pub last_fault: Option<String>,
    /// Failed attempts since the last success.
    pub failed_attempts: u64,
    /// Rows written since the start.
    pub written: u64,
}

impl StoreHealth {
    /// Whether requests can be served: the database takes what is recorded, or there is still room to wait for it.
    pub fn is_ready(&self) -> bool {
        self.queued < self.queue_capacity
    }
}
