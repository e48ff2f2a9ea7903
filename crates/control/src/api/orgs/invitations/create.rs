//! `POST /orgs/{id}/invitations`: a link that makes somebody a member.

use axum::extract::State;

use crate::access::{Manage, OrgAccess};
use crate::answer::Put;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::mail;
use crate::problem::Problem;
use crate::shapes::account::email;
use crate::shapes::member::{InvitationInput, NewLink};

/// Invite somebody
///
/// The link's secret is shown this once. It works for a week, once, and for this address only.
#[utoipa::path(post, path = "/orgs/{id}/invitations", tag = "members",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id")), request_body = InvitationInput,
    responses((status = 201, description = "The link to send", body = NewLink), WriteErrors, NotFound, Conflict))]
pub(crate) async fn invite(
    org: OrgAccess<Manage>,
    State(app): State<App>,
    Body(input): Body<InvitationInput>,
) -> Result<Put<NewLink>, Problem> {
    let email = email("email", &input.email)?;
    let (link, token) = org.invite(email.clone(), input.role.into()).await?;
    let shown = NewLink::of(Some(&link), &token, &app.config().own_url, "invitation");
    let shown = shown.mailed(app.mailer(), |url| mail::invitation(&email, org.name().as_deref(), url));
    Ok(Put::made(&["orgs", &org.id(), "invitations", &link.id.to_string()], shown))
}
