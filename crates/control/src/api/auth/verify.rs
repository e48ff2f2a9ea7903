//! `POST /auth/verify`: somebody shows with a link that their address is theirs.

use axum::Json;
use axum::extract::State;
use store::Attempted;

use crate::access::ClientAddress;
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, WriteErrors};
use crate::problem::Problem;
use crate::shapes::account::{LinkSecret, Told};

/// Confirm an address
///
/// With the secret of the link that was sent there. It begins no session.
#[utoipa::path(post, path = "/auth/verify", tag = "accounts", security(()), request_body = LinkSecret,
    responses((status = 200, description = "It is confirmed", body = Told), WriteErrors, AttemptErrors))]
pub(crate) async fn verify_address(
    ClientAddress(address): ClientAddress,
    State(app): State<App>,
    Body(input): Body<LinkSecret>,
) -> Result<Json<Told>, Problem> {
    let attempt = app.vault().attempt(Attempted::LinkFrom(address))?;
    app.vault().verify(input.token.expose()).await?;
    attempt.forgive(app.now().mono_us);
    Ok(Json(Told { message: "Your address is confirmed.".into() }))
}
