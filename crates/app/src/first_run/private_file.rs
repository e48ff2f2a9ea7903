//! Files that only their owner may read.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A file of the data folder can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be used: {source}{advice}", path.display(), advice = advice(source))]
pub struct FileFault {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn advice(fault: &io::Error) -> &'static str {
    match fault.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on its disk",
        _other_kinds => "; give a data folder that this user may write to (--data-dir)",
    }
}

const OWNER_ONLY: u32 = 0o600;

/// Writes the file whole or not at all, readable by its owner only, and has it on the disk when it returns.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), FileFault> {
    write(path, text, File::sync_all)
}

/// As `write_private`, for what the next start writes again: it isn't waited for, and a power loss may leave the file empty.
pub(crate) fn note_private(path: &Path, text: &str) -> Result<(), FileFault> {
    write(path, text, |_| Ok(()))
}

fn write(path: &Path, text: &str, keep: impl FnOnce(&File) -> io::Result<()>) -> Result<(), FileFault> {
    let write = || {
        let beside = path.with_extension("new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&beside)?;
        file.write_all(text.as_bytes())?;
        keep(&file)?;
        fs::rename(&beside, path)
    };
    write().map_err(|source| FileFault { path: path.into(), source })
}

/// Reads the file; `None` where there is none. One that others may read is closed to them.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>, FileFault> {
    let read = || {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(path = %path.display(), "a secret file could be read by others; its mode is now 0600");
            fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
        }
        Ok(Some(text))
    };
    read().map_err(|source| FileFault { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert_eq!(read_private(&path).unwrap(), None);
        write_private(&path, "one").unwrap();
        note_private(&path, "two").unwrap();
        assert_eq!((read_private(&path).unwrap().as_deref(), mode(&path)), (Some("two"), 0o600));
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read_private(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_fault_names_the_file_and_what_to_do() {
        let fault = write_private(Path::new("/no/such/folder/file"), "x").unwrap_err().to_string();
        assert!(fault.starts_with("/no/such/folder/file can't be used: ") && fault.contains("--data-dir"), "{fault}");
    }
}
