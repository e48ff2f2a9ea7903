//! `GET /plans`: plans, in their order.

use axum::Json;

use crate::access::Operator;
use crate::answer::List;
use crate::documented_errors::ReadErrors;
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::plan::Plan;

/// List plans
#[utoipa::path(get, path = "/plans", tag = "plans", params(PageQuery),
    responses((status = 200, description = "A page of plans", body = List<Plan>), ReadErrors))]
pub(crate) async fn list_plans(operator: Operator, Query(query): Query<PageQuery>) -> Result<Json<List<Plan>>, Problem> {
    let found = operator.store().plans(&query.page()?);
    Ok(List::of(found, |kept| Plan::of(&kept)))
}
