//! What is under the journal's one lock: the segment that is written to, and what has not reached it yet.
//! It knows how bytes get into a file, and not when.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use super::disk::Segment;
use super::format::{FRAME, HEADER, Header, Put as _, put_record};
use super::open_requests::OpenRequests;
use super::records;
use crate::caps;

/// A segment on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) segment: u64,
    /// Bytes of whole records, with the header.
    pub(crate) len: u64,
}

/// The open segment, and everything that waits to be written to it.
pub(crate) struct Core {
    file: Arc<dyn Segment>,
    /// Every segment there is, the one that is written to last.
    extents: VecDeque<Extent>,
    /// Up to where the disk keeps room; `None` where its file system can't.
    reserved: Option<u64>,
    /// Whole records that are not in the file yet.
    pending: Vec<u8>,
    /// Recordables among them.
    pending_recordables: u64,
    /// Recordables in all segments and among what is pending.
    recordables: u64,
    /// The file ends in a torn record that could not be cut off.
    is_torn: bool,
    /// Something was written that was not made to survive a loss of power.
    is_dirty: bool,
    /// Something was written since the last tick.
    is_busy: bool,
    pub(crate) is_closed: bool,
    pub(crate) open: OpenRequests,
    /// The last segment that needs none before it.
    pub(crate) snapshot: u64,
}

impl Core {
    /// Goes on in a file that has its header already.
    pub(crate) fn new(file: Arc<dyn Segment>, extents: VecDeque<Extent>, reserved: Option<u64>, recordables: u64) -> Self {
        Self {
            file,
            extents,
            reserved,
            pending: Vec::new(),
            pending_recordables: 0,
            recordables,
            is_torn: false,
            is_dirty: true,
            is_busy: false,
            is_closed: false,
            open: OpenRequests::default(),
            snapshot: 0,
        }
    }

    /// The file that is written to.
    pub(crate) fn file(&self) -> Arc<dyn Segment> {
        Arc::clone(&self.file)
    }

    /// The segment that is written to.
    pub(crate) fn current(&self) -> Extent {
        self.extents.back().copied().unwrap_or(Extent { segment: 0, len: 0 })
    }

    pub(crate) fn extents(&self) -> &VecDeque<Extent> {
        &self.extents
    }

    /// Bytes of all segments.
    pub(crate) fn bytes(&self) -> u64 {
        self.extents.iter().map(|extent| extent.len).sum()
    }

    /// Whether something for the database is in memory only.
    pub(crate) fn has_pending_recordables(&self) -> bool {
        self.pending_recordables > 0
    }

    pub(crate) fn pending_recordables(&self) -> usize {
        usize::try_from(self.pending_recordables).unwrap_or(usize::MAX)
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Appends a record to what is pending; returns where it begins there.
    pub(crate) fn put(&mut self, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = self.pending.len();
        put_record(&mut self.pending, kind, fill);
        start
    }

    /// The same for one that goes to the database.
    pub(crate) fn put_recordable(&mut self, kind: u8, fill: impl FnOnce(&mut Vec<u8>)) {
        self.put(kind, fill);
        self.pending_recordables += 1;
        self.recordables += 1;
    }

    /// Appends what open requests of these numbers were charged since that was last written.
    pub(crate) fn put_charges(&mut self, from: usize, to: usize, at: u64) {
        let Self { open, pending, .. } = self;
        let mut changed = open.within(from, to).filter(|open| open.figures.charged() > open.charged_written).peekable();
        if changed.peek().is_none() {
            return;
        }
        put_record(pending, records::CHARGES, |into| {
            into.number(at);
            for open in changed {
                open.charged_written = open.figures.charged();
                open.whose.put(into);
                into.number(open.charged_written);
            }
        });
    }

    /// Appends copies of the grants of open requests of these numbers.
    pub(crate) fn put_copies(&mut self, from: usize, to: usize) {
        let Self { open, pending, .. } = self;
        for open in open.within(from, to) {
            open.charged_written = open.figures.charged();
            let (charged, covered) = (open.charged_written, open.figures.covered());
            put_record(pending, records::OPEN, |into| records::put_open(into, charged, covered, &open.grant));
        }
    }

    /// Whether everything is written and synced.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_empty() && !self.is_dirty && !self.is_busy
    }

    /// The payload of the record that begins there, up to the end of what is pending.
    pub(crate) fn payload(&self, start: usize) -> Box<[u8]> {
        self.pending.get(start + FRAME + 1..).unwrap_or_default().into()
    }

    /// Takes the last record back, which begins there. It is none that goes to the database.
    pub(crate) fn take_back(&mut self, start: usize) {
        self.pending.truncate(start);
    }

    /// Writes what is pending; returns how many bytes. On an error all of it stays pending, and the file ends with the last whole
    /// record before it.
    pub(crate) fn write(&mut self) -> io::Result<usize> {
        if self.pending.is_empty() {
            return Ok(0);
        }
        if self.is_torn {
            self.cut_torn()?;
        }
        if let Err(fault) = append_all(self.file.as_ref(), &self.pending) {
            self.is_torn = true;
            // What was written of it may be whole records; they are written again from the beginning.
            drop(self.cut_torn());
            return Err(fault);
        }
        let written = self.pending.len();
        if let Some(extent) = self.extents.back_mut() {
            extent.len += written as u64;
        }
        self.pending.clear();
        self.pending.shrink_to(caps::JOURNAL_PENDING_KEPT);
        self.pending_recordables = 0;
        self.is_dirty = true;
        self.is_busy = true;
        Ok(written)
    }

    fn cut_torn(&mut self) -> io::Result<()> {
        self.file.cut(self.current().len)?;
        self.is_torn = false;
        // Cutting let go of what was reserved.
        self.reserved = self.reserved.map(|_| self.current().len);
        Ok(())
    }

    /// How many bytes the disk keeps for what is still to be written; `None` where its file system can't.
    pub(crate) fn reserve(&self) -> Option<u64> {
        self.reserved.map(|reserved| reserved.saturating_sub(self.current().len))
    }

    /// Has the disk keep room for so many bytes more.
    pub(crate) fn make_reserve(&mut self, bytes: u64) -> io::Result<()> {
        let len = self.current().len;
        let can = self.file.reserve(len, bytes)?;
        self.reserved = can.then_some(len.saturating_add(bytes));
        Ok(())
    }

    /// The file, and whether it has to be synced; from now on it need not be, unless something is written again.
    pub(crate) fn take_unsynced(&mut self) -> Option<Arc<dyn Segment>> {
        std::mem::take(&mut self.is_dirty).then(|| Arc::clone(&self.file))
    }

    pub(crate) fn sync_failed(&mut self) {
        self.is_dirty = true;
    }

    /// Whether anything was written since this was last asked.
    pub(crate) fn was_busy(&mut self) -> bool {
        std::mem::take(&mut self.is_busy)
    }

    /// Goes on in a new file, which begins with this header; returns the old one and its length. On an error nothing has changed.
    pub(crate) fn switch(&mut self, file: Arc<dyn Segment>, header: Header, reserved: Option<u64>) -> io::Result<(Arc<dyn Segment>, u64)> {
        // What can't be written there goes to the new one.
        drop(self.write());
        let header = Header { recordables: self.recordables - self.pending_recordables, after_torn: self.is_torn, ..header };
        append_all(file.as_ref(), &header.encode())?;
        let old = (std::mem::replace(&mut self.file, file), self.current().len);
        self.extents.push_back(Extent { segment: header.segment, len: HEADER as u64 });
        (self.reserved, self.is_torn, self.is_dirty) = (reserved, false, true);
        Ok(old)
    }

    /// Forgets segments before this one; returns them.
    pub(crate) fn forget_before(&mut self, segment: u64) -> Vec<u64> {
        let before = segment.min(self.current().segment);
        let gone = self.extents.iter().take_while(|extent| extent.segment < before).count();
        self.extents.drain(..gone).map(|extent| extent.segment).collect()
    }
}

/// Writes all of it, be it in pieces.
pub(crate) fn append_all(file: &dyn Segment, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
