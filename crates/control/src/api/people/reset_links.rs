//! `POST /people/reset-links`: a link with which somebody chooses a new password.

use axum::extract::State;

use crate::access::Operator;
use crate::answer::Put;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{NotFound, WriteErrors};
use crate::mail;
use crate::problem::Problem;
use crate::shapes::account::email;
use crate::shapes::member::{Addressee, NewLink};

/// Make a link to choose a new password
///
/// The link's secret is shown this once. It works for an hour, once; earlier ones no longer work.
#[utoipa::path(post, path = "/people/reset-links", tag = "accounts", security(("operator_token" = []), ("operator_session" = [])),
    request_body = Addressee, responses((status = 201, description = "The link to send", body = NewLink), WriteErrors, NotFound))]
pub(crate) async fn make_reset_link(
    operator: Operator,
    State(app): State<App>,
    Body(input): Body<Addressee>,
) -> Result<Put<NewLink>, Problem> {
    let email = email("email", &input.email)?;
    let account = operator.store().account(&email).await?.ok_or_else(|| Problem::not_found("account", email.as_str()))?;
    let (link, token) = operator.store().make_reset_link(operator.actor(), account.person.id).await?;
    let shown = NewLink::of(Some(&link), &token, &app.config().own_url, "reset");
    let shown = shown.mailed(app.mailer(), |url| mail::reset(&account.person.email, url));
    Ok(Put::made(&["people", "reset-links", &link.id.to_string()], shown))
}
