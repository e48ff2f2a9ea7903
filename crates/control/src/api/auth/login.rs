//! `POST /auth/login`: a session for whoever knows the password.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use store::Attempted;

use super::WithCookie;
use crate::access::ClientAddress;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, WriteErrors};
use crate::problem::Problem;
use crate::shapes::account::{LogIn, Person, email};

/// Log in
///
/// Gives a session's cookie. A session that the request carries is not touched, and not gone on with.
#[utoipa::path(post, path = "/auth/login", tag = "accounts", security(()), request_body = LogIn,
    responses((status = 200, description = "Who you are, and a session's cookie", body = Person), WriteErrors, AttemptErrors))]
pub(crate) async fn log_in(
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    State(app): State<App>,
    Body(input): Body<LogIn>,
) -> Result<WithCookie<Person>, Problem> {
    let email = email("email", &input.email)?;
    let password = input.password.given()?;
    let folded = email.folded();
    let attempts = [app.vault().attempt(Attempted::LogInFrom(address))?, app.vault().attempt(Attempted::LogIn(&folded))?];
    let account = app.vault().account(&email).await?;
    let (person, hash) = account.map(|account| (account.person, account.password)).unzip();
    let is_right = app.passwords().is_right(password, hash.flatten()).await?;
    let (true, Some(person)) = (is_right, person) else {
        let message = "The address or the password is not right.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", message));
    };
    let now_us = app.now().mono_us;
    attempts.into_iter().for_each(|attempt| attempt.forgive(now_us));
    WithCookie::logged_in(&app, person, &headers, StatusCode::OK).await
}
