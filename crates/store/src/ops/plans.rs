//! Plans: put and deleted. Their rows are in force for the next request.

use domain::{Plan, PlanId};

use crate::{Actor, DatabaseFault, ErrorClass, Managed, OperationError, Origin, Page, PageRequest, PutMode, Store, Written};

/// Why a plan can't be put.
#[derive(Debug, thiserror::Error)]
pub enum PutPlanError {
    /// There is one of this id already.
    #[error("plan \"{0}\" exists already; PUT replaces it")]
    Exists(PlanId),
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

/// Why a plan can't be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeletePlanError {
    /// There is none of this id.
    #[error("there is no plan \"{0}\"")]
    NotFound(PlanId),
    /// Organisations are on it.
    #[error("{orgs} organisations are on plan \"{plan}\"; move them to another first")]
    InUse {
        /// The plan.
        plan: PlanId,
        /// How many organisations.
        orgs: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for PutPlanError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Exists(_) => ErrorClass::Conflict,
            Self::Invalid { param, .. } => ErrorClass::Invalid { param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for DeletePlanError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::InUse { .. } => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Makes or replaces a plan. One that came from the file keeps that origin.
    pub async fn put_plan(&self, actor: Actor, plan: Plan, origin: Origin, mode: PutMode) -> Result<Written<Managed<Plan>>, PutPlanError> {
        let _ = (actor, plan, origin, mode);
        todo!()
    }

    /// Deletes a plan that no organisation is on.
    pub async fn delete_plan(&self, actor: Actor, id: &PlanId) -> Result<(), DeletePlanError> {
        let _ = (actor, id);
        todo!()
    }

    /// The plan of this id, from memory.
    pub fn plan(&self, id: &str) -> Option<Managed<Plan>> {
        let _ = id;
        todo!()
    }

    /// A page of the plans by id, from memory.
    pub fn plans(&self, page: &PageRequest) -> Page<Managed<Plan>> {
        let _ = page;
        todo!()
    }
}
