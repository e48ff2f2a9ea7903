//! What connections saw, added up. It knows nothing of how requests are made.

use std::io::Result;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::client::Outcome;
use crate::options::{Mode, Options};

/// What one connection, or all of them together, saw. Times are in nanoseconds.
pub(crate) struct Tally {
    total: Histogram<u64>,
    first: Histogram<u64>,
    pub(crate) ok: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) events: u64,
    /// Streams without `[DONE]`, and answers without a body.
    pub(crate) short: u64,
    pub(crate) note: Option<String>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { total: histogram(), first: histogram(), ok: 0, refused: 0, failed: 0, events: 0, short: 0, note: None }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.total += other.total;
        self.first += other.first;
        self.ok += other.ok;
        self.refused += other.refused;
        self.failed += other.failed;
        self.events += other.events;
        self.short += other.short;
        self.note = self.note.take().or(other.note);
    }

    /// Counts one answer to a request that was due at `from`.
    pub(crate) fn record(&mut self, options: &Options, from: Instant, result: &Result<Outcome>) {
        match result {
            Ok(outcome) if outcome.status == options.expect => {
                self.ok += 1;
                self.events += outcome.events;
                let short = if options.mode == Mode::Stream { !outcome.saw_done } else { outcome.body_bytes == 0 };
                self.short += u64::from(short);
                self.total.saturating_record(outcome.done.duration_since(from).as_nanos() as u64);
                self.first.saturating_record(outcome.first.duration_since(from).as_nanos() as u64);
            }
            Ok(outcome) if outcome.status == 429 => self.refused += 1,
            Ok(outcome) => self.fail(|| format!("status {}", outcome.status)),
            Err(error) => self.fail(|| error.to_string()),
        }
    }

    /// Counts a task that broke.
    pub(crate) fn fail(&mut self, why: impl FnOnce() -> String) {
        self.failed += 1;
        self.note.get_or_insert_with(why);
    }

    pub(crate) fn latencies_us(&self) -> Value {
        quantiles_us(&self.total)
    }

    /// Times to the first byte of a body, or the first event of a stream.
    pub(crate) fn firsts_us(&self) -> Value {
        quantiles_us(&self.first)
    }
}

fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants: two minutes in nanoseconds, three digits")]
    Histogram::new_with_bounds(1, 120_000_000_000, 3).expect("valid bounds")
}

fn quantiles_us(times: &Histogram<u64>) -> Value {
    if times.is_empty() {
        return Value::Null;
    }
    let round = |ns: f64| (ns / 100.0).round() / 10.0;
    let at = |quantile| round(times.value_at_quantile(quantile) as f64);
    json!({
        "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999),
        "max": round(times.max() as f64), "mean": round(times.mean()),
    })
}
