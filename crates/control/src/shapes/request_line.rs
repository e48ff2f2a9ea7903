//! A request as one flat line, for tables and exports. `tidegate replay` reads such lines.

use serde::Serialize;
use store::RequestStory;

use super::amount::Amount;
use super::choice::{Category, Kind};
use super::time::Time;

/// The columns of a table of requests.
pub(crate) const COLUMNS: [&str; 32] = [
    "id",
    "at",
    "org",
    "key",
    "plan",
    "model",
    "category",
    "pool",
    "decision",
    "requests",
    "end",
    "status",
    "provider",
    "endpoint",
    "stream",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "counted",
    "cost",
    "attempts",
    "recovered",
    "waited_ms",
    "first_byte_ms",
    "duration_ms",
    "limit_kind",
    "limit",
    "used",
    "held",
    "requested",
    "retry_after_ms",
];

/// One line. What doesn't apply is absent.
#[derive(Debug, Default, Serialize)]
pub(crate) struct RequestLine {
    id: String,
    at: Option<Time>,
    org: String,
    key: String,
    plan: String,
    model: String,
    category: Option<Category>,
    pool: String,
    decision: &'static str,
    /// How many it stands for: refusals of one second are one line.
    requests: u64,
    #[serde(flatten)]
    admitted: Option<Admitted>,
    #[serde(flatten)]
    refused: Option<Refused>,
}

#[derive(Debug, Serialize)]
struct Admitted {
    end: &'static str,
    status: u16,
    provider: Option<String>,
    endpoint: &'static str,
    stream: bool,
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
    counted: &'static str,
    cost: Amount,
    attempts: u32,
    recovered: bool,
    waited_ms: u64,
    first_byte_ms: u64,
    duration_ms: u64,
}

#[derive(Debug, Serialize)]
struct Refused {
    status: u16,
    limit_kind: Kind,
    limit: u64,
    used: u64,
    held: u64,
    requested: u64,
    retry_after_ms: Option<u64>,
}

impl RequestLine {
    /// The line of a request.
    pub(crate) fn of(story: RequestStory) -> Self {
        let refused: u64 = story.refusals.iter().map(|told| told.refused).sum();
        let ms = |us: u64| us.div_ceil(1_000);
        if let Some(of) = story.usage {
            let recovered = of.is_recovered();
            return Self {
                id: of.request.to_string(),
                at: Some(Time(of.at)),
                org: of.org.to_string(),
                key: of.key.to_string(),
                plan: of.plan.as_str().into(),
                model: of.model.as_str().into(),
                category: of.category.map(Into::into),
                pool: of.pool.as_ref().into(),
                decision: "admitted",
                requests: 1,
                admitted: Some(Admitted {
                    end: of.outcome.as_str(),
                    status: of.status,
                    provider: of.provider.map(|name| name.as_str().into()),
                    endpoint: of.endpoint.as_str(),
                    stream: of.stream,
                    input_tokens: of.tokens.input,
                    output_tokens: of.tokens.output,
                    cached_tokens: of.tokens.cached,
                    reasoning_tokens: of.tokens.reasoning,
                    counted: of.counted.as_str(),
                    cost: Amount(of.cost),
                    attempts: of.attempts,
                    recovered,
                    waited_ms: ms(of.waited_us),
                    first_byte_ms: ms(of.first_byte_us),
                    duration_ms: ms(of.duration_us),
                }),
                refused: None,
            };
        }
        let Some(told) = story.refusals.into_iter().next() else { return Self::default() };
        let of = told.event;
        Self {
            id: of.request.to_string(),
            at: Some(Time(of.at)),
            org: of.org.to_string(),
            key: of.key.to_string(),
            plan: of.plan.as_str().into(),
            model: of.model.as_str().into(),
            category: of.category.map(Into::into),
            pool: of.pool.as_ref().into(),
            decision: "refused",
            requests: refused,
            admitted: None,
            refused: Some(Refused {
                status: 429,
                limit_kind: of.kind.into(),
                limit: of.limit,
                used: of.used,
                held: of.held,
                requested: of.requested,
                retry_after_ms: of.retry_after_ms,
            }),
        }
    }
}
