//! Bringing providers, models and plans to what a file says, all or nothing, with a diff that people can read.

use std::fmt;

use domain::{Model, Plan};
use serde::Serialize;

use crate::{Actor, DatabaseFault, ErrorClass, OperationError, Origin, ProviderDraft, Store};

/// What there is to be.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Providers.
    pub providers: Vec<ProviderDraft>,
    /// Models.
    pub models: Vec<Model>,
    /// Plans.
    pub plans: Vec<Plan>,
}

/// How to apply it.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions {
    /// Where the desired entries come from.
    pub origin: Origin,
    /// Whether entries that exist are brought to the desired form; `false` adds the missing ones only.
    pub overwrite: bool,
    /// Whether what is not desired is deleted.
    pub prune: bool,
    /// Only tell what would change.
    pub dry_run: bool,
}

/// What happens to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeAction {
    /// It is new.
    Create,
    /// Some of its fields change.
    Update,
    /// It is deleted.
    Delete,
}

/// What happens to one entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// `provider`, `model` or `plan`.
    pub kind: &'static str,
    /// Its name or id.
    pub name: String,
    /// What happens.
    pub action: ChangeAction,
    /// The fields that change; empty unless it is updated.
    pub fields: Vec<FieldChange>,
}

/// A field that changes. Secrets show as `(secret)`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Its path, such as `limits.category:large.rpm`.
    pub path: String,
    /// What it was; `null`: absent.
    pub before: serde_json::Value,
    /// What it becomes; `null`: absent.
    pub after: serde_json::Value,
}

/// All that changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// One element an entry, providers first, then models, then plans.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("")
    }
}

/// Why it can't be applied. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The desired entries contradict each other, or what stays.
    #[error("{}", faults.join("\n"))]
    Invalid {
        /// Everything that is wrong.
        faults: Vec<String>,
    },
    /// Pruning would delete plans that organisations are on.
    #[error("organisations are on plans that would be deleted: {plans}; move them first, or add the plans to the file")]
    PlansInUse {
        /// The plans, each with its number of organisations.
        plans: String,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for ApplyError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Invalid { .. } => ErrorClass::Invalid { param: "" },
            Self::PlansInUse { .. } => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Brings providers, models and plans to what is desired, in one transaction and one publication.
    pub async fn apply(&self, actor: Actor, desired: Desired, options: ApplyOptions) -> Result<Diff, ApplyError> {
        let _ = (actor, desired, options);
        todo!()
    }
}
