//! API keys: made (the secret is shown once) and listed.

use std::sync::Arc;

use domain::{ApiKey, Key, KeyId, KeyLimits, ModelId, OrgId, RateLimitBody, UnixMicros};
use serde_json::json;

use super::input;
use crate::directory::Limited;
use crate::sql::audit::NewEntry;
use crate::sql::{self, Database};
use crate::store::Inner;
use crate::{
    Actor, DatabaseFault, ErrorClass, InvalidInput, KeyEntry, ListError, OperationError, OrgEntry, OrgState, Page, PageRequest, Store, caps,
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

/// A key with what is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyInfo {
    /// The key.
    pub key: Key,
    /// Who made it; `None`: it is older than that is kept.
    pub made_by: Option<Actor>,
    /// The minute of its last request, refused ones included; `None`: it was never used.
    pub last_used: Option<UnixMicros>,
}

/// The organisation has as many keys as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the organisation has {} keys in use already; revoke those that nobody uses", caps::MAX_KEYS_PER_ORG)]
pub struct TooManyKeys;

/// Why a key can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
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

impl OperationError for CreateKeyError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::TooMany(_) => ErrorClass::Conflict,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
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
            insert(&mut transaction, &key, actor, now).await??;
            note(&mut transaction, actor, "key.create", &key, now, json!({})).await?;
            Database::commit(transaction).await?;
            inner.publish_keys(&entry, &[&key]);
            Ok((key, secret))
        })
        .await
    }

    /// A page of an organisation's keys, revoked and expired ones included, oldest first.
    pub async fn list_keys(&self, org: OrgId, page: &PageRequest) -> Result<Page<KeyInfo>, ListError> {
        self.inner.live_org(org).ok_or(ListError::NoOrg(org))?;
        let after = page.position()?;
        let found = sql::keys::page(&self.inner.database.reads, org, after, page.size() + 1).await?;
        Ok(Page::of(found, page, |info| info.key.id.to_string()))
    }
}

impl Inner {
    /// Puts keys of one organisation in force as they are now.
    pub(super) fn publish_keys(&self, org: &Arc<OrgEntry>, keys: &[&Key]) {
        let now = self.now().wall;
        let entries: Vec<_> = keys.iter().map(|key| KeyEntry::of((*key).into(), Arc::clone(org))).collect();
        let changed: Vec<_> = keys.iter().map(|key| Limited::of(&key.hash)).collect();
        let added: Vec<_> = entries.iter().filter_map(KeyEntry::limited).collect();
        let state = OrgState::clone(&org.state());
        if !added.is_empty() || state.limited.iter().any(|key| changed.contains(key)) {
            let others = self.directory.limited_keys(org).into_iter().filter(|old| old.is_valid_at(now)).filter_map(|old| old.limited());
            let limited = others.filter(|old| !changed.contains(old)).chain(added).collect();
            org.set_state(OrgState { limited, ..state });
        }
        entries.into_iter().for_each(|entry| self.directory.put_key(entry));
    }

    fn new_key(&self, org: OrgId, new: NewKey, now: UnixMicros) -> Result<(Key, ApiKey), InvalidInput> {
        let name = input::name("name", &new.name)?;
        input::expires(new.expires, now)?;
        input::key_limits(new.limits)?;
        let models = new.models.map(|models| input::key_models(&self.directory.catalogue_now(), models)).transpose()?;
        Ok(self.key_of(org, NewKey { name, models, ..new }, now))
    }

    /// The key that was found sound.
    pub(super) fn key_of(&self, org: OrgId, new: NewKey, now: UnixMicros) -> (Key, ApiKey) {
        let secret = ApiKey::generate(self.entropy.as_ref());
        let key = Key {
            id: KeyId::generate(now, self.entropy.as_ref()),
            org,
            name: new.name,
            hash: secret.hash(),
            prefix: secret.prefix().into(),
            expires: new.expires,
            models: new.models,
            limits: new.limits,
            rate_limit_body: new.rate_limit_body,
            created: now,
            revoked: None,
            disabled: false,
        };
        (key, secret)
    }
}

/// Writes a new key, if the organisation may have one more.
pub(super) async fn insert(
    connection: &mut sql::Connection,
    key: &Key,
    by: Actor,
    now: UnixMicros,
) -> Result<Result<(), TooManyKeys>, DatabaseFault> {
    if sql::keys::count_valid(connection, key.org, now).await? >= caps::MAX_KEYS_PER_ORG as u64 {
        return Ok(Err(TooManyKeys));
    }
    sql::keys::insert(connection, key, by).await.map(Ok)
}

/// Notes what became of a key: what it is, and what `changed`.
pub(super) async fn note(
    connection: &mut sql::Connection,
    actor: Actor,
    action: &str,
    key: &Key,
    at: UnixMicros,
    changed: serde_json::Value,
) -> Result<(), DatabaseFault> {
    let mut details = json!({"org": key.org, "name": key.name, "expires": key.expires, "models": key.models, "limits": key.limits});
    if let (Some(details), serde_json::Value::Object(changed)) = (details.as_object_mut(), changed) {
        details.extend(changed);
    }
    let entry = NewEntry { at, actor, action, org: Some(key.org), subject: &key.id.to_string(), details };
    sql::audit::insert(connection, entry).await
}
