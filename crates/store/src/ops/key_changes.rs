//! What becomes of API keys: disabled and enabled, replaced by new ones beside which they live on for a while, revoked.

use domain::{ApiKey, Key, KeyId, OrgId, UnixMicros};
use serde_json::json;

use super::input;
use super::keys::{TooManyKeys, insert, note};
use crate::sql::{self, Database};
use crate::{Actor, DatabaseFault, ErrorClass, InvalidInput, KeyInfo, NewKey, OperationError, Store, caps};

/// Why a key can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeKeyError {
    /// The organisation has no key of this id.
    #[error("there is no key {0} of this organisation")]
    NotFound(KeyId),
    /// It was revoked or has expired.
    #[error("the key {0} was revoked or has expired; make a new one")]
    Over(KeyId),
    /// It is disabled.
    #[error("the key {0} is disabled; enable it before it is replaced, or make a new one")]
    Disabled(KeyId),
    /// The organisation has as many keys as it may.
    #[error(transparent)]
    TooMany(#[from] TooManyKeys),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for ChangeKeyError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Over(_) | Self::Disabled(_) | Self::TooMany(_) => ErrorClass::Conflict,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Disables a key, which is refused from the next request on, or enables it again.
    pub async fn set_key_disabled(&self, actor: Actor, org: OrgId, id: KeyId, disabled: bool) -> Result<KeyInfo, ChangeKeyError> {
        self.turn(move |inner| async move {
            let entry = inner.live_org(org).ok_or(ChangeKeyError::NotFound(id))?;
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let info = sql::keys::get(&mut transaction, org, id).await?.ok_or(ChangeKeyError::NotFound(id))?;
            if info.key.disabled == disabled {
                return Ok(info);
            }
            let mut key = usable(info.key, now)?;
            let changed = json!({"disabled": {"before": key.disabled, "after": disabled}});
            key.disabled = disabled;
            sql::keys::update(&mut transaction, &key).await?;
            note(&mut transaction, actor, if disabled { "key.disable" } else { "key.enable" }, &key, now, changed).await?;
            Database::commit(transaction).await?;
            inner.publish_keys(&entry, &[&key]);
            Ok(KeyInfo { key, ..info })
        })
        .await
    }

    /// Makes a key with everything that this one has but its secret and its pool, and lets this one expire after `overlap_s` seconds.
    pub async fn rotate_key(&self, actor: Actor, org: OrgId, id: KeyId, overlap_s: u64) -> Result<(Key, ApiKey), ChangeKeyError> {
        self.turn(move |inner| async move {
            let entry = inner.live_org(org).ok_or(ChangeKeyError::NotFound(id))?;
            let now = inner.now().wall;
            let overlap_s = i64::try_from(overlap_s).ok().filter(|seconds| *seconds <= caps::MAX_OVERLAP_S).ok_or_else(|| {
                input::fault("overlap_seconds", format!("overlap_seconds may be {} at most, which are 30 days", caps::MAX_OVERLAP_S))
            })?;
            let mut transaction = inner.database.begin().await?;
            let info = sql::keys::get(&mut transaction, org, id).await?.ok_or(ChangeKeyError::NotFound(id))?;
            let mut old = usable(info.key, now)?;
            if old.disabled {
                return Err(ChangeKeyError::Disabled(id));
            }
            let new = NewKey {
                name: old.name.clone(),
                expires: old.expires,
                models: old.models.clone(),
                limits: old.limits,
                rate_limit_body: old.rate_limit_body,
            };
            let (new, secret) = inner.key_of(org, new, now);
            let end = UnixMicros(now.0 + overlap_s * 1_000_000);
            let end = old.expires.map_or(end, |expires| expires.min(end));
            let changed = json!({"replaced_by": new.id, "expires": {"before": old.expires, "after": end}});
            old.expires = Some(end);
            sql::keys::update(&mut transaction, &old).await?;
            insert(&mut transaction, &new, actor, now).await??;
            note(&mut transaction, actor, "key.rotate", &old, now, changed).await?;
            Database::commit(transaction).await?;
            inner.publish_keys(&entry, &[&old, &new]);
            Ok((new, secret))
        })
        .await
    }

    /// Revokes a key: refused from the next request on. Revoking it again changes nothing.
    pub async fn revoke_key(&self, actor: Actor, org: OrgId, key: KeyId) -> Result<Key, ChangeKeyError> {
        self.turn(move |inner| async move {
            let entry = inner.live_org(org).ok_or(ChangeKeyError::NotFound(key))?;
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let found = sql::keys::get(&mut transaction, org, key).await?;
            let mut key = found.ok_or(ChangeKeyError::NotFound(key))?.key;
            if key.revoked.is_some() {
                return Ok(key);
            }
            key.revoked = Some(now);
            sql::keys::update(&mut transaction, &key).await?;
            note(&mut transaction, actor, "key.revoke", &key, now, json!({"revoked": {"before": null, "after": now}})).await?;
            Database::commit(transaction).await?;
            inner.publish_keys(&entry, &[&key]);
            Ok(key)
        })
        .await
    }
}

/// The key, if it was not revoked and has not expired.
fn usable(key: Key, now: UnixMicros) -> Result<Key, ChangeKeyError> {
    let is_over = key.revoked.is_some() || key.expires.is_some_and(|expires| expires <= now);
    if is_over { Err(ChangeKeyError::Over(key.id)) } else { Ok(key) }
}
