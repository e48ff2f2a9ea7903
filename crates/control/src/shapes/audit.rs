//! Entries of the audit log as the API writes them.

use serde::Serialize;
use utoipa::ToSchema;

use super::time::Time;

/// One change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Grows with each entry.
    id: i64,
    /// When.
    at: Time,
    /// Who: `operator` (the bearer of the operator token), `system`, or a person's id.
    actor: String,
    /// What was done, such as `org.update`.
    action: String,
    /// To what, such as `org_01J…`.
    subject: String,
    /// Details, without secrets: of what changed, `before` and `after`; of what was made or is gone, what it is or was.
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

impl AuditEntry {
    /// The entry as it is kept.
    pub(crate) fn of(entry: store::AuditEntry) -> Self {
        let store::AuditEntry { id, at, actor, action, subject, details } = entry;
        Self { id, at: Time(at), actor: actor.to_string(), action, subject, details }
    }
}
