//! The table of wishes for another plan.

use domain::{OrgId, PlanRequestId, UnixMicros};
use sqlx::Row as _;

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row};
use crate::{Actor, DatabaseFault, PlanRequest, PlanRequestState};

const COLUMNS: &str = "id, org_id, plan, message, made_by, state, created, decided, decided_by";

pub(crate) async fn insert(connection: &mut Connection, request: &PlanRequest) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO plan_requests (id, org_id, plan, message, made_by, state, created) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(request.id.bytes().to_vec())
        .bind(request.org.bytes().to_vec())
        .bind(request.plan.as_str())
        .bind(&request.message)
        .bind(request.by.to_string())
        .bind(request.state.as_str())
        .bind(request.created.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Decides one that is open; whether there was one.
pub(crate) async fn decide(
    connection: &mut Connection,
    id: PlanRequestId,
    state: PlanRequestState,
    by: Actor,
    at: UnixMicros,
) -> Result<bool, DatabaseFault> {
    let query = sqlx::query("UPDATE plan_requests SET state = $2, decided = $3, decided_by = $4 WHERE id = $1 AND state = 'open'")
        .bind(id.bytes().to_vec())
        .bind(state.as_str())
        .bind(at.0)
        .bind(by.to_string());
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

pub(crate) async fn get(connection: &mut Connection, id: PlanRequestId) -> Result<Option<PlanRequest>, DatabaseFault> {
    let text = format!("SELECT {COLUMNS} FROM plan_requests WHERE id = $1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(request).transpose()
}

/// The open one of an organisation.
pub(crate) async fn open_of(connection: &mut Connection, org: OrgId) -> Result<Option<PlanRequest>, DatabaseFault> {
    let text = format!("SELECT {COLUMNS} FROM plan_requests WHERE org_id = $1 AND state = 'open' ORDER BY id DESC LIMIT 1");
    let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(org.bytes().to_vec());
    query.fetch_optional(connection).await?.as_ref().map(request).transpose()
}

/// Oldest first, after `after`; of one state, or all.
pub(crate) async fn page(
    pool: &Pool,
    state: Option<PlanRequestState>,
    after: Option<PlanRequestId>,
    most: usize,
) -> Result<Vec<PlanRequest>, DatabaseFault> {
    let narrowed = if state.is_some() { "state = $1" } else { "$1 IS NULL" };
    let text = format!("SELECT {COLUMNS} FROM plan_requests WHERE {narrowed} AND id > $2 ORDER BY id LIMIT $3");
    let query = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(state.map(PlanRequestState::as_str))
        .bind(after.map(|id| id.bytes().to_vec()).unwrap_or_default())
        .bind(value::int(most as u64));
    query.fetch_all(pool).await?.iter().map(request).collect()
}

fn request(row: &Row) -> Result<PlanRequest, DatabaseFault> {
    let text = |column: &str| -> Result<String, DatabaseFault> { Ok(row.try_get(column)?) };
    let (state, by) = (text("state")?, text("made_by")?);
    let decided_by: Option<&str> = row.try_get("decided_by")?;
    let actor = |column: &str, name: &str| Actor::of_str(name).ok_or_else(|| value::unreadable(column, name));
    Ok(PlanRequest {
        id: PlanRequestId::from_bits(value::id_bits(row, "id")?),
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        plan: text("plan")?.into(),
        message: text("message")?,
        by: actor("made_by", &by)?,
        state: PlanRequestState::of_str(&state).ok_or_else(|| value::unreadable("state", &state))?,
        created: value::time(row, "created")?,
        decided: value::time_if_any(row, "decided")?,
        decided_by: decided_by.map(|name| actor("decided_by", name)).transpose()?,
    })
}
