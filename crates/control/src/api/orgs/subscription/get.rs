//! `GET /orgs/{id}/subscription`: what an organisation is subscribed to.

use axum::Json;

use crate::access::{OrgAccess, See};
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::shapes::subscription::Subscription;

/// Get an organisation's subscription
#[utoipa::path(get, path = "/orgs/{id}/subscription", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "The subscription", body = Subscription), ReadErrors, TooLow, NotFound))]
pub(crate) async fn get_subscription(org: OrgAccess<See>) -> Result<Json<Subscription>, Problem> {
    Ok(Json(org.subscription().await?))
}
