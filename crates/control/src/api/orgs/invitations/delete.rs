//! `DELETE /orgs/{id}/invitations/{invitation}`: its link works no more.

use http::StatusCode;

use crate::access::{Manage, OrgAccess};
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;

/// Withdraw an invitation
#[utoipa::path(delete, path = "/orgs/{id}/invitations/{invitation}", tag = "members",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id"), ("invitation" = String, Path, description = "The invitation's id")),
    responses((status = 204, description = "Its link works no more"), DeleteErrors, NotFound))]
pub(crate) async fn withdraw_invitation(
    org: OrgAccess<Manage>,
    Segments((_org, invitation)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    let nothing = || Problem::not_found("invitation", &invitation);
    let id = invitation.parse().map_err(|_| nothing())?;
    if org.withdraw_invitation(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(nothing()) }
}
