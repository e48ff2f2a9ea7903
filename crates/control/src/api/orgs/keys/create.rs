//! `POST /orgs/{id}/keys`: a new API key, whose secret is shown this once.

use axum::extract::State;

use crate::answer::Put;
use crate::app::App;
use crate::authenticate::Operator;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::{Segments, org_id};
use crate::shapes::key::{KeyInput, NewKeyShown};

/// Make an API key
///
/// `key` is shown this once; only its hash is kept.
#[utoipa::path(post, path = "/orgs/{id}/keys", tag = "keys", params(("id" = String, Path, description = "The organisation's id")),
    request_body = KeyInput,
    responses((status = 201, description = "The key and its secret", body = NewKeyShown), WriteErrors, NotFound, Conflict))]
pub(crate) async fn create_key(
    operator: Operator,
    State(app): State<App>,
    Segments(id): Segments<String>,
    Body(input): Body<KeyInput>,
) -> Result<Put<NewKeyShown>, Problem> {
    let (key, secret) = app.store().create_key(operator.actor(), org_id(&id)?, input.into_new()).await?;
    Ok(Put::made(&["orgs", &id, "keys", &key.id.to_string()], NewKeyShown::of(key, &secret)))
}
