//! Who may make organisations: operators any, people who are logged in some of their own.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::caller::Caller;
use super::{Operator, SignedIn};
use crate::app::App;
use crate::problem::Problem;

/// Proof that the caller may make an organisation.
pub(crate) enum OrgMaker {
    /// Any.
    Operator(Operator),
    /// One of their own.
    Person(SignedIn),
}

impl FromRequestParts<App> for OrgMaker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(match Caller::of(parts, app).await? {
            Caller::Person(session) if !session.person.is_operator => Self::Person(SignedIn::of(*session, app)),
            caller @ (Caller::Token | Caller::Person(_)) => Self::Operator(Operator::of(&caller, app)),
        })
    }
}
