//! `DELETE /models/{id}`: the model is gone.

use http::StatusCode;

use crate::access::Operator;
use crate::documented_errors::{Conflict, DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;

/// Delete a model
///
/// Refused while plans have limit rows for it.
#[utoipa::path(delete, path = "/models/{id}", tag = "models", params(("id" = String, Path, description = "The model's id, percent-encoded or with raw slashes")),
    responses((status = 204, description = "It is deleted"), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn delete_model(operator: Operator, Segments(id): Segments<String>) -> Result<StatusCode, Problem> {
    operator.store().delete_model(operator.actor(), &id.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
