//! The audit log's table.

use domain::UnixMicros;
use sqlx::Row as _;

use super::{Connection, Pool, Row, value};
use crate::{Actor, AuditEntry, DatabaseFault};

pub(crate) struct NewEntry<'a> {
    pub(crate) at: UnixMicros,
    pub(crate) actor: Actor,
    pub(crate) action: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) details: serde_json::Value,
}

pub(crate) async fn insert(connection: &mut Connection, entry: NewEntry<'_>) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO audit (at, actor, action, subject, details) VALUES ($1, $2, $3, $4, $5)")
        .bind(entry.at.0)
        .bind(entry.actor.to_string())
        .bind(entry.action)
        .bind(entry.subject)
        .bind(entry.details.to_string())
        .execute(connection)
        .await?;
    Ok(())
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
