//! `DELETE /orgs/{id}/subscription/request`: a wish is taken back.

use http::StatusCode;

use crate::access::{Billing, OrgAccess};
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;

/// Take the wish for another plan back
#[utoipa::path(delete, path = "/orgs/{id}/subscription/request", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 204, description = "There is none any more"), DeleteErrors, NotFound))]
pub(crate) async fn withdraw_plan_request(org: OrgAccess<Billing>) -> Result<StatusCode, Problem> {
    let nothing = || Problem::not_found("open request of", &org.id());
    if org.withdraw_plan_request().await? { Ok(StatusCode::NO_CONTENT) } else { Err(nothing()) }
}
