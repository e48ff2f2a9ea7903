//! `DELETE /orgs/{id}/keys/{key_id}`: the key is refused from the next request on.

use http::StatusCode;

use crate::access::{Keys, OrgAccess};
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::{Segments, key_id};

/// Revoke an API key
///
/// It is refused from the next request on, and stays in the list. Revoking it again changes nothing.
#[utoipa::path(delete, path = "/orgs/{id}/keys/{key_id}", tag = "keys",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("developer"))),
    params(("id" = String, Path, description = "The organisation's id"), ("key_id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It is revoked"), DeleteErrors, NotFound))]
pub(crate) async fn revoke_key(org: OrgAccess<Keys>, Segments((_org, key)): Segments<(String, String)>) -> Result<StatusCode, Problem> {
    org.revoke_key(key_id(&key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
