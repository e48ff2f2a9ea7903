//! Where segments lie: a folder of files, or what a test puts in its place. It knows no records.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Extent;
use super::mapped::Mapped;

/// A segment that is written to.
pub(crate) trait Segment: Send + Sync {
    /// Appends; returns how many bytes, which may be fewer than were given.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file to this length, and lets go of what was reserved behind it.
    fn cut(&self, len: u64) -> io::Result<()>;
    /// Makes what was appended survive a loss of power.
    fn sync(&self) -> io::Result<()>;
    /// Has the disk keep room for `len` bytes from `from` on, where the file ends: zeros until something is appended there. False where
    /// its file system can't.
    fn reserve(&self, from: u64, len: u64) -> io::Result<bool>;
}

/// Where segments are made, read and removed.
pub(crate) trait Disk: Send + Sync {
    fn create(&self, segment: u64) -> io::Result<Arc<dyn Segment>>;
    fn remove(&self, segment: u64) -> io::Result<()>;
    /// Lets go of the room that was kept for a segment whose server is gone, behind its records, which end here.
    fn release(&self, end: Extent) -> io::Result<()>;
    /// Numbers and lengths, ascending.
    fn list(&self) -> io::Result<Vec<(u64, u64)>>;
    /// Reads until the bytes are full or the segment ends; returns how many.
    fn read(&self, segment: u64, at: u64, into: &mut [u8]) -> io::Result<usize>;
    /// Makes what was created and removed survive a loss of power.
    fn sync(&self) -> io::Result<()>;
    /// How people are told where it is.
    fn path(&self, segment: u64) -> PathBuf;
}

/// A folder of segments, its owner's only.
pub(crate) struct Folder {
    path: PathBuf,
}

const ENDING: &str = ".tgj";
/// Bytes that are looked at together when room is given back.
const RELEASE_BYTES: usize = 64 << 10;

impl Folder {
    /// The folder, made where it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self { path: path.into() })
    }
}

impl Disk for Folder {
    fn create(&self, segment: u64) -> io::Result<Arc<dyn Segment>> {
        let options = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).clone();
        Ok(Arc::new(Mapped::new(options.open(self.path(segment))?)))
    }

    fn remove(&self, segment: u64) -> io::Result<()> {
        std::fs::remove_file(self.path(segment))
    }

    fn release(&self, end: Extent) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(end.segment))?;
        let len = file.metadata()?.len();
        let (mut piece, mut at) = (vec![0; RELEASE_BYTES], end.len);
        while at < len {
            let read = file.read_at(&mut piece, at)?;
            // What is no room, though no record either, is left for people to look at.
            if read == 0 || piece.iter().take(read).any(|byte| *byte != 0) {
                return Ok(());
            }
            at += read as u64;
        }
        file.set_len(end.len)
    }

    fn list(&self) -> io::Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(number) = name.to_str().and_then(|name| name.strip_suffix(ENDING)).and_then(|number| number.parse().ok()) {
                found.push((number, entry.metadata()?.len()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn read(&self, segment: u64, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let file = File::open(self.path(segment))?;
        let mut read = 0;
        while let Some(rest) = into.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + read as u64) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(read)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.path.join(format!("{segment:08}{ENDING}"))
    }
}

/// This boot's identity; zeros where the system doesn't tell, which no boot is taken for.
pub(crate) fn boot_id() -> super::format::BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter_map(|b| char::from(b).to_digit(16)).map(|digit| digit as u8).collect();
    let mut id = [0; 16];
    if digits.len() == 32 {
        id.iter_mut().zip(digits.chunks(2)).for_each(|(byte, pair)| *byte = pair.iter().fold(0, |n, digit| n << 4 | digit));
    }
    id
}
