//! `POST /auth/invitations`: somebody with an account takes up an invitation.

use axum::Json;
use axum::extract::State;
use store::Attempted;

use crate::access::{ClientAddress, SignedIn};
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, Conflict, WriteErrors};
use crate::problem::Problem;
use crate::shapes::account::{LinkSecret, Membership};

/// Take up an invitation
///
/// You are a member of its organisation from then on. The invitation must be for your address.
#[utoipa::path(post, path = "/auth/invitations", tag = "accounts", security(("session" = [])), request_body = LinkSecret,
    responses((status = 200, description = "The organisation, and what you are there", body = Membership), WriteErrors, AttemptErrors, Conflict))]
pub(crate) async fn accept_invitation(
    me: SignedIn,
    ClientAddress(address): ClientAddress,
    State(app): State<App>,
    Body(input): Body<LinkSecret>,
) -> Result<Json<Membership>, Problem> {
    let attempt = app.vault().attempt(Attempted::LinkFrom(address))?;
    let org = me.accept_invitation(input.token.expose()).await?;
    attempt.forgive(app.now().mono_us);
    let joined = me.orgs().await?.into_iter().find(|(of, _)| of.id == org);
    joined.map(Membership::of).map(Json).ok_or_else(|| Problem::not_found("organisation", &org.to_string()))
}
