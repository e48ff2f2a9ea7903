//! `[limits]`: the window, and how long anything waits for room in it.

use std::time::Duration;

use serde::Deserialize;

use super::table::Table;
use super::written::Word;

/// `[limits]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The window of `rpm` and `tpm`.
    pub window: Duration,
    /// How long a request waits for room before it is refused, where it doesn't ask for more or less.
    pub micro_wait: Duration,
    /// The longest wait that a request can ask for (`Prefer: wait=`).
    pub max_wait: Duration,
    /// How long an answer may stand still for want of room before it ends.
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
        let window = table.seconds("window_seconds", 0.001, 86_400.0).unwrap_or(Duration::from_secs(60));
        let micro_wait = table.whole("micro_wait_ms", 0, 60_000).map_or(Duration::from_millis(250), Duration::from_millis);
        let max_wait = table.seconds("max_wait_seconds", 0.0, 600.0).unwrap_or(Duration::from_secs(30));
        let max_pause = table.seconds("max_pause_seconds", 0.0, 86_400.0).unwrap_or(Duration::from_secs(300));
        let is_strict = |Word(choice): &Word<WhenStoreLost>| *choice == WhenStoreLost::Strict;
        table.without_effect("when_store_lost", is_strict, "limits are kept in memory and can't be lost apart from the server");
        table.close();
        Self { window, micro_wait, max_wait, max_pause }
    }

    /// The window in microseconds.
    pub fn window_us(&self) -> u64 {
        u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX)
    }
}
