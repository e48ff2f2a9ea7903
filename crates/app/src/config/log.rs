//! `[log]`: what is logged, and in which form.

use serde::Deserialize;

use super::table::Table;
use super::written::Word;

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Directives such as `info` or `warn,gateway=debug`.
    pub filter: String,
    /// The form of the lines.
    pub format: LogFormat,
}

impl Log {
    pub(super) fn read(table: Table<'_>) -> Self {
        let filter = table.checked("filter", |text: String| match text.parse::<tracing_subscriber::filter::EnvFilter>() {
            Ok(_) => Ok(text),
            Err(_) => Err("expected directives such as \"info\" or \"warn,gateway=debug\"".into()),
        });
        let format = table.get::<Word<LogFormat>>("format").map(|Word(format)| format).unwrap_or_default();
        table.close();
        Self { filter: filter.unwrap_or_else(|| "info".into()), format }
    }
}
