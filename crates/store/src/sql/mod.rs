//! Everything that is said to the database. The statements are such that SQLite and PostgreSQL both understand them;
//! what differs between the two is in this file and in `migrations/`.

pub(crate) mod audit;
pub(crate) mod definitions;
pub(crate) mod facts;
pub(crate) mod keys;
pub(crate) mod labels;
pub(crate) mod meta;
pub(crate) mod migrate;
pub(crate) mod orgs;
pub(crate) mod records;
pub(crate) mod usage;
pub(crate) mod value;

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::{DatabaseFault, caps};

pub(crate) type Dialect = sqlx::Sqlite;
pub(crate) type Connection = sqlx::SqliteConnection;
pub(crate) type Pool = sqlx::SqlitePool;
pub(crate) type Row = sqlx::sqlite::SqliteRow;
pub(crate) type Transaction = sqlx::Transaction<'static, Dialect>;

/// The two ways to the database: SQLite has one writer at a time, so those who write queue for one connection.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) reads: Pool,
    writes: Pool,
}

impl Database {
    /// Connects to the database in `file`, which exists.
    pub(crate) async fn connect(file: &Path, busy_timeout: Duration) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(busy_timeout)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_lifetime(None).test_before_acquire(false);
        let wait = Duration::from_secs(caps::CONNECTION_WAIT_S);
        // Whoever writes visits pages all over the counters, and again and again: they stay in memory (in kB, hence the sign),
        // and go from the log to the file less often (in pages).
        let writer = options.clone().pragma("cache_size", caps::WRITER_CACHE).pragma("wal_autocheckpoint", caps::CHECKPOINT_PAGES);
        let writes = pool.clone().max_connections(1).idle_timeout(None).acquire_timeout(wait).connect_with(writer).await?;
        let idle = Duration::from_secs(caps::READER_IDLE_S);
        let options = options.row_buffer_size(caps::ROWS_AHEAD);
        let reads = pool.max_connections(caps::READERS).idle_timeout(idle).acquire_timeout(wait).connect_lazy_with(options);
        Ok(Self { reads, writes })
    }

    /// Begins to write. Dropped without `commit`, nothing happened.
    pub(crate) async fn begin(&self) -> Result<Transaction, DatabaseFault> {
        // A transaction that reads before it writes would fail where another process has written in between.
        Ok(self.writes.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Commits what was written.
    pub(crate) async fn commit(transaction: Transaction) -> Result<(), DatabaseFault> {
        Ok(transaction.commit().await?)
    }

    /// As if the disk were full, or no longer so.
    #[cfg(test)]
    pub(crate) async fn limit_pages(&self, limited: bool) {
        let statement = if limited { "PRAGMA max_page_count = 1" } else { "PRAGMA max_page_count = 1000000" };
        sqlx::raw_sql(statement).execute(&self.writes).await.unwrap();
    }

    pub(crate) async fn close(&self) {
        self.reads.close().await;
        self.writes.close().await;
    }
}

/// How a statement names its value of this number, counted from 0. PostgreSQL would want it.
pub(crate) fn placeholder(_number: usize) -> &'static str {
    "?"
}

/// A column of bytes as hexadecimal text.
pub(crate) fn hex(column: &str) -> String {
    format!("hex({column})")
}

/// SQLite's primary result codes that mean a damaged file: `SQLITE_CORRUPT` and `SQLITE_NOTADB`.
const DAMAGED: [i64; 2] = [11, 26];
/// `SQLITE_BUSY` and `SQLITE_LOCKED`.
const BUSY: [i64; 2] = [5, 6];
/// `SQLITE_FULL`.
const FULL: i64 = 13;
/// `SQLITE_READONLY`.
const READ_ONLY: i64 = 8;

fn primary_code(error: &sqlx::Error) -> Option<i64> {
    let code: i64 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

pub(crate) fn is_damaged(error: &sqlx::Error) -> bool {
    primary_code(error).is_some_and(|code| DAMAGED.contains(&code))
}

/// What to do about an error; empty where nobody knows.
pub(crate) fn advice(error: &sqlx::Error) -> &'static str {
    match primary_code(error) {
        Some(code) if BUSY.contains(&code) => "; another process holds a lock on it: end that",
        Some(FULL) => "; make room on its disk",
        Some(READ_ONLY) => "; give this user the right to write to it and its folder",
        Some(code) if DAMAGED.contains(&code) => "; the file is damaged: restore a backup",
        _ => "",
    }
}
