//! `GET /auth/session`: who is logged in.

use axum::Json;

use crate::access::SignedIn;
use crate::documented_errors::{ReadErrors, SessionNeeded};
use crate::problem::Problem;
use crate::shapes::account::{Membership, Person, WhoAmI};

/// Get who is logged in
///
/// And their organisations.
#[utoipa::path(get, path = "/auth/session", tag = "accounts", security(("session" = [])),
    responses((status = 200, description = "Who you are", body = WhoAmI), ReadErrors, SessionNeeded))]
pub(crate) async fn who_am_i(me: SignedIn) -> Result<Json<WhoAmI>, Problem> {
    let organisations = me.orgs().await?.into_iter().map(Membership::of).collect();
    Ok(Json(WhoAmI { person: Person::of(&me.session().person), organisations }))
}
