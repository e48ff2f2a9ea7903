//! `PATCH /plan-requests/{request}`: a wish is granted or declined.

use axum::Json;

use crate::access::Operator;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::choice::PlanDecision;
use crate::shapes::subscription::{PlanRequest, PlanRequestChange};

/// Grant or decline a wish for another plan
///
/// Granted, the plan is in force for the next request, and pools keep their history.
#[utoipa::path(patch, path = "/plan-requests/{request}", tag = "subscriptions",
    params(("request" = String, Path, description = "The wish's id")), request_body = PlanRequestChange,
    responses((status = 200, description = "The wish as it was decided", body = PlanRequest), WriteErrors, NotFound, Conflict))]
pub(crate) async fn decide_plan_request(
    operator: Operator,
    Segments(segment): Segments<String>,
    Body(change): Body<PlanRequestChange>,
) -> Result<Json<PlanRequest>, Problem> {
    let id = segment.parse().map_err(|_| Problem::not_found("request", &segment))?;
    let grants = change.state == PlanDecision::Granted;
    Ok(Json(PlanRequest::of(operator.store().decide_plan_request(operator.actor(), id, grants).await?)))
}
