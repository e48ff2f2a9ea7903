//! Organisations, their keys, and custom limits as dated facts.

use serde::{Deserialize, Serialize};

use crate::{ApiKeyHash, KeyId, LimitRow, ModelId, OrgId, PlanId, PoolLimit, RateLimitBody, UnixMicros};

/// A custom limit: it replaces the plan's row of the same selector while it is valid, and survives plan changes.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomLimit {
    /// The row.
    pub row: LimitRow,
    /// Valid from this moment; `None`: always was.
    pub from: Option<UnixMicros>,
    /// Valid until before this moment; `None`: for good.
    pub until: Option<UnixMicros>,
    /// Why it was agreed, for people.
    pub reason: Option<String>,
}

impl CustomLimit {
    /// Whether it holds at `now`: `from` inclusive, `until` exclusive.
    pub fn is_valid_at(&self, now: UnixMicros) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// An organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// What people call it.
    pub name: String,
    /// The plan bought.
    pub plan: PlanId,
    /// The plan in force: the same, but for late payment.
    pub effective_plan: PlanId,
    /// Custom limits, at most one a selector at any moment.
    pub custom: Vec<CustomLimit>,
    /// When it was made.
    pub created: UnixMicros,
}

/// A key's own limits, below its organisation's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLimits {
    /// Requests a minute over all models.
    pub rpm: Option<u64>,
    /// Tokens a minute over all models.
    pub tpm: Option<u64>,
}

impl KeyLimits {
    /// The limits as a pool's. `window_us` is the installation's window.
    pub fn limits(self, window_us: u64) -> Vec<PoolLimit> {
        PoolLimit::list(self.rpm, self.tpm, None, None, None, window_us)
    }
}

/// An API key without its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Its public name.
    pub id: KeyId,
    /// The organisation it speaks for.
    pub org: OrgId,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: ApiKeyHash,
    /// The secret's first characters, to tell keys apart.
    pub prefix: String,
    /// Refused from this moment on.
    pub expires: Option<UnixMicros>,
    /// The only models it may use; `None`: all of the plan.
    pub models: Option<Vec<ModelId>>,
    /// Its own limits.
    pub limits: KeyLimits,
    /// The shape of its 429s; `None`: the installation's.
    pub rate_limit_body: Option<RateLimitBody>,
    /// When it was made.
    pub created: UnixMicros,
    /// When it was revoked.
    pub revoked: Option<UnixMicros>,
    /// Refused until it is enabled again.
    pub disabled: bool,
}
