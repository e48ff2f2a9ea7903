//! The live directory: callers, organisations and the catalogue in memory, read without locks.
//! It knows no SQL: operations write there first, then publish here.

mod key_entry;
mod learned;
mod org_entry;
mod shards;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use domain::{ApiKeyHash, Catalogue, CredentialId, OrgId, ProviderName, UnixMicros};
use hashbrown::HashMap;
use secrecy::SecretString;

pub use key_entry::KeyEntry;
pub(crate) use key_entry::{KeyParts, Limited};
pub use org_entry::{OrgEntry, OrgState};
pub(crate) use shards::{Filling, Shards};

use crate::{CredentialInfo, CredentialKind};

/// A credential, where it is kept and since when.
#[derive(Clone)]
pub(crate) struct Credential {
    pub(crate) id: CredentialId,
    pub(crate) secret: SecretString,
    pub(crate) kind: CredentialKind,
    pub(crate) added: UnixMicros,
}

impl Credential {
    pub(crate) fn info(&self) -> CredentialInfo {
        CredentialInfo { id: self.id, kind: self.kind.clone(), added: self.added }
    }
}

/// The credentials of each provider that has any, in the order in which they take their turns.
pub(crate) type Credentials = HashMap<ProviderName, Vec<Credential>>;

/// Callers, organisations and the catalogue as they are now.
pub struct Directory {
    keys: Shards<KeyEntry>,
    orgs: Shards<Arc<OrgEntry>>,
    catalogue: ArcSwap<Catalogue>,
    credentials: ArcSwap<Credentials>,
    generation: AtomicU64,
}

impl Directory {
    pub(crate) fn new(keys: Shards<KeyEntry>, orgs: Shards<Arc<OrgEntry>>, catalogue: Catalogue, credentials: Credentials) -> Self {
        Self {
            keys,
            orgs,
            catalogue: ArcSwap::from_pointee(catalogue),
            credentials: ArcSwap::from_pointee(credentials),
            generation: AtomicU64::new(1),
        }
    }

    /// The key with this hash, revoked and expired ones included.
    pub fn caller(&self, hash: &ApiKeyHash) -> Option<KeyEntry> {
        self.keys.get(hash)
    }

    /// The organisation's keys that its views list with pools of their own.
    pub(crate) fn limited_keys(&self, org: &OrgEntry) -> Vec<KeyEntry> {
        let of_org = |key: &KeyEntry| key.org().id() == org.id() && key.limited().is_some();
        org.state().limited.iter().filter_map(|key| self.keys.find(key.bits(), of_org)).collect()
    }

    /// The organisation, deleted ones included.
    pub fn org(&self, id: OrgId) -> Option<Arc<OrgEntry>> {
        self.orgs.get(&id)
    }

    /// The catalogue in force.
    pub fn catalogue(&self) -> arc_swap::Guard<Arc<Catalogue>> {
        self.catalogue.load()
    }

    /// Grows with each change of providers, their credentials, models or plans, after it has been published.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// The provider's credentials with their ids, in the order in which they take their turns.
    pub fn credentials(&self, provider: &str) -> Vec<(CredentialId, SecretString)> {
        let credentials = self.credentials.load();
        let of_provider = credentials.get(provider).into_iter().flatten();
        of_provider.map(|credential| (credential.id, credential.secret.clone())).collect()
    }

    /// Keys in memory, revoked and expired ones included.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// Organisations in memory, deleted ones included.
    pub fn org_count(&self) -> usize {
        self.orgs.len()
    }

    /// The catalogue in force, to be kept for a while.
    pub(crate) fn catalogue_now(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    pub(crate) fn all_credentials(&self) -> Arc<Credentials> {
        self.credentials.load_full()
    }

    pub(crate) fn put_key(&self, key: KeyEntry) {
        self.keys.put(key);
    }

    pub(crate) fn put_org(&self, org: Arc<OrgEntry>) {
        self.orgs.put(org);
    }

    pub(crate) fn publish(&self, catalogue: Catalogue, credentials: Credentials) {
        self.credentials.store(Arc::new(credentials));
        self.catalogue.store(Arc::new(catalogue));
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn for_each_org(&self, each: impl FnMut(&Arc<OrgEntry>)) {
        self.orgs.for_each(each);
    }
}
