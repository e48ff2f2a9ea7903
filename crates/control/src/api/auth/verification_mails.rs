//! `POST /auth/verification-mails`: the link to confirm one's address, once more.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use store::Attempted;

use super::{mail_verification, no_mail};
use crate::access::{ClientAddress, SignedIn};
use crate::app::App;
use crate::documented_errors::{AttemptErrors, DeleteErrors};
use crate::problem::Problem;
use crate::shapes::account::Told;

/// Ask for the link to confirm your address
///
/// Earlier ones no longer work. It takes no body.
#[utoipa::path(post, path = "/auth/verification-mails", tag = "accounts", security(("session" = [])),
    responses((status = 202, description = "What is next", body = Told), DeleteErrors, AttemptErrors))]
pub(crate) async fn send_verification(
    me: SignedIn,
    ClientAddress(address): ClientAddress,
    State(app): State<App>,
) -> Result<(StatusCode, Json<Told>), Problem> {
    let person = me.session().person.clone();
    if person.is_verified {
        return Ok((StatusCode::ACCEPTED, Json(Told { message: "Your address is confirmed already.".into() })));
    }
    app.mailer().ok_or_else(no_mail)?;
    let _attempts = [app.vault().attempt(Attempted::MailFrom(address))?, app.vault().attempt(Attempted::MailTo(&person.email.folded()))?];
    mail_verification(&app, &person).await?;
    Ok((StatusCode::ACCEPTED, Json(Told { message: format!("A mail is on its way to {}.", person.email) })))
}
