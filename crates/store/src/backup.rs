//! A backup: one SQLite file with everything in the data folder, made beside a server that runs, and put back where none does.
//! It knows no table but its own.
//!
//! The file is a copy of the database as of one moment, with a table `backup_files (name, content)` of the other files: the journal, the
//! secret key, the operator token. The journal is read after the database, and tells where that stopped; so a restored server goes on
//! exactly there. It holds secrets: whoever has it can read the providers' credentials.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::UnixMicros;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::data_folder::DataFolder;
use crate::sql::{self, Pool};
use crate::{OpenError, caps, open_journal};

const DATABASE: &str = "tidegate.db";
/// Files of the data folder that are kept whole.
const SECRETS: [&str; 2] = ["secret-key", "operator-token"];
const OWNER_ONLY: u32 = 0o600;

/// What a backup holds, or what was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupContents {
    /// The files beside the database, as paths in the data folder.
    pub files: Vec<String>,
    /// Bytes of the backup.
    pub bytes: u64,
    /// Where what was there before lies now; `None`: nothing was there.
    pub replaced: Option<PathBuf>,
}

/// Why a backup can't be made or put back. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to back up.
    #[error("there is no database in {}; name the server's data folder (--data-dir)", .0.display())]
    NoDatabase(PathBuf),
    /// The file is there already.
    #[error("{} exists already; name a file that doesn't", .0.display())]
    Exists(PathBuf),
    /// The data folder has a database.
    #[error("{} has a database already; with --force it is moved aside", .0.display())]
    Occupied(PathBuf),
    /// The file is no backup.
    #[error("{} is not a sound backup of Tidegate ({detail})", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The data folder can't be used; a server may be running on it.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// A file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A database failed.
    #[error("the database can't be copied: {0}{advice}", advice = sql::advice(.0))]
    Database(#[from] sqlx::Error),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError + '_ {
    |source| BackupError::File { path: path.into(), source }
}

/// Copies everything in the data folder into `file`, which must not exist. A server may be running on the folder.
pub async fn backup(data_dir: &Path, file: &Path) -> Result<BackupContents, BackupError> {
    let database = data_dir.join(DATABASE);
    if !database.exists() {
        return Err(BackupError::NoDatabase(data_dir.into()));
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(file);
    if made.as_ref().is_err_and(|fault| fault.kind() == io::ErrorKind::AlreadyExists) {
        return Err(BackupError::Exists(file.into()));
    }
    made.map_err(at(file))?;
    let done = fill(data_dir, &database, file).await;
    if done.is_err() {
        drop(std::fs::remove_file(file));
    }
    done
}

async fn fill(data_dir: &Path, database: &Path, file: &Path) -> Result<BackupContents, BackupError> {
    // Opened before the database is copied: what the server removes meanwhile can still be read.
    let mut segments = open_segments(data_dir, &[])?;
    // Segments that come and go while it is copied, which may take minutes, are not missed: usage has no gap.
    let mut copying = std::pin::pin!(copy_database(database, file));
    let look = Duration::from_secs(caps::BACKUP_LOOK_S);
    let copied = loop {
        match tokio::time::timeout(look, &mut copying).await {
            Ok(copied) => break copied,
            Err(_still_copying) => segments.extend(open_segments(data_dir, &segments)?),
        }
    };
    copied?;
    segments.extend(open_segments(data_dir, &segments)?);
    let copy = connect(file, false).await?;
    sqlx::raw_sql("CREATE TABLE backup_files (name TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL)").execute(&copy).await?;
    let mut files = Vec::new();
    let secrets = SECRETS.iter().filter_map(|name| Some(((*name).to_owned(), File::open(data_dir.join(name)).ok()?)));
    for (name, mut opened) in segments.into_iter().chain(secrets) {
        let mut content = Vec::new();
        opened.read_to_end(&mut content).map_err(at(&data_dir.join(&name)))?;
        sqlx::query("INSERT INTO backup_files (name, content) VALUES ($1, $2)").bind(&name).bind(content).execute(&copy).await?;
        files.push(name);
    }
    copy.close().await;
    let finished = File::open(file).map_err(at(file))?;
    finished.sync_all().map_err(at(file))?;
    let bytes = finished.metadata().map_err(at(file))?.len();
    Ok(BackupContents { files, bytes, replaced: None })
}

/// The journal's files that are not among `known`, with their names in the data folder.
fn open_segments(data_dir: &Path, known: &[(String, File)]) -> Result<Vec<(String, File)>, BackupError> {
    let folder = data_dir.join(open_journal::FOLDER);
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(fault) => return Err(at(&folder)(fault)),
    };
    for entry in entries {
        let path = entry.map_err(at(&folder))?.path();
        let name = path.file_name().map(|name| format!("{}/{}", open_journal::FOLDER, name.to_string_lossy()));
        if let Some(name) = name.filter(|name| is_known(name) && known.iter().all(|(other, _)| other != name)) {
            match File::open(&path) {
                Ok(file) => found.push((name, file)),
                // The server has just removed it, since the database has everything in it.
                Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => return Err(at(&path)(fault)),
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}

/// Whether a backup may hold a file of that name: so that none is put anywhere else.
fn is_known(name: &str) -> bool {
    let segment =
        name.strip_prefix(open_journal::FOLDER).and_then(|rest| rest.strip_prefix('/')).and_then(|rest| rest.strip_suffix(".tgj"));
    SECRETS.contains(&name) || segment.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

async fn connect(file: &Path, read_only: bool) -> Result<Pool, sqlx::Error> {
    let wait = Duration::from_secs(caps::CONNECTION_WAIT_S);
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(false).read_only(read_only).busy_timeout(wait);
    SqlitePoolOptions::new().max_connections(1).connect_with(options).await
}

/// Copies a database as of one moment into a file that is empty.
async fn copy_database(from: &Path, into: &Path) -> Result<(), BackupError> {
    let source = connect(from, false).await?;
    let copied = sqlx::query("VACUUM INTO $1").bind(into.to_string_lossy().into_owned()).execute(&source).await;
    source.close().await;
    copied?;
    Ok(())
}

/// Puts a backup's files into the data folder, on which no server may run. What is there is moved aside where `force` says so.
pub async fn restore(data_dir: &Path, file: &Path, force: bool, now: UnixMicros) -> Result<BackupContents, BackupError> {
    File::open(file).map_err(at(file))?;
    check(file).await.map_err(|detail| BackupError::NotABackup { path: file.into(), detail })?;
    let _locked = DataFolder::open(data_dir)?;
    let is_occupied = data_dir.join(DATABASE).exists();
    if is_occupied && !force {
        return Err(BackupError::Occupied(data_dir.into()));
    }
    let fresh = data_dir.join("restoring");
    drop(std::fs::remove_dir_all(&fresh));
    let files = unpack(file, &fresh).await.inspect_err(|_| drop(std::fs::remove_dir_all(&fresh)))?;
    let aside = data_dir.join(format!("replaced-{}", now.0.div_euclid(1_000_000)));
    let replaced = move_all(data_dir, &aside)?.then_some(aside);
    move_all(&fresh, data_dir)?;
    drop(std::fs::remove_dir(&fresh));
    File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(at(data_dir))?;
    let bytes = std::fs::metadata(file).map_err(at(file))?.len();
    Ok(BackupContents { files, bytes, replaced })
}

/// What is wrong with a backup.
async fn check(file: &Path) -> Result<(), String> {
    let said = |fault: sqlx::Error| fault.to_string();
    let source = connect(file, true).await.map_err(said)?;
    let result: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&source).await.map_err(said)?;
    let files: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM backup_files").fetch_one(&source).await.map_err(said)?;
    source.close().await;
    if result == "ok" && files >= 0 { Ok(()) } else { Err(result) }
}

/// Makes every file of a backup in a new folder.
async fn unpack(file: &Path, folder: &Path) -> Result<Vec<String>, BackupError> {
    DirBuilder::new().mode(0o700).create(folder).map_err(at(folder))?;
    let journal = folder.join(open_journal::FOLDER);
    DirBuilder::new().mode(0o700).create(&journal).map_err(at(&journal))?;
    let database = folder.join(DATABASE);
    write_file(&database, &[])?;
    copy_database(file, &database).await?;
    let copy = connect(&database, false).await?;
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM backup_files ORDER BY name").fetch_all(&copy).await?;
    let names: Vec<_> = names.into_iter().filter(|name| is_known(name)).collect();
    for name in &names {
        let content: Vec<u8> = sqlx::query_scalar("SELECT content FROM backup_files WHERE name = $1").bind(name).fetch_one(&copy).await?;
        write_file(&folder.join(name), &content)?;
    }
    sqlx::raw_sql("DROP TABLE backup_files").execute(&copy).await?;
    copy.close().await;
    File::open(&database).and_then(|file| file.sync_all()).map_err(at(&database))?;
    Ok(names)
}

fn write_file(path: &Path, content: &[u8]) -> Result<(), BackupError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(path).map_err(at(path))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(at(path))
}

/// Moves what a data folder consists of; whether there was anything.
fn move_all(from: &Path, into: &Path) -> Result<bool, BackupError> {
    let wal = [format!("{DATABASE}-wal"), format!("{DATABASE}-shm")];
    let names = [DATABASE, &wal[0], &wal[1], open_journal::FOLDER, SECRETS[0], SECRETS[1]];
    let there: Vec<_> = names.into_iter().filter(|name| from.join(name).exists()).collect();
    if there.is_empty() {
        return Ok(false);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(into).map_err(at(into))?;
    for name in there {
        std::fs::rename(from.join(name), into.join(name)).map_err(at(&into.join(name)))?;
    }
    Ok(true)
}
