//! Sums over what the recorder wrote: whole minutes from the counters, parts of minutes from the records themselves.

use std::collections::HashMap;

use domain::{AttemptRecord, KeyId, Money, OrgId, PlanId, ProviderName, RequestId, UnixMicros};
use sqlx::{QueryBuilder, Row as _};

use super::value::{self, IdBytes as _, int};
use super::{Connection, Dialect, Pool, Row, pending};
use crate::recorder::{Counters, CountersOf};
use crate::{DatabaseFault, GroupBy, SpendSum, UsageCounters};

/// Whole minutes since 1970: from this one, until before that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minutes {
    pub(crate) first: i64,
    pub(crate) end: i64,
}

/// A sum: the first minute of its bucket, what it is of, how much.
pub(crate) struct Sum {
    pub(crate) bucket: i64,
    pub(crate) group: Option<String>,
    pub(crate) counters: UsageCounters,
}

/// The column of a group, in each of the tables.
fn column(group_by: Option<GroupBy>) -> &'static str {
    match group_by {
        None => "''",
        Some(GroupBy::Model) => "model",
        Some(GroupBy::Key) => "key_id",
        Some(GroupBy::Category) => "category",
        Some(GroupBy::Provider) => "provider",
        Some(GroupBy::Status) => "status",
    }
}

/// PostgreSQL sums integers to decimals, hence the casts.
const SUMS: &str = "CAST(SUM(requests) AS BIGINT) AS requests, CAST(SUM(refused) AS BIGINT) AS refused, \
                    CAST(SUM(would_refuse) AS BIGINT) AS would_refuse, \
                    CAST(SUM(failed) AS BIGINT) AS failed, CAST(SUM(input) AS BIGINT) AS input, CAST(SUM(output) AS BIGINT) AS output, \
                    CAST(SUM(cached) AS BIGINT) AS cached, CAST(SUM(cost) AS BIGINT) AS cost";

/// Sums of whole minutes, one a bucket and group; at most `most`. The buckets don't overlap.
pub(crate) async fn of_minutes(
    connection: &mut Connection,
    org: OrgId,
    buckets: &[Minutes],
    group_by: Option<GroupBy>,
    most: usize,
) -> Result<Vec<Sum>, DatabaseFault> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let mut builder = QueryBuilder::<Dialect>::new("WITH buckets (bucket, past) AS (");
    builder.push_values(buckets, |mut row, bucket| {
        row.push(bucket.first).push(bucket.end);
    });
    // CROSS JOIN: each bucket is one range of the key; SQLite would otherwise try all rows with all buckets.
    builder.push(") SELECT CAST(bucket AS BIGINT) AS bucket, ").push(column(group_by)).push(" AS grouped, ").push(SUMS);
    builder.push(" FROM buckets CROSS JOIN usage_minutes WHERE minute >= bucket AND minute < past AND org_id = ");
    builder.push_bind(org.bytes().as_slice());
    builder.push(" GROUP BY bucket, grouped ORDER BY bucket, grouped LIMIT ").push_bind(int(most as u64));
    let rows = builder.build().persistent(false).fetch_all(connection).await?;
    rows.iter().map(|row| sum(row, row.try_get("bucket")?, group_by)).collect()
}

/// Sums of what waits to be added to the rows that [`of_minutes`] reads, one for each counter.
pub(crate) async fn of_waiting(
    connection: &mut Connection,
    org: OrgId,
    buckets: &[Minutes],
    group_by: Option<GroupBy>,
) -> Result<Vec<Sum>, DatabaseFault> {
    let mut sums = Vec::new();
    pending::for_each(connection, |of, n| {
        if of.org == org && buckets.iter().any(|bucket| (bucket.first..bucket.end).contains(&of.minute)) {
            sums.push(Sum { bucket: of.minute, group: group_by.and_then(|group_by| group_of(&of, group_by)), counters: n.into() });
        }
    })
    .await?;
    Ok(sums)
}

fn group_of(of: &CountersOf, group_by: GroupBy) -> Option<String> {
    match group_by {
        GroupBy::Model => Some(of.model.as_str().to_owned()).filter(|text| !text.is_empty()),
        GroupBy::Key => Some(of.key.to_string()),
        GroupBy::Category => of.category.map(|category| category.as_str().to_owned()),
        GroupBy::Provider => of.provider.as_ref().map(|provider| provider.as_str().to_owned()),
        GroupBy::Status => Some(of.status.to_string()),
    }
}

impl From<Counters> for UsageCounters {
    fn from(counters: Counters) -> Self {
        let Counters { requests, refused, would_refuse, failed, input, output, cached, cost } = counters;
        Self {
            requests,
            refused,
            would_have_been_refused: would_refuse,
            failed,
            input_tokens: input,
            output_tokens: output,
            cached_tokens: cached,
            cost: Money(cost),
        }
    }
}

/// Sums of a part of one minute, one a group.
pub(crate) async fn of_moments(
    connection: &mut Connection,
    org: OrgId,
    minute: i64,
    span: (UnixMicros, UnixMicros),
    group_by: Option<GroupBy>,
) -> Result<Vec<Sum>, DatabaseFault> {
    let mut builder = QueryBuilder::<Dialect>::new("SELECT ");
    builder.push(column(group_by)).push(" AS grouped, ").push(SUMS).push(" FROM (");
    builder.push(
        "SELECT model, key_id, category, provider, status, answered AS requests, 0 AS refused, 0 AS would_refuse, 1 - answered AS failed, \
         input, output, cached, cost FROM usage_records CROSS JOIN usage_labels ON usage_labels.id = labels WHERE request >= ",
    );
    // An id begins with the millisecond of `at`: a minute is a range of ids.
    builder.push_bind(first_of(minute).bytes().to_vec()).push(" AND request < ").push_bind(first_of(minute + 1).bytes().to_vec());
    builder.push(" AND org_id = ").push_bind(org.bytes().as_slice());
    push_span(&mut builder, span);
    builder.push(
        " UNION ALL SELECT model, key_id, category, '' AS provider, 429 AS status, 0 AS requests, \
         (1 - shadow) * refused AS refused, shadow * refused AS would_refuse, 0 AS failed, \
         0 AS input, 0 AS output, 0 AS cached, 0 AS cost FROM refusals WHERE minute = ",
    );
    builder.push_bind(minute).push(" AND org_id = ").push_bind(org.bytes().as_slice());
    push_span(&mut builder, span);
    builder.push(") AS moments GROUP BY grouped");
    let rows = builder.build().fetch_all(connection).await?;
    rows.iter().map(|row| sum(row, minute, group_by)).collect()
}

/// What requests have cost that arrived at `from` or later, by provider and plan.
pub(crate) async fn spend_since(pool: &Pool, from: UnixMicros) -> Result<Vec<SpendSum>, DatabaseFault> {
    let sql = "SELECT provider, plan, CAST(SUM(cost) AS BIGINT) AS cost FROM usage_records CROSS JOIN usage_labels \
               ON usage_labels.id = labels WHERE request >= $1 AND at >= $2 AND cost > 0 GROUP BY provider, plan";
    let rows = sqlx::query(sql).bind(RequestId::first_of(from).bytes().to_vec()).bind(from.0).fetch_all(pool).await?;
    let sum = |row: &Row| {
        let provider: String = row.try_get("provider")?;
        Ok(SpendSum {
            provider: (!provider.is_empty()).then(|| ProviderName::from(provider)),
            plan: PlanId::from(row.try_get::<String, _>("plan")?),
            cost: Money(row.try_get("cost")?),
        })
    };
    let sums = rows.iter().map(sum).chain(spend_of_cancelled(pool, from).await?.into_iter().map(Ok));
    sums.collect()
}

/// What attempts may have cost that were cancelled, which no request was charged. They are few: only those of requests that were tried
/// at two targets at once.
async fn spend_of_cancelled(pool: &Pool, from: UnixMicros) -> Result<Vec<SpendSum>, DatabaseFault> {
    let sql = "SELECT plan, attempt_list FROM usage_records CROSS JOIN usage_labels ON usage_labels.id = labels \
               WHERE request >= $1 AND at >= $2 AND attempt_list LIKE '%\"cost\":%'";
    let rows = sqlx::query(sql).bind(RequestId::first_of(from).bytes().to_vec()).bind(from.0).fetch_all(pool).await?;
    let mut sums: HashMap<(ProviderName, PlanId), Money> = HashMap::new();
    for row in &rows {
        let plan = PlanId::from(row.try_get::<String, _>("plan")?);
        for AttemptRecord { provider, cost, .. } in value::json::<Vec<AttemptRecord>>(row, "attempt_list")? {
            let sum = sums.entry((provider, plan.clone())).or_default();
            *sum = sum.plus(cost);
        }
    }
    let sums = sums.into_iter().filter(|(_, cost)| !cost.is_zero());
    Ok(sums.map(|((provider, plan), cost)| SpendSum { provider: Some(provider), plan, cost }).collect())
}

/// The least id of a minute's requests.
fn first_of(minute: i64) -> RequestId {
    RequestId::first_of(UnixMicros(minute.saturating_mul(60_000_000)))
}

fn push_span(builder: &mut QueryBuilder<Dialect>, (from, to): (UnixMicros, UnixMicros)) {
    builder.push(" AND at >= ").push_bind(from.0).push(" AND at < ").push_bind(to.0);
}

fn sum(row: &Row, bucket: i64, group_by: Option<GroupBy>) -> Result<Sum, DatabaseFault> {
    let group = match group_by {
        None => None,
        Some(GroupBy::Key) => Some(KeyId::from_bits(value::id_bits(row, "grouped")?).to_string()),
        Some(GroupBy::Status) => Some(row.try_get::<i64, _>("grouped")?.to_string()),
        Some(GroupBy::Model | GroupBy::Category | GroupBy::Provider) => {
            Some(row.try_get("grouped")?).filter(|text: &String| !text.is_empty())
        }
    };
    let counters = UsageCounters {
        requests: value::count(row, "requests")?,
        refused: value::count(row, "refused")?,
        would_have_been_refused: value::count(row, "would_refuse")?,
        failed: value::count(row, "failed")?,
        input_tokens: value::count(row, "input")?,
        output_tokens: value::count(row, "output")?,
        cached_tokens: value::count(row, "cached")?,
        cost: Money(row.try_get("cost")?),
    };
    Ok(Sum { bucket, group, counters })
}
