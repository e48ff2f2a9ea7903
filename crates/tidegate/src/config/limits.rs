//! `[limits]`: the window, and how long anything waits.

use std::time::Duration;

use serde::Deserialize;

use super::table::Table;
use super::written::Word;

/// `[limits]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The window of `rpm` and `tpm`.
    pub window: Duration,
    /// How long a request waits for room before it is refused.
    pub micro_wait: Duration,
    /// The longest wait that a request can ask for with `Prefer: wait`.
    pub max_wait: Duration,
    /// The longest pause of a stream.
    pub max_pause: Duration,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WhenStoreLost {
    Strict,
    SafeShare,
}

impl Limits {
    pub(super) fn read(table: Table<'_>) -> Self {
        let limits = Self {
            window: table.seconds("window_seconds", 0.001, 86_400.0).unwrap_or(Duration::from_secs(60)),
            micro_wait: Duration::from_millis(table.whole("micro_wait_ms", 0, 10_000).unwrap_or(250)),
            max_wait: table.seconds("max_wait_seconds", 0.0, 3_600.0).unwrap_or(Duration::from_secs(30)),
            max_pause: table.seconds("max_pause_seconds", 0.0, 86_400.0).unwrap_or(Duration::from_secs(300)),
        };
        if let Some((Word(WhenStoreLost::SafeShare), place)) = table.located::<Word<WhenStoreLost>>("when_store_lost") {
            table.warn(place, "when_store_lost has no effect in this version: limits are kept in memory and can't be lost apart from the server");
        }
        table.close();
        limits
    }

    /// The window in microseconds.
    pub fn window_us(&self) -> u64 {
        u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX)
    }
}
