//! `GET /orgs/{id}/limits`: every limit of every pool, as it stands.

use axum::Json;
use axum::extract::State;

use crate::answer::List;
use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::{Segments, org_id};
use crate::shapes::pool::PoolLimit;

/// Get an organisation's pools
///
/// Every limit of every pool: what is used, held and free now. Keys' own limits are among them.
#[utoipa::path(get, path = "/orgs/{id}/limits", tag = "organisations", params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "Every limit of every pool", body = List<PoolLimit>), ReadErrors, NotFound))]
pub(crate) async fn get_org_limits(
    _: Operator,
    State(app): State<App>,
    Segments(id): Segments<String>,
) -> Result<Json<List<PoolLimit>>, Problem> {
    let views = app.pool_views(org_id(&id)?).ok_or_else(|| Problem::not_found("organisation", &id))?;
    Ok(List::whole(views.into_iter().map(PoolLimit::of).collect()))
}
