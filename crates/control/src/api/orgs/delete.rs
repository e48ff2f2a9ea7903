//! `DELETE /orgs/{id}`: its keys are refused at once, its usage is kept.

use http::StatusCode;

use crate::access::{OrgAccess, Own};
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;

/// Delete an organisation
///
/// Its keys are refused from the next request on, streams finish, its usage is kept. Deleting it again changes nothing.
#[utoipa::path(delete, path = "/orgs/{id}", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("owner"))),
    params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 204, description = "It is deleted"), DeleteErrors, NotFound))]
pub(crate) async fn delete_org(org: OrgAccess<Own>) -> Result<StatusCode, Problem> {
    org.delete().await?;
    Ok(StatusCode::NO_CONTENT)
}
