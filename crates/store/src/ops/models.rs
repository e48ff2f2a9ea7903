//! Models of the catalogue: put and deleted.

use domain::{Model, ModelId};

use crate::{Actor, DatabaseFault, ErrorClass, Managed, OperationError, Origin, Page, PageRequest, PutMode, Store, Written};

/// Why a model can't be put.
#[derive(Debug, thiserror::Error)]
pub enum PutModelError {
    /// There is one of this id already.
    #[error("model \"{0}\" exists already; PUT replaces it")]
    Exists(ModelId),
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
            Self::Invalid { param, .. } => ErrorClass::Invalid { param },
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
        let _ = (actor, model, origin, mode);
        todo!()
    }

    /// Deletes a model.
    pub async fn delete_model(&self, actor: Actor, id: &ModelId) -> Result<(), DeleteModelError> {
        let _ = (actor, id);
        todo!()
    }

    /// The model of this id (not alias), from memory.
    pub fn model(&self, id: &str) -> Option<Managed<Model>> {
        let _ = id;
        todo!()
    }

    /// A page of the models by id, from memory.
    pub fn models(&self, page: &PageRequest) -> Page<Managed<Model>> {
        let _ = page;
        todo!()
    }
}
