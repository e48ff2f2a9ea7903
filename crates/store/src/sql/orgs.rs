//! The organisations' table.

use domain::{CustomLimit, LimitRow, Org, OrgId, UnixMicros};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::DatabaseFault;

/// A custom limit as JSON keeps it.
#[derive(Serialize, Deserialize)]
struct Stored {
    row: LimitRow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<UnixMicros>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<UnixMicros>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// `None` where there are none: most organisations.
pub(crate) fn custom_to_json(custom: &[CustomLimit]) -> Option<String> {
    let stored = |c: &CustomLimit| Stored { row: c.row.clone(), from: c.from, until: c.until, reason: c.reason.clone() };
    (!custom.is_empty()).then(|| value::to_json(&custom.iter().map(stored).collect::<Vec<_>>()))
}

pub(crate) fn custom_of(row: &Row) -> Result<Vec<CustomLimit>, DatabaseFault> {
    let stored: Vec<Stored> = value::json_if_any(row, "custom")?.unwrap_or_default();
    Ok(stored.into_iter().map(|s| CustomLimit { row: s.row, from: s.from, until: s.until, reason: s.reason }).collect())
}

pub(crate) async fn insert(connection: &mut Connection, org: &Org) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO orgs (id, name, name_folded, plan, effective_plan, custom, created) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(org.id.bytes().as_slice())
        .bind(&org.name)
        .bind(org.name.to_lowercase())
        .bind(org.plan.as_str())
        .bind(org.effective_plan.as_str())
        .bind(custom_to_json(&org.custom))
        .bind(org.created.0)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn update(connection: &mut Connection, org: &Org) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE orgs SET name = $2, name_folded = $3, plan = $4, effective_plan = $5, custom = $6 WHERE id = $1")
        .bind(org.id.bytes().as_slice())
        .bind(&org.name)
        .bind(org.name.to_lowercase())
        .bind(org.plan.as_str())
        .bind(org.effective_plan.as_str())
        .bind(custom_to_json(&org.custom))
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete(connection: &mut Connection, id: OrgId, at: UnixMicros) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE orgs SET deleted = $2 WHERE id = $1").bind(id.bytes().as_slice()).bind(at.0).execute(connection).await?;
    Ok(())
}

/// How many organisations are on the plan, bought or in force.
pub(crate) async fn count_on_plan(pool: &Pool, plan: &str) -> Result<u64, DatabaseFault> {
    let row = sqlx::query("SELECT COUNT(*) AS n FROM orgs WHERE deleted IS NULL AND (plan = $1 OR effective_plan = $1)")
        .bind(plan)
        .fetch_one(pool)
        .await?;
    value::count(&row, "n")
}

/// What a list is narrowed to.
pub(crate) struct Search {
    /// Lower-case part of the name; empty: any.
    pub(crate) name: String,
    /// Ids from this to that, inclusive, also match.
    pub(crate) ids: Option<(u128, u128)>,
}

/// Oldest first, after `after`.
pub(crate) async fn page(pool: &Pool, search: &Search, after: Option<OrgId>, most: usize) -> Result<Vec<Org>, DatabaseFault> {
    let pattern = format!("%{}%", search.name.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    // An empty range where no ids are searched for.
    let (first, last) = search.ids.unwrap_or((1, 0));
    let rows = sqlx::query(
        "SELECT id, name, plan, effective_plan, custom, created FROM orgs \
         WHERE deleted IS NULL AND id > $1 AND (name_folded LIKE $2 ESCAPE '\\' OR (id >= $3 AND id <= $4)) ORDER BY id LIMIT $5",
    )
    .bind(after.map(|id| id.bytes().to_vec()).unwrap_or_default())
    .bind(pattern)
    .bind(first.to_be_bytes().to_vec())
    .bind(last.to_be_bytes().to_vec())
    .bind(value::int(most as u64))
    .fetch_all(pool)
    .await?;
    rows.iter().map(org).collect()
}

/// Every column that `org` reads, of all organisations, and whether they are deleted.
pub(crate) const ALL: &str = "SELECT id, name, plan, effective_plan, custom, created, deleted FROM orgs";

pub(crate) fn org(row: &Row) -> Result<Org, DatabaseFault> {
    let text = |column| row.try_get::<&str, _>(column);
    Ok(Org {
        id: OrgId::from_bits(value::id_bits(row, "id")?),
        name: text("name")?.into(),
        plan: text("plan")?.into(),
        effective_plan: text("effective_plan")?.into(),
        custom: custom_of(row)?,
        created: value::time(row, "created")?,
    })
}
