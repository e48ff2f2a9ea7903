//! `/auth/identities`: who somebody is to providers of identities, and so how they log in besides their password.

use axum::Json;
use http::StatusCode;

use crate::access::SignedIn;
use crate::answer::List;
use crate::documented_errors::{Conflict, DeleteErrors, NotFound, ReadErrors, SessionNeeded};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::log_in::Identity;

/// List your identities
///
/// With each you can log in. `POST /api/v1/auth/oidc/links` adds one.
#[utoipa::path(get, path = "/auth/identities", tag = "accounts", security(("session" = [])),
    responses((status = 200, description = "Your identities, oldest first", body = List<Identity>), ReadErrors, SessionNeeded))]
pub(crate) async fn list_identities(me: SignedIn) -> Result<Json<List<Identity>>, Problem> {
    Ok(List::whole(me.identities().await?.into_iter().map(Identity::of).collect()))
}

/// Take away one of your identities
///
/// Nobody can log in to your account with it any more; sessions go on. The last way in which you can log in stays.
#[utoipa::path(delete, path = "/auth/identities/{identity}", tag = "accounts", security(("session" = [])),
    params(("identity" = String, Path, description = "The identity's id")),
    responses((status = 204, description = "It is taken away"), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn unlink_identity(me: SignedIn, Segments(segment): Segments<String>) -> Result<StatusCode, Problem> {
    let id = segment.parse().map_err(|_| Problem::not_found("identity", &segment))?;
    me.unlink_identity(id).await?;
    Ok(StatusCode::NO_CONTENT)
}
