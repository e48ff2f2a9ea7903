//! `POST /auth/reset`: a new password, for whoever has the link to choose it.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use store::Attempted;

use super::WithCookie;
use crate::access::ClientAddress;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, WriteErrors};
use crate::problem::Problem;
use crate::shapes::account::{PasswordReset, Person};

/// Choose a new password with a link
///
/// The link works once, and every session of yours ends; the answer gives a new one's cookie.
#[utoipa::path(post, path = "/auth/reset", tag = "accounts", security(()), request_body = PasswordReset,
    responses((status = 200, description = "Who you are, and a session's cookie", body = Person), WriteErrors, AttemptErrors))]
pub(crate) async fn reset_password(
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    State(app): State<App>,
    Body(input): Body<PasswordReset>,
) -> Result<WithCookie<Person>, Problem> {
    let password = input.password.chosen("password")?;
    let attempt = app.vault().attempt(Attempted::LinkFrom(address))?;
    let hash = app.passwords().hash(password).await?;
    let person = app.vault().reset_password(input.token.expose(), hash).await?;
    attempt.forgive(app.now().mono_us);
    WithCookie::logged_in(&app, person, &headers, StatusCode::OK).await
}
