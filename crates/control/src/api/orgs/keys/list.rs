//! `GET /orgs/{id}/keys`: keys without their secrets, oldest first.

use axum::Json;
use axum::extract::State;

use crate::answer::List;
use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::segments::{Segments, org_id};
use crate::shapes::key::Key;

/// List API keys
///
/// Revoked and expired ones are among them. Secrets are not.
#[utoipa::path(get, path = "/orgs/{id}/keys", tag = "keys", params(("id" = String, Path, description = "The organisation's id"), PageQuery),
    responses((status = 200, description = "A page of keys", body = List<Key>), ReadErrors, NotFound))]
pub(crate) async fn list_keys(
    _: Operator,
    State(app): State<App>,
    Segments(id): Segments<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<List<Key>>, Problem> {
    let keys = app.store().list_keys(org_id(&id)?, &query.page()?).await?;
    Ok(List::of(keys, Key::of))
}
