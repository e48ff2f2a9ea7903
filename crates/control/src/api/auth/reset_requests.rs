//! `POST /auth/reset-requests`: a mail with a link to choose a new password.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use store::Attempted;

use super::no_mail;
use crate::access::ClientAddress;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, WriteErrors};
use crate::mail;
use crate::problem::Problem;
use crate::shapes::account::{Told, email};
use crate::shapes::member::Addressee;

/// Ask for a link to choose a new password
///
/// The answer is the same whether or not there is an account with this address.
#[utoipa::path(post, path = "/auth/reset-requests", tag = "accounts", security(()), request_body = Addressee,
    responses((status = 202, description = "What is next", body = Told), WriteErrors, AttemptErrors))]
pub(crate) async fn request_reset(
    ClientAddress(address): ClientAddress,
    State(app): State<App>,
    Body(input): Body<Addressee>,
) -> Result<(StatusCode, Json<Told>), Problem> {
    let email = email("email", &input.email)?;
    app.mailer().ok_or_else(no_mail)?;
    let _attempts = [app.vault().attempt(Attempted::MailFrom(address))?, app.vault().attempt(Attempted::MailTo(&email.folded()))?];
    let later = app.clone();
    app.afterwards(async move {
        if let Err(error) = mail_link(&later, &email).await {
            tracing::warn!(error = error.to_string(), "a link to choose a new password could not be made");
        }
    });
    let message = "If there is an account with this address, a mail with a link to choose a new password is on its way.";
    Ok((StatusCode::ACCEPTED, Json(Told { message: message.into() })))
}

async fn mail_link(app: &App, email: &domain::Email) -> Result<(), store::AccountError> {
    let (Some(account), Some(mailer)) = (app.vault().account(email).await?, app.mailer()) else { return Ok(()) };
    let (_, token) = app.vault().make_reset_link(account.person.id).await?;
    let link = crate::link(&app.config().own_url.to_string(), "reset", &token);
    mailer.send(mail::reset(&account.person.email, &link));
    Ok(())
}
