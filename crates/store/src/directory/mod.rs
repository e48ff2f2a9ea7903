//! The live directory: callers, organisations and the catalogue in memory, read without locks.

mod key_entry;
mod org_entry;

use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::{ApiKeyHash, Catalogue, OrgId};
use secrecy::SecretString;

pub use key_entry::KeyEntry;
pub use org_entry::{OrgEntry, OrgState};

/// Callers, organisations and the catalogue as they are now.
pub struct Directory {
    catalogue: ArcSwap<Catalogue>,
}

impl Directory {
    /// The key with this hash, revoked and expired ones included.
    pub fn caller(&self, hash: &ApiKeyHash) -> Option<Arc<KeyEntry>> {
        let _ = hash;
        None
    }

    /// The organisation, deleted ones included.
    pub fn org(&self, id: OrgId) -> Option<Arc<OrgEntry>> {
        let _ = id;
        None
    }

    /// The catalogue in force.
    pub fn catalogue(&self) -> arc_swap::Guard<Arc<Catalogue>> {
        self.catalogue.load()
    }

    /// Grows with each change of providers, models or plans.
    pub fn generation(&self) -> u64 {
        0
    }

    /// The provider's credential.
    pub fn credential(&self, provider: &str) -> Option<SecretString> {
        let _ = provider;
        None
    }

    /// Keys in memory, revoked ones included.
    pub fn key_count(&self) -> usize {
        0
    }

    /// Organisations in memory.
    pub fn org_count(&self) -> usize {
        0
    }
}
