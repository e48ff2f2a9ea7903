//! `DELETE /orgs/{id}/keys/{key_id}`: the key is refused from the next request on.

use axum::extract::State;
use http::StatusCode;

use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::{Segments, key_id, org_id};

/// Revoke an API key
///
/// It is refused from the next request on, and stays in the list. Revoking it again changes nothing.
#[utoipa::path(delete, path = "/orgs/{id}/keys/{key_id}", tag = "keys",
    params(("id" = String, Path, description = "The organisation's id"), ("key_id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It is revoked"), DeleteErrors, NotFound))]
pub(crate) async fn revoke_key(
    operator: Operator,
    State(app): State<App>,
    Segments((id, key)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.store().revoke_key(operator.actor(), org_id(&id)?, key_id(&key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
