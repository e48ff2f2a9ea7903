//! `PATCH /orgs/{id}/members/{person}`: another role.

use axum::Json;

use super::person_id;
use crate::access::{Manage, OrgAccess};
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::member::{Member, RoleChange};

/// Change a member's role
///
/// Only owners name and change owners. An organisation that has an owner keeps one.
#[utoipa::path(patch, path = "/orgs/{id}/members/{person}", tag = "members",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id"), ("person" = String, Path, description = "The member's id")),
    request_body = RoleChange,
    responses((status = 200, description = "The member after the change", body = Member), WriteErrors, NotFound, Conflict))]
pub(crate) async fn change_member(
    org: OrgAccess<Manage>,
    Segments((_org, person)): Segments<(String, String)>,
    Body(change): Body<RoleChange>,
) -> Result<Json<Member>, Problem> {
    Ok(Json(Member::of(org.set_role(person_id(&person)?, change.role.into()).await?)))
}
