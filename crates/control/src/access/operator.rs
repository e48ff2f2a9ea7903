//! Operators: whoever bears the operator token, and people who run the installation. They reach everything.

use axum::extract::FromRequestParts;
use http::request::Parts;
use store::{Actor, Store};

use super::caller::Caller;
use crate::app::App;
use crate::problem::Problem;

/// Proof that an operator calls. Handlers take it first, so that nothing is read before.
pub(crate) struct Operator {
    actor: Actor,
    store: Store,
}

impl Operator {
    /// For a caller that was found to be one.
    pub(super) fn of(caller: &Caller, app: &App) -> Self {
        let actor = match caller {
            Caller::Token => Actor::Operator,
            Caller::Person(session) => Actor::Person(session.person.id),
        };
        Self { actor, store: app.vault().store().clone() }
    }

    /// Who the audit log says it was.
    pub(crate) fn actor(&self) -> Actor {
        self.actor
    }

    /// Everything that is kept.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::of(parts, app).await? {
            // That there is something is not told to those who may not reach it.
            Caller::Person(session) if !session.person.is_operator => Err(Problem::not_found("path", parts.uri.path())),
            caller @ (Caller::Token | Caller::Person(_)) => Ok(Self::of(&caller, app)),
        }
    }
}
