//! A segment whose reserved room is mapped into memory: appending is a copy, which a killed process leaves to the kernel as it does a
//! write. Where the disk reserves nothing it writes instead. It knows no records.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::{MmapMut, MmapOptions};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::disk::Segment;

/// What maps begin at a multiple of; a multiple of every page size that Linux has.
const ALIGNMENT: u64 = 64 << 10;

/// A file that is appended to.
pub(crate) struct Mapped {
    file: File,
    place: Mutex<Place>,
}

#[derive(Default)]
struct Place {
    /// Where the next byte goes.
    end: u64,
    /// Room that the disk keeps, with where in the file it begins.
    map: Option<(u64, MmapMut)>,
}

impl Mapped {
    /// An empty file, not opened for appending: that would put every byte behind what is reserved.
    pub(crate) fn new(file: File) -> Self {
        Self { file, place: Mutex::default() }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Mapped room for so many bytes at the end.
    fn room(&mut self, len: usize) -> Option<&mut [u8]> {
        let (from, map) = self.map.as_mut()?;
        let start = usize::try_from(self.end.checked_sub(*from)?).ok()?;
        map.get_mut(start..start.checked_add(len)?)
    }
}

impl Segment for Mapped {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut place = self.place();
        let written = match place.room(bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                bytes.len()
            }
            None => self.file.write_at(bytes, place.end)?,
        };
        place.end += written as u64;
        Ok(written)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let mut place = self.place();
        // What is mapped behind the end of a file can't be touched.
        place.map = None;
        self.file.set_len(len)?;
        place.end = len;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn reserve(&self, from: u64, len: u64) -> io::Result<bool> {
        match fallocate(&self.file, FallocateFlags::empty(), from, len) {
            Ok(()) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
            Err(e) => return Err(e.into()),
        }
        let mut place = self.place();
        let begin = from - from % ALIGNMENT;
        let size = usize::try_from(from + len - begin).unwrap_or(usize::MAX);
        // Where nothing can be mapped, it writes.
        place.map = map(&self.file, begin, size).ok().map(|map| (begin, map));
        Ok(true)
    }
}

/// Maps a part of the file, whose room the disk keeps.
#[expect(unsafe_code, reason = "a mapped file is the one way to keep what was appended past a kill without a call of the system each time")]
fn map(file: &File, from: u64, len: usize) -> io::Result<MmapMut> {
    // SAFETY: the data folder is locked by this process, which makes the file, opens it for writing once, and drops this map before it
    // cuts the file; the room is allocated, so that no store finds the disk full. Whoever else reads the file copies bytes out of it.
    unsafe { MmapOptions::new().offset(from).len(len).map_mut(file) }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    fn segment(path: &std::path::Path) -> Mapped {
        Mapped::new(OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap())
    }

    #[test]
    fn what_is_appended_is_in_the_file_at_once_mapped_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        let segment = segment(&path);
        assert_eq!(segment.append(b"written,").unwrap(), 8);
        assert!(segment.place().map.is_none());
        assert!(segment.reserve(8, 70_000).unwrap());
        assert_eq!(segment.append(b"mapped,").unwrap(), 7);
        assert!(segment.place().map.is_some());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[..15], b"written,mapped,");
        assert!(bytes.len() == 70_008 && bytes[15..].iter().all(|byte| *byte == 0));

        // More than is mapped is written behind it, and a new map takes in the end.
        let long = vec![7; 70_000];
        assert_eq!(segment.append(&long).unwrap(), 70_000);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 70_015);
        assert!(segment.reserve(70_015, 1 << 20).unwrap());
        segment.append(b"again").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes[15..70_015] == long[..] && &bytes[70_015..70_020] == b"again");
    }

    #[test]
    fn cutting_lets_go_of_what_is_mapped_and_appending_goes_on_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        let segment = segment(&path);
        assert!(segment.reserve(0, 4_096).unwrap());
        segment.append(b"kept, cut").unwrap();
        segment.cut(4).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"kept");
        segment.append(b" on").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"kept on");
    }
}
