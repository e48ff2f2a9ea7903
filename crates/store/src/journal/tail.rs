//! Reads what goes to the database, in the order in which it was written, from wherever the database says it stopped.
//! It knows no SQL.

use std::io;

use super::format::{FRAME, Found, HEADER, record_at};
use super::records::{self, Recordable};
use super::{Extent, Journal};
use crate::caps;

/// A place in the journal, between two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl Position {
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.segment) << 64 | u128::from(self.offset)).to_be_bytes()
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let bits = u128::from_be_bytes(bytes.try_into().ok()?);
        Some(Self { segment: (bits >> 64) as u64, offset: bits as u64 })
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    pub(crate) found: Vec<Recordable>,
    /// Where to go on.
    pub(crate) end: Position,
    /// Nothing was left, be it in the files or in memory.
    pub(crate) is_all: bool,
}

impl Journal {
    /// Reads on from a place, about as many as `most`.
    pub(crate) fn read_on(&self, from: Position, most: usize) -> io::Result<Passage> {
        let core = self.lock();
        let extents: Vec<Extent> = core.extents().iter().copied().filter(|extent| extent.segment >= from.segment).collect();
        let nothing_pending = !core.has_pending_recordables();
        drop(core);
        let mut passage = Passage { found: Vec::new(), end: from, is_all: false };
        for extent in extents {
            if passage.end.segment < extent.segment {
                passage.end = Position { segment: extent.segment, offset: 0 };
            }
            passage.end.offset = passage.end.offset.max(HEADER as u64);
            if !self.read_segment(extent, &mut passage, most)? {
                return Ok(passage);
            }
        }
        passage.is_all = nothing_pending;
        Ok(passage)
    }

    /// Whether the segment's end was reached.
    fn read_segment(&self, extent: Extent, passage: &mut Passage, most: usize) -> io::Result<bool> {
        let mut buffer = Vec::new();
        let mut wanted = caps::JOURNAL_READ_BYTES as u64;
        while passage.end.offset < extent.len {
            if passage.found.len() >= most {
                return Ok(false);
            }
            let size = wanted.min(extent.len - passage.end.offset);
            buffer.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
            let read = self.disk.read(extent.segment, passage.end.offset, &mut buffer)?;
            let bytes = buffer.get(..read).unwrap_or_default();
            let taken = take_records(bytes, passage, most);
            passage.end.offset += taken as u64;
            wanted = caps::JOURNAL_READ_BYTES as u64;
            if taken == 0 {
                match cut_record(bytes) {
                    // It is long: read all of it, or pass it by where it can't hold what is looked for.
                    Some((records::LEDGER, len)) if passage.end.offset + len <= extent.len => passage.end.offset += len,
                    Some((_, len)) if passage.end.offset + len <= extent.len => wanted = len,
                    // Room that a killed server had reserved.
                    None if matches!(record_at(bytes, 0), Found::End) => passage.end.offset = extent.len,
                    Some(_) | None => {
                        let path = self.disk.path(extent.segment);
                        let offset = passage.end.offset;
                        tracing::error!(path = %path.display(), offset, "a file of the journal is damaged; usage records after this place in it may be lost");
                        passage.end.offset = extent.len;
                    }
                }
            }
        }
        Ok(true)
    }
}

/// Takes whole records until there are enough; returns how many bytes they have.
fn take_records(bytes: &[u8], passage: &mut Passage, most: usize) -> usize {
    let mut at = 0;
    while passage.found.len() < most
        && let Found::Record(record) = record_at(bytes, at)
    {
        match records::recordable(record.kind, record.payload) {
            Some(recordable) => passage.found.extend(recordable),
            None => tracing::error!(kind = record.kind, "a usage record in the journal can't be read and is lost"),
        }
        at = record.end;
    }
    at
}

/// The kind and whole length of a first record whose end is not among the bytes.
fn cut_record(bytes: &[u8]) -> Option<(u8, u64)> {
    let length = u64::from(u32::from_le_bytes(*bytes.first_chunk()?)) + FRAME as u64;
    let kind = bytes.get(FRAME)?;
    (length > bytes.len() as u64).then_some((*kind, length))
}
