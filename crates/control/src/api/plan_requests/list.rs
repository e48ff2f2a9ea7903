//! `GET /plan-requests`: wishes for another plan, oldest first.

use axum::Json;

use super::query::PlanRequestsQuery;
use crate::access::Operator;
use crate::answer::List;
use crate::documented_errors::ReadErrors;
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::subscription::PlanRequest;

/// List wishes for another plan
#[utoipa::path(get, path = "/plan-requests", tag = "subscriptions", params(PlanRequestsQuery),
    responses((status = 200, description = "A page of wishes, oldest first", body = List<PlanRequest>), ReadErrors))]
pub(crate) async fn list_plan_requests(
    operator: Operator,
    Query(query): Query<PlanRequestsQuery>,
) -> Result<Json<List<PlanRequest>>, Problem> {
    let found = operator.store().plan_requests(query.state()?, &query.page()?).await?;
    Ok(List::of(found, PlanRequest::of))
}
