//! How the journal fares: whether requests may begin, what failed last, and what the operator is told, once a change.
//! It knows no file.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// What fails now, and what to do; `None` while nothing is amiss. Requests may be served all the same.
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
    faults: Mutex<Faults>,
}

/// What fails now, in words; each is forgotten when it succeeds again.
#[derive(Debug, Default)]
struct Faults {
    write: Option<String>,
    room: Option<String>,
    fsync: Option<String>,
    rotation: Option<String>,
}

impl Faults {
    /// The gravest.
    fn gravest(&self) -> Option<&String> {
        let Self { write, room, fsync, rotation } = self;
        [write, room, fsync, rotation].into_iter().flatten().next()
    }
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

    /// A write came to this: so many bytes. Returns whether it is the first that succeeds after failures; none proves nothing.
    pub(crate) fn wrote(&self, core: &Core, result: &std::io::Result<usize>) -> bool {
        match result {
            Ok(bytes) if *bytes == 0 || self.is_writable() => false,
            Ok(_) => {
                self.is_unwritable.store(false, Relaxed);
                self.faults().write = None;
                self.judge(core);
                true
            }
            Err(fault) => {
                self.write_failures.fetch_add(1, Relaxed);
                self.faults().write = Some(format!("{fault}{}", advice(fault)));
                self.is_unwritable.store(true, Relaxed);
                self.judge(core);
                false
            }
        }
    }

    /// An fsync came to this.
    pub(crate) fn synced(&self, result: &std::io::Result<()>) {
        let Err(fault) = result else {
            self.faults().fsync = None;
            return;
        };
        self.fsync_failures.fetch_add(1, Relaxed);
        let said = format!("what is written may not survive a loss of power: fsync: {fault}{}", advice(fault));
        if self.faults().fsync.replace(said).is_none() {
            tracing::error!(%fault, "the journal can't be made to survive a loss of power; check its disk");
        }
    }

    /// Having the disk keep more room came to this.
    pub(crate) fn made_room(&self, result: &std::io::Result<()>) {
        let said = result.as_ref().err().map(|fault| format!("the disk keeps no more room for it: {fault}{}", advice(fault)));
        let is_new = said.is_some();
        if std::mem::replace(&mut self.faults().room, said).is_none() && is_new {
            tracing::warn!("the journal's disk has no more room; what is kept for the journal lasts for some thousand requests");
        }
    }

    /// Beginning a new file came to this.
    pub(crate) fn rotated(&self, result: &std::io::Result<()>) {
        let Err(fault) = result else {
            if self.faults().rotation.take().is_some() {
                tracing::info!("files of the journal can be begun again");
            }
            return;
        };
        self.rotation_failures.fetch_add(1, Relaxed);
        let said = format!("no new file can be begun, and the present one grows: {fault}{}", advice(fault));
        if self.faults().rotation.replace(said).is_none() {
            tracing::warn!(%fault, advice = advice(fault), "no new file of the journal can be begun; the present one goes on");
        }
    }

    /// Whether beginning a file failed the last time.
    pub(crate) fn is_rotation_failing(&self) -> bool {
        self.faults().rotation.is_some()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
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
        let fault = self.faults().gravest().cloned().unwrap_or_default();
        match refuses {
            JournalRefuses::Nothing => tracing::info!("the journal takes requests again"),
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
            last_fault: self.faults().gravest().cloned(),
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
