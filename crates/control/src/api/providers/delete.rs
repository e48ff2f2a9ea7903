//! `DELETE /providers/{name}`: the provider is gone.

use axum::extract::State;
use http::StatusCode;

use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{Conflict, DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;

/// Delete a provider
///
/// Refused while models have targets at it.
#[utoipa::path(delete, path = "/providers/{name}", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    responses((status = 204, description = "It is deleted"), DeleteErrors, NotFound, Conflict))]
pub(crate) async fn delete_provider(
    operator: Operator,
    State(app): State<App>,
    Segments(name): Segments<String>,
) -> Result<StatusCode, Problem> {
    app.store().delete_provider(operator.actor(), &name.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}
