//! `POST /auth/setup`: the first operator's account, for whoever has the link that a start prints.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use store::Attempted;

use super::WithCookie;
use crate::access::ClientAddress;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, Conflict, WriteErrors};
use crate::problem::Problem;
use crate::shapes::account::{Person, SetUp, email};

/// Set up the first operator
///
/// The link works once, and only while there is no operator.
#[utoipa::path(post, path = "/auth/setup", tag = "accounts", security(()), request_body = SetUp,
    responses((status = 201, description = "Who you are, and a session's cookie", body = Person), WriteErrors, AttemptErrors, Conflict))]
pub(crate) async fn set_up(
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    State(app): State<App>,
    Body(input): Body<SetUp>,
) -> Result<WithCookie<Person>, Problem> {
    let email = email("email", &input.email)?;
    let password = input.password.chosen("password")?;
    let attempt = app.vault().attempt(Attempted::LinkFrom(address))?;
    let hash = app.passwords().hash(password).await?;
    let person = app.vault().set_up(input.token.expose(), email, input.name, hash).await?;
    attempt.forgive(app.now().mono_us);
    WithCookie::logged_in(&app, person, &headers, StatusCode::CREATED).await
}
