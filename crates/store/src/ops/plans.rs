//! Plans: put and deleted. Their rows are in force for the next request.

use domain::{Plan, PlanId};

use super::definitions::Draft;
use super::input;
use crate::definitions::Entry;
use crate::sql;
use crate::{Actor, DatabaseFault, ErrorClass, InvalidInput, Managed, OperationError, Origin, Page, PageRequest, PutMode, Store, Written};

/// Why a plan can't be put.
#[derive(Debug, thiserror::Error)]
pub enum PutPlanError {
    /// There is one of this id already.
    #[error("plan \"{0}\" exists already; PUT replaces it")]
    Exists(PlanId),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
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
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
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
        self.turn(move |inner| async move {
            input::plan_rows(&plan)?;
            let mut draft = Draft::begin(&inner);
            let id = plan.id.clone();
            let created = draft.before.plans.get(id.as_str()).is_none();
            if mode == PutMode::Create && !created {
                return Err(PutPlanError::Exists(id));
            }
            draft.next.plans.put(plan, origin, draft.now);
            draft.check()?;
            draft.save(&inner, actor).await?;
            let entry = inner.definitions.load().plans.get(id.as_str()).map(Entry::managed);
            Ok(Written { created, value: entry.ok_or_else(DatabaseFault::interrupted)? })
        })
        .await
    }

    /// Deletes a plan that no organisation is on.
    pub async fn delete_plan(&self, actor: Actor, id: &PlanId) -> Result<(), DeletePlanError> {
        let id = id.clone();
        self.turn(move |inner| async move {
            let mut draft = Draft::begin(&inner);
            if draft.before.plans.get(id.as_str()).is_none() {
                return Err(DeletePlanError::NotFound(id));
            }
            let orgs = sql::orgs::count_on_plan(&inner.database.reads, id.as_str()).await?;
            if orgs > 0 {
                return Err(DeletePlanError::InUse { plan: id, orgs });
            }
            draft.next.plans.remove(id.as_str());
            draft.save(&inner, actor).await?;
            Ok(())
        })
        .await
    }

    /// The plan of this id, from memory.
    pub fn plan(&self, id: &str) -> Option<Managed<Plan>> {
        self.inner.definitions.load().plans.get(id).map(Entry::managed)
    }

    /// A page of the plans in the order they came, from memory.
    pub fn plans(&self, page: &PageRequest) -> Page<Managed<Plan>> {
        self.inner.definitions.load().plans.page(page, Entry::managed)
    }
}
