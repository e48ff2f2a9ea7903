//! `GET /orgs/{id}/invitations`: invitations that nobody has taken up.

use axum::Json;

use crate::access::{Manage, OrgAccess};
use crate::answer::List;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::shapes::member::Invitation;

/// List open invitations
#[utoipa::path(get, path = "/orgs/{id}/invitations", tag = "members",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "The invitations, oldest first", body = List<Invitation>), ReadErrors, TooLow, NotFound))]
pub(crate) async fn list_invitations(org: OrgAccess<Manage>) -> Result<Json<List<Invitation>>, Problem> {
    Ok(List::whole(org.invitations().await?.into_iter().map(Invitation::of).collect()))
}
