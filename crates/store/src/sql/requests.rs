//! What the tables tell of one request: its usage record, and the refusals under its id.

use domain::{
    Category, Counted, Endpoint, KeyId, Kind, Money, OrgId, Outcome, PlanId, ProviderName, RefusalEvent, RequestId, TokenUsage, UsageRecord,
};
use sqlx::{AssertSqlSafe, Row as _};

use super::value::{self, IdBytes as _, count, json_if_any, unreadable};
use super::{Pool, Row};
use crate::{DatabaseFault, ToldRefusal};

/// What [`record`] reads.
pub(crate) const RECORD_COLUMNS: &str = "request, at, org_id, key_id, plan, model, category, pool, provider, endpoint, streamed, status, outcome, \
    counted, input, output, cached, reasoning, cost, attempts, first_byte_us, duration_us, waited_us, paused_us, debt, attempt_list";
/// What [`refusal`] reads.
pub(crate) const REFUSAL_COLUMNS: &str = "first_request, at, refused, org_id, key_id, plan, model, category, pool, kind, window_us, n, used, held, \
    requested, retry_after_ms, shadow";

/// The record of a request.
pub(crate) async fn usage(pool: &Pool, request: RequestId) -> Result<Option<UsageRecord>, DatabaseFault> {
    let sql = format!("SELECT {RECORD_COLUMNS} FROM usage_records CROSS JOIN usage_labels ON usage_labels.id = labels WHERE request = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(request.bytes().to_vec()).fetch_optional(pool).await?;
    row.as_ref().map(record).transpose()
}

/// The refusals of which this request is the first, in the order in which its limits stand.
pub(crate) async fn refusals(pool: &Pool, request: RequestId) -> Result<Vec<ToldRefusal>, DatabaseFault> {
    let sql = format!("SELECT {REFUSAL_COLUMNS} FROM refusals WHERE first_request = $1 ORDER BY pool, kind, window_us, shadow");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(request.bytes().to_vec()).fetch_all(pool).await?;
    rows.iter().map(refusal).collect()
}

pub(crate) fn record(row: &Row) -> Result<UsageRecord, DatabaseFault> {
    Ok(UsageRecord {
        request: RequestId::from_bits(value::id_bits(row, "request")?),
        at: value::time(row, "at")?,
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        key: KeyId::from_bits(value::id_bits(row, "key_id")?),
        plan: PlanId::from(text(row, "plan")?),
        model: text(row, "model")?.into(),
        category: category(row)?,
        pool: text(row, "pool")?.into(),
        provider: Some(text(row, "provider")?).filter(|name| !name.is_empty()).map(ProviderName::from),
        endpoint: named(row, "endpoint", [Endpoint::ChatCompletions, Endpoint::Completions, Endpoint::Embeddings], Endpoint::as_str)?,
        stream: row.try_get::<i64, _>("streamed")? != 0,
        status: u16::try_from(row.try_get::<i64, _>("status")?).map_err(|fault| unreadable("status", fault))?,
        outcome: named(
            row,
            "outcome",
            [Outcome::Answered, Outcome::Cut, Outcome::ClientGone, Outcome::Broken, Outcome::Rejected, Outcome::Failed],
            Outcome::as_str,
        )?,
        tokens: TokenUsage {
            input: count(row, "input")?,
            output: count(row, "output")?,
            cached: count(row, "cached")?,
            reasoning: count(row, "reasoning")?,
        },
        counted: named(row, "counted", [Counted::Provider, Counted::Tidegate, Counted::Estimate], Counted::as_str)?,
        cost: Money(row.try_get("cost")?),
        attempts: u32::try_from(count(row, "attempts")?).unwrap_or(u32::MAX),
        first_byte_us: count(row, "first_byte_us")?,
        duration_us: count(row, "duration_us")?,
        waited_us: count(row, "waited_us")?,
        paused_us: count(row, "paused_us")?,
        debt: count(row, "debt")?,
        attempt_list: json_if_any(row, "attempt_list")?.unwrap_or_default(),
    })
}

pub(crate) fn refusal(row: &Row) -> Result<ToldRefusal, DatabaseFault> {
    let retry_after_ms: Option<i64> = row.try_get("retry_after_ms")?;
    let event = RefusalEvent {
        request: RequestId::from_bits(value::id_bits(row, "first_request")?),
        at: value::time(row, "at")?,
        org: OrgId::from_bits(value::id_bits(row, "org_id")?),
        key: KeyId::from_bits(value::id_bits(row, "key_id")?),
        plan: PlanId::from(text(row, "plan")?),
        model: text(row, "model")?.into(),
        category: category(row)?,
        pool: text(row, "pool")?.into(),
        kind: named(row, "kind", [Kind::Requests, Kind::Tokens, Kind::Concurrent], Kind::as_str)?,
        window_us: count(row, "window_us")?,
        limit: count(row, "n")?,
        used: count(row, "used")?,
        held: count(row, "held")?,
        requested: count(row, "requested")?,
        retry_after_ms: retry_after_ms.map(|ms| u64::try_from(ms).unwrap_or(0)),
        shadow: row.try_get::<i64, _>("shadow")? != 0,
    };
    Ok(ToldRefusal { event, refused: count(row, "refused")? })
}

fn text(row: &Row, column: &str) -> Result<String, DatabaseFault> {
    Ok(row.try_get(column)?)
}

fn category(row: &Row) -> Result<Option<Category>, DatabaseFault> {
    match text(row, "category")?.as_str() {
        "" => Ok(None),
        _ => named(row, "category", [Category::Small, Category::Medium, Category::Large], Category::as_str).map(Some),
    }
}

/// The one of `all` whose name stands in the column.
fn named<T: Copy, const N: usize>(row: &Row, column: &str, all: [T; N], name: fn(T) -> &'static str) -> Result<T, DatabaseFault> {
    let text = text(row, column)?;
    all.into_iter().find(|one| name(*one) == text).ok_or_else(|| unreadable(column, text))
}
