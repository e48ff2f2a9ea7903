//! How a pool's limit is shown to people and programs: the one shape of `/v1/limits` and the control API.

use std::sync::Arc;

use serde::Serialize;

use crate::{Kind, Source, UnixMicros};

/// One limit of one pool at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PoolView {
    /// `model:ID`, `category:C`, `any` or `key:key_…`; `signup:PLAN` for what organisations share.
    pub pool: Arc<str>,
    /// What is counted.
    pub kind: Kind,
    /// The window in seconds; `None` for `concurrent`.
    pub window_seconds: Option<f64>,
    /// How many units.
    pub limit: u64,
    /// Units logged in the window.
    pub used: u64,
    /// Units held for output that is still to come, or requests in progress.
    pub held: u64,
    /// What is free now.
    pub remaining: u64,
    /// When `used` reaches 0 if nothing more happens; `None` where it is 0 already.
    pub resets_at: Option<UnixMicros>,
    /// Where the limit comes from.
    pub source: Source,
    /// Whether it refuses or only records.
    pub enforce: bool,
}
