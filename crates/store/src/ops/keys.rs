//! API keys: made (the secret is shown once), listed, revoked.

use std::sync::Arc;

use domain::{ApiKey, Key, KeyId, KeyLimits, ModelId, OrgId, RateLimitBody, UnixMicros};
use serde_json::json;

use super::input;
use crate::directory::KeyPool;
use crate::sql::audit::NewEntry;
use crate::sql::{self, Database};
use crate::store::Inner;
use crate::{
    Actor, DatabaseFault, ErrorClass, InvalidInput, KeyEntry, ListError, OperationError, OrgState, Page, PageRequest, Store, caps,
};

/// A new key.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// Refused from this moment on.
    pub expires: Option<UnixMicros>,
    /// The only models it may use, by id or alias; `None`: all of the plan.
    pub models: Option<Vec<ModelId>>,
    /// Its own limits.
    pub limits: KeyLimits,
    /// The shape of its 429s; `None`: the installation's.
    pub rate_limit_body: Option<RateLimitBody>,
}

/// Why a key can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The organisation has as many keys as it may.
    #[error("the organisation has {most} keys in use already; revoke those that nobody uses")]
    TooMany {
        /// How many it may have.
        most: usize,
    },
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why a key can't be revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeKeyError {
    /// The organisation has no key of this id.
    #[error("there is no key {0} of this organisation")]
    NotFound(KeyId),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for CreateKeyError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::TooMany { .. } => ErrorClass::Conflict,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for RevokeKeyError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Makes a key. The secret is returned this once and not kept.
    pub async fn create_key(&self, actor: Actor, org: OrgId, new: NewKey) -> Result<(Key, ApiKey), CreateKeyError> {
        self.turn(move |inner| async move {
            let entry = inner.live_org(org).ok_or(CreateKeyError::NotFound(org))?;
            let now = inner.now().wall;
            let (key, secret) = inner.new_key(org, new, now)?;
            let mut transaction = inner.database.begin().await?;
            if sql::keys::count_valid(&mut transaction, org, now).await? >= caps::MAX_KEYS_PER_ORG as u64 {
                return Err(CreateKeyError::TooMany { most: caps::MAX_KEYS_PER_ORG });
            }
            sql::keys::insert(&mut transaction, &key).await?;
            note(&mut transaction, actor, "key.create", &key, now).await?;
            Database::commit(transaction).await?;
            let key_entry = KeyEntry::of((&key).into(), Arc::clone(&entry), inner.window_us);
            if let Some(added) = KeyPool::of(&key_entry) {
                let state = OrgState::clone(&entry.state());
                let key_pools = state.key_pools.iter().filter(|old| old.is_valid_at(now)).cloned().chain([added]).collect();
                entry.set_state(OrgState { key_pools, ..state });
            }
            inner.directory.put_key(key_entry);
            Ok((key, secret))
        })
        .await
    }

    /// A page of an organisation's keys, revoked and expired ones included, oldest first.
    pub async fn list_keys(&self, org: OrgId, page: &PageRequest) -> Result<Page<Key>, ListError> {
        self.inner.live_org(org).ok_or(ListError::NoOrg(org))?;
        let after = page.position()?;
        let found = sql::keys::page(&self.inner.database.reads, org, after, page.size() + 1).await?;
        Ok(Page::of(found, page, |key| key.id.to_string()))
    }

    /// Revokes a key: refused from the next request on. Revoking it again changes nothing.
    pub async fn revoke_key(&self, actor: Actor, org: OrgId, key: KeyId) -> Result<Key, RevokeKeyError> {
        self.turn(move |inner| async move {
            let entry = inner.live_org(org).ok_or(RevokeKeyError::NotFound(key))?;
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let mut key = sql::keys::get(&mut transaction, org, key).await?.ok_or(RevokeKeyError::NotFound(key))?;
            if key.revoked.is_some() {
                return Ok(key);
            }
            key.revoked = Some(now);
            sql::keys::revoke(&mut transaction, org, key.id, now).await?;
            note(&mut transaction, actor, "key.revoke", &key, now).await?;
            Database::commit(transaction).await?;
            let state = OrgState::clone(&entry.state());
            let key_pools = state.key_pools.iter().filter(|old| old.limits.key() != key.id).cloned().collect();
            entry.set_state(OrgState { key_pools, ..state });
            inner.directory.put_key(KeyEntry::of((&key).into(), entry, inner.window_us));
            Ok(key)
        })
        .await
    }
}

impl Inner {
    fn new_key(&self, org: OrgId, new: NewKey, now: UnixMicros) -> Result<(Key, ApiKey), InvalidInput> {
        let name = input::name("name", &new.name)?;
        input::expires(new.expires, now)?;
        input::key_limits(new.limits)?;
        let models = new.models.map(|models| input::key_models(&self.directory.catalogue_now(), models)).transpose()?;
        let secret = ApiKey::generate(self.entropy.as_ref());
        let key = Key {
            id: KeyId::generate(now, self.entropy.as_ref()),
            org,
            name,
            hash: secret.hash(),
            prefix: secret.prefix().into(),
            expires: new.expires,
            models,
            limits: new.limits,
            rate_limit_body: new.rate_limit_body,
            created: now,
            revoked: None,
        };
        Ok((key, secret))
    }
}

async fn note(connection: &mut sql::Connection, actor: Actor, action: &str, key: &Key, at: UnixMicros) -> Result<(), DatabaseFault> {
    let details = json!({"org": key.org, "name": key.name, "expires": key.expires, "models": key.models, "limits": key.limits});
    sql::audit::insert(connection, NewEntry { at, actor, action, subject: &key.id.to_string(), details }).await
}
