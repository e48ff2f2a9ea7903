//! A provider's credentials: replaced, added, removed and listed. They go in and never come out.

use domain::{CredentialId, Provider, ProviderName, UnixMicros};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::json;

use super::definitions::Draft;
use super::input;
use crate::directory::Credential;
use crate::load::credential_place;
use crate::seal::Sealer;
use crate::sql::{self, Database, audit::NewEntry};
use crate::store::Inner;
use crate::{Actor, DatabaseFault, ErrorClass, InvalidInput, OperationError, Store, caps};

/// What a put does with the provider's credentials.
#[derive(Clone, Debug, Default)]
pub enum CredentialChange {
    /// They stay as they are.
    #[default]
    Keep,
    /// These from now on, in this order; none where there are none.
    Replace(Vec<NewCredential>),
}

impl CredentialChange {
    /// This one alone, encrypted in the database.
    pub fn stored(secret: impl Into<SecretString>) -> Self {
        Self::Replace(vec![NewCredential::stored(secret)])
    }

    /// Whether all of them are of this run only, and there is one.
    pub(crate) fn is_of_this_run(&self) -> bool {
        match self {
            Self::Keep => false,
            Self::Replace(all) => !all.is_empty() && all.iter().all(|new| new.found != CredentialKind::Stored),
        }
    }
}

/// A credential that a provider is to have.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// The credential.
    pub secret: SecretString,
    /// Where it is kept. The database doesn't learn what was found in the environment or in a file.
    pub found: CredentialKind,
}

impl NewCredential {
    /// One to be kept in the database, encrypted.
    pub fn stored(secret: impl Into<SecretString>) -> Self {
        Self { secret: secret.into(), found: CredentialKind::Stored }
    }
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

/// What may be told of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialInfo {
    /// Its public name.
    pub id: CredentialId,
    /// Where it is kept.
    pub kind: CredentialKind,
    /// When the provider got it; in case of one that the database doesn't know, in this run.
    pub added: UnixMicros,
}

/// Why a credential can't be added.
#[derive(Debug, thiserror::Error)]
pub enum AddCredentialError {
    /// There is no such provider.
    #[error("there is no provider \"{0}\"")]
    NotFound(ProviderName),
    /// The provider has it.
    #[error("provider \"{provider}\" has this key already, as {id}")]
    Exists {
        /// The provider.
        provider: ProviderName,
        /// The credential.
        id: CredentialId,
    },
    /// The provider has as many as it may.
    #[error("provider \"{0}\" has {most} keys, as many as it may; remove one first", most = caps::MAX_CREDENTIALS_PER_PROVIDER)]
    TooMany(ProviderName),
    /// It is no credential.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why a credential can't be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveCredentialError {
    /// There is no such provider.
    #[error("there is no provider \"{0}\"")]
    NotFound(ProviderName),
    /// The provider has no such credential.
    #[error("provider \"{provider}\" has no key {id}")]
    NoSuchKey {
        /// The provider.
        provider: ProviderName,
        /// The credential.
        id: CredentialId,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for AddCredentialError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Exists { .. } | Self::TooMany(_) => ErrorClass::Conflict,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for RemoveCredentialError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) | Self::NoSuchKey { .. } => ErrorClass::NotFound,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Adds a credential, encrypted in the database. It takes its turns from the next request on.
    pub async fn add_credential(
        &self,
        actor: Actor,
        provider: &ProviderName,
        secret: SecretString,
    ) -> Result<CredentialInfo, AddCredentialError> {
        let name = provider.clone();
        self.turn(move |inner| async move {
            let mut change = Draft::begin(&inner);
            input::credential("api_key", &secret)?;
            if !touch(&mut change, &name) {
                return Err(AddCredentialError::NotFound(name));
            }
            let new = made(&inner.sealer, &name, NewCredential::stored(secret), change.now);
            let all = change.credentials.entry(name.clone()).or_default();
            if all.iter().any(|there| there.id == new.id) {
                return Err(AddCredentialError::Exists { id: new.id, provider: name });
            }
            if all.len() >= caps::MAX_CREDENTIALS_PER_PROVIDER {
                return Err(AddCredentialError::TooMany(name));
            }
            let info = new.info();
            all.push(new);
            change.save(&inner, actor).await?;
            Ok(info)
        })
        .await
    }

    /// Removes a credential: no request after this one uses it. One that was found in the environment or in a file comes back when it
    /// is found again.
    pub async fn remove_credential(&self, actor: Actor, provider: &ProviderName, id: CredentialId) -> Result<(), RemoveCredentialError> {
        let name = provider.clone();
        self.turn(move |inner| async move {
            let mut change = Draft::begin(&inner);
            if !touch(&mut change, &name) {
                return Err(RemoveCredentialError::NotFound(name));
            }
            let mut all = change.credentials.remove(&name).unwrap_or_default();
            let Some(place) = all.iter().position(|there| there.id == id) else {
                return Err(RemoveCredentialError::NoSuchKey { provider: name, id });
            };
            let removed = all.remove(place);
            if !all.is_empty() {
                change.credentials.insert(name.clone(), all);
            }
            if removed.kind != CredentialKind::Stored {
                note_removal(&inner, actor, &name, &removed.info(), change.now).await?;
            }
            change.save(&inner, actor).await?;
            Ok(())
        })
        .await
    }

    /// The credentials of this provider in their order, from memory; `None`: there is no such provider.
    pub fn credentials(&self, provider: &str) -> Option<Vec<CredentialInfo>> {
        self.provider(provider).map(|info| info.credentials)
    }
}

/// Marks the provider as changed, if there is one: its credentials are written with it.
fn touch(change: &mut Draft, name: &ProviderName) -> bool {
    let Some(entry) = change.before.providers.get(name.as_str()) else { return false };
    let (provider, origin) = (Provider::clone(&entry.item), entry.origin);
    change.next.providers.put(provider, origin, change.now);
    true
}

/// The database doesn't know such a credential, so that nothing there changes with it.
async fn note_removal(
    inner: &Inner,
    actor: Actor,
    name: &ProviderName,
    removed: &CredentialInfo,
    at: UnixMicros,
) -> Result<(), DatabaseFault> {
    let details = json!({"id": removed.id.to_string(), "kept": removed.kind});
    let mut transaction = inner.database.begin().await?;
    let entry = NewEntry { at, actor, action: "provider.remove_key", org: None, subject: name.as_str(), details };
    sql::audit::insert(&mut transaction, entry).await?;
    Database::commit(transaction).await
}

/// A credential with the name that its provider's have.
pub(crate) fn made(sealer: &Sealer, provider: &ProviderName, new: NewCredential, added: UnixMicros) -> Credential {
    let print = sealer.fingerprint(&credential_place(provider.as_str()), new.secret.expose_secret().as_bytes());
    Credential { id: CredentialId::of_fingerprint(print), secret: new.secret, kind: new.found, added }
}

/// Puts a provider's credentials into a change under way.
pub(crate) fn put_credentials(change: &mut Draft, name: &ProviderName, credentials: CredentialChange) -> Result<(), InvalidInput> {
    let wanted = match credentials {
        CredentialChange::Keep => return Ok(()),
        CredentialChange::Replace(wanted) => wanted,
    };
    if wanted.len() > caps::MAX_CREDENTIALS_PER_PROVIDER {
        let message = format!("{} keys are more than the {} a provider may have", wanted.len(), caps::MAX_CREDENTIALS_PER_PROVIDER);
        return Err(input::fault("api_key", message));
    }
    let before = change.credentials.remove(name).unwrap_or_default();
    let is_list = wanted.len() > 1;
    let mut next: Vec<Credential> = Vec::with_capacity(wanted.len());
    for (index, new) in wanted.into_iter().enumerate() {
        let param = if is_list { format!("api_key[{index}]") } else { "api_key".into() };
        input::credential(&param, &new.secret)?;
        let mut credential = made(&change.sealer, name, new, change.now);
        if let Some(earlier) = next.iter().position(|there| there.id == credential.id) {
            return Err(input::fault(param, format!("is the same key as api_key[{earlier}]")));
        }
        if let Some(known) = before.iter().find(|there| there.id == credential.id) {
            credential.added = known.added;
        }
        next.push(credential);
    }
    if !next.is_empty() {
        change.credentials.insert(name.clone(), next);
    }
    Ok(())
}

/// The same with those that the provider has in the database behind them: what was found doesn't take the place of what was added.
pub(crate) fn beside_stored(change: &Draft, name: &ProviderName, credentials: CredentialChange) -> CredentialChange {
    match credentials {
        CredentialChange::Keep => CredentialChange::Keep,
        CredentialChange::Replace(mut wanted) => {
            let there = change.credentials.get(name).into_iter().flatten().filter(|there| there.kind == CredentialKind::Stored);
            let is_new = |new: &NewCredential, secret: &SecretString| new.secret.expose_secret() != secret.expose_secret();
            for there in there {
                if wanted.iter().all(|new| is_new(new, &there.secret)) {
                    wanted.push(NewCredential::stored(there.secret.clone()));
                }
            }
            CredentialChange::Replace(wanted)
        }
    }
}
