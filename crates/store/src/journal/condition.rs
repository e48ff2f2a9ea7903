//! How the journal fares: whether requests may begin, what failed last, and what the operator is told, once a change.
//! It knows no file.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::core::Core;
use crate::caps;

/// Why no new request may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalRefuses {
    /// They may.
    Nothing,
    /// It can't be written to.
    Unwritable,
    /// The disk keeps too little room for what is in progress to end.
    NoReserve,
    /// It is as long as it may be, since the database takes nothing.
    Full,
}

/// How the journal fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalHealth {
    /// Why no new request may begin.
    pub refuses: JournalRefuses,
    /// Bytes of its files.
    pub bytes: u64,
    /// How many they may be.
    pub capacity_bytes: u64,
    /// Its files.
    pub segments: usize,
    /// Bytes that wait in memory because it can't be written to.
    pub pending_bytes: usize,
    /// Requests in progress that it knows.
    pub open_requests: usize,
    /// What failed last, and what to do; `None` while nothing is amiss.
    pub last_fault: Option<String>,
    /// Failed writes since the start.
    pub write_failures: u64,
    /// Failed calls of fsync since the start.
    pub fsync_failures: u64,
    /// New files that could not be begun since the start.
    pub rotation_failures: u64,
}

impl JournalHealth {
    /// Whether it takes what is written.
    pub fn is_writable(&self) -> bool {
        self.refuses != JournalRefuses::Unwritable
    }
}

/// What is counted, and said.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    refuses: AtomicU8,
    is_unwritable: AtomicBool,
    write_failures: AtomicU64,
    fsync_failures: AtomicU64,
    rotation_failures: AtomicU64,
    last_fault: Mutex<Option<String>>,
}

const ALL: [JournalRefuses; 4] = [JournalRefuses::Nothing, JournalRefuses::Unwritable, JournalRefuses::NoReserve, JournalRefuses::Full];

impl Condition {
    pub(crate) fn refuses(&self) -> JournalRefuses {
        ALL.into_iter().find(|refuses| *refuses as u8 == self.refuses.load(Relaxed)).unwrap_or(JournalRefuses::Nothing)
    }

    /// Whether a new request may begin.
    #[inline]
    pub(crate) fn admits(&self) -> bool {
        self.refuses.load(Relaxed) == JournalRefuses::Nothing as u8
    }

    pub(crate) fn is_writable(&self) -> bool {
        !self.is_unwritable.load(Relaxed)
    }

    /// A write came to this. Returns whether it is the first that succeeds after failures.
    pub(crate) fn wrote(&self, core: &Core, result: &std::io::Result<()>) -> bool {
        match result {
            Ok(()) if !self.is_unwritable.load(Relaxed) => false,
            Ok(()) => {
                self.is_unwritable.store(false, Relaxed);
                self.judge(core);
                true
            }
            Err(fault) => {
                self.write_failures.fetch_add(1, Relaxed);
                self.say(format!("{fault}{}", advice(fault)));
                self.is_unwritable.store(true, Relaxed);
                self.judge(core);
                false
            }
        }
    }

    pub(crate) fn fsync_failed(&self, fault: &std::io::Error) {
        if self.fsync_failures.fetch_add(1, Relaxed) == 0 {
            tracing::error!(%fault, "the journal can't be made to survive a loss of power; check its disk");
        }
        self.say(format!("fsync: {fault}{}", advice(fault)));
    }

    /// The disk keeps no more room.
    pub(crate) fn no_room(&self, fault: &std::io::Error) {
        self.say(format!("{fault}{}", advice(fault)));
    }

    pub(crate) fn rotation_failed(&self, fault: &std::io::Error) {
        if self.rotation_failures.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(%fault, advice = advice(fault), "no new file of the journal can be begun; the present one goes on");
        }
        self.say(format!("a new file: {fault}{}", advice(fault)));
    }

    fn say(&self, fault: String) {
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Decides whether new requests may begin, and tells the operator when that changes.
    pub(crate) fn judge(&self, core: &Core) {
        let refuses = if self.is_unwritable.load(Relaxed) {
            JournalRefuses::Unwritable
        } else if core.reserve().is_some_and(|reserve| reserve < caps::JOURNAL_RESERVE_LEAST) {
            JournalRefuses::NoReserve
        } else if core.bytes() >= caps::JOURNAL_BYTES {
            JournalRefuses::Full
        } else {
            JournalRefuses::Nothing
        };
        if self.refuses.swap(refuses as u8, Relaxed) == refuses as u8 {
            return;
        }
        let fault = self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
        match refuses {
            JournalRefuses::Nothing => {
                *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
                tracing::info!("the journal takes requests again");
            }
            JournalRefuses::Unwritable => {
                tracing::error!(
                    fault,
                    "the journal can't be written: new requests get 503, those in progress end and their records wait in memory"
                );
            }
            JournalRefuses::NoReserve => {
                tracing::error!(fault, "the journal's disk is full: new requests get 503, those in progress end; make room on it");
            }
            JournalRefuses::Full => {
                tracing::error!(
                    bytes = core.bytes(),
                    "the journal is as long as it may be: new requests get 503; it shrinks when the database takes records again"
                );
            }
        }
    }

    pub(crate) fn health(&self, core: &Core) -> JournalHealth {
        JournalHealth {
            refuses: self.refuses(),
            bytes: core.bytes(),
            capacity_bytes: caps::JOURNAL_BYTES,
            segments: core.extents().len(),
            pending_bytes: core.pending_bytes(),
            open_requests: core.open.len(),
            last_fault: self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            write_failures: self.write_failures.load(Relaxed),
            fsync_failures: self.fsync_failures.load(Relaxed),
            rotation_failures: self.rotation_failures.load(Relaxed),
        }
    }
}

/// What to do about a fault; empty where nobody knows.
pub(crate) fn advice(fault: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match fault.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "; make room on its disk",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "; give this user the right to write to the data folder",
        _other_kinds => "; check its disk",
    }
}
