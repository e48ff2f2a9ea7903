//! Pools' limits as the API writes them.

use domain::PoolView;
use serde::Serialize;
use utoipa::ToSchema;

use super::choice::{Kind, Source};
use super::time::Time;

/// One limit of one pool at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolLimit {
    /// `model:ID`, `category:C`, `any` or `key:key_…`; `signup:PLAN` for what organisations share.
    pool: String,
    /// What is counted.
    kind: Kind,
    /// The window in seconds; `null` for `concurrent`.
    #[schema(required)]
    window_seconds: Option<f64>,
    /// How many units.
    limit: u64,
    /// Units logged in the window.
    used: u64,
    /// Units held for output that is still to come, or requests in progress.
    held: u64,
    /// What is free now.
    remaining: u64,
    /// When `used` reaches 0 if nothing more happens; `null` where it is 0 already.
    #[schema(required)]
    resets_at: Option<Time>,
    /// Where the limit comes from.
    source: Source,
    /// Whether it refuses; `false`: it only records.
    enforce: bool,
}

impl PoolLimit {
    /// The limit as the pools show it.
    pub(crate) fn of(view: PoolView) -> Self {
        let PoolView { pool, kind, window_seconds, limit, used, held, remaining, resets_at, source, enforce } = view;
        let (pool, resets_at) = (pool.as_ref().into(), resets_at.map(Time));
        Self { pool, kind: kind.into(), window_seconds, limit, used, held, remaining, resets_at, source: source.into(), enforce }
    }
}
