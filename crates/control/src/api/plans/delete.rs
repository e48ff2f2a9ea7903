//! `DELETE /plans/{id}`: the plan is gone.

use http::StatusCode;

use crate::access::Operator;
use crate::documented_errors::{Conflict, DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;

/// Delete a plan
///
/// Refused while organisations are on it.
#[utoipa::path(delete, path = "/plans/{id}", tag = "plans", params(("id" = String, Path, description = "The plan's id")),
    responses((status = 204, description = "It is deleted"), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn delete_plan(operator: Operator, Segments(id): Segments<String>) -> Result<StatusCode, Problem> {
    operator.store().delete_plan(operator.actor(), &id.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
