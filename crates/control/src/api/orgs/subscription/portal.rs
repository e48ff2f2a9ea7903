//! `POST /orgs/{id}/subscription/portal`: where an organisation sees to its card.

use axum::Json;

use crate::access::{Billing, OrgAccess};
use crate::documented_errors::{Conflict, DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::shapes::subscription::Portal;

/// Open the page for the card that is kept
///
/// Only where `provider = "stripe"` in `[billing]`; elsewhere it is a 409. Its address works for a few minutes.
#[utoipa::path(post, path = "/orgs/{id}/subscription/portal", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "Where it is", body = Portal), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn open_portal(org: OrgAccess<Billing>) -> Result<Json<Portal>, Problem> {
    Ok(Json(Portal { url: org.portal().await? }))
}
