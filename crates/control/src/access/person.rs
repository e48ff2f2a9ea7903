//! Somebody who is logged in, as they reach themselves: their account, sessions and organisations.

use axum::extract::FromRequestParts;
use domain::{IdentityId, Org, OrgId, Person, PlanId, Role, SecretToken, SessionId, TokenHash};
use http::StatusCode;
use http::request::Parts;
use secrecy::SecretString;
use store::{Account, AccountError, LinkedIdentity, Session, SignUpError, Store, UnlinkIdentityError};

use super::caller::Caller;
use crate::app::App;
use crate::problem::Problem;

/// Proof that somebody is logged in.
pub(crate) struct SignedIn {
    session: Session,
    store: Store,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Caller::of(parts, app).await? {
            Caller::Person(session) => Ok(Self::of(*session, app)),
            Caller::Token => {
                let message = "This is about somebody who is logged in; the operator token is nobody's.";
                Err(Problem::new(StatusCode::FORBIDDEN, "session_needed", message))
            }
        }
    }
}

impl SignedIn {
    pub(super) fn of(session: Session, app: &App) -> Self {
        Self { session, store: app.vault().store().clone() }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    fn person(&self) -> &Person {
        &self.session.person
    }

    /// Their organisations, and what they are there.
    pub(crate) async fn orgs(&self) -> Result<Vec<(Org, Role)>, AccountError> {
        self.store.orgs_of(self.person().id).await
    }

    pub(crate) async fn account(&self) -> Result<Option<Account>, AccountError> {
        self.store.account_of(self.person().id).await
    }

    pub(crate) async fn sessions(&self) -> Result<Vec<Session>, AccountError> {
        self.store.sessions_of(self.person().id).await
    }

    pub(crate) async fn end_session(&self, id: SessionId) -> Result<bool, AccountError> {
        self.store.end_session(self.person().id, id).await
    }

    /// Keeps a new password, ends every session of theirs and begins another.
    pub(crate) async fn set_password(&self, password: SecretString) -> Result<(Session, SecretToken), AccountError> {
        self.store.set_password(self.person().id, password).await?;
        self.store.begin_session(self.person().clone(), &self.session.agent).await
    }

    /// Who they are to providers of identities.
    pub(crate) async fn identities(&self) -> Result<Vec<LinkedIdentity>, AccountError> {
        self.store.identities_of(self.person().id).await
    }

    pub(crate) async fn unlink_identity(&self, id: IdentityId) -> Result<(), UnlinkIdentityError> {
        self.store.unlink_identity(self.person().id, id).await
    }

    pub(crate) async fn accept_invitation(&self, token: &str) -> Result<OrgId, SignUpError> {
        self.store.accept_invitation(self.person().clone(), TokenHash::of(token)).await
    }

    /// An organisation of their own.
    pub(crate) async fn create_org(&self, name: String, plan: PlanId, most: u64) -> Result<Org, SignUpError> {
        self.store.create_own_org(self.person().id, name, plan, most).await
    }
}
