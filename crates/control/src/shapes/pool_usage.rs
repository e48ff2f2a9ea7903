//! The greatest minutes of pools, and why something was refused, as the API writes them.

use serde::Serialize;
use store::{LimitStep, PeakMinute, PoolUse, RefusingLimit};
use utoipa::ToSchema;

use super::choice::{Bucket, Kind, Source};
use super::time::Time;

/// The greatest minutes of an organisation's pools.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolUsage {
    /// From this moment on: the beginning of a minute, or of a quarter of an hour or a day of UTC where nothing so fine is kept any more.
    from: Time,
    /// Before this moment: the end of one.
    to: Time,
    /// How long the elements of `series` are, where `bucket` was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<Bucket>,
    /// Of the whole organisation (`pool` is `null`) and of each pool requests and tokens.
    pools: Vec<PoolPeaks>,
}

/// What became of one pool, counted in one way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolPeaks {
    /// `model:ID`, `category:C` or `any`; `null`: the whole organisation.
    #[schema(required)]
    pool: Option<String>,
    /// What is counted.
    kind: Kind,
    /// Requests that this limit refused; of the whole organisation, that any limit of the kind did.
    refused: u64,
    /// The greatest minute of the whole span; `null`: nothing was used.
    #[schema(required)]
    peak: Option<Peak>,
    /// The greatest minute of each bucket; empty where none was asked. Those without use are left out.
    series: Vec<Peak>,
    /// What the limit was, oldest first and without gaps; empty where there was none.
    limits: Vec<LimitThen>,
}

/// The greatest minute of a span of time. A request counts with all its tokens in the minute in which it arrived, so that a peak may be above
/// what the limit let through in any minute.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Peak {
    /// When the span begins.
    start: Time,
    /// Requests, or input and output tokens, of that minute.
    peak: u64,
    /// When that minute begins.
    at: Time,
}

/// A limit's number in a span of time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LimitThen {
    /// From this moment on.
    from: Time,
    /// Before this moment.
    to: Time,
    /// How many units in a window; `null`: it was unlimited, or there was no such pool.
    #[schema(required)]
    limit: Option<u64>,
    /// The window in seconds.
    window_seconds: f64,
    /// Where the limit came from.
    source: Source,
    /// Whether it refused; `false`: it only recorded.
    enforce: bool,
}

/// Why requests were refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhyRefused {
    /// From this moment on.
    from: Time,
    /// Before this moment.
    to: Time,
    /// Requests answered in the same time.
    requests: u64,
    /// Requests refused.
    refused: u64,
    /// By which limits, those of most refusals first, at most eight.
    limits: Vec<Refusing>,
}

/// What one limit refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refusing {
    /// The pool.
    pool: String,
    /// What binds: requests, tokens or requests in progress.
    kind: Kind,
    /// Requests that it refused.
    refused: u64,
    /// When that began, to the minute; to the hour or day where the span is long.
    first: Time,
    /// When it ended.
    last: Time,
    /// The API keys that asked, those of most refusals first, at most eight.
    keys: Vec<RefusedKey>,
    /// The models that were asked for, likewise.
    models: Vec<RefusedModel>,
}

/// An API key that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedKey {
    /// Its id.
    key: String,
    /// How often.
    refused: u64,
}

/// A model that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedModel {
    /// Its id in the catalogue.
    model: String,
    /// How often.
    refused: u64,
}

impl From<store::PoolUsage> for PoolUsage {
    fn from(of: store::PoolUsage) -> Self {
        let pools = of.pools.into_iter().map(Into::into).collect();
        Self { from: Time(of.from), to: Time(of.to), bucket: of.bucket.map(Into::into), pools }
    }
}

impl From<PoolUse> for PoolPeaks {
    fn from(of: PoolUse) -> Self {
        let PoolUse { pool, kind, refused, peak, series, limits } = of;
        Self {
            pool: pool.map(|pool| pool.as_ref().into()),
            kind: kind.into(),
            refused,
            peak: peak.map(Into::into),
            series: series.into_iter().map(Into::into).collect(),
            limits: limits.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<PeakMinute> for Peak {
    fn from(of: PeakMinute) -> Self {
        Self { start: Time(of.start), peak: of.peak, at: Time(of.at) }
    }
}

impl From<LimitStep> for LimitThen {
    fn from(of: LimitStep) -> Self {
        let LimitStep { from, to, limit, window_us, enforce, source } = of;
        Self { from: Time(from), to: Time(to), limit, window_seconds: window_us as f64 / 1e6, source: source.into(), enforce }
    }
}

impl From<store::WhyRefused> for WhyRefused {
    fn from(of: store::WhyRefused) -> Self {
        let store::WhyRefused { from, to, requests, refused, limits } = of;
        Self { from: Time(from), to: Time(to), requests, refused, limits: limits.into_iter().map(Into::into).collect() }
    }
}

impl From<RefusingLimit> for Refusing {
    fn from(of: RefusingLimit) -> Self {
        let RefusingLimit { pool, kind, refused, first, last, keys, models } = of;
        Self {
            pool: pool.as_ref().into(),
            kind: kind.into(),
            refused,
            first: Time(first),
            last: Time(last),
            keys: keys.into_iter().map(|(key, refused)| RefusedKey { key: key.to_string(), refused }).collect(),
            models: models.into_iter().map(|(model, refused)| RefusedModel { model, refused }).collect(),
        }
    }
}
