//! The tables that the recorder writes: usage records, refusals, and with them the counters.

use std::collections::HashSet;
use std::sync::LazyLock;

use domain::{RequestId, UsageRecord};
use sqlx::query_builder::Separated;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::counter_labels::KnownCounterLabels;
use super::key_uses::{self, KnownUses};
use super::labels::{KnownLabels, category};
use super::value::{self, IdBytes as _, int, to_json};
use super::{Connection, Dialect, counters, pending, placeholder};
use crate::recorder::{Batch, MergedRefusal, minute_of};
use crate::{DatabaseFault, caps};

/// Rows of one statement. Few sizes, so that few statements are prepared.
const SIZES: [usize; 3] = [64, 8, 1];

/// Splits rows into pieces of those sizes.
pub(crate) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
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
    pub(crate) counters: KnownCounterLabels,
}

impl Known {
    /// To be called where what was written may have come to nothing.
    pub(crate) fn forget(&mut self) {
        self.labels.forget();
        self.uses.forget();
        self.counters.forget();
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
    counters::add(connection, counters, &mut known.counters).await?;
    Ok(0)
}

const USAGE_COLUMNS: [&str; 18] = [
    "request",
    "at",
    "org_id",
    "key_id",
    "labels",
    "input",
    "output",
    "cached",
    "reasoning",
    "cost",
    "attempts",
    "first_byte_us",
    "duration_us",
    "waited_us",
    "paused_us",
    "debt",
    "attempt_list",
    "recovered",
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
            .bind(int(record.tokens.reasoning))
            .bind(record.cost.0)
            .bind(i64::from(record.attempts))
            .bind(int(record.first_byte_us))
            .bind(int(record.duration_us))
            .bind(int(record.waited_us))
            .bind(int(record.paused_us))
            .bind(int(record.debt))
            .bind((!record.attempt_list.is_empty()).then(|| to_json(&record.attempt_list)))
            .bind(i64::from(record.is_recovered()));
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
