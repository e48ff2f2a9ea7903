//! `[limits]`: the window, and how long anything waits. Nothing waits in this version: what doesn't fit is refused.

use std::time::Duration;

use serde::Deserialize;

use super::table::Table;
use super::written::Word;

/// `[limits]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The window of `rpm` and `tpm`.
    pub window: Duration,
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
        table.without_effect("micro_wait_ms", |ms: &u64| matches!(ms, 0 | 250), "what doesn't fit is refused at once");
        table.without_effect("max_wait_seconds", |s: &f64| *s == 30.0, "what doesn't fit is refused at once");
        table.without_effect("max_pause_seconds", |s: &f64| *s == 300.0, "a stream is never paused, and its excess becomes debt");
        let is_strict = |Word(choice): &Word<WhenStoreLost>| *choice == WhenStoreLost::Strict;
        table.without_effect("when_store_lost", is_strict, "limits are kept in memory and can't be lost apart from the server");
        table.close();
        Self { window }
    }

    /// The window in microseconds.
    pub fn window_us(&self) -> u64 {
        u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX)
    }
}
