//! Durable and shared state: SQL, the live directory that admission reads, the pools, and the recorder.
//! It knows no HTTP and reads no clock.

mod backup;
mod caps;
mod config;
mod data_folder;
mod definitions;
mod directory;
mod error;
mod health;
mod journal;
mod load;
mod open;
mod open_journal;
mod ops;
mod page;
pub mod pools;
mod recorder;
mod seal;
mod sql;
mod store;

pub use backup::{BackupContents, BackupError, backup, restore};
pub use config::StoreConfig;
pub use directory::{Directory, KeyEntry, OrgEntry, OrgState};
pub use error::{DatabaseFault, ErrorClass, OperationError};
pub use health::StoreHealth;
pub use journal::{GrantFacts, JournalHealth, JournalRefuses, Unwritable};
pub use open::OpenError;
pub use ops::apply::{ApplyError, ApplyOptions, Desired};
pub use ops::audit::{AuditEntry, NoteError, ReadAuditError};
pub use ops::credentials::{AddCredentialError, CredentialChange, CredentialInfo, CredentialKind, NewCredential, RemoveCredentialError};
pub use ops::custom_limits::{LimitFact, ReadLimitFactsError, SetCustomLimitsError};
pub use ops::diff::{Change, ChangeAction, Diff, FieldChange};
pub use ops::input::InvalidInput;
pub use ops::keys::{CreateKeyError, ListKeysError, NewKey, RevokeKeyError};
pub use ops::models::{DeleteModelError, PutModelError};
pub use ops::orgs::{CreateOrgError, DeleteOrgError, ListOrgsError, NewOrg, OrgPatch, UpdateOrgError};
pub use ops::plans::{DeletePlanError, PutPlanError};
pub use ops::providers::{ChangeProviderError, DeleteProviderError, ProviderDraft, ProviderInfo, ProviderPatch, PutProviderError};
pub use ops::spend::SpendSum;
pub use ops::usage::{Bucket, GroupBy, SeriesRow, Usage, UsageCounters, UsageError, UsageQuery};
pub use ops::{Actor, Managed, Origin, PutMode, Written};
pub use page::{Page, PageRequest};
pub use pools::Pools;
pub use recorder::Recorder;
pub use seal::SecretKey;
pub use store::Store;
