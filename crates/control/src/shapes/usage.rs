//! Usage as the API writes it: totals and a series.

use serde::Serialize;
use store::{Group, GroupBy, Histogram, SeriesRow, UsageCounters, Used};
use utoipa::ToSchema;

use super::amount::Amount;
use super::choice::Bucket;
use super::time::Time;
use crate::csv::Csv;

/// What was used.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct UsageTotals {
    /// Requests answered: 2xx, even if partly delivered.
    requests: u64,
    /// Requests refused by a pool.
    refused: u64,
    /// Requests that a limit with `enforce = false` would have refused; `refused` has none of them.
    would_have_been_refused: u64,
    /// Admitted requests without an answer, a passed-on provider's 4xx among them.
    failed: u64,
    /// Requests that one target answered after another had failed; `requests` has them.
    recovered: u64,
    /// Input tokens, cached ones included.
    input_tokens: u64,
    /// Output tokens, reasoning included.
    output_tokens: u64,
    /// Input tokens that the provider had cached.
    cached_tokens: u64,
    /// Output tokens that the provider counted as reasoning.
    reasoning_tokens: u64,
    /// Cost at the catalogue's prices of the time.
    cost: Amount,
    /// Half of the answers had a first byte of their body after so many milliseconds, within a sixteenth. Absent where it wasn't asked for
    /// (`times`) or there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_p50_ms: Option<f64>,
    /// The same of 95 in a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_p95_ms: Option<f64>,
    /// Half of the answers had ended after so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_p50_ms: Option<f64>,
    /// The same of 95 in a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_p95_ms: Option<f64>,
}

impl From<Used> for UsageTotals {
    fn from(of: Used) -> Self {
        let UsageCounters {
            requests,
            refused,
            would_have_been_refused,
            failed,
            recovered,
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            cost,
        } = of.counters;
        let ms = |histogram: &Histogram, percent| histogram.percentile(percent).map(|us| us as f64 / 1e3);
        Self {
            requests,
            refused,
            would_have_been_refused,
            failed,
            recovered,
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            cost: Amount(cost),
            first_byte_p50_ms: ms(&of.times.first_byte, 50),
            first_byte_p95_ms: ms(&of.times.first_byte, 95),
            duration_p50_ms: ms(&of.times.duration, 50),
            duration_p95_ms: ms(&of.times.duration, 95),
        }
    }
}

/// One element of a series. Of `model`, `key`, `category`, `provider`, `status`, `outcome`, `pool` and `limit` it has the one that was asked for.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct UsagePoint {
    /// When the bucket begins; absent where none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Time>,
    /// The catalogue's model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Option<String>>,
    /// The API key's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Option<String>>,
    /// The model's size category; `null`: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Option<String>>,
    /// The provider that answered or was tried last; `null`: none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Option<String>>,
    /// The HTTP status that the client was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Option<u16>>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Option<String>>,
    /// The pool that it counted in, or that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<Option<String>>,
    /// Which limit refused it: its pool and what that counts; `null`: none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Option<String>>,
    /// `true` where this is all that has no element of its own (`top`).
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<bool>,
    /// Requests answered: 2xx, even if partly delivered.
    requests: u64,
    /// Requests refused by a pool.
    refused: u64,
    /// Requests that a limit with `enforce = false` would have refused; `refused` has none of them.
    would_have_been_refused: u64,
    /// Admitted requests without an answer, a passed-on provider's 4xx among them.
    failed: u64,
    /// Requests that one target answered after another had failed; `requests` has them.
    recovered: u64,
    /// Input tokens, cached ones included.
    input_tokens: u64,
    /// Output tokens, reasoning included.
    output_tokens: u64,
    /// Input tokens that the provider had cached.
    cached_tokens: u64,
    /// Output tokens that the provider counted as reasoning.
    reasoning_tokens: u64,
    /// Cost at the catalogue's prices of the time.
    cost: Amount,
    /// Half of the answers had a first byte of their body after so many milliseconds, within a sixteenth. Absent where it wasn't asked for
    /// (`times`) or there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_p50_ms: Option<f64>,
    /// The same of 95 in a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_p95_ms: Option<f64>,
    /// Half of the answers had ended after so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_p50_ms: Option<f64>,
    /// The same of 95 in a hundred.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_p95_ms: Option<f64>,
}

impl From<UsageTotals> for UsagePoint {
    fn from(of: UsageTotals) -> Self {
        let UsageTotals {
            requests,
            refused,
            would_have_been_refused,
            failed,
            recovered,
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            cost,
            first_byte_p50_ms,
            first_byte_p95_ms,
            duration_p50_ms,
            duration_p95_ms,
        } = of;
        Self {
            requests,
            refused,
            would_have_been_refused,
            failed,
            recovered,
            input_tokens,
            output_tokens,
            cached_tokens,
            reasoning_tokens,
            cost,
            first_byte_p50_ms,
            first_byte_p95_ms,
            duration_p50_ms,
            duration_p95_ms,
            ..Self::default()
        }
    }
}

impl From<SeriesRow> for UsagePoint {
    fn from(row: SeriesRow) -> Self {
        let counted = Self { start: row.start.map(Time), ..UsageTotals::from(row.used).into() };
        let Some((by, group)) = row.group else { return counted };
        let (of, others) = match group {
            Group::Of(of) => (of, None),
            Group::Others => (None, Some(true)),
        };
        let counted = Self { others, ..counted };
        match by {
            GroupBy::Model => Self { model: Some(of), ..counted },
            GroupBy::Key => Self { key: Some(of), ..counted },
            GroupBy::Category => Self { category: Some(of), ..counted },
            GroupBy::Provider => Self { provider: Some(of), ..counted },
            GroupBy::Status => Self { status: Some(of.and_then(|s| s.parse().ok())), ..counted },
            GroupBy::Outcome => Self { outcome: Some(of), ..counted },
            GroupBy::Pool => Self { pool: Some(of), ..counted },
            GroupBy::Limit => Self { limit: Some(of), ..counted },
        }
    }
}

/// An organisation's usage in a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// From this moment on. Where nothing so fine is kept any more (`[retention]`) it lies before the one that was asked for, at the beginning of
    /// a minute, a quarter of an hour or a day of UTC.
    from: Time,
    /// Before this moment; it lies after the one that was asked for in the same case.
    to: Time,
    /// How long the elements are, where `bucket` was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<Bucket>,
    /// Over the whole span.
    totals: UsageTotals,
    /// By bucket, then by group; spans and groups without any use are left out; empty where neither was asked.
    series: Vec<UsagePoint>,
    /// The span of the same length before, where it was asked for (`compare`).
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<PreviousUsage>,
}

/// The usage of the span before.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviousUsage {
    /// From this moment on.
    from: Time,
    /// Before this moment.
    to: Time,
    /// Over all of it.
    totals: UsageTotals,
}

impl From<store::Usage> for Usage {
    fn from(of: store::Usage) -> Self {
        let previous = of.previous.map(|of| PreviousUsage { from: Time(of.from), to: Time(of.to), totals: of.totals.into() });
        Self {
            from: Time(of.from),
            to: Time(of.to),
            bucket: of.bucket.map(Into::into),
            totals: of.totals.into(),
            series: of.series.into_iter().map(Into::into).collect(),
            previous,
        }
    }
}

const COUNTED: [&str; 14] = [
    "requests",
    "refused",
    "would_have_been_refused",
    "failed",
    "recovered",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost",
    "first_byte_p50_ms",
    "first_byte_p95_ms",
    "duration_p50_ms",
    "duration_p95_ms",
];

impl Usage {
    /// The series as a table; where none was asked the totals.
    pub(crate) fn csv(self, group_by: Option<GroupBy>) -> Csv {
        let split = self.bucket.map(|_| "start").into_iter().chain(group_by.map(GroupBy::as_str));
        let header: Vec<_> = split.chain(group_by.map(|_| "others")).chain(COUNTED).collect();
        let points = if self.bucket.is_none() && group_by.is_none() { vec![self.totals.into()] } else { self.series };
        let mut csv = Csv::new(&header);
        points.iter().for_each(|point| csv.row(point));
        csv
    }
}
