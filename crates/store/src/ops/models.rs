//! Models of the catalogue: put and deleted.

use domain::{Model, ModelId, Plan, Selector};

use super::definitions::Draft;
use crate::definitions::Entry;
use crate::{Actor, DatabaseFault, ErrorClass, InvalidInput, Managed, OperationError, Origin, Page, PageRequest, PutMode, Store, Written};

/// Why a model can't be put.
#[derive(Debug, thiserror::Error)]
pub enum PutModelError {
    /// There is one of this id already.
    #[error("model \"{0}\" exists already; PUT replaces it")]
    Exists(ModelId),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

/// Why a model can't be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteModelError {
    /// There is none of this id.
    #[error("there is no model \"{0}\"")]
    NotFound(ModelId),
    /// Plans have rows for it.
    #[error("plans have limit rows for model \"{model}\": {plans}; change these first")]
    InPlans {
        /// The model.
        model: ModelId,
        /// The plans' ids.
        plans: String,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for PutModelError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Exists(_) => ErrorClass::Conflict,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl OperationError for DeleteModelError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NotFound(_) => ErrorClass::NotFound,
            Self::InPlans { .. } => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Makes or replaces a model. One that came from the file keeps that origin.
    pub async fn put_model(
        &self,
        actor: Actor,
        model: Model,
        origin: Origin,
        mode: PutMode,
    ) -> Result<Written<Managed<Model>>, PutModelError> {
        self.turn(move |inner| async move {
            let mut draft = Draft::begin(&inner);
            let id = model.id.clone();
            let created = draft.before.models.get(id.as_str()).is_none();
            if mode == PutMode::Create && !created {
                return Err(PutModelError::Exists(id));
            }
            draft.next.models.put(model, origin, draft.now);
            draft.check()?;
            draft.save(&inner, actor).await?;
            let entry = inner.definitions.load().models.get(id.as_str()).map(Entry::managed);
            Ok(Written { created, value: entry.ok_or_else(DatabaseFault::interrupted)? })
        })
        .await
    }

    /// Deletes a model that no plan has a row for. Custom rows for it stay, without effect.
    pub async fn delete_model(&self, actor: Actor, id: &ModelId) -> Result<(), DeleteModelError> {
        let id = id.clone();
        self.turn(move |inner| async move {
            let mut draft = Draft::begin(&inner);
            if draft.before.models.get(id.as_str()).is_none() {
                return Err(DeleteModelError::NotFound(id));
            }
            let has_row = |plan: &Plan| plan.limits.iter().any(|row| row.selector == Selector::Model(id.clone()));
            let plans: Vec<_> = draft.before.plans.0.iter().filter(|plan| has_row(&plan.item)).map(|plan| plan.item.id.as_str()).collect();
            if !plans.is_empty() {
                return Err(DeleteModelError::InPlans { plans: plans.join(", "), model: id });
            }
            draft.next.models.remove(id.as_str());
            draft.save(&inner, actor).await?;
            Ok(())
        })
        .await
    }

    /// The model of this id (not alias), from memory.
    pub fn model(&self, id: &str) -> Option<Managed<Model>> {
        self.inner.definitions.load().models.get(id).map(Entry::managed)
    }

    /// A page of the models in the order they came, from memory.
    pub fn models(&self, page: &PageRequest) -> Page<Managed<Model>> {
        self.inner.definitions.load().models.page(page, Entry::managed)
    }
}
