//! `DELETE /providers/{name}`: the provider is gone.

use http::StatusCode;

use crate::access::Operator;
use crate::documented_errors::{Conflict, DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;

/// Delete a provider
///
/// Refused while models have targets at it.
#[utoipa::path(delete, path = "/providers/{name}", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    responses((status = 204, description = "It is deleted"), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn delete_provider(operator: Operator, Segments(name): Segments<String>) -> Result<StatusCode, Problem> {
    operator.store().delete_provider(operator.actor(), &name.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
