//! The tables that the recorder writes: usage records, refusals, and counters by the minute.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::{RequestId, UsageRecord};
use sqlx::query_builder::Separated;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::key_uses::{self, KnownUses};
use super::labels::{KnownLabels, category, provider};
use super::value::{self, IdBytes as _, int, to_json};
use super::{Connection, Dialect, pending, placeholder};
use crate::recorder::{Batch, Counters, CountersOf, MergedRefusal, minute_of};
use crate::{DatabaseFault, caps};

/// Rows of one statement. Few sizes, so that few statements are prepared.
const SIZES: [usize; 3] = [64, 8, 1];

/// Splits rows into pieces of those sizes.
fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// What need not be written again.
#[derive(Debug, Default)]
pub(crate) struct Known {
    labels: KnownLabels,
    uses: KnownUses,
}

impl Known {
    /// To be called where what was written may have come to nothing.
    pub(crate) fn forget(&mut self) {
        self.labels.forget();
        self.uses.forget();
    }
}

/// Writes everything of the batch; none of it is there yet. Unless it is committed, `known` is to be forgotten. Returns how many counters
/// wait now to be added to their rows.
pub(crate) async fn insert(connection: &mut Connection, batch: &Batch, known: &mut Known) -> Result<usize, DatabaseFault> {
    for piece in pieces(&batch.usage) {
        insert_usage(connection, piece, &mut known.labels).await?;
    }
    for piece in pieces(&batch.refusals) {
        insert_refusals(connection, piece).await?;
    }
    let counters: Vec<_> = batch.counters().into_iter().collect();
    for piece in pieces(&known.uses.later(counters.iter().map(|(of, _)| of))) {
        key_uses::put(connection, piece).await?;
    }
    if counters.len() > caps::COUNTERS_AT_ONCE {
        pending::append(connection, &counters).await?;
        return Ok(counters.len());
    }
    add_counters(connection, counters).await?;
    Ok(0)
}

/// Adds counters to their rows.
pub(crate) async fn add_counters(connection: &mut Connection, mut counters: Vec<(CountersOf, Counters)>) -> Result<(), DatabaseFault> {
    // In the order of the table, so that each of its pages is visited once.
    counters.sort_by_key(|(of, _)| (of.org, of.minute));
    for piece in pieces(&counters) {
        add_piece(connection, piece).await?;
    }
    Ok(())
}

const USAGE_COLUMNS: [&str; 16] = [
    "request",
    "at",
    "org_id",
    "key_id",
    "labels",
    "input",
    "output",
    "cached",
    "cost",
    "attempts",
    "first_byte_us",
    "duration_us",
    "waited_us",
    "paused_us",
    "debt",
    "attempt_list",
];

/// One statement for each size of a piece. Made once, since there is one row for every request.
static INSERT_USAGE: LazyLock<[String; SIZES.len()]> = LazyLock::new(|| {
    SIZES.map(|size| {
        let row = |row: usize| {
            let places: Vec<_> = (0..USAGE_COLUMNS.len()).map(|column| placeholder(row * USAGE_COLUMNS.len() + column)).collect();
            format!("({})", places.join(", "))
        };
        let rows: Vec<_> = (0..size).map(row).collect();
        format!("INSERT INTO usage_records ({}) VALUES {}", USAGE_COLUMNS.join(", "), rows.join(", "))
    })
});

async fn insert_usage(connection: &mut Connection, records: &[UsageRecord], known: &mut KnownLabels) -> Result<(), DatabaseFault> {
    let Some(sql) = SIZES.iter().zip(INSERT_USAGE.iter()).find_map(|(size, sql)| (*size == records.len()).then_some(sql)) else {
        return Ok(());
    };
    let mut query = sqlx::query(AssertSqlSafe(sql.as_str()));
    for record in records {
        query = query
            .bind(record.request.bytes().to_vec())
            .bind(record.at.0)
            .bind(record.org.bytes().to_vec())
            .bind(record.key.bytes().to_vec())
            .bind(known.number_of(connection, record).await?)
            .bind(int(record.tokens.input))
            .bind(int(record.tokens.output))
            .bind(int(record.tokens.cached))
            .bind(record.cost.0)
            .bind(i64::from(record.attempts))
            .bind(int(record.first_byte_us))
            .bind(int(record.duration_us))
            .bind(int(record.waited_us))
            .bind(int(record.paused_us))
            .bind(int(record.debt))
            .bind((!record.attempt_list.is_empty()).then(|| to_json(&record.attempt_list)));
    }
    query.execute(connection).await?;
    Ok(())
}

async fn insert_refusals(connection: &mut Connection, refusals: &[MergedRefusal]) -> Result<(), DatabaseFault> {
    let mut builder = QueryBuilder::<Dialect>::new(
        "INSERT INTO refusals (first_request, at, last_at, minute, refused, org_id, key_id, plan, model, category, pool, kind, window_us, \
         n, used, held, requested, retry_after_ms, shadow) ",
    );
    builder.push_values(refusals, |mut row, merged| {
        let event = &merged.first;
        row.push_bind(event.request.bytes().as_slice())
            .push_bind(event.at.0)
            .push_bind(merged.last_at.0)
            .push_bind(minute_of(event.at))
            .push_bind(int(merged.refused))
            .push_bind(event.org.bytes().as_slice())
            .push_bind(event.key.bytes().as_slice())
            .push_bind(event.plan.as_str())
            .push_bind(event.model.as_str())
            .push_bind(category(event.category))
            .push_bind(&*event.pool)
            .push_bind(event.kind.as_str())
            .push_bind(int(event.window_us))
            .push_bind(int(event.limit))
            .push_bind(int(event.used))
            .push_bind(int(event.held))
            .push_bind(int(event.requested))
            .push_bind(event.retry_after_ms.map(int))
            .push_bind(i64::from(event.shadow));
    });
    builder.build().execute(connection).await?;
    Ok(())
}

async fn add_piece(connection: &mut Connection, counters: &[(CountersOf, Counters)]) -> Result<(), DatabaseFault> {
    let mut builder = QueryBuilder::<Dialect>::new(
        "INSERT INTO usage_minutes (org_id, minute, model, key_id, provider, plan, category, status, \
         requests, refused, would_refuse, failed, input, output, cached, cost) ",
    );
    builder.push_values(counters, |mut row, (of, n)| {
        row.push_bind(of.org.bytes().as_slice())
            .push_bind(of.minute)
            .push_bind(of.model.as_str())
            .push_bind(of.key.bytes().as_slice())
            .push_bind(provider(of.provider.as_ref()))
            .push_bind(of.plan.as_str())
            .push_bind(category(of.category))
            .push_bind(i64::from(of.status))
            .push_bind(int(n.requests))
            .push_bind(int(n.refused))
            .push_bind(int(n.would_refuse))
            .push_bind(int(n.failed))
            .push_bind(int(n.input))
            .push_bind(int(n.output))
            .push_bind(int(n.cached))
            .push_bind(n.cost);
    });
    builder.push(
        " ON CONFLICT (org_id, minute, model, key_id, provider, plan, category, status) DO UPDATE SET \
         requests = usage_minutes.requests + excluded.requests, refused = usage_minutes.refused + excluded.refused, \
         would_refuse = usage_minutes.would_refuse + excluded.would_refuse, \
         failed = usage_minutes.failed + excluded.failed, input = usage_minutes.input + excluded.input, \
         output = usage_minutes.output + excluded.output, cached = usage_minutes.cached + excluded.cached, \
         cost = usage_minutes.cost + excluded.cost",
    );
    builder.build().execute(connection).await?;
    Ok(())
}

/// Those of the batch that were written before: usage records, and requests that were refused.
pub(crate) async fn existing(
    connection: &mut Connection,
    batch: &Batch,
) -> Result<(HashSet<RequestId>, HashSet<RequestId>), DatabaseFault> {
    let (mut of_usage, mut of_refusals) = (HashSet::new(), HashSet::new());
    let usage: Vec<_> = batch.usage.iter().map(|record| record.request).collect();
    look_up(connection, "SELECT request FROM usage_records WHERE request IN (", &usage, &mut of_usage).await?;
    let refusals: Vec<_> = batch.refusals.iter().map(|merged| merged.first.request).collect();
    look_up(connection, "SELECT first_request AS request FROM refusals WHERE first_request IN (", &refusals, &mut of_refusals).await?;
    Ok((of_usage, of_refusals))
}

async fn look_up(
    connection: &mut Connection,
    sql: &str,
    requests: &[RequestId],
    found: &mut HashSet<RequestId>,
) -> Result<(), DatabaseFault> {
    for piece in pieces(requests) {
        let mut builder = QueryBuilder::<Dialect>::new(sql);
        let mut list: Separated<'_, Dialect, _> = builder.separated(", ");
        for request in piece {
            list.push_bind(request.bytes().as_slice());
        }
        list.push_unseparated(")");
        for row in builder.build().fetch_all(&mut *connection).await? {
            found.insert(RequestId::from_bits(value::id_bits(&row, "request")?));
        }
    }
    Ok(())
}
