//! What the store is told when it opens. Reading configuration files is the binary's matter.

use std::path::PathBuf;
use std::time::Duration;

use domain::PlanId;

use crate::{Retention, SecretKey};

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The data folder; made (0700) where it is missing. One server uses it at a time.
    pub data_dir: PathBuf,
    /// `sqlite`: the file `tidegate.db` in the data folder; `sqlite:PATH`: that file.
    pub database: String,
    /// The installation's window in microseconds (60 s unless configured otherwise).
    pub window_us: u64,
    /// Encrypts credentials; `None`: the data folder's `secret-key` (0600), made at first start.
    pub secret_key: Option<SecretKey>,
    /// How long one statement waits for a lock that another process holds on the database.
    pub busy_timeout: Duration,
    /// What all organisations on one plan may use together, in tokens in any window; `None`: as much as each may.
    pub common: Option<(PlanId, u64)>,
    /// How long records and counters are kept.
    pub retention: Retention,
    /// Called when it has become quiet, to give back memory that the allocator keeps.
    pub give_back: fn(),
}

impl StoreConfig {
    /// SQLite in `data_dir` with all defaults.
    pub fn in_folder(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            database: "sqlite".into(),
            window_us: 60_000_000,
            secret_key: None,
            busy_timeout: Duration::from_secs(2),
            common: None,
            retention: Retention::default(),
            give_back: || (),
        }
    }
}
