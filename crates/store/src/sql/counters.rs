//! Counters in their rows: by the minute, and the same by the quarter of an hour. It knows no record.

use domain::{KeyId, OrgId};
use hashbrown::HashMap;
use sqlx::{QueryBuilder, Row as _};

use super::counter_labels::KnownCounterLabels;
use super::records::pieces;
use super::value::{self, IdBytes as _, int};
use super::{Connection, Dialect, peaks};
use crate::recorder::{Counters, CountersOf};
use crate::{DatabaseFault, Times};

/// Minutes of a quarter of an hour.
pub(crate) const QUARTER: i64 = 15;
/// Minutes of a day.
pub(crate) const DAY: i64 = 1_440;

/// A table of counters, by how long its rows' spans are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Minutes,
    Quarters,
    Days,
}

impl Tier {
    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Minutes => "usage_minutes",
            Self::Quarters => "usage_quarters",
            Self::Days => "usage_days",
        }
    }

    const fn minutes(self) -> i64 {
        match self {
            Self::Minutes => 1,
            Self::Quarters => QUARTER,
            Self::Days => DAY,
        }
    }

    /// The first minute of the row that this minute belongs to.
    pub(crate) fn floor(self, minute: i64) -> i64 {
        minute - minute.rem_euclid(self.minutes())
    }

    pub(crate) fn ceil(self, minute: i64) -> i64 {
        self.floor(minute.saturating_add(self.minutes() - 1))
    }
}

/// A row's key, in the order of the tables, so that each of their pages is visited once.
type Place = (OrgId, i64, i64, KeyId);

/// Adds counters to their rows, and to what their pools were charged.
pub(crate) async fn add(
    connection: &mut Connection,
    counters: Vec<(CountersOf, Counters)>,
    known: &mut KnownCounterLabels,
) -> Result<(), DatabaseFault> {
    peaks::add(connection, &counters).await?;
    let mut numbered = Vec::with_capacity(counters.len());
    for (of, n) in counters {
        let labels = known.number_of(connection, &of.labels).await?;
        numbered.push(((of.org, of.minute, labels, of.key), n));
    }
    for tier in [Tier::Quarters, Tier::Minutes] {
        let mut cells: HashMap<Place, Counters> = HashMap::with_capacity(numbered.len());
        for ((org, minute, labels, key), n) in &numbered {
            cells.entry((*org, tier.floor(*minute), *labels, *key)).or_default().add(n);
        }
        put(connection, tier, cells.into_iter().collect()).await?;
    }
    Ok(())
}

/// Adds to the rows of one table.
pub(crate) async fn put(connection: &mut Connection, tier: Tier, mut cells: Vec<(Place, Counters)>) -> Result<(), DatabaseFault> {
    cells.sort_unstable_by_key(|(place, _)| *place);
    for piece in pieces(&cells) {
        let times = with_times(connection, tier, piece).await?;
        put_piece(connection, tier, piece, times).await?;
    }
    Ok(())
}

/// The times of each, with those that its row has.
async fn with_times(connection: &mut Connection, tier: Tier, cells: &[(Place, Counters)]) -> Result<Vec<Times>, DatabaseFault> {
    let mut all: Vec<Times> = cells.iter().map(|(_, n)| n.times.clone()).collect();
    // A row where nothing is added keeps what it has: the same is read and written.
    let mut builder = QueryBuilder::<Dialect>::new("WITH wanted (place, org_id, minute, labels, key_id) AS (");
    let mut place = 0_i64;
    builder.push_values(cells, |mut row, ((org, minute, labels, key), _)| {
        row.push_bind(place).push_bind(org.bytes().to_vec()).push_bind(*minute).push_bind(*labels).push_bind(key.bytes().to_vec());
        place += 1;
    });
    // CROSS JOIN: each that is wanted is looked up.
    builder.push(") SELECT place, there.times FROM wanted CROSS JOIN ").push(tier.table());
    builder.push(" AS there ON there.org_id = wanted.org_id AND there.minute = wanted.minute AND there.labels = wanted.labels ");
    builder.push("AND there.key_id = wanted.key_id WHERE there.times IS NOT NULL");
    for row in builder.build().fetch_all(connection).await? {
        let at = usize::try_from(row.try_get::<i64, _>("place")?).unwrap_or(usize::MAX);
        if let Some(times) = all.get_mut(at) {
            times.add_all(&read_times(row.try_get("times")?)?);
        }
    }
    Ok(all)
}

pub(crate) fn read_times(bytes: &[u8]) -> Result<Times, DatabaseFault> {
    Times::of_bytes(bytes).ok_or_else(|| value::unreadable("times", "expected histograms"))
}

/// The columns that are added up.
pub(crate) const SUMMED: [&str; 10] =
    ["requests", "refused", "would_refuse", "failed", "recovered", "input", "output", "cached", "reasoning", "cost"];

async fn put_piece(connection: &mut Connection, tier: Tier, cells: &[(Place, Counters)], times: Vec<Times>) -> Result<(), DatabaseFault> {
    let (table, columns) = (tier.table(), SUMMED.join(", "));
    let mut builder = QueryBuilder::<Dialect>::new(format!("INSERT INTO {table} (org_id, minute, labels, key_id, {columns}, times) "));
    builder.push_values(cells.iter().zip(times), |mut row, (((org, minute, labels, key), n), times)| {
        row.push_bind(org.bytes().to_vec()).push_bind(*minute).push_bind(*labels).push_bind(key.bytes().to_vec());
        for n in [n.requests, n.refused, n.would_refuse, n.failed, n.recovered, n.input, n.output, n.cached, n.reasoning] {
            row.push_bind(int(n));
        }
        row.push_bind(n.cost).push_bind((!times.is_empty()).then(|| times.to_bytes()));
    });
    let sums: Vec<_> = SUMMED.iter().map(|column| format!("{column} = {table}.{column} + excluded.{column}")).collect();
    builder.push(format!(" ON CONFLICT (org_id, minute, labels, key_id) DO UPDATE SET {}, times = excluded.times", sums.join(", ")));
    builder.build().execute(connection).await?;
    Ok(())
}
