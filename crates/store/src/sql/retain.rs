//! Deleting what is older than it is kept, and adding up what is kept more coarsely: a small piece at a time, each one transaction.

use domain::{OrgId, RequestId, UnixMicros};
use hashbrown::HashMap;
use sqlx::{AssertSqlSafe, Row as _};

use super::counters::{self, DAY, SUMMED, Tier};
use super::kept::Kept;
use super::peaks::{self, Peak, Peaks};
use super::value::{self, IdBytes as _, count};
use super::{Connection, Row};
use crate::recorder::Counters;
use crate::{DatabaseFault, Times, caps};

/// What there is to do, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Records,
    Refusals,
    Minutes,
    PoolMinutes,
    Quarters,
    PoolQuarters,
}

impl Job {
    pub(crate) const ALL: [Self; 6] = [Self::Records, Self::Refusals, Self::Minutes, Self::PoolMinutes, Self::Quarters, Self::PoolQuarters];

    /// The table whose old rows go, where it lies by organisation, and since when its rows stay.
    const fn by_org(self, kept: Kept) -> Option<(&'static str, i64)> {
        match self {
            Self::Records | Self::Refusals => None,
            Self::Minutes => Some((Tier::Minutes.table(), kept.minutes)),
            Self::PoolMinutes => Some(("pool_minutes", kept.minutes)),
            Self::Quarters => Some((Tier::Quarters.table(), kept.quarters)),
            Self::PoolQuarters => Some(("pool_quarters", kept.quarters)),
        }
    }
}

/// How far a job has come: organisations before this one are done.
pub(crate) type Cursor = [u8; 16];

/// Does a piece of a job. Returns where it goes on; `None`: it is done.
pub(crate) async fn piece(connection: &mut Connection, job: Job, kept: Kept, from: Cursor) -> Result<Option<Cursor>, DatabaseFault> {
    let Some((table, before)) = job.by_org(kept) else {
        let gone = match job {
            Job::Refusals => refusals(connection, kept.refusals).await?,
            _ => records(connection, kept.records).await?,
        };
        return Ok((gone > 0).then_some(from));
    };
    let sql = format!("SELECT org_id FROM {table} WHERE org_id >= $1 ORDER BY org_id LIMIT 1");
    let mut from = from;
    for _ in 0..caps::RETAIN_ORGS {
        let next = sqlx::query(AssertSqlSafe(sql.as_str())).bind(from.to_vec()).fetch_optional(&mut *connection).await?;
        let Some(row) = next else { return Ok(None) };
        let org = value::id_bits(&row, "org_id")?;
        from = org.to_be_bytes();
        let org = OrgId::from_bits(org);
        let gone = match job {
            Job::Quarters => quarters(connection, org, before).await?,
            Job::PoolQuarters => pool_quarters(connection, org, before).await?,
            _ => minutes(connection, table, org, before).await?,
        };
        if gone > 0 {
            return Ok(Some(from));
        }
        let Some(next) = u128::from_be_bytes(from).checked_add(1) else { return Ok(None) };
        from = next.to_be_bytes();
    }
    Ok(Some(from))
}

async fn records(connection: &mut Connection, before: UnixMicros) -> Result<u64, DatabaseFault> {
    // An id begins with the millisecond of arrival.
    let sql = "DELETE FROM usage_records WHERE request IN (SELECT request FROM usage_records WHERE request < $1 ORDER BY request LIMIT $2)";
    let gone = sqlx::query(sql).bind(RequestId::first_of(before).bytes().to_vec()).bind(caps::RETAIN_ROWS).execute(connection).await?;
    Ok(gone.rows_affected())
}

async fn refusals(connection: &mut Connection, before: UnixMicros) -> Result<u64, DatabaseFault> {
    let sql = "DELETE FROM refusals WHERE first_request IN (SELECT first_request FROM refusals WHERE minute < $1 ORDER BY minute LIMIT $2)";
    let minute = before.0.div_euclid(60_000_000);
    Ok(sqlx::query(sql).bind(minute).bind(caps::RETAIN_ROWS).execute(connection).await?.rows_affected())
}

/// Minutes are there again as quarters.
async fn minutes(connection: &mut Connection, table: &str, org: OrgId, before: i64) -> Result<u64, DatabaseFault> {
    let rest = if table == Tier::Minutes.table() { "minute, labels, key_id" } else { "minute, pool" };
    let sql = format!(
        "DELETE FROM {table} WHERE org_id = $1 AND minute < $2 AND ({rest}) IN \
         (SELECT {rest} FROM {table} WHERE org_id = $1 AND minute < $2 ORDER BY {rest} LIMIT $3)"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(org.bytes().to_vec()).bind(before).bind(caps::RETAIN_ROWS);
    Ok(query.execute(connection).await?.rows_affected())
}

/// The first rows of a table that are too old.
async fn oldest(
    connection: &mut Connection,
    table: &str,
    columns: &str,
    rest: &str,
    org: OrgId,
    before: i64,
) -> Result<Vec<Row>, DatabaseFault> {
    let sql = format!("SELECT {columns} FROM {table} WHERE org_id = $1 AND minute < $2 ORDER BY {rest} LIMIT $3");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(org.bytes().to_vec()).bind(before).bind(caps::RETAIN_ROWS);
    Ok(query.fetch_all(connection).await?)
}

/// Quarters become days: each is in one of the tables only.
async fn quarters(connection: &mut Connection, org: OrgId, before: i64) -> Result<u64, DatabaseFault> {
    let columns = format!("minute, labels, key_id, {}, times", SUMMED.join(", "));
    let rows = oldest(connection, Tier::Quarters.table(), &columns, "minute, labels, key_id", org, before).await?;
    let mut days = HashMap::new();
    for row in &rows {
        let (minute, labels): (i64, i64) = (row.try_get("minute")?, row.try_get("labels")?);
        let key = domain::KeyId::from_bits(value::id_bits(row, "key_id")?);
        days.entry((org, Tier::Days.floor(minute), labels, key)).or_insert_with(Counters::default).add(&counters_of(row)?);
    }
    counters::put(connection, Tier::Days, days.into_iter().collect()).await?;
    let Some(last) = rows.last() else { return Ok(0) };
    let sql = "DELETE FROM usage_quarters WHERE org_id = $1 AND minute < $2 AND (minute, labels, key_id) <= ($3, $4, $5)";
    let gone = sqlx::query(sql)
        .bind(org.bytes().to_vec())
        .bind(before)
        .bind(last.try_get::<i64, _>("minute")?)
        .bind(last.try_get::<i64, _>("labels")?)
        .bind(last.try_get::<Vec<u8>, _>("key_id")?)
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}

fn counters_of(row: &Row) -> Result<Counters, DatabaseFault> {
    let times: Option<&[u8]> = row.try_get("times")?;
    Ok(Counters {
        requests: count(row, "requests")?,
        refused: count(row, "refused")?,
        would_refuse: count(row, "would_refuse")?,
        failed: count(row, "failed")?,
        recovered: count(row, "recovered")?,
        input: count(row, "input")?,
        output: count(row, "output")?,
        cached: count(row, "cached")?,
        reasoning: count(row, "reasoning")?,
        cost: row.try_get("cost")?,
        times: times.map_or(Ok(Times::default()), counters::read_times)?,
    })
}

async fn pool_quarters(connection: &mut Connection, org: OrgId, before: i64) -> Result<u64, DatabaseFault> {
    let columns = "minute, pool, requests, requests_at, tokens, tokens_at";
    let rows = oldest(connection, "pool_quarters", columns, "minute, pool", org, before).await?;
    let mut days: HashMap<peaks::Place, Peaks> = HashMap::new();
    for row in &rows {
        let (minute, pool): (i64, &str) = (row.try_get("minute")?, row.try_get("pool")?);
        let peak = |n: &str, at: &str| Ok::<_, DatabaseFault>(Peak { n: count(row, n)?, minute: row.try_get(at)? });
        let peaks = Peaks { requests: peak("requests", "requests_at")?, tokens: peak("tokens", "tokens_at")? };
        let day = (org, minute - minute.rem_euclid(DAY), pool.into());
        days.entry(day).and_modify(|all| all.add(&peaks)).or_insert(peaks);
    }
    peaks::put(connection, "pool_days", days.into_iter().collect()).await?;
    let Some(last) = rows.last() else { return Ok(0) };
    let sql = "DELETE FROM pool_quarters WHERE org_id = $1 AND minute < $2 AND (minute, pool) <= ($3, $4)";
    let gone = sqlx::query(sql)
        .bind(org.bytes().to_vec())
        .bind(before)
        .bind(last.try_get::<i64, _>("minute")?)
        .bind(last.try_get::<String, _>("pool")?)
        .execute(connection)
        .await?;
    Ok(gone.rows_affected())
}
