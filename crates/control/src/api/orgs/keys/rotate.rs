//! `POST /orgs/{id}/keys/{key_id}/rotate`: a new key takes a key's place.

use crate::access::{Keys, OrgAccess};
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::{Segments, key_id};
use crate::shapes::key::{KeyRotation, NewKeyShown};

/// Replace an API key
///
/// Makes a key with the same name, models, limits and expiry; `key` is shown this once. The one that it replaces expires after the overlap,
/// or earlier where it was to expire earlier. Each has its own limits apart from the other's: while both live they may use them side by
/// side, within those of the organisation.
#[utoipa::path(post, path = "/orgs/{id}/keys/{key_id}/rotate", tag = "keys",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("developer"))),
    params(("id" = String, Path, description = "The organisation's id"), ("key_id" = String, Path, description = "The key's id")),
    request_body = KeyRotation,
    responses((status = 201, description = "The new key and its secret", body = NewKeyShown), WriteErrors, NotFound, Conflict))]
pub(crate) async fn rotate_key(
    org: OrgAccess<Keys>,
    Segments((_org, key)): Segments<(String, String)>,
    Body(wanted): Body<KeyRotation>,
) -> Result<Put<NewKeyShown>, Problem> {
    let (key, secret) = org.rotate_key(key_id(&key)?, wanted.overlap_seconds).await?;
    Ok(Put::made(&["orgs", &org.id(), "keys", &key.id.to_string()], NewKeyShown::of(key, &secret)))
}
