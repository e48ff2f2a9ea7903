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
    /// What is damaged in the database, where a look through it has found something.
    pub damage: Option<String>,
    /// The journal, without which nothing new may begin.
    pub journal: JournalHealth,
}

impl StoreHealth {
    /// Whether requests can be served: the journal takes them. The database may be away for as long as there is room for its records.
    pub fn is_ready(&self) -> bool {
        self.journal.refuses == JournalRefuses::Nothing
    }

    /// What is amiss with the database, in words for the operator; `None`: nothing.
    pub fn database_trouble(&self) -> Option<String> {
        let damage = self.damage.as_ref().map(|found| format!("the database is damaged ({found}); stop the server and restore a backup"));
        let waiting = || format!("the database takes no records; they wait in the journal{}", because(self.last_fault.as_ref()));
        damage.or_else(|| (!self.writable).then(waiting))
    }

    /// What is amiss with the journal, in words for the operator; `None`: nothing. Requests may be served all the same.
    pub fn journal_trouble(&self) -> Option<String> {
        let fault = because(self.journal.last_fault.as_ref());
        match self.journal.refuses {
            JournalRefuses::Unwritable => Some(format!("the journal can't be written{fault}")),
            JournalRefuses::NoReserve => Some(format!("the journal's disk is full{fault}")),
            JournalRefuses::Full => {
                Some(format!("the journal is full because the database takes no records{}", because(self.last_fault.as_ref())))
            }
            JournalRefuses::Nothing => self.journal.last_fault.clone(),
        }
    }
}

fn because(fault: Option<&String>) -> String {
    fault.map_or_else(String::new, |fault| format!(": {fault}"))
}
