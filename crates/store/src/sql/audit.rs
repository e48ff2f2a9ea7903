//! The audit log's table.

use domain::{OrgId, UnixMicros};
use sqlx::Row as _;

use super::{Connection, Pool, Row, value};
use crate::ops::once;
use crate::{Actor, AuditEntry, DatabaseFault};

pub(crate) struct NewEntry<'a> {
    pub(crate) at: UnixMicros,
    pub(crate) actor: Actor,
    pub(crate) action: &'a str,
    /// The organisation whose members see it; `None`: the one that is the subject, if one is.
    pub(crate) org: Option<OrgId>,
    pub(crate) subject: &'a str,
    pub(crate) details: serde_json::Value,
}

/// Writes an entry, and that what its request asked for was done.
pub(crate) async fn insert(connection: &mut Connection, entry: NewEntry<'_>) -> Result<(), DatabaseFault> {
    let org = entry.org.or_else(|| entry.subject.parse().ok());
    sqlx::query("INSERT INTO audit (at, actor, action, subject, details, org) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(entry.at.0)
        .bind(entry.actor.to_string())
        .bind(entry.action)
        .bind(entry.subject)
        .bind(entry.details.to_string())
        .bind(org.map(|org| org.to_string()))
        .execute(&mut *connection)
        .await?;
    once::done(connection).await
}

/// Newest first, below `before`.
pub(crate) async fn page(pool: &Pool, before: i64, most: usize) -> Result<Vec<AuditEntry>, DatabaseFault> {
    let rows = sqlx::query("SELECT id, at, actor, action, subject, details FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2")
        .bind(before)
        .bind(value::int(most as u64))
        .fetch_all(pool)
        .await?;
    rows.iter().map(entry).collect()
}

/// Those of one organisation, newest first, below `before`.
pub(crate) async fn page_of(pool: &Pool, org: OrgId, before: i64, most: usize) -> Result<Vec<AuditEntry>, DatabaseFault> {
    let sql = "SELECT id, at, actor, action, subject, details FROM audit WHERE org = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let rows = sqlx::query(sql).bind(org.to_string()).bind(before).bind(value::int(most as u64)).fetch_all(pool).await?;
    rows.iter().map(entry).collect()
}

fn entry(row: &Row) -> Result<AuditEntry, DatabaseFault> {
    let actor: &str = row.try_get("actor")?;
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: value::time(row, "at")?,
        actor: Actor::of_str(actor).ok_or_else(|| value::unreadable("actor", actor))?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        details: value::json(row, "details")?,
    })
}
