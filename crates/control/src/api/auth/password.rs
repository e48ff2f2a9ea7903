//! `POST /auth/password`: another password, for whoever knows the one until now.

use axum::extract::State;
use http::StatusCode;
use store::Attempted;

use super::WithCookie;
use crate::access::SignedIn;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, WriteErrors};
use crate::problem::Problem;
use crate::shapes::account::{PasswordChange, Person};

/// Change your password
///
/// Every session of yours ends; the answer gives a new one's cookie.
#[utoipa::path(post, path = "/auth/password", tag = "accounts", security(("session" = [])), request_body = PasswordChange,
    responses((status = 200, description = "Who you are, and a new session's cookie", body = Person), WriteErrors, AttemptErrors))]
pub(crate) async fn change_password(
    me: SignedIn,
    State(app): State<App>,
    Body(input): Body<PasswordChange>,
) -> Result<WithCookie<Person>, Problem> {
    let (current, password) = (input.current.given()?, input.password.chosen("password")?);
    let folded = me.session().person.email.folded();
    let attempt = app.vault().attempt(Attempted::LogIn(&folded))?;
    let hash = me.account().await?.and_then(|account| account.password);
    if !app.passwords().is_right(current, hash).await? {
        return Err(Problem::invalid("current", "current: this is not your password."));
    }
    attempt.forgive(app.now().mono_us);
    let begun = me.set_password(app.passwords().hash(password).await?).await?;
    Ok(WithCookie::begun(&app, &begun, StatusCode::OK, Person::of(&me.session().person)))
}
