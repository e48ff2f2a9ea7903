//! Providers and their credentials: put, deleted, enabled and disabled.

use std::sync::Arc;

use domain::{Provider, ProviderName, ProviderState, UnixMicros};
use secrecy::SecretString;
use serde::Serialize;

use crate::{Actor, DatabaseFault, ErrorClass, OperationError, Origin, Page, PageRequest, PutMode, Store, Written};

/// What a put does with the provider's credential.
#[derive(Clone, Debug, Default)]
pub enum CredentialChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// The provider has none from now on.
    Clear,
    /// This one, encrypted in the database. It takes the place of a runtime credential.
    Store(SecretString),
    /// This one, for this run only: the database doesn't learn it.
    Runtime {
        /// The credential.
        secret: SecretString,
        /// Where it was found: `Env` or `File`.
        found: CredentialKind,
    },
}

/// Where a provider's credential is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// Encrypted in the database.
    Stored,
    /// In this environment variable.
    Env(String),
    /// In this file.
    File(String),
}

/// A provider as it is to be.
#[derive(Clone, Debug)]
pub struct ProviderDraft {
    /// All but the credential. Its `headers` are encrypted in the database as well.
    pub provider: Provider,
    /// The credential.
    pub credential: CredentialChange,
}

/// A provider with where it comes from. Its credential is never told.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderInfo {
    /// The provider. The values of `headers` may be secret: show their names only.
    pub provider: Arc<Provider>,
    /// Where it comes from.
    pub origin: Origin,
    /// Where its credential is kept; `None`: it has none.
    pub credential: Option<CredentialKind>,
    /// When it was last changed.
    pub updated: UnixMicros,
}

/// Why a provider can't be put.
#[derive(Debug, thiserror::Error)]
pub enum PutProviderError {
    /// There is one of this name already.
    #[error("provider \"{0}\" exists already; PUT replaces it")]
    Exists(ProviderName),
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

/// Why a provider's state can't be set.
#[derive(Debug, thiserror::Error)]
pub enum SetProviderStateError {
    /// There is none of this name.
    #[error("there is no provider \"{0}\"")]
    NotFound(ProviderName),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why a provider can't be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteProviderError {
    /// There is none of this name.
    #[error("there is no provider \"{0}\"")]
    NotFound(ProviderName),
    /// Models have targets at it.
    #[error("models have targets at provider \"{provider}\": {models}; change these first")]
    InModels {
        /// The provider.
        provider: ProviderName,
        /// The models' ids.
        models: String,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for PutProviderError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Exists(_) => ErrorClass::Conflict,
            Self::Invalid { param, .. } => ErrorClass::Invalid { param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for SetProviderStateError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for DeleteProviderError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::InModels { .. } => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Makes or replaces a provider. One that came from the file keeps that origin.
    pub async fn put_provider(
        &self,
        actor: Actor,
        draft: ProviderDraft,
        origin: Origin,
        mode: PutMode,
    ) -> Result<Written<ProviderInfo>, PutProviderError> {
        let _ = (actor, draft, origin, mode);
        todo!()
    }

    /// Enables, drains or disables a provider.
    pub async fn set_provider_state(
        &self,
        actor: Actor,
        name: &ProviderName,
        state: ProviderState,
    ) -> Result<ProviderInfo, SetProviderStateError> {
        let _ = (actor, name, state);
        todo!()
    }

    /// Deletes a provider at which no model has a target.
    pub async fn delete_provider(&self, actor: Actor, name: &ProviderName) -> Result<(), DeleteProviderError> {
        let _ = (actor, name);
        todo!()
    }

    /// The provider of this name, from memory.
    pub fn provider(&self, name: &str) -> Option<ProviderInfo> {
        let _ = name;
        todo!()
    }

    /// A page of the providers by name, from memory.
    pub fn providers(&self, page: &PageRequest) -> Page<ProviderInfo> {
        let _ = page;
        todo!()
    }
}
