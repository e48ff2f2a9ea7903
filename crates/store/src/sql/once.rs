//! The table of what was done once. It knows no seal.

use domain::UnixMicros;
use sqlx::Row as _;

use super::{Connection, Pool};
use crate::{Actor, DatabaseFault, caps};

/// A row that has not expired.
pub(crate) struct Kept {
    pub(crate) print: Vec<u8>,
    pub(crate) answer: Option<Vec<u8>>,
}

pub(crate) async fn get(pool: &Pool, caller: Actor, key: &str, now: UnixMicros) -> Result<Option<Kept>, DatabaseFault> {
    let sql = "SELECT print, answer FROM done_once WHERE caller = $1 AND key = $2 AND expires > $3";
    let row = sqlx::query(sql).bind(caller.to_string()).bind(key).bind(now.0).fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Kept { print: row.try_get("print")?, answer: row.try_get("answer")? }))
}

/// Writes a row in the place of one that is there.
pub(crate) async fn put(
    connection: &mut Connection,
    caller: Actor,
    key: &str,
    kept: &Kept,
    expires: UnixMicros,
) -> Result<(), DatabaseFault> {
    sqlx::query(
        "INSERT INTO done_once (caller, key, print, answer, expires) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (caller, key) DO UPDATE SET print = excluded.print, answer = excluded.answer, expires = excluded.expires",
    )
    .bind(caller.to_string())
    .bind(key)
    .bind(&kept.print)
    .bind(kept.answer.as_deref())
    .bind(expires.0)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what this caller has too much of, the oldest first.
pub(crate) async fn keep_newest(connection: &mut Connection, caller: Actor) -> Result<(), DatabaseFault> {
    sqlx::query(
        "DELETE FROM done_once WHERE caller = $1 AND expires < \
         (SELECT expires FROM done_once WHERE caller = $1 ORDER BY expires DESC LIMIT 1 OFFSET $2)",
    )
    .bind(caller.to_string())
    .bind(caps::MAX_ONCE_PER_CALLER)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what has expired.
pub(crate) async fn sweep(connection: &mut Connection, now: UnixMicros) -> Result<u64, DatabaseFault> {
    Ok(sqlx::query("DELETE FROM done_once WHERE expires <= $1").bind(now.0).execute(connection).await?.rows_affected())
}
