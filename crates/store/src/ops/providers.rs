//! Providers and their credentials: put, deleted, enabled and disabled.

use std::sync::Arc;

use domain::{Model, Provider, ProviderName, ProviderState, UnixMicros};

use super::credentials::{CredentialChange, CredentialInfo, put_credentials};
use super::definitions::Draft;
use super::input;
use crate::definitions::Entry;
use crate::directory::{Credential, Credentials};
use crate::store::Inner;
use crate::{Actor, DatabaseFault, ErrorClass, InvalidInput, OperationError, Origin, Page, PageRequest, PutMode, Store, Written};

/// A provider as it is to be.
#[derive(Clone, Debug)]
pub struct ProviderDraft {
    /// All but the credential. Its `headers` are encrypted in the database as well.
    pub provider: Provider,
    /// The credentials.
    pub credential: CredentialChange,
}

/// A provider with where it comes from. Its credentials are never told.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderInfo {
    /// The provider. The values of `headers` may be secret: show their names only.
    pub provider: Arc<Provider>,
    /// Where it comes from.
    pub origin: Origin,
    /// What may be told of its credentials, in the order in which they take their turns.
    pub credentials: Vec<CredentialInfo>,
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
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// What is to change of a provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderPatch {
    /// Whether it takes requests; `None`: as it is.
    pub state: Option<ProviderState>,
    /// The credentials.
    pub credential: CredentialChange,
}

/// Why a provider can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeProviderError {
    /// There is none of this name.
    #[error("there is no provider \"{0}\"")]
    NotFound(ProviderName),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
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
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for ChangeProviderError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
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
        self.turn(move |inner| async move {
            let mut change = Draft::begin(&inner);
            let name = draft.provider.name.clone();
            let created = change.before.providers.get(name.as_str()).is_none();
            if mode == PutMode::Create && !created {
                return Err(PutProviderError::Exists(name));
            }
            put_provider(&mut change, draft, origin)?;
            change.check()?;
            change.save(&inner, actor).await?;
            Ok(Written { created, value: inner.provider(name.as_str()).ok_or_else(DatabaseFault::interrupted)? })
        })
        .await
    }

    /// Enables, drains or disables a provider, or replaces its credentials.
    pub async fn change_provider(
        &self,
        actor: Actor,
        name: &ProviderName,
        patch: ProviderPatch,
    ) -> Result<ProviderInfo, ChangeProviderError> {
        let name = name.clone();
        self.turn(move |inner| async move {
            let mut change = Draft::begin(&inner);
            let Some(entry) = change.before.providers.get(name.as_str()) else {
                return Err(ChangeProviderError::NotFound(name));
            };
            let state = patch.state.unwrap_or(entry.item.state);
            let provider = Provider { state, ..Provider::clone(&entry.item) };
            change.next.providers.put(provider, entry.origin, change.now);
            put_credentials(&mut change, &name, patch.credential)?;
            change.save(&inner, actor).await?;
            Ok(inner.provider(name.as_str()).ok_or_else(DatabaseFault::interrupted)?)
        })
        .await
    }

    /// Deletes a provider at which no model has a target.
    pub async fn delete_provider(&self, actor: Actor, name: &ProviderName) -> Result<(), DeleteProviderError> {
        let name = name.clone();
        self.turn(move |inner| async move {
            let mut change = Draft::begin(&inner);
            if change.before.providers.get(name.as_str()).is_none() {
                return Err(DeleteProviderError::NotFound(name));
            }
            let leads_there = |model: &Model| model.targets.iter().any(|target| target.provider == name);
            let models = change.before.models.0.iter().filter(|model| leads_there(&model.item)).map(|model| model.item.id.as_str());
            let models: Vec<_> = models.collect();
            if !models.is_empty() {
                return Err(DeleteProviderError::InModels { models: models.join(", "), provider: name });
            }
            change.next.providers.remove(name.as_str());
            change.credentials.remove(&name);
            change.save(&inner, actor).await?;
            Ok(())
        })
        .await
    }

    /// The provider of this name, from memory.
    pub fn provider(&self, name: &str) -> Option<ProviderInfo> {
        self.inner.provider(name)
    }

    /// A page of the providers in the order they came, from memory.
    pub fn providers(&self, page: &PageRequest) -> Page<ProviderInfo> {
        let credentials = self.inner.directory.all_credentials();
        self.inner.definitions.load().providers.page(page, |entry| info(entry, &credentials))
    }
}

impl Inner {
    fn provider(&self, name: &str) -> Option<ProviderInfo> {
        let credentials = self.directory.all_credentials();
        self.definitions.load().providers.get(name).map(|entry| info(entry, &credentials))
    }
}

fn info(entry: &Entry<Provider>, credentials: &Credentials) -> ProviderInfo {
    let credentials = credentials.get(&entry.item.name).into_iter().flatten().map(Credential::info).collect();
    ProviderInfo { provider: Arc::clone(&entry.item), origin: entry.origin, credentials, updated: entry.updated }
}

/// Puts a provider and its credentials into a change under way.
pub(crate) fn put_provider(change: &mut Draft, draft: ProviderDraft, origin: Origin) -> Result<(), InvalidInput> {
    let provider = input::provider(draft.provider)?;
    put_credentials(change, &provider.name, draft.credential)?;
    change.next.providers.put(provider, origin, change.now);
    Ok(())
}
