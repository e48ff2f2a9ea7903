//! `POST /people/invitations`: a link with which somebody makes an account and an organisation.

use axum::extract::State;
use domain::Role;

use crate::access::Operator;
use crate::answer::Put;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{Conflict, WriteErrors};
use crate::mail;
use crate::problem::Problem;
use crate::shapes::account::email;
use crate::shapes::member::{Addressee, NewLink};

/// Invite somebody to make an organisation
///
/// The link's secret is shown this once. It works for a week, once, and for this address only.
#[utoipa::path(post, path = "/people/invitations", tag = "accounts", security(("operator_token" = []), ("operator_session" = [])),
    request_body = Addressee, responses((status = 201, description = "The link to send", body = NewLink), WriteErrors, Conflict))]
pub(crate) async fn invite_person(
    operator: Operator,
    State(app): State<App>,
    Body(input): Body<Addressee>,
) -> Result<Put<NewLink>, Problem> {
    let email = email("email", &input.email)?;
    let (link, token) = operator.store().invite(operator.actor(), Role::Owner, None, email.clone(), Role::Owner).await?;
    let shown = NewLink::of(Some(&link), &token, &app.config().own_url, "invitation");
    let shown = shown.mailed(app.mailer(), |url| mail::invitation(&email, None, url));
    Ok(Put::made(&["people", "invitations", &link.id.to_string()], shown))
}
