//! `POST /orgs/{id}/subscription/checkouts/{checkout}/refresh`: somebody is back from where a checkout is paid.

use axum::Json;

use crate::access::{Billing, OrgAccess};
use crate::documented_errors::{Conflict, DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::subscription::Subscription;

/// Ask whether a checkout was paid
///
/// Whoever charges is asked, so that a plan is in force as soon as it is paid, even where their own word is late. Coming back by itself puts
/// nothing in force.
#[utoipa::path(post, path = "/orgs/{id}/subscription/checkouts/{checkout}/refresh", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id"), ("checkout" = String, Path, description = "The checkout's id")),
    responses((status = 200, description = "The subscription, as it is now", body = Subscription), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn refresh_checkout(
    org: OrgAccess<Billing>,
    Segments((_org, segment)): Segments<(String, String)>,
) -> Result<Json<Subscription>, Problem> {
    let id = segment.parse().map_err(|_| Problem::not_found("checkout", &segment))?;
    org.returned_from(id).await?;
    Ok(Json(org.subscription().await?))
}
