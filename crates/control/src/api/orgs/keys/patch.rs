//! `PATCH /orgs/{id}/keys/{key_id}`: a key is disabled, or enabled again.

use axum::Json;

use crate::access::{Keys, OrgAccess};
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::{Segments, key_id};
use crate::shapes::key::{Key, KeyChange, KeyState};

/// Disable or enable an API key
///
/// Disabled it is refused from the next request on; enabled it works again. One that was revoked or has expired stays so.
#[utoipa::path(patch, path = "/orgs/{id}/keys/{key_id}", tag = "keys",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("developer"))),
    params(("id" = String, Path, description = "The organisation's id"), ("key_id" = String, Path, description = "The key's id")),
    request_body = KeyChange,
    responses((status = 200, description = "The key after the change", body = Key), WriteErrors, NotFound, Conflict))]
pub(crate) async fn change_key(
    org: OrgAccess<Keys>,
    Segments((_org, key)): Segments<(String, String)>,
    Body(change): Body<KeyChange>,
) -> Result<Json<Key>, Problem> {
    Ok(Json(Key::of(org.change_key(key_id(&key)?, change.state == KeyState::Disabled).await?)))
}
