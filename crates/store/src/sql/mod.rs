//! Everything that is said to the database. The statements are such that SQLite and PostgreSQL both understand them;
//! what differs between the two is in this file and in `migrations/`.

pub(crate) mod audit;
pub(crate) mod billing;
pub(crate) mod counter_labels;
pub(crate) mod counters;
pub(crate) mod definitions;
pub(crate) mod facts;
pub(crate) mod identities;
pub(crate) mod kept;
pub(crate) mod key_uses;
pub(crate) mod keys;
pub(crate) mod labels;
pub(crate) mod meta;
pub(crate) mod migrate;
pub(crate) mod once;
pub(crate) mod orgs;
pub(crate) mod payments;
pub(crate) mod peaks;
pub(crate) mod pending;
pub(crate) mod people;
pub(crate) mod plan_requests;
pub(crate) mod records;
pub(crate) mod request_list;
pub(crate) mod requests;
pub(crate) mod retain;
pub(crate) mod sessions;
pub(crate) mod soundness;
pub(crate) mod usage;
pub(crate) mod value;

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

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
        let writes = pool.clone().max_connections(1).idle_timeout(None).acquire_timeout(wait).after_release(|connection, _| {
            Box::pin(async move {
                // Waits for what was begun on it, such as taking a transaction back. A full disk makes SQLite do that itself, after
                // which the connection can't be told to, and would never begin another.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        });
        let writes = writes.connect_with(writer).await?;
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

    /// Gives back the memory of pages and statements that the connection that writes has kept. It reads them again when they are needed.
    pub(crate) async fn shrink(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.writes.acquire().await?;
        connection.clear_cached_statements().await?;
        sqlx::query("PRAGMA shrink_memory").persistent(false).execute(&mut *connection).await?;
        Ok(())
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
/// `SQLITE_IOERR` and `SQLITE_CANTOPEN`: which of them a full disk and a folder without rights give depends on what was just tried.
const DISK: [i64; 2] = [10, 14];

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
        Some(code) if DISK.contains(&code) => "; look whether its disk is full or failing, and whether this user may write to its folder",
        Some(code) if DAMAGED.contains(&code) => "; the file is damaged: restore a backup",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_took_back_by_itself_hinders_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db");
        std::fs::File::options().create(true).append(true).open(&file).unwrap();
        let database = Database::connect(&file, Duration::from_secs(1)).await.unwrap();
        for _ in 0..2 {
            let mut transaction = database.begin().await.unwrap();
            // As SQLite does where the disk is full or fails.
            sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
            assert!(sqlx::raw_sql("INSERT INTO nowhere VALUES (1)").execute(&mut *transaction).await.is_err());
            drop(transaction);
        }
        let mut transaction = database.begin().await.unwrap();
        sqlx::raw_sql("CREATE TABLE somewhere (x BIGINT)").execute(&mut *transaction).await.unwrap();
        Database::commit(transaction).await.unwrap();
        sqlx::raw_sql("SELECT x FROM somewhere").execute(&database.reads).await.unwrap();
    }
}
