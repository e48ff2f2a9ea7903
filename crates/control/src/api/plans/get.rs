//! `GET /plans/{id}`: one plan.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::plan::Plan;

/// Get a plan
#[utoipa::path(get, path = "/plans/{id}", tag = "plans", params(("id" = String, Path, description = "The plan's id")),
    responses((status = 200, description = "The plan", body = Plan), ReadErrors, NotFound))]
pub(crate) async fn get_plan(_: Operator, State(app): State<App>, Segments(id): Segments<String>) -> Result<Json<Plan>, Problem> {
    let kept = app.store().plan(&id).ok_or_else(|| Problem::not_found("plan", &id))?;
    Ok(Json(Plan::of(&kept)))
}
