//! Opening a store: the data folder, its lock, the database and its schema, the directory.

use std::path::PathBuf;

/// Why a store can't be opened. `Display` says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder can't be made or written to.
    #[error("the data folder {} can't be used: {source}; give a folder that this user may write to (--data-dir)", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
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
    #[error("the database {} is damaged or not a database ({detail}); restore a backup, or move the file away to begin anew", path.display())]
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
    /// Anything else that the database says.
    #[error("the database {} can't be opened: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
}
