//! `POST /orgs/{id}/keys`: a new API key, whose secret is shown this once.

use crate::access::{Keys, OrgAccess};
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::shapes::key::{KeyInput, NewKeyShown};

/// Make an API key
///
/// `key` is shown this once; only its hash is kept.
#[utoipa::path(post, path = "/orgs/{id}/keys", tag = "keys",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("developer"))),
    params(("id" = String, Path, description = "The organisation's id")),
    request_body = KeyInput,
    responses((status = 201, description = "The key and its secret", body = NewKeyShown), WriteErrors, NotFound, Conflict))]
pub(crate) async fn create_key(org: OrgAccess<Keys>, Body(input): Body<KeyInput>) -> Result<Put<NewKeyShown>, Problem> {
    org.verified()?;
    let (key, secret) = org.create_key(input.into_new()).await?;
    Ok(Put::made(&["orgs", &org.id(), "keys", &key.id.to_string()], NewKeyShown::of(key, &secret)))
}
