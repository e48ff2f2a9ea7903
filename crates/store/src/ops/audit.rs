//! The audit log: who changed what, and when. Written by every operation in its own transaction.

use domain::{OrgId, UnixMicros};
use serde::Serialize;

use crate::sql::audit::NewEntry;
use crate::sql::{self, Database};
use crate::{Actor, DatabaseFault, ErrorClass, ListError, OperationError, Page, PageRequest, Store};

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Grows with each entry.
    pub id: i64,
    /// When.
    pub at: UnixMicros,
    /// Who.
    pub actor: Actor,
    /// What was done, such as `org.update`.
    pub action: String,
    /// To what, such as `org_01J…`.
    pub subject: String,
    /// Details without secrets.
    pub details: serde_json::Value,
}

/// Why an entry can't be written.
#[derive(Debug, thiserror::Error)]
pub enum NoteError {
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for NoteError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// An entry for what changes nothing here, such as ending a provider's cooldown. `details` hold no secrets.
    pub async fn note(&self, actor: Actor, action: &'static str, subject: &str, details: serde_json::Value) -> Result<(), NoteError> {
        let subject = subject.to_owned();
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let entry = NewEntry { at: inner.now().wall, actor, action, org: None, subject: &subject, details };
            sql::audit::insert(&mut transaction, entry).await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }

    /// A page of the audit log, newest first.
    pub async fn audit(&self, page: &PageRequest) -> Result<Page<AuditEntry>, ListError> {
        let before = page.position()?;
        let found = sql::audit::page(&self.inner.database.reads, before.unwrap_or(i64::MAX), page.size() + 1).await?;
        Ok(Page::of(found, page, |entry| entry.id.to_string()))
    }

    /// The same, of the changes of one organisation alone.
    pub async fn audit_of(&self, org: OrgId, page: &PageRequest) -> Result<Page<AuditEntry>, ListError> {
        self.inner.live_org(org).ok_or(ListError::NoOrg(org))?;
        let before = page.position()?;
        let found = sql::audit::page_of(&self.inner.database.reads, org, before.unwrap_or(i64::MAX), page.size() + 1).await?;
        Ok(Page::of(found, page, |entry| entry.id.to_string()))
    }
}
