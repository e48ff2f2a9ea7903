//! The data folder: made, locked for one server, and the files in it that hold secrets.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use domain::Entropy;

use crate::{OpenError, SecretKey};

/// The folder while it is locked. Dropped, it is free for another server.
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

const LOCK: &str = "tidegate.lock";
const SECRET_KEY: &str = "secret-key";
const OWNER_ONLY: u32 = 0o600;

impl DataFolder {
    /// Makes the folder where it is missing, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Folder { path: path.into(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY).clone();
        let mut lock = options.open(path.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path: path.into(), process: process_in(&mut lock) }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        note_process(&mut lock).map_err(unusable)?;
        Ok(Self { path: path.into(), _lock: lock })
    }

    /// A file for the owner's eyes only, made where it is missing.
    pub(crate) fn private_file(&self, file: &Path) -> Result<(), OpenError> {
        let unusable = |source| OpenError::Folder { path: file.parent().unwrap_or(&self.path).into(), source };
        let made = OpenOptions::new().write(true).create(true).truncate(false).mode(OWNER_ONLY).open(file).map_err(unusable)?;
        keep_private(file, &made).map_err(unusable)
    }

    /// The key in `secret-key`, made where the file is missing.
    pub(crate) fn secret_key(&self, entropy: &dyn Entropy) -> Result<SecretKey, OpenError> {
        let path = self.path.join(SECRET_KEY);
        let fault = |detail: String| OpenError::SecretKey { path: path.clone(), detail };
        match OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(&path) {
            Ok(file) => {
                let key = SecretKey::generate(entropy);
                write_key(file, &key).and_then(|()| File::open(&self.path)?.sync_all()).map_err(|e| fault(e.to_string()))?;
                Ok(key)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                let mut file = File::open(&path).map_err(|e| fault(e.to_string()))?;
                keep_private(&path, &file).map_err(|e| fault(e.to_string()))?;
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(|e| fault(e.to_string()))?;
                SecretKey::of_text(&text).ok_or_else(|| fault("it must be 64 hexadecimal digits; restore it from where it was kept".into()))
            }
            Err(e) => Err(fault(e.to_string())),
        }
    }
}

fn write_key(mut file: File, key: &SecretKey) -> io::Result<()> {
    file.write_all(format!("{}\n", key.to_text()).as_bytes())?;
    file.sync_all()
}

/// Takes away what others may do with a file that holds secrets.
fn keep_private(path: &Path, file: &File) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), "others could read this file; its mode is 0600 now");
        file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    }
    Ok(())
}

fn note_process(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

fn process_in(lock: &mut File) -> Option<String> {
    let mut text = String::new();
    lock.take(20).read_to_string(&mut text).ok()?;
    let process = text.trim();
    (!process.is_empty()).then(|| process.into())
}
