//! How the store is doing, for `/readyz` and the metrics.

use crate::{JournalHealth, JournalRefuses};

/// How the store is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// Whether the database took the last batch, or there was none.
    pub writable: bool,
    /// Records and refusals that are in the journal and not yet in the database.
    pub queued: usize,
    /// Why the last batch could not be written, and what to do; `None` while `writable`.
    pub last_fault: Option<String>,
    /// Failed attempts since the last success.
    pub failed_attempts: u64,
    /// Rows written since the start.
    pub written: u64,
    /// The journal, without which nothing new may begin.
    pub journal: JournalHealth,
}

impl StoreHealth {
    /// Whether requests can be served: the journal takes them. The database may be away for as long as there is room for its records.
    pub fn is_ready(&self) -> bool {
        self.journal.refuses == JournalRefuses::Nothing
    }

    /// What is amiss, in words for the operator; `None`: nothing.
    pub fn trouble(&self) -> Option<String> {
        let fault = |text: &Option<String>| text.as_ref().map_or(String::new(), |text| format!(": {text}"));
        let of_database = fault(&self.last_fault);
        let of_journal = fault(&self.journal.last_fault);
        match self.journal.refuses {
            JournalRefuses::Unwritable => Some(format!("the journal can't be written{of_journal}")),
            JournalRefuses::NoReserve => Some(format!("the journal's disk is full{of_journal}")),
            JournalRefuses::Full => Some(format!("the journal is full because the database takes no records{of_database}")),
            JournalRefuses::Nothing if !self.writable => {
                Some(format!("the database takes no records; they wait in the journal{of_database}"))
            }
            JournalRefuses::Nothing => None,
        }
    }
}
