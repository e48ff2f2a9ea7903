//! An API key as admission needs it, kept small: there may be a million.

use std::sync::Arc;

use domain::{ApiKeyHash, Key, KeyId, KeyLimits, ModelId, PoolLimits, RateLimitBody, UnixMicros};

use super::shards::Spread;
use crate::OrgEntry;

/// What few keys have.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyExtras {
    pub(crate) models: Option<Box<[ModelId]>>,
    pub(crate) pool: Option<Arc<PoolLimits>>,
    pub(crate) rate_limit_body: Option<RateLimitBody>,
}

impl KeyExtras {
    pub(crate) fn of(
        key: KeyId,
        models: Option<Vec<ModelId>>,
        limits: KeyLimits,
        rate_limit_body: Option<RateLimitBody>,
        window_us: u64,
    ) -> Self {
        let limits = limits.limits(window_us);
        let pool = (!limits.is_empty()).then(|| Arc::new(PoolLimits::of_key(key, limits)));
        Self { models: models.map(Vec::into_boxed_slice), pool, rate_limit_body }
    }

    fn is_empty(&self) -> bool {
        self.models.is_none() && self.pool.is_none() && self.rate_limit_body.is_none()
    }
}

/// An API key. Immutable: a change makes a new one.
#[derive(Clone)]
pub struct KeyEntry {
    pub(crate) id: KeyId,
    pub(crate) hash: ApiKeyHash,
    pub(crate) org: Arc<OrgEntry>,
    pub(crate) expires: i64,
    pub(crate) revoked: i64,
    pub(crate) extras: Option<Box<KeyExtras>>,
}

/// Stands for "never" where a moment is kept in eight bytes.
pub(crate) const NEVER: i64 = i64::MAX;

fn moment(us: i64) -> Option<UnixMicros> {
    (us != NEVER).then_some(UnixMicros(us))
}

impl KeyEntry {
    pub(crate) fn of(key: &Key, org: Arc<OrgEntry>, window_us: u64) -> Self {
        let extras = KeyExtras::of(key.id, key.models.clone(), key.limits, key.rate_limit_body, window_us);
        Self {
            id: key.id,
            hash: key.hash,
            org,
            expires: key.expires.map_or(NEVER, |at| at.0),
            revoked: key.revoked.map_or(NEVER, |at| at.0),
            extras: (!extras.is_empty()).then(|| Box::new(extras)),
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
        moment(self.expires)
    }

    /// When it was revoked.
    pub fn revoked(&self) -> Option<UnixMicros> {
        moment(self.revoked)
    }

    /// Whether it may be used: neither revoked nor expired, and its organisation not deleted.
    pub fn is_valid_at(&self, now: UnixMicros) -> bool {
        self.revoked == NEVER && now.0 < self.expires && !self.org.state().deleted
    }

    /// The only models it may use, by the catalogue's ids; `None`: all of the plan.
    pub fn models(&self) -> Option<&[ModelId]> {
        self.extras.as_ref().and_then(|extras| extras.models.as_deref())
    }

    /// Its own limits.
    pub fn pool(&self) -> Option<&Arc<PoolLimits>> {
        self.extras.as_ref().and_then(|extras| extras.pool.as_ref())
    }

    /// The shape of its 429s; `None`: the installation's.
    pub fn rate_limit_body(&self) -> Option<RateLimitBody> {
        self.extras.as_ref().and_then(|extras| extras.rate_limit_body)
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
