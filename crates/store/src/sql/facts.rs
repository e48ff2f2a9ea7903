//! Dated facts: what an organisation was entitled to, and what a plan allowed, from when until when.

use domain::{Org, OrgId, Plan, UnixMicros};
use sqlx::Row as _;

use super::value::{self, IdBytes as _};
use super::{Connection, Pool, Row, orgs};
use crate::{DatabaseFault, LimitFact};

/// Ends the fact in force, if there is one.
pub(crate) async fn end_org_fact(connection: &mut Connection, org: OrgId, at: UnixMicros) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE org_limit_facts SET until = $2 WHERE org_id = $1 AND until IS NULL")
        .bind(org.bytes().as_slice())
        .bind(at.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends the fact in force and begins the one of the organisation as it is.
pub(crate) async fn begin_org_fact(connection: &mut Connection, org: &Org, at: UnixMicros) -> Result<(), DatabaseFault> {
    end_org_fact(&mut *connection, org.id, at).await?;
    sqlx::query("INSERT INTO org_limit_facts (org_id, since, plan, effective_plan, custom) VALUES ($1, $2, $3, $4, $5)")
        .bind(org.id.bytes().as_slice())
        .bind(at.0)
        .bind(org.plan.as_str())
        .bind(org.effective_plan.as_str())
        .bind(orgs::custom_to_json(&org.custom))
        .execute(connection)
        .await?;
    Ok(())
}

/// Newest first.
pub(crate) async fn of_org(pool: &Pool, org: OrgId, most: usize) -> Result<Vec<LimitFact>, DatabaseFault> {
    let rows =
        sqlx::query("SELECT since, until, plan, effective_plan, custom FROM org_limit_facts WHERE org_id = $1 ORDER BY id DESC LIMIT $2")
            .bind(org.bytes().as_slice())
            .bind(value::int(most as u64))
            .fetch_all(pool)
            .await?;
    rows.iter().map(org_fact).collect()
}

fn org_fact(row: &Row) -> Result<LimitFact, DatabaseFault> {
    let text = |column| row.try_get::<&str, _>(column);
    Ok(LimitFact {
        from: value::time(row, "since")?,
        until: value::time_if_any(row, "until")?,
        plan: text("plan")?.into(),
        effective_plan: text("effective_plan")?.into(),
        custom: orgs::custom_of(row)?,
    })
}

/// Ends the plan's fact in force, and begins that of `body`, where there is one.
pub(crate) async fn change_plan_fact(
    connection: &mut Connection,
    plan: &str,
    body: Option<&str>,
    at: UnixMicros,
) -> Result<(), DatabaseFault> {
    sqlx::query("UPDATE plan_facts SET until = $2 WHERE plan = $1 AND until IS NULL")
        .bind(plan)
        .bind(at.0)
        .execute(&mut *connection)
        .await?;
    if let Some(body) = body {
        sqlx::query("INSERT INTO plan_facts (plan, since, body) VALUES ($1, $2, $3)")
            .bind(plan)
            .bind(at.0)
            .bind(body)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// What a plan allowed in a span of time.
pub(crate) struct PlanFact {
    pub(crate) since: UnixMicros,
    pub(crate) until: Option<UnixMicros>,
    pub(crate) plan: Plan,
}

/// Those that were in force between two moments, oldest first: the latest `most`.
pub(crate) async fn of_org_between(
    connection: &mut Connection,
    org: OrgId,
    from: UnixMicros,
    to: UnixMicros,
    most: usize,
) -> Result<Vec<LimitFact>, DatabaseFault> {
    let sql = "SELECT since, until, plan, effective_plan, custom FROM org_limit_facts WHERE org_id = $1 AND since < $3 \
               AND (until IS NULL OR until > $2) ORDER BY id DESC LIMIT $4";
    let query = sqlx::query(sql).bind(org.bytes().to_vec()).bind(from.0).bind(to.0).bind(value::int(most as u64));
    let rows = query.fetch_all(connection).await?;
    rows.iter().rev().map(org_fact).collect()
}

/// What the plans that an organisation was on allowed between two moments, oldest first: the latest `most`.
pub(crate) async fn plans_between(
    connection: &mut Connection,
    org: OrgId,
    from: UnixMicros,
    to: UnixMicros,
    most: usize,
) -> Result<Vec<PlanFact>, DatabaseFault> {
    let sql = "SELECT since, until, body FROM plan_facts WHERE plan IN (SELECT effective_plan FROM org_limit_facts WHERE org_id = $1 \
               AND since < $3 AND (until IS NULL OR until > $2)) AND since < $3 AND (until IS NULL OR until > $2) ORDER BY id DESC LIMIT $4";
    let query = sqlx::query(sql).bind(org.bytes().to_vec()).bind(from.0).bind(to.0).bind(value::int(most as u64));
    let rows = query.fetch_all(connection).await?;
    let fact = |row: &Row| {
        Ok(PlanFact { since: value::time(row, "since")?, until: value::time_if_any(row, "until")?, plan: value::json(row, "body")? })
    };
    rows.iter().rev().map(fact).collect()
}
