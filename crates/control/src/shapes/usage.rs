//! Usage as the API writes it: totals and a series.

use serde::Serialize;
use store::{GroupBy, SeriesRow, UsageCounters};
use utoipa::ToSchema;

use super::amount::Amount;
use super::time::Time;

/// What was used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageTotals {
    /// Requests answered: 2xx, even if partly delivered.
    requests: u64,
    /// Requests refused by a pool.
    refused: u64,
    /// Requests that a limit with `enforce = false` would have refused; `refused` has none of them.
    would_have_been_refused: u64,
    /// Admitted requests without an answer, a passed-on provider's 4xx among them.
    failed: u64,
    /// Input tokens, cached ones included.
    input_tokens: u64,
    /// Output tokens.
    output_tokens: u64,
    /// Input tokens that the provider had cached.
    cached_tokens: u64,
    /// Cost at the catalogue's prices of the time.
    cost: Amount,
}

impl From<UsageCounters> for UsageTotals {
    fn from(of: UsageCounters) -> Self {
        let UsageCounters { requests, refused, would_have_been_refused, failed, input_tokens, output_tokens, cached_tokens, cost } = of;
        let cost = Amount(cost);
        Self { requests, refused, would_have_been_refused, failed, input_tokens, output_tokens, cached_tokens, cost }
    }
}

/// One element of a series. Of `model`, `key`, `category`, `provider` and `status` it has the one that was asked for.
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
    /// Requests answered.
    requests: u64,
    /// Requests refused by a pool.
    refused: u64,
    /// Requests that a limit with `enforce = false` would have refused; `refused` has none of them.
    would_have_been_refused: u64,
    /// Admitted requests without an answer.
    failed: u64,
    /// Input tokens.
    input_tokens: u64,
    /// Output tokens.
    output_tokens: u64,
    /// Input tokens that the provider had cached.
    cached_tokens: u64,
    /// Cost.
    cost: Amount,
}

impl From<SeriesRow> for UsagePoint {
    fn from(row: SeriesRow) -> Self {
        let UsageTotals { requests, refused, would_have_been_refused, failed, input_tokens, output_tokens, cached_tokens, cost } =
            row.counters.into();
        let counted = Self {
            start: row.start.map(Time),
            requests,
            refused,
            would_have_been_refused,
            failed,
            input_tokens,
            output_tokens,
            cached_tokens,
            cost,
            ..Self::default()
        };
        match row.group {
            None => counted,
            Some((GroupBy::Model, model)) => Self { model: Some(model), ..counted },
            Some((GroupBy::Key, key)) => Self { key: Some(key), ..counted },
            Some((GroupBy::Category, category)) => Self { category: Some(category), ..counted },
            Some((GroupBy::Provider, provider)) => Self { provider: Some(provider), ..counted },
            Some((GroupBy::Status, status)) => Self { status: Some(status.and_then(|s| s.parse().ok())), ..counted },
        }
    }
}

/// An organisation's usage in a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    /// From this moment on.
    from: Time,
    /// Before this moment.
    to: Time,
    /// Over the whole span.
    totals: UsageTotals,
    /// By bucket, then by group; spans and groups without any use are left out; empty where neither was asked.
    series: Vec<UsagePoint>,
}

impl From<store::Usage> for Usage {
    fn from(of: store::Usage) -> Self {
        let series = of.series.into_iter().map(Into::into).collect();
        Self { from: Time(of.from), to: Time(of.to), totals: of.totals.into(), series }
    }
}
