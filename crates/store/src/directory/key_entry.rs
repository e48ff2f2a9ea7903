//! An API key as admission needs it, kept small: there may be a million. What few keys have stands apart.

use std::sync::Arc;

use domain::{ApiKeyHash, Key, KeyId, KeyLimits, ModelId, PoolId, PoolLimits, RateLimitBody, UnixMicros};

use super::shards::Spread;
use crate::OrgEntry;

/// What few keys have.
#[derive(Debug, Default)]
struct Rare {
    models: Option<Box<[ModelId]>>,
    rate_limit_body: Option<RateLimitBody>,
    revoked: Option<UnixMicros>,
    disabled: bool,
}

/// A key's own limits: the numbers of which its pool is made when it is asked for.
#[derive(Clone, Copy)]
struct OwnLimits {
    /// Known, since it costs a hash. Means nothing where there are no limits.
    pool: PoolId,
    rpm: u64,
    tpm: u64,
}

/// Stands for no limit where a number is kept in eight bytes. No limit's number is so high.
const NO_LIMIT: u64 = u64::MAX;

impl OwnLimits {
    fn of(key: KeyId, limits: KeyLimits) -> Self {
        let KeyLimits { rpm, tpm } = limits;
        let pool = if rpm.is_some() || tpm.is_some() { PoolId::of_key(key) } else { PoolId(0) };
        Self { pool, rpm: rpm.unwrap_or(NO_LIMIT), tpm: tpm.unwrap_or(NO_LIMIT) }
    }

    fn are_none(self) -> bool {
        self.rpm == NO_LIMIT && self.tpm == NO_LIMIT
    }

    fn pool(self, key: KeyId, window_us: u64) -> PoolLimits {
        let [rpm, tpm] = [self.rpm, self.tpm].map(|n| (n != NO_LIMIT).then_some(n));
        PoolLimits::of_key(key, self.pool, KeyLimits { rpm, tpm }.limits(window_us))
    }
}

/// An API key. Immutable: a change makes a new one. A copy costs little.
#[derive(Clone)]
pub struct KeyEntry {
    id: KeyId,
    hash: ApiKeyHash,
    org: Arc<OrgEntry>,
    expires: i64,
    limits: OwnLimits,
    rare: Option<Arc<Rare>>,
}

/// Stands for "never" where a moment is kept in eight bytes.
const NEVER: i64 = i64::MAX;

/// What makes a key's entry.
pub(crate) struct KeyParts {
    pub(crate) id: KeyId,
    pub(crate) hash: ApiKeyHash,
    pub(crate) expires: Option<UnixMicros>,
    pub(crate) revoked: Option<UnixMicros>,
    pub(crate) disabled: bool,
    pub(crate) models: Option<Vec<ModelId>>,
    pub(crate) limits: KeyLimits,
    pub(crate) rate_limit_body: Option<RateLimitBody>,
}

impl From<&Key> for KeyParts {
    fn from(key: &Key) -> Self {
        Self {
            id: key.id,
            hash: key.hash,
            expires: key.expires,
            revoked: key.revoked,
            disabled: key.disabled,
            models: key.models.clone(),
            limits: key.limits,
            rate_limit_body: key.rate_limit_body,
        }
    }
}

impl KeyEntry {
    pub(crate) fn of(parts: KeyParts, org: Arc<OrgEntry>) -> Self {
        let KeyParts { id, hash, expires, revoked, disabled, models, limits, rate_limit_body } = parts;
        let is_plain = models.is_none() && rate_limit_body.is_none() && revoked.is_none() && !disabled;
        Self {
            id,
            hash,
            org,
            expires: expires.map_or(NEVER, |at| at.0),
            limits: OwnLimits::of(id, limits),
            rare: (!is_plain).then(|| Arc::new(Rare { models: models.map(Vec::into_boxed_slice), rate_limit_body, revoked, disabled })),
        }
    }

    /// Its public name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// SHA-256 of its secret.
    pub fn hash(&self) -> &ApiKeyHash {
        &self.hash
    }

    /// The organisation it speaks for.
    pub fn org(&self) -> &Arc<OrgEntry> {
        &self.org
    }

    /// Refused from this moment on.
    pub fn expires(&self) -> Option<UnixMicros> {
        (self.expires != NEVER).then_some(UnixMicros(self.expires))
    }

    /// When it was revoked.
    pub fn revoked(&self) -> Option<UnixMicros> {
        self.rare.as_ref().and_then(|rare| rare.revoked)
    }

    /// Whether it is refused until it is enabled again.
    pub fn is_disabled(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.disabled)
    }

    /// Whether it may be used: neither revoked, disabled nor expired, and its organisation not deleted.
    pub fn is_valid_at(&self, now: UnixMicros) -> bool {
        self.revoked().is_none() && !self.is_disabled() && now.0 < self.expires && !self.org.state().deleted
    }

    /// The only models it may use, by the catalogue's ids; `None`: all of the plan.
    pub fn models(&self) -> Option<&[ModelId]> {
        self.rare.as_ref().and_then(|rare| rare.models.as_deref())
    }

    /// Its own limits, as a pool.
    pub fn pool(&self) -> Option<PoolLimits> {
        (!self.limits.are_none()).then(|| self.limits.pool(self.id, self.org.window_us()))
    }

    /// How its organisation names it among those whose pools its views list: it has limits and isn't revoked.
    pub(crate) fn limited(&self) -> Option<Limited> {
        (!self.limits.are_none() && self.revoked().is_none()).then(|| Limited::of(&self.hash))
    }

    /// The shape of its 429s; `None`: the installation's.
    pub fn rate_limit_body(&self) -> Option<RateLimitBody> {
        self.rare.as_ref().and_then(|rare| rare.rate_limit_body)
    }
}

/// A key with limits, by the first bits of its hash: an organisation's list of them takes eight bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited(u64);

impl Limited {
    pub(crate) fn of(hash: &ApiKeyHash) -> Self {
        Self(KeyEntry::bits(hash))
    }

    /// Where the directory looks for it.
    pub(super) fn bits(self) -> u64 {
        self.0
    }
}

impl Spread for KeyEntry {
    type Id = ApiKeyHash;

    fn id(&self) -> &ApiKeyHash {
        &self.hash
    }

    fn bits(hash: &ApiKeyHash) -> u64 {
        hash.0.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_million_of_are_kept_is_small() {
        assert_eq!((size_of::<KeyEntry>(), size_of::<Limited>()), (96, 8));
    }
}
