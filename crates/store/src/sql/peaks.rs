//! What pools were charged by the minute, and the greatest minute of each quarter of an hour. It knows no limit.

use std::sync::Arc;

use domain::OrgId;
use futures_util::TryStreamExt as _;
use hashbrown::HashMap;
use sqlx::{QueryBuilder, Row as _};

use super::counters::Tier;
use super::records::pieces;
use super::usage::{Cells, Minutes};
use super::value::{self, IdBytes as _, int};
use super::{Connection, Dialect, pending};
use crate::DatabaseFault;
use crate::recorder::{Counters, CountersOf};

/// The greatest minute of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peak {
    pub(crate) n: u64,
    /// Which minute: the earliest of those that have as much.
    pub(crate) minute: i64,
}

impl Peak {
    pub(crate) fn add(&mut self, other: Self) {
        if other.n > self.n || other.n == self.n && other.minute < self.minute {
            *self = other;
        }
    }
}

/// The greatest minute of a pool: of requests, and of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peaks {
    pub(crate) requests: Peak,
    pub(crate) tokens: Peak,
}

impl Peaks {
    /// Of one minute.
    pub(crate) fn of(minute: i64, requests: u64, tokens: u64) -> Self {
        Self { requests: Peak { n: requests, minute }, tokens: Peak { n: tokens, minute } }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.requests.add(other.requests);
        self.tokens.add(other.tokens);
    }
}

/// Whose, when and of which pool; the empty one is the whole organisation.
pub(crate) type Place = (OrgId, i64, Arc<str>);

/// What these counters charged each pool and each organisation.
pub(crate) fn charged<'a>(counters: impl IntoIterator<Item = (&'a CountersOf, &'a Counters)>) -> HashMap<Place, (u64, u64)> {
    let whole: Arc<str> = "".into();
    let mut sums: HashMap<Place, (u64, u64)> = HashMap::new();
    for (of, n) in counters {
        let (requests, tokens) = n.charged(of.labels.ending);
        if (requests, tokens) == (0, 0) {
            continue;
        }
        for pool in [&of.labels.pool, &whole] {
            let sum = sums.entry((of.org, of.minute, Arc::clone(pool))).or_default();
            *sum = (sum.0.saturating_add(requests), sum.1.saturating_add(tokens));
        }
    }
    sums
}

/// Adds what counters charged, and sees whether that makes greater minutes.
pub(crate) async fn add(connection: &mut Connection, counters: &[(CountersOf, Counters)]) -> Result<(), DatabaseFault> {
    let mut sums: Vec<_> = charged(counters.iter().map(|(of, n)| (of, n))).into_iter().collect();
    sums.sort_unstable();
    let mut greatest: HashMap<Place, Peaks> = HashMap::new();
    for piece in pieces(&sums) {
        for ((org, minute, pool), requests, tokens) in add_piece(connection, piece).await? {
            let peaks = Peaks::of(minute, requests, tokens);
            let quarter = (org, Tier::Quarters.floor(minute), pool);
            greatest.entry(quarter).and_modify(|all| all.add(&peaks)).or_insert(peaks);
        }
    }
    put(connection, "pool_quarters", greatest.into_iter().collect()).await
}

type Sum = (Place, u64, u64);

/// Adds to minutes; returns what they have now.
async fn add_piece(connection: &mut Connection, sums: &[(Place, (u64, u64))]) -> Result<Vec<Sum>, DatabaseFault> {
    let mut builder = QueryBuilder::<Dialect>::new("INSERT INTO pool_minutes (org_id, minute, pool, requests, tokens) ");
    builder.push_values(sums, |mut row, ((org, minute, pool), (requests, tokens))| {
        row.push_bind(org.bytes().to_vec()).push_bind(*minute).push_bind(&**pool).push_bind(int(*requests)).push_bind(int(*tokens));
    });
    builder.push(
        " ON CONFLICT (org_id, minute, pool) DO UPDATE SET requests = pool_minutes.requests + excluded.requests, \
         tokens = pool_minutes.tokens + excluded.tokens RETURNING org_id, minute, pool, requests, tokens",
    );
    let rows = builder.build().fetch_all(connection).await?;
    let sum = |row: &super::Row| {
        let pool: &str = row.try_get("pool")?;
        let place = (OrgId::from_bits(value::id_bits(row, "org_id")?), row.try_get("minute")?, pool.into());
        Ok((place, value::count(row, "requests")?, value::count(row, "tokens")?))
    };
    rows.iter().map(sum).collect()
}

/// Writes greatest minutes where they are greater than what is there.
pub(crate) async fn put(connection: &mut Connection, table: &'static str, mut all: Vec<(Place, Peaks)>) -> Result<(), DatabaseFault> {
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    // PostgreSQL knows no MAX of two values, SQLite no GREATEST.
    let greater = |what: &str| {
        format!("excluded.{what} > {table}.{what} OR (excluded.{what} = {table}.{what} AND excluded.{what}_at < {table}.{what}_at)")
    };
    let set = |what: &str| {
        let greater = greater(what);
        format!(
            "{what}_at = CASE WHEN {greater} THEN excluded.{what}_at ELSE {table}.{what}_at END, \
             {what} = CASE WHEN {greater} THEN excluded.{what} ELSE {table}.{what} END"
        )
    };
    let update = format!(" ON CONFLICT (org_id, minute, pool) DO UPDATE SET {}, {}", set("requests"), set("tokens"));
    for piece in pieces(&all) {
        let mut builder =
            QueryBuilder::<Dialect>::new(format!("INSERT INTO {table} (org_id, minute, pool, requests, requests_at, tokens, tokens_at) "));
        builder.push_values(piece, |mut row, ((org, minute, pool), peaks)| {
            row.push_bind(org.bytes().to_vec()).push_bind(*minute).push_bind(&**pool);
            for peak in [peaks.requests, peaks.tokens] {
                row.push_bind(int(peak.n)).push_bind(peak.minute);
            }
        });
        builder.push(&update);
        builder.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Calls `add` with the greatest minutes of rows in these cells: the first minute of the row, its pool.
pub(crate) async fn of_cells(
    connection: &mut Connection,
    org: OrgId,
    tier: Tier,
    cells: &[Cells],
    mut add: impl FnMut(i64, Arc<str>, Peaks),
) -> Result<(), DatabaseFault> {
    if cells.is_empty() {
        return Ok(());
    }
    let (table, requests_at, tokens_at) = match tier {
        Tier::Minutes => ("pool_minutes", "minute", "minute"),
        Tier::Quarters => ("pool_quarters", "requests_at", "tokens_at"),
        Tier::Days => ("pool_days", "requests_at", "tokens_at"),
    };
    let mut builder = QueryBuilder::<Dialect>::new("WITH cells (start, past) AS (");
    builder.push_values(cells, |mut row, cells| {
        row.push(cells.minutes.first).push(cells.minutes.end);
    });
    builder.push(format!(
        ") SELECT minute, pool, requests, {requests_at} AS requests_at, tokens, {tokens_at} AS tokens_at FROM cells CROSS JOIN {table} \
         WHERE minute >= start AND minute < past AND org_id = "
    ));
    let query = builder.push_bind(org.bytes().to_vec()).build().persistent(false);
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let peak = |n: &str, at: &str| Ok::<_, DatabaseFault>(Peak { n: value::count(&row, n)?, minute: row.try_get(at)? });
        let peaks = Peaks { requests: peak("requests", "requests_at")?, tokens: peak("tokens", "tokens_at")? };
        let pool: &str = row.try_get("pool")?;
        add(row.try_get("minute")?, pool.into(), peaks);
    }
    Ok(())
}

/// The same of minutes to which counters are to be added that wait.
pub(crate) async fn of_waiting(
    connection: &mut Connection,
    org: OrgId,
    minutes: Minutes,
    mut add: impl FnMut(i64, Arc<str>, Peaks),
) -> Result<(), DatabaseFault> {
    let mut waiting = Vec::new();
    pending::for_each(connection, |of, n| {
        if of.org == org && (minutes.first..minutes.end).contains(&of.minute) {
            waiting.push((of, n));
        }
    })
    .await?;
    let mut sums = charged(waiting.iter().map(|(of, n)| (of, n)));
    let there = (sums.keys().map(|(_, minute, _)| *minute).min(), sums.keys().map(|(_, minute, _)| *minute).max());
    if let (Some(first), Some(last)) = there {
        let cells = [Cells { bucket: first, minutes: Minutes { first, end: last + 1 } }];
        of_cells(connection, org, Tier::Minutes, &cells, |minute, pool, peaks| {
            if let Some(sum) = sums.get_mut(&(org, minute, pool)) {
                *sum = (sum.0.saturating_add(peaks.requests.n), sum.1.saturating_add(peaks.tokens.n));
            }
        })
        .await?;
    }
    for ((_, minute, pool), (requests, tokens)) in sums {
        add(minute, pool, Peaks::of(minute, requests, tokens));
    }
    Ok(())
}
