//! Organisations: made, listed, changed, deleted.

use domain::{CustomLimit, Org, OrgId, PlanId};

use crate::{Actor, DatabaseFault, ErrorClass, OperationError, Page, PageRequest, Store};

/// A new organisation.
#[derive(Clone, Debug)]
pub struct NewOrg {
    /// What people call it.
    pub name: String,
    /// Its plan.
    pub plan: PlanId,
    /// Custom limits from the start.
    pub custom: Vec<CustomLimit>,
}

/// What to change of an organisation; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct OrgPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new plan, bought and in force.
    pub plan: Option<PlanId>,
    /// All custom limits anew.
    pub custom: Option<Vec<CustomLimit>>,
}

/// Why an organisation can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateOrgError {
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

/// Why an organisation can't be changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateOrgError {
    /// There is none of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
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

/// Why an organisation can't be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteOrgError {
    /// There is none of this id.
    #[error("there is no organisation {0}")]
    NotFound(OrgId),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why organisations can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListOrgsError {
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

impl OperationError for CreateOrgError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Invalid { param, .. } => ErrorClass::Invalid { param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for UpdateOrgError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Invalid { param, .. } => ErrorClass::Invalid { param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for DeleteOrgError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for ListOrgsError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::BadCursor { .. } => ErrorClass::Invalid { param: "cursor" },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Makes an organisation.
    pub async fn create_org(&self, actor: Actor, new: NewOrg) -> Result<Org, CreateOrgError> {
        let _ = (actor, new);
        todo!()
    }

    /// The organisation, from memory; `None`: there is none, or it was deleted.
    pub fn org(&self, id: OrgId) -> Option<Org> {
        let _ = id;
        todo!()
    }

    /// A page of the organisations whose name or id contains `q`, oldest first.
    pub async fn list_orgs(&self, q: Option<&str>, page: &PageRequest) -> Result<Page<Org>, ListOrgsError> {
        let _ = (q, page);
        todo!()
    }

    /// Changes an organisation.
    pub async fn update_org(&self, actor: Actor, id: OrgId, patch: OrgPatch) -> Result<Org, UpdateOrgError> {
        let _ = (actor, id, patch);
        todo!()
    }

    /// Deletes an organisation: its keys are refused at once, its usage is kept.
    pub async fn delete_org(&self, actor: Actor, id: OrgId) -> Result<(), DeleteOrgError> {
        let _ = (actor, id);
        todo!()
    }
}
