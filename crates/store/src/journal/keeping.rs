//! What is done beside the requests: figures of streams written, room reserved, files synced, snapshots taken, old segments removed.
//! It knows ledgers only as things that can be dumped.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use domain::Now;

use super::core::{Core, append_all};
use super::disk::{Disk, Segment};
use super::format::{BootId, HEADER, Header, Put};
use super::records;
use super::{Backlog, Condition, Extent, Journal};
use crate::caps;

/// What a snapshot takes in.
pub(crate) trait Ledgers: Send + Sync {
    /// Calls `write` with what each ledger has that isn't empty, as a payload, while that ledger is locked.
    fn dump_each(&self, now_us: u64, write: &mut dyn FnMut(&[u8]));
}

/// Steps counted since something was last done.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    since_sync: AtomicU32,
    since_snapshot: AtomicU32,
}

/// Where a journal goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begin {
    /// Segments that are there already.
    pub(crate) extents: VecDeque<Extent>,
    /// The number of the segment to begin with.
    pub(crate) segment: u64,
    /// Recordables in the segments that are there.
    pub(crate) recordables: u64,
    /// How many of them are in the database.
    pub(crate) recorded: u64,
}

impl Journal {
    /// Begins a segment.
    pub(crate) fn begin(disk: Box<dyn Disk>, clock: Arc<dyn domain::Clock>, boot: BootId, begin: Begin) -> io::Result<Self> {
        let Begin { mut extents, segment, recordables, recorded } = begin;
        if let Some(last) = extents.back() {
            // It helps only where the disk is full, and the file goes soon.
            drop(disk.release(*last));
        }
        let file = disk.create(segment)?;
        let begun = append_all(file.as_ref(), &header(segment, boot, clock.now(), recordables).encode());
        begun.inspect_err(|_| drop(disk.remove(segment)))?;
        let condition = Condition::default();
        let reserved = reserve(file.as_ref(), HEADER as u64).unwrap_or_else(|fault| {
            condition.made_room(&Err(fault));
            Some(HEADER as u64)
        });
        let snapshot = extents.front().map_or(segment, |extent| extent.segment);
        extents.push_back(Extent { segment, len: HEADER as u64 });
        let mut core = Core::new(file, extents, reserved, recordables);
        core.snapshot = snapshot;
        condition.judge(&core);
        let backlog = Backlog::new(recordables.saturating_sub(recorded));
        Ok(Self {
            core: Mutex::new(core),
            disk,
            clock,
            boot,
            condition,
            backlog,
            steps: Steps::default(),
            recorded: AtomicU64::new(0),
            loss_at: AtomicU64::new(0),
            rotating: Mutex::default(),
        })
    }

    /// One step, of [`caps::JOURNAL_STEPS_PER_S`] a second. It may wait for the disk.
    pub(crate) fn step(&self, ledgers: &dyn Ledgers) {
        let now = self.clock.now();
        self.write_figures(now);
        self.remove_before(self.recorded.load(Relaxed));
        self.make_room();
        if self.steps.since_sync.fetch_add(1, Relaxed) + 1 >= caps::JOURNAL_STEPS_PER_S {
            self.steps.since_sync.store(0, Relaxed);
            self.tick(now);
            self.sync();
        }
        let steps = self.steps.since_snapshot.fetch_add(1, Relaxed) + 1;
        let (is_failing, is_long) = (self.condition.is_rotation_failing(), self.lock().current().len >= caps::JOURNAL_SEGMENT_BYTES);
        let seconds = if is_failing { caps::JOURNAL_RETRY_S } else { caps::JOURNAL_SNAPSHOT_S };
        let is_time = steps >= caps::JOURNAL_STEPS_PER_S * seconds && !self.is_idle();
        if is_time || is_long && !is_failing {
            drop(self.take_snapshot(ledgers));
        }
    }

    /// Whether a step would do nothing.
    pub(crate) fn is_idle(&self) -> bool {
        let core = self.lock();
        core.is_closed || (core.open.len() == 0 && core.is_settled() && self.admits() && !self.condition.is_rotation_failing())
    }

    /// Writes what holds were charged since the last time, and whatever else waits.
    pub(crate) fn write_figures(&self, now: Now) {
        let mut from = 0;
        loop {
            let mut core = self.lock();
            if core.is_closed {
                return;
            }
            // While nothing can be written they would only pile up; the snapshot afterwards has them.
            if self.condition.is_writable() {
                core.put_charges(from, from + caps::JOURNAL_OPEN_CHUNK, now.mono_us);
            } else if core.pending_bytes() == 0 {
                // Whether it can be written again shows when something is.
                put_tick(&mut core, now);
            }
            from += caps::JOURNAL_OPEN_CHUNK;
            let written = core.write();
            let mended = self.condition.wrote(&core, &written);
            if mended {
                // Covers that could not be written are in the copies that a snapshot makes.
                self.steps.since_snapshot.store(u32::MAX / 2, Relaxed);
            }
            if written.is_err() || from >= core.open.end() {
                return;
            }
        }
    }

    /// Has the disk keep room ahead, and decides whether requests may begin.
    fn make_room(&self) {
        let mut core = self.lock();
        let is_low = core.reserve().is_some_and(|reserve| reserve < caps::JOURNAL_RESERVE_LOW);
        let grow = |core: &mut Core| core.make_reserve(caps::JOURNAL_RESERVE).or_else(|_| core.make_reserve(caps::JOURNAL_RESERVE_SMALL));
        self.condition.made_room(&if is_low { grow(&mut core) } else { Ok(()) });
        self.condition.judge(&core);
    }

    fn tick(&self, now: Now) {
        let mut core = self.lock();
        if core.was_busy() && !core.is_closed {
            put_tick(&mut core, now);
            let written = core.write();
            core.was_busy();
            self.condition.wrote(&core, &written);
        }
    }

    /// Makes everything written survive a loss of power.
    pub(crate) fn sync(&self) {
        let Some(file) = self.lock().take_unsynced() else { return };
        let synced = file.sync();
        if synced.is_err() {
            self.lock().sync_failed();
        }
        self.condition.synced(&synced);
    }

    /// Begins a new segment and writes everything into it that is needed of those before.
    pub(crate) fn take_snapshot(&self, ledgers: &dyn Ledgers) -> io::Result<()> {
        let _turn = self.rotating.lock().unwrap_or_else(PoisonError::into_inner);
        self.steps.since_snapshot.store(0, Relaxed);
        let taken = self.switch().and_then(|segment| self.fill_snapshot(segment, ledgers));
        self.condition.rotated(&taken);
        taken
    }

    /// Writes everything that was made again into the first segment, so that none before it is needed.
    pub(crate) fn settle_in(&self, ledgers: &dyn Ledgers, loss_at: Option<u64>) -> io::Result<()> {
        self.loss_at.store(loss_at.unwrap_or(0), Relaxed);
        let segment = self.lock().current().segment;
        self.fill_snapshot(segment, ledgers)
    }

    fn switch(&self) -> io::Result<u64> {
        let segment = self.lock().current().segment + 1;
        let file = match self.disk.create(segment) {
            // What is left of an attempt that failed.
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
                self.disk.remove(segment)?;
                self.disk.create(segment)?
            }
            created => created?,
        };
        // Without room of its own the old one, which has some, is the better place.
        let reserved = reserve(file.as_ref(), 0).inspect_err(|_| drop(self.disk.remove(segment)))?;
        let mut core = self.lock();
        let switched = core.switch(file, header(segment, self.boot, self.clock.now(), 0), reserved);
        drop(core);
        let (old, len) = switched.inspect_err(|_| drop(self.disk.remove(segment)))?;
        // Both help only, and were done before or will be done again.
        drop(old.sync());
        drop(old.cut(len));
        drop(self.disk.sync());
        Ok(segment)
    }

    fn fill_snapshot(&self, segment: u64, ledgers: &dyn Ledgers) -> io::Result<()> {
        let mut from = 0;
        loop {
            let mut core = self.lock();
            core.put_copies(from, from + caps::JOURNAL_OPEN_CHUNK);
            from += caps::JOURNAL_OPEN_CHUNK;
            self.written(&mut core)?;
            if from >= core.open.end() {
                break;
            }
        }
        let mut failed = Ok(());
        ledgers.dump_each(self.clock.now().mono_us, &mut |payload| {
            let mut core = self.lock();
            if failed.is_ok() {
                core.put(records::LEDGER, |into| into.extend_from_slice(payload));
                if core.pending_bytes() >= caps::JOURNAL_GATHER_BYTES {
                    failed = self.written(&mut core);
                }
            }
        });
        failed?;
        let mut core = self.lock();
        let loss_at = self.loss_at.load(Relaxed);
        if loss_at > 0 {
            core.put(records::LOSS, |into| into.number(loss_at));
        }
        core.put(records::SNAPSHOT, |_| {});
        self.written(&mut core)?;
        let file = core.take_unsynced();
        drop(core);
        file.map_or(Ok(()), |file| file.sync())?;
        self.lock().snapshot = segment;
        Ok(())
    }

    fn written(&self, core: &mut Core) -> io::Result<()> {
        let written = core.write();
        self.condition.wrote(core, &written);
        written.map(drop)
    }

    /// The database has everything before this segment.
    pub(crate) fn note_recorded(&self, segment: u64) {
        self.recorded.store(segment, Relaxed);
    }

    /// Removes the segments that neither recovery nor the database needs: it has everything before `recorded`.
    fn remove_before(&self, recorded: u64) {
        let mut core = self.lock();
        let before = recorded.min(core.snapshot);
        let gone = core.forget_before(before);
        drop(core);
        for segment in gone {
            if let Err(fault) = self.disk.remove(segment) {
                tracing::warn!(path = %self.disk.path(segment).display(), %fault, "a file of the journal that is no longer needed can't be removed");
            }
        }
    }

    /// The last word: the server stops in peace. Nothing is written afterwards.
    pub(crate) fn close(&self, ledgers: &dyn Ledgers) {
        if self.lock().is_closed {
            return;
        }
        self.write_figures(self.clock.now());
        let snapshot = self.take_snapshot(ledgers);
        let mut core = self.lock();
        if snapshot.is_ok() {
            core.put(records::CLEAN, |_| {});
            let written = core.write();
            self.condition.wrote(&core, &written);
        }
        core.is_closed = true;
        let (file, unsynced) = (core.file(), core.take_unsynced());
        let len = core.current().len;
        drop(core);
        // Room that is still kept would be read by the next start; where it can't be given back, it is read.
        drop(file.cut(len));
        if let Some(file) = unsynced {
            self.condition.synced(&file.sync());
        }
    }
}

fn header(segment: u64, boot: BootId, now: Now, recordables: u64) -> Header {
    Header { segment, boot, mono_us: now.mono_us, wall_us: now.wall.0, recordables, after_torn: false }
}

fn put_tick(core: &mut Core, now: Now) {
    core.put(records::TICK, |into| {
        into.number(now.mono_us);
        into.signed(now.wall.0);
    });
}

/// Has the disk keep room for a new file; returns up to where, `None` where its file system can't.
fn reserve(file: &dyn Segment, from: u64) -> io::Result<Option<u64>> {
    let step = |bytes| file.reserve(from, bytes).map(|can| can.then_some(from + bytes));
    step(caps::JOURNAL_RESERVE).or_else(|_| step(caps::JOURNAL_RESERVE_SMALL))
}
