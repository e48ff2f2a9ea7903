//! `GET /orgs/{id}/members`: who belongs to an organisation.

use axum::Json;

use crate::access::{OrgAccess, See};
use crate::answer::List;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::member::Member;

/// List members
#[utoipa::path(get, path = "/orgs/{id}/members", tag = "members",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), PageQuery),
    responses((status = 200, description = "A page of members", body = List<Member>), ReadErrors, TooLow, NotFound))]
pub(crate) async fn list_members(org: OrgAccess<See>, Query(query): Query<PageQuery>) -> Result<Json<List<Member>>, Problem> {
    Ok(List::of(org.members(&query.page()?).await?, Member::of))
}
