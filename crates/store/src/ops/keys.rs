//! API keys: made (the secret is shown once), listed, revoked.

use domain::{ApiKey, Key, KeyId, KeyLimits, ModelId, OrgId, RateLimitBody, UnixMicros};

use crate::{Actor, DatabaseFault, ErrorClass, OperationError, Page, PageRequest, Store};

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
    #[error("{message}")]
    Invalid {
        /// The member to blame.
        param: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why keys can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListKeysError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The cursor is none that a page gave.
    #[error("cursor \"{cursor}\" is not one that a page gave")]
    BadCursor {
        /// What was given.
        cursor: String,
    },
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
            Self::Invalid { param, .. } => ErrorClass::Invalid { param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for ListKeysError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::BadCursor { .. } => ErrorClass::Invalid { param: "cursor" },
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
        let _ = (actor, org, new);
        todo!()
    }

    /// A page of an organisation's keys, revoked and expired ones included, oldest first.
    pub async fn list_keys(&self, org: OrgId, page: &PageRequest) -> Result<Page<Key>, ListKeysError> {
        let _ = (org, page);
        todo!()
    }

    /// Revokes a key: refused from the next request on. Revoking it again changes nothing.
    pub async fn revoke_key(&self, actor: Actor, org: OrgId, key: KeyId) -> Result<Key, RevokeKeyError> {
        let _ = (actor, org, key);
        todo!()
    }
}
