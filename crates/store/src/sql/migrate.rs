//! Brings the schema to what this binary knows: migrations are only ever appended, each is one transaction.

use domain::UnixMicros;
use sqlx::{AssertSqlSafe, Row as _};

use super::Database;
use crate::DatabaseFault;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) text: &'static str,
}

/// All steps, oldest first.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration { version: 1, text: include_str!("migrations/sqlite/0001_begin.sql") }];

/// Why the schema can't be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateFault {
    #[error("the database has schema {found}, this Tidegate knows {known}")]
    Newer { found: i64, known: i64 },
    #[error("migration {0} is not the one that was applied")]
    Differs(i64),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<DatabaseFault> for MigrateFault {
    fn from(fault: DatabaseFault) -> Self {
        Self::Database(fault.into_sqlx())
    }
}

/// Applies what is missing; returns whether the database was empty before.
pub(crate) async fn migrate(database: &Database, steps: &[Migration], now: UnixMicros) -> Result<bool, MigrateFault> {
    let mut transaction = database.begin().await?;
    sqlx::query(
        "CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, applied BIGINT NOT NULL)",
    )
    .execute(&mut *transaction)
    .await?;
    let rows = sqlx::query("SELECT version, checksum FROM migrations ORDER BY version").fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    let known = steps.last().map_or(0, |step| step.version);
    let mut applied = 0;
    for row in &rows {
        let (version, checksum): (i64, &str) = (row.try_get("version")?, row.try_get("checksum")?);
        applied = applied.max(version);
        if let Some(step) = steps.iter().find(|step| step.version == version)
            && checksum != checksum_of(step.text)
        {
            return Err(MigrateFault::Differs(version));
        }
    }
    if applied > known {
        return Err(MigrateFault::Newer { found: applied, known });
    }
    for step in steps.iter().filter(|step| step.version > applied) {
        apply(database, step, now).await?;
    }
    Ok(rows.is_empty())
}

async fn apply(database: &Database, step: &Migration, now: UnixMicros) -> Result<(), MigrateFault> {
    let mut transaction = database.begin().await?;
    sqlx::raw_sql(AssertSqlSafe(step.text)).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO migrations (version, checksum, applied) VALUES ($1, $2, $3)")
        .bind(step.version)
        .bind(checksum_of(step.text))
        .bind(now.0)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// FNV-1a over the words of the text: it tells an edited migration apart, whatever its comments and line ends.
fn checksum_of(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words = lines.flat_map(str::split_whitespace).flat_map(|word| word.bytes().chain([b' ']));
    let hash = words.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
