//! From when on what is kept: records, minutes and quarters of an hour. Rows from before are being deleted and mean nothing any more.

use domain::UnixMicros;

use super::counters::Tier;
use super::{Connection, meta};
use crate::DatabaseFault;

/// Since when each is there as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Usage records that arrived then or later.
    pub(crate) records: UnixMicros,
    /// Refusals.
    pub(crate) refusals: UnixMicros,
    /// Counters by the minute: the first of a quarter of an hour.
    pub(crate) minutes: i64,
    /// Counters by the quarter: the first minute of a day of UTC.
    pub(crate) quarters: i64,
}

impl Default for Kept {
    fn default() -> Self {
        Self { records: UnixMicros(i64::MIN), refusals: UnixMicros(i64::MIN), minutes: i64::MIN, quarters: i64::MIN }
    }
}

const NAME: &str = "usage_kept";

impl Kept {
    pub(crate) async fn read(connection: &mut Connection) -> Result<Self, DatabaseFault> {
        let bytes = meta::get(connection, NAME).await?;
        let number = |at: usize| bytes.as_deref().and_then(|bytes| bytes.get(at * 8..)?.first_chunk().copied()).map(i64::from_be_bytes);
        let [records, refusals, minutes, quarters] = [0, 1, 2, 3].map(|at| number(at).unwrap_or(i64::MIN));
        Ok(Self { records: UnixMicros(records), refusals: UnixMicros(refusals), minutes, quarters })
    }

    pub(crate) async fn write(self, connection: &mut Connection) -> Result<(), DatabaseFault> {
        let bytes = [self.records.0, self.refusals.0, self.minutes, self.quarters].map(i64::to_be_bytes).concat();
        meta::set(connection, NAME, &bytes).await
    }

    /// The later of each.
    pub(crate) fn later(self, other: Self) -> Self {
        let Self { records, refusals, minutes, quarters } = other;
        Self {
            records: self.records.max(records),
            refusals: self.refusals.max(refusals),
            minutes: self.minutes.max(minutes),
            quarters: self.quarters.max(quarters),
        }
    }

    /// From when on parts of minutes can be told.
    pub(crate) fn moments(self) -> UnixMicros {
        self.records.max(self.refusals)
    }

    /// How long the spans are of which counters are kept that have this minute.
    pub(crate) fn tier_of(self, minute: i64) -> Tier {
        if minute < self.quarters {
            Tier::Days
        } else if minute < self.minutes {
            Tier::Quarters
        } else {
            Tier::Minutes
        }
    }
}
