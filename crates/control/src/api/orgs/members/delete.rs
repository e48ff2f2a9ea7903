//! `DELETE /orgs/{id}/members/{person}`: somebody belongs to an organisation no more.

use http::StatusCode;

use super::person_id;
use crate::access::{OrgAccess, See};
use crate::documented_errors::{Conflict, DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;

/// Remove a member
///
/// They reach the organisation no more from the next request on; API keys stay. Everybody may leave; to remove others needs the role admin,
/// to remove owners the role owner.
#[utoipa::path(delete, path = "/orgs/{id}/members/{person}", tag = "members",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), ("person" = String, Path, description = "The member's id")),
    responses((status = 204, description = "They are no member any more"), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn remove_member(
    org: OrgAccess<See>,
    Segments((_org, person)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    org.remove_member(person_id(&person)?).await??;
    Ok(StatusCode::NO_CONTENT)
}
