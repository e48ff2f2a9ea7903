//! Pools: what a row becomes once it belongs to an organisation, in the form that admission asks for.
//! Nothing here counts; the `limits` crate does.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{KeyId, PlanId, Selector};

/// 24 hours in microseconds, the window of `rpd` and `tpd`.
pub const DAY_US: u64 = 86_400_000_000;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Requests admitted in the window.
    Requests,
    /// Input and output tokens processed in the window.
    Tokens,
    /// Requests in progress.
    Concurrent,
}

impl Kind {
    /// The name as APIs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Concurrent => "concurrent",
        }
    }
}

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The organisation's plan.
    Plan,
    /// A custom agreement with the organisation.
    Custom,
    /// The API key's own lower limits.
    Key,
}

/// A pool's number within its organisation: the first eight bytes of the SHA-256 of its name, so that it is the same
/// on every node and after every restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub u64);

impl PoolId {
    /// The number of the pool of a key's own limits.
    pub fn of_key(key: KeyId) -> Self {
        Self::of(&PoolName::Key(key).text())
    }

    fn of(name: &str) -> Self {
        let digest = Sha256::digest(name.as_bytes());
        Self(digest.iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }
}

/// What a pool is called. That of a key's own limits is written out only where people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolName {
    /// `model:ID`, `category:C` or `any`; `signup:PLAN` for what organisations share.
    Row(Arc<str>),
    /// `key:key_…`
    Key(KeyId),
}

impl PoolName {
    /// The name as it is written.
    pub fn text(&self) -> Arc<str> {
        match self {
            Self::Row(text) => Arc::clone(text),
            Self::Key(key) => format!("key:{key}").into(),
        }
    }
}

/// One limit: `n` units of `kind` in any window of `window_us` microseconds (0 for `Concurrent`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimit {
    /// What is counted.
    pub kind: Kind,
    /// The window in microseconds; 0 for `Concurrent`.
    pub window_us: u64,
    /// How many units.
    pub n: u64,
}

impl PoolLimit {
    pub(crate) fn list(
        rpm: Option<u64>,
        tpm: Option<u64>,
        rpd: Option<u64>,
        tpd: Option<u64>,
        concurrent: Option<u64>,
        window_us: u64,
    ) -> Vec<Self> {
        let one = |n: Option<u64>, kind, window_us| n.map(|n| Self { kind, window_us, n });
        [
            one(rpm, Kind::Requests, window_us),
            one(tpm, Kind::Tokens, window_us),
            one(rpd, Kind::Requests, DAY_US),
            one(tpd, Kind::Tokens, DAY_US),
            one(concurrent, Kind::Concurrent, 0),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A pool with its limits, as admission asks for them. Immutable and shared.
#[derive(Clone, Debug)]
pub struct PoolLimits {
    /// What it is called.
    pub name: PoolName,
    /// The name as a number.
    pub id: PoolId,
    /// Where the limits come from.
    pub source: Source,
    /// Whether the limits refuse or only record.
    pub enforce: bool,
    /// The limits, at most five.
    pub limits: Box<[PoolLimit]>,
}

impl PoolLimits {
    /// The pool of a plan's or a custom row.
    pub fn of_selector(selector: &Selector, source: Source, enforce: bool, limits: Vec<PoolLimit>) -> Self {
        let name = selector.to_string();
        Self { id: PoolId::of(&name), name: PoolName::Row(name.into()), source, enforce, limits: limits.into() }
    }

    /// The pool that all organisations on the plan of whoever signs up share.
    pub fn of_sign_up(plan: &PlanId, limit: PoolLimit) -> Self {
        let name = format!("signup:{}", plan.as_str());
        Self { id: PoolId::of(&name), name: PoolName::Row(name.into()), source: Source::Plan, enforce: true, limits: [limit].into() }
    }

    /// The pool of a key's own limits; `id` is [`PoolId::of_key`] of the key.
    pub fn of_key(key: KeyId, id: PoolId, limits: Vec<PoolLimit>) -> Self {
        Self { id, name: PoolName::Key(key), source: Source::Key, enforce: true, limits: limits.into() }
    }
}
