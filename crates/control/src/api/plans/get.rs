//! `GET /plans/{id}`: one plan.

use axum::Json;

use crate::access::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::plan::Plan;

/// Get a plan
#[utoipa::path(get, path = "/plans/{id}", tag = "plans", params(("id" = String, Path, description = "The plan's id")),
    responses((status = 200, description = "The plan", body = Plan), ReadErrors, NotFound))]
pub(crate) async fn get_plan(operator: Operator, Segments(id): Segments<String>) -> Result<Json<Plan>, Problem> {
    let kept = operator.store().plan(&id).ok_or_else(|| Problem::not_found("plan", &id))?;
    Ok(Json(Plan::of(&kept)))
}
