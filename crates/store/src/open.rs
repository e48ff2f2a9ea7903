//! Opening a store: the data folder, its lock, the database and its schema, the directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use domain::{Clock, Entropy};
use tokio_util::task::TaskTracker;

use crate::attempts::Attempts;
use crate::data_folder::DataFolder;
use crate::journal::tail::Position;
use crate::load::{self, LoadFault};
use crate::pools::CommonPool;
use crate::seal::Sealer;
use crate::sql::migrate::{self, MigrateFault};
use crate::sql::{self, Connection, Database, meta, soundness};
use crate::store::Inner;
use crate::{DatabaseFault, Recorder, Store, StoreConfig, caps, open_journal, recorder, retention};

/// Why a store can't be opened. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder can't be made or written to.
    #[error("the data folder {} can't be used: {source}{advice}", path.display(), advice = folder_advice(source))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server uses the data folder.
    #[error("the data folder {} is in use by another server{}; stop it, or give another folder (--data-dir)", path.display(), process.as_ref().map(|p| format!(" (process {p})")).unwrap_or_default())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The other server's process id, where known.
        process: Option<String>,
    },
    /// The database's place is not understood.
    #[error("database \"{given}\" is not known: use \"sqlite\" or \"sqlite:PATH\"")]
    UnknownDatabase {
        /// What was configured.
        given: String,
    },
    /// The file is not a sound database.
    #[error("the database {} is damaged or not a database ({detail}); restore a backup (tidegate restore FILE --force), or move the file away to begin anew", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// A newer Tidegate has changed the database.
    #[error("the database {} has schema {found}, this Tidegate knows {known}; start the newer Tidegate, or restore a backup from before the upgrade", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema this binary knows.
        known: i64,
    },
    /// A migration that was applied differs from the one in this binary.
    #[error("the database {} was migrated by a different build (migration {version} differs); start that build, or restore a backup", path.display())]
    ForeignSchema {
        /// The file.
        path: PathBuf,
        /// The migration.
        version: i64,
    },
    /// The secret key can't be read, or is not one.
    #[error("the secret key {} can't be used: {detail}", path.display())]
    SecretKey {
        /// Its file.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },
    /// The database was sealed under another key.
    #[error("the secret key does not belong to the database {}; restore the secret-key file that was kept with it", path.display())]
    WrongSecretKey {
        /// The database.
        path: PathBuf,
    },
    /// What is stored can't be understood.
    #[error("the database {} holds a value that this Tidegate can't read ({detail}); restore a backup", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Which value.
        detail: String,
    },
    /// A newer Tidegate has written the journal.
    #[error("the journal's file {} has format {found}, which this Tidegate doesn't know; start the newer Tidegate", path.display())]
    NewerJournal {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
    },
    /// Anything else that the database says.
    #[error("the database {} can't be opened: {source}{advice}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What to do; empty where nobody knows.
        advice: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
}

impl Store {
    /// Opens the data folder and loads the directory. The writer of records runs on `tasks` until `flush_and_close`.
    pub async fn open(
        config: StoreConfig,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        tasks: &TaskTracker,
    ) -> Result<Self, OpenError> {
        let file = database_file(&config)?;
        let folder = DataFolder::open(&config.data_dir)?;
        folder.private_file(&file)?;
        let key = match config.secret_key {
            Some(key) => key,
            None => folder.secret_key(entropy.as_ref())?,
        };
        let sealer = Sealer::new(&key);
        let failed = |source| database_error(&file, source);
        let database = Database::connect(&file, config.busy_timeout).await.map_err(failed)?;
        let mut reader = database.reads.acquire().await.map_err(failed)?;
        // Damage might otherwise be found later by whoever reads the usage, or never.
        let is_small = size_of(&file) <= caps::CHECK_FIRST_BYTES;
        if is_small && let Some(detail) = soundness::check(&mut reader).await.map_err(failed)? {
            return Err(OpenError::Corrupt { path: file, detail });
        }
        let is_new = migrate::migrate(&database, migrate::MIGRATIONS, clock.now().wall).await.map_err(|f| migrate_error(&file, f))?;
        check_key(&database, &sealer, entropy.as_ref()).await.map_err(|f| load_error(&file, f))?;
        let loaded = load::load(&mut reader, &sealer, config.window_us).await.map_err(|f| load_error(&file, f))?;
        let directory = Arc::new(loaded.directory);
        let common = config.common.map(|(plan, tpm)| Arc::new(CommonPool::new(plan, tpm, config.window_us)));
        let position = recorded_position(&mut reader).await.map_err(|f| load_error(&file, f.into()))?;
        // It has read all there is: with it goes the memory in which it did.
        reader.close().await.map_err(failed)?;
        let (journal, pools) = open_journal::open(&config.data_dir, &directory, common, position, &clock)?;
        let recorder = Recorder::start(journal, position, database.clone(), pools.clone(), Arc::clone(&clock), config.give_back, tasks);
        let damage = Arc::default();
        if !is_small {
            tasks.spawn(look_through(file, Arc::clone(&damage), recorder.clone()));
        }
        let inner = Inner {
            database,
            directory,
            definitions: ArcSwap::from_pointee(loaded.definitions),
            pools,
            recorder,
            sealer,
            attempts: Attempts::new(entropy.as_ref()),
            under_way: Default::default(),
            clock,
            entropy,
            window_us: config.window_us,
            retention: config.retention,
            is_new,
            tasks: tasks.clone(),
            turn: Arc::default(),
            folder: Mutex::new(Some(folder)),
            damage,
        };
        tasks.spawn(retention::run(inner.database.clone(), inner.retention, Arc::clone(&inner.clock), inner.recorder.end()));
        Ok(Self { inner: Arc::new(inner) })
    }
}

fn folder_advice(fault: &io::Error) -> &'static str {
    match fault.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on its disk",
        _other_kinds => "; give a folder that this user may write to (--data-dir)",
    }
}

/// Bytes of the database with its log; none where that can't be told, which the opening tells better.
fn size_of(file: &Path) -> u64 {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    [file, Path::new(&log)].map(|path| std::fs::metadata(path).map_or(0, |found| found.len())).iter().sum()
}

/// Looks through a large database while it serves, and tells what is damaged.
async fn look_through(file: PathBuf, damage: Arc<OnceLock<String>>, recorder: Recorder) {
    let found = tokio::select! {
        found = soundness::check_by_table(&file) => found,
        () = recorder.ended() => return,
    };
    match found {
        Ok(None) => tracing::debug!("the database has been looked through and is sound"),
        Ok(Some(found)) => {
            tracing::error!(path = %file.display(), found, "the database is damaged: stop the server and restore a backup; until then requests are served");
            // It is looked through once.
            let _ = damage.set(found);
        }
        Err(fault) => tracing::warn!(%fault, "the database could not be looked through"),
    }
}

/// Where the database is.
fn database_file(config: &StoreConfig) -> Result<PathBuf, OpenError> {
    let unknown = || OpenError::UnknownDatabase { given: config.database.clone() };
    if config.database == "sqlite" {
        return Ok(config.data_dir.join("tidegate.db"));
    }
    let path = config.database.strip_prefix("sqlite:").ok_or_else(unknown)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() { Err(unknown()) } else { Ok(path.into()) }
}

/// Where in the journal the database stopped.
async fn recorded_position(connection: &mut Connection) -> Result<Position, DatabaseFault> {
    let bytes = meta::get(connection, recorder::POSITION).await?;
    Ok(bytes.and_then(|bytes| Position::of_bytes(&bytes)).unwrap_or_default())
}

const KEY_CHECK: &str = "secret_key_check";

/// Tells a wrong key at once, and not when a provider's credential is first needed.
async fn check_key(database: &Database, sealer: &Sealer, entropy: &dyn Entropy) -> Result<(), LoadFault> {
    let mut transaction = database.begin().await?;
    match meta::get(&mut transaction, KEY_CHECK).await? {
        Some(sealed) => sealer.unseal(KEY_CHECK, &sealed).map(drop)?,
        None => meta::put(&mut transaction, KEY_CHECK, &sealer.seal(KEY_CHECK, b"tidegate", entropy)).await?,
    }
    Database::commit(transaction).await?;
    Ok(())
}

fn database_error(path: &Path, source: sqlx::Error) -> OpenError {
    if sql::is_damaged(&source) {
        return OpenError::Corrupt { path: path.into(), detail: source.to_string() };
    }
    if let sqlx::Error::Decode(fault) | sqlx::Error::ColumnDecode { source: fault, .. } = &source {
        return OpenError::Unreadable { path: path.into(), detail: fault.to_string() };
    }
    OpenError::Database { path: path.into(), advice: sql::advice(&source), source }
}

fn migrate_error(path: &Path, fault: MigrateFault) -> OpenError {
    match fault {
        MigrateFault::Newer { found, known } => OpenError::NewerSchema { path: path.into(), found, known },
        MigrateFault::Differs(version) => OpenError::ForeignSchema { path: path.into(), version },
        MigrateFault::Database(source) => database_error(path, source),
    }
}

fn load_error(path: &Path, fault: LoadFault) -> OpenError {
    match fault {
        LoadFault::Unseal(_) => OpenError::WrongSecretKey { path: path.into() },
        LoadFault::Database(source) => database_error(path, source),
    }
}
