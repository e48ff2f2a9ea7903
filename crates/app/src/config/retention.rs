//! `[retention]`: how long records and counters are kept.

use store::Retention;

use super::table::Table;

/// A hundred years.
const MOST_DAYS: u64 = 36_500;

pub(super) fn read(table: Table<'_>) -> Retention {
    let default = Retention::default();
    // The day's spend is counted from the records, and a day before is begun by many zones already.
    let days = |key, least, default| table.whole(key, least, MOST_DAYS).and_then(|days| u32::try_from(days).ok()).unwrap_or(default);
    let retention = Retention {
        records_days: days("records_days", 2, default.records_days),
        refusals_days: days("refusals_days", 1, default.refusals_days),
        minutes_days: days("minutes_days", 1, default.minutes_days),
        hours_days: days("hours_days", 1, default.hours_days),
    };
    if retention.hours_days < retention.minutes_days {
        let message = format!("hours_days ({}) must not be less than minutes_days ({})", retention.hours_days, retention.minutes_days);
        table.fault(table.place(), message);
    }
    table.close();
    retention
}
