//! `POST /orgs/{id}/subscription`: another plan is chosen.

use axum::Json;
use axum::extract::State;
use domain::PlanId;
use http::StatusCode;
use store::PlanChange;

use crate::access::{Billing, OrgAccess};
use crate::app::App;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::shapes::subscription::{Subscription, SubscriptionInput};

/// Choose another plan
///
/// Where plans are granted by operators (`manual`), and of plans without a price, this is a wish, which replaces one that is open. Else a
/// cheaper plan is in force when what was paid for is over, and one that costs nothing at once. For a dearer one the card that Stripe keeps is
/// charged at once; where there is none, or it is declined, there is a checkout with the `url` where it is paid. Chosen again it is the same
/// checkout for half its time.
/// The plan in force takes back what was chosen before.
#[utoipa::path(post, path = "/orgs/{id}/subscription", tag = "subscriptions",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("admin"))),
    params(("id" = String, Path, description = "The organisation's id")), request_body = SubscriptionInput,
    responses((status = 200, description = "The plan is in force", body = Subscription),
        (status = 202, description = "The subscription, with the wish, the checkout or the plan that is next", body = Subscription),
        WriteErrors, NotFound, Conflict))]
pub(crate) async fn subscribe(
    org: OrgAccess<Billing>,
    State(app): State<App>,
    Body(input): Body<SubscriptionInput>,
) -> Result<(StatusCode, Json<Subscription>), Problem> {
    let plan = PlanId::from(input.plan);
    let has_price = app.vault().catalogue().plan(plan.as_str()).is_none_or(|plan| plan.price_month.is_some());
    let status = if app.vault().sells() && has_price {
        match org.buy_plan(plan).await? {
            PlanChange::InForce => StatusCode::OK,
            PlanChange::Scheduled(_) | PlanChange::ToPay(_) => StatusCode::ACCEPTED,
        }
    } else {
        org.request_plan(plan, input.message).await?;
        StatusCode::ACCEPTED
    };
    Ok((status, Json(org.subscription().await?)))
}
