//! Counters that wait, a batch a row, to be added to their rows. Written so, those of many keys cost a fraction: their rows lie all over a
//! large table. What they mean together with those rows is in `usage.rs`.

use futures_util::TryStreamExt as _;
use hashbrown::HashMap;
use sqlx::Row as _;

use super::counter_labels::KnownCounterLabels;
use super::{Connection, counters, value};
use crate::DatabaseFault;
use crate::recorder::{Counters, CountersOf, put_counters, take_counters};

pub(crate) async fn append(connection: &mut Connection, counters: &[(CountersOf, Counters)]) -> Result<(), DatabaseFault> {
    sqlx::query("INSERT INTO usage_pending (counters) VALUES ($1)").bind(put_counters(counters)).execute(connection).await?;
    Ok(())
}

/// Calls `each` with every counter that waits.
pub(crate) async fn for_each(connection: &mut Connection, mut each: impl FnMut(CountersOf, Counters)) -> Result<(), DatabaseFault> {
    let mut rows = sqlx::query("SELECT counters FROM usage_pending").fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let read = take_counters(row.try_get("counters")?, &mut each);
        read.ok_or_else(|| value::unreadable("usage_pending.counters", "expected counters"))?;
    }
    Ok(())
}

/// Adds all that wait to their rows.
pub(crate) async fn settle(connection: &mut Connection, known: &mut KnownCounterLabels) -> Result<(), DatabaseFault> {
    let mut sums: HashMap<CountersOf, Counters> = HashMap::new();
    for_each(connection, |of, n| sums.entry(of).or_default().add(&n)).await?;
    if sums.is_empty() {
        return Ok(());
    }
    counters::add(connection, sums.into_iter().collect(), known).await?;
    sqlx::query("DELETE FROM usage_pending").execute(connection).await?;
    Ok(())
}
