//! Sums over what the recorder wrote: whole minutes from the counters, parts of minutes from the records themselves.

use std::collections::HashMap;

use domain::{AttemptRecord, KeyId, Money, OrgId, PlanId, ProviderName, RequestId, UnixMicros};
use futures_util::TryStreamExt as _;
use sqlx::{QueryBuilder, Row as _};

use super::counters::{self, Tier};
use super::value::{self, IdBytes as _, int};
use super::{Connection, Dialect, Pool, Row, pending};
use crate::recorder::{Counters, CountersOf};
use crate::{DatabaseFault, GroupBy, SpendSum, Times, UsageCounters, UsageFilter};

/// Whole minutes since 1970: from this one, until before that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minutes {
    pub(crate) first: i64,
    pub(crate) end: i64,
}

/// Rows that belong to the bucket which begins with this minute: those of these minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    pub(crate) bucket: i64,
    pub(crate) minutes: Minutes,
}

/// What is asked, but for when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) org: OrgId,
    pub(crate) group_by: Option<GroupBy>,
    pub(crate) filter: &'a UsageFilter,
}

/// A sum: the first minute of its bucket, what it is of, how much.
pub(crate) struct Sum {
    pub(crate) bucket: i64,
    pub(crate) group: Option<String>,
    pub(crate) counters: UsageCounters,
    pub(crate) times: Times,
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
        Some(GroupBy::Outcome) => "outcome",
        Some(GroupBy::Pool) => "pool",
        Some(GroupBy::Limit) => "CASE limit_kind WHEN '' THEN '' ELSE pool || ' ' || limit_kind END",
    }
}

/// Whether it stands in what many counters have in common.
fn is_label(group_by: Option<GroupBy>) -> bool {
    !matches!(group_by, None | Some(GroupBy::Key))
}

/// PostgreSQL sums integers to decimals, hence the casts.
fn sums() -> String {
    counters::SUMMED.map(|column| format!("CAST(SUM({column}) AS BIGINT) AS {column}")).join(", ")
}

/// Begins a statement about the rows of a table in these cells, with what is selected.
fn of_cells(asked: Asked<'_>, tier: Tier, cells: &[Cells], selected: &str) -> QueryBuilder<Dialect> {
    let mut builder = QueryBuilder::<Dialect>::new("WITH cells (bucket, start, past) AS (");
    builder.push_values(cells, |mut row, cells| {
        row.push(cells.bucket).push(cells.minutes.first).push(cells.minutes.end);
    });
    builder.push(") SELECT CAST(bucket AS BIGINT) AS bucket, ").push(column(asked.group_by)).push(" AS grouped, ").push(selected);
    // CROSS JOIN: each cell is one range of the key; SQLite would otherwise try all rows with all cells.
    builder.push(" FROM cells CROSS JOIN ").push(tier.table());
    if is_label(asked.group_by) {
        builder.push(" CROSS JOIN counter_labels ON counter_labels.id = labels");
    }
    builder.push(" WHERE minute >= start AND minute < past AND org_id = ").push_bind(asked.org.bytes().to_vec());
    asked.filter.push_for_counters(&mut builder);
    builder
}

/// Sums of whole rows, one a bucket and group; at most `most`. The cells don't overlap.
pub(crate) async fn of_rows(
    connection: &mut Connection,
    asked: Asked<'_>,
    tier: Tier,
    cells: &[Cells],
    most: usize,
) -> Result<Vec<Sum>, DatabaseFault> {
    if cells.is_empty() {
        return Ok(Vec::new());
    }
    let mut builder = of_cells(asked, tier, cells, &sums());
    builder.push(" GROUP BY bucket, grouped ORDER BY bucket, grouped LIMIT ").push_bind(int(most as u64));
    let rows = builder.build().persistent(false).fetch_all(connection).await?;
    rows.iter().map(|row| sum(row, row.try_get("bucket")?, asked.group_by)).collect()
}

/// How long the answers of those rows took, added up by `add`.
pub(crate) async fn times_of_rows(
    connection: &mut Connection,
    asked: Asked<'_>,
    tier: Tier,
    cells: &[Cells],
    mut add: impl FnMut(i64, Option<String>, &Times),
) -> Result<(), DatabaseFault> {
    if cells.is_empty() {
        return Ok(());
    }
    let mut builder = of_cells(asked, tier, cells, "times");
    builder.push(" AND times IS NOT NULL");
    let mut rows = builder.build().persistent(false).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        add(row.try_get("bucket")?, group(&row, asked.group_by)?, &counters::read_times(row.try_get("times")?)?);
    }
    Ok(())
}

/// Sums of what waits to be added to the rows that [`of_rows`] reads, one for each counter of these minutes.
pub(crate) async fn of_waiting(connection: &mut Connection, asked: Asked<'_>, minutes: Minutes) -> Result<Vec<Sum>, DatabaseFault> {
    let mut sums = Vec::new();
    pending::for_each(connection, |of, n| {
        if of.org == asked.org && (minutes.first..minutes.end).contains(&of.minute) && asked.filter.admits(&of) {
            let group = asked.group_by.and_then(|group_by| group_of(&of, group_by));
            let (counters, times) = split(n);
            sums.push(Sum { bucket: of.minute, group, counters, times });
        }
    })
    .await?;
    Ok(sums)
}

fn group_of(of: &CountersOf, group_by: GroupBy) -> Option<String> {
    let labels = &of.labels;
    match group_by {
        GroupBy::Model => Some(labels.model.as_str().to_owned()).filter(|text| !text.is_empty()),
        GroupBy::Key => Some(of.key.to_string()),
        GroupBy::Category => labels.category.map(|category| category.as_str().to_owned()),
        GroupBy::Provider => labels.provider.as_ref().map(|provider| provider.as_str().to_owned()),
        GroupBy::Status => Some(labels.status.to_string()),
        GroupBy::Outcome => Some(labels.ending.as_str().to_owned()),
        GroupBy::Pool => Some(labels.pool.as_ref().to_owned()),
        GroupBy::Limit => labels.limit_kind.map(|kind| format!("{} {}", labels.pool, kind.as_str())),
    }
}

fn split(counters: Counters) -> (UsageCounters, Times) {
    let Counters { requests, refused, would_refuse, failed, recovered, input, output, cached, reasoning, cost, times } = counters;
    let counters = UsageCounters {
        requests,
        refused,
        would_have_been_refused: would_refuse,
        failed,
        recovered,
        input_tokens: input,
        output_tokens: output,
        cached_tokens: cached,
        reasoning_tokens: reasoning,
        cost: Money(cost),
    };
    (counters, times)
}

/// Records and refusals of a part of one minute, under the names of the counters.
fn of_part(asked: Asked<'_>, minute: i64, (from, to): (UnixMicros, UnixMicros), selected: &str) -> QueryBuilder<Dialect> {
    let mut builder = QueryBuilder::<Dialect>::new("SELECT ");
    builder.push(column(asked.group_by)).push(" AS grouped, ").push(selected).push(" FROM (");
    builder.push(
        "SELECT model, key_id, category, provider, status, outcome, pool, '' AS limit_kind, answered AS requests, 0 AS refused, 0 AS would_refuse, \
         1 - answered AS failed, recovered, input, output, cached, reasoning, cost, first_byte_us, duration_us \
         FROM usage_records CROSS JOIN usage_labels ON usage_labels.id = labels WHERE request >= ",
    );
    // An id begins with the millisecond of `at`: a minute is a range of ids.
    builder.push_bind(first_of(minute).bytes().to_vec()).push(" AND request < ").push_bind(first_of(minute + 1).bytes().to_vec());
    let push_span = |builder: &mut QueryBuilder<Dialect>| {
        builder.push(" AND org_id = ").push_bind(asked.org.bytes().to_vec());
        builder.push(" AND at >= ").push_bind(from.0).push(" AND at < ").push_bind(to.0);
    };
    push_span(&mut builder);
    builder.push(
        " UNION ALL SELECT model, key_id, category, '' AS provider, 429 AS status, CASE shadow WHEN 0 THEN 'refused' ELSE 'shadow' END AS \
         outcome, pool, kind AS limit_kind, 0 AS requests, (1 - shadow) * refused AS refused, shadow * refused AS would_refuse, 0 AS failed, 0 AS recovered, \
         0 AS input, 0 AS output, 0 AS cached, 0 AS reasoning, 0 AS cost, 0 AS first_byte_us, 0 AS duration_us FROM refusals WHERE minute = ",
    );
    builder.push_bind(minute);
    push_span(&mut builder);
    builder.push(") AS moments WHERE true");
    asked.filter.push_for_moments(&mut builder);
    builder
}

/// Sums of a part of one minute, one a group.
pub(crate) async fn of_moments(
    connection: &mut Connection,
    asked: Asked<'_>,
    minute: i64,
    span: (UnixMicros, UnixMicros),
) -> Result<Vec<Sum>, DatabaseFault> {
    let mut builder = of_part(asked, minute, span, &sums());
    let rows = builder.push(" GROUP BY grouped").build().fetch_all(connection).await?;
    rows.iter().map(|row| sum(row, minute, asked.group_by)).collect()
}

/// How long the answers of a part of one minute took, added up by `add`.
pub(crate) async fn times_of_moments(
    connection: &mut Connection,
    asked: Asked<'_>,
    minute: i64,
    span: (UnixMicros, UnixMicros),
    mut add: impl FnMut(i64, Option<String>, &Times),
) -> Result<(), DatabaseFault> {
    let mut builder = of_part(asked, minute, span, "first_byte_us, duration_us");
    let mut rows = builder.push(" AND requests > 0").build().fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let mut times = Times::default();
        times.add(value::count(&row, "first_byte_us")?, value::count(&row, "duration_us")?);
        add(minute, group(&row, asked.group_by)?, &times);
    }
    Ok(())
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

fn group(row: &Row, group_by: Option<GroupBy>) -> Result<Option<String>, DatabaseFault> {
    Ok(match group_by {
        None => None,
        Some(GroupBy::Key) => Some(KeyId::from_bits(value::id_bits(row, "grouped")?).to_string()),
        Some(GroupBy::Status) => Some(row.try_get::<i64, _>("grouped")?.to_string()),
        Some(GroupBy::Model | GroupBy::Category | GroupBy::Provider | GroupBy::Outcome | GroupBy::Pool | GroupBy::Limit) => {
            Some(row.try_get("grouped")?).filter(|text: &String| !text.is_empty())
        }
    })
}

fn sum(row: &Row, bucket: i64, group_by: Option<GroupBy>) -> Result<Sum, DatabaseFault> {
    let counters = UsageCounters {
        requests: value::count(row, "requests")?,
        refused: value::count(row, "refused")?,
        would_have_been_refused: value::count(row, "would_refuse")?,
        failed: value::count(row, "failed")?,
        recovered: value::count(row, "recovered")?,
        input_tokens: value::count(row, "input")?,
        output_tokens: value::count(row, "output")?,
        cached_tokens: value::count(row, "cached")?,
        reasoning_tokens: value::count(row, "reasoning")?,
        cost: Money(row.try_get("cost")?),
    };
    Ok(Sum { bucket, group: group(row, group_by)?, counters, times: Times::default() })
}
