//! `POST /orgs/{id}/subscription`: another plan is wished.

use axum::Json;
use http::StatusCode;

use crate::access::{Billing, OrgAccess};
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::shapes::subscription::{Subscription, SubscriptionInput};

/// Ask for another plan
///
/// An operator grants or declines it; granted, it is in force for the next request. A wish that is open is replaced.
#[utoipa::path(post, path = "/orgs/{id}/subscription", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id")), request_body = SubscriptionInput,
    responses((status = 202, description = "The subscription, with the wish that is open now", body = Subscription),
        WriteErrors, NotFound, Conflict))]
pub(crate) async fn subscribe(
    org: OrgAccess<Billing>,
    Body(input): Body<SubscriptionInput>,
) -> Result<(StatusCode, Json<Subscription>), Problem> {
    org.request_plan(input.plan.into(), input.message).await?;
    Ok((StatusCode::ACCEPTED, Json(org.subscription().await?)))
}
