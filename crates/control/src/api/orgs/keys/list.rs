//! `GET /orgs/{id}/keys`: keys without their secrets, oldest first.

use axum::Json;

use crate::access::{OrgAccess, See};
use crate::answer::List;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::key::Key;

/// List API keys
///
/// Revoked and expired ones are among them. Secrets are not.
#[utoipa::path(get, path = "/orgs/{id}/keys", tag = "keys",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), PageQuery),
    responses((status = 200, description = "A page of keys", body = List<Key>), ReadErrors, TooLow, NotFound))]
pub(crate) async fn list_keys(org: OrgAccess<See>, Query(query): Query<PageQuery>) -> Result<Json<List<Key>>, Problem> {
    let keys = org.keys(&query.page()?).await?;
    Ok(List::of(keys, Key::of))
}
