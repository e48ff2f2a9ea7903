//! `DELETE /orgs/{id}`: its keys are refused at once, its usage is kept.

use axum::extract::State;
use http::StatusCode;

use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::{Segments, org_id};

/// Delete an organisation
///
/// Its keys are refused from the next request on, streams finish, its usage is kept. Deleting it again changes nothing.
#[utoipa::path(delete, path = "/orgs/{id}", tag = "organisations", params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 204, description = "It is deleted"), DeleteErrors, NotFound))]
pub(crate) async fn delete_org(operator: Operator, State(app): State<App>, Segments(id): Segments<String>) -> Result<StatusCode, Problem> {
    app.store().delete_org(operator.actor(), org_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
