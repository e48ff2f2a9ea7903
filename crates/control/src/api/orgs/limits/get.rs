//! `GET /orgs/{id}/limits`: every limit of every pool, as it stands.

use axum::Json;
use axum::extract::State;

use crate::access::{OrgAccess, See};
use crate::answer::List;
use crate::app::App;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::shapes::pool::PoolLimit;

/// Get an organisation's pools
///
/// Every limit of every pool: what is used, held and free now. Keys' own limits are among them.
#[utoipa::path(get, path = "/orgs/{id}/limits", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id")),
    responses((status = 200, description = "Every limit of every pool", body = List<PoolLimit>), ReadErrors, TooLow, NotFound))]
pub(crate) async fn get_org_limits(org: OrgAccess<See>, State(app): State<App>) -> Result<Json<List<PoolLimit>>, Problem> {
    let views = org.pools(app.now()).ok_or_else(|| Problem::not_found("organisation", &org.id()))?;
    Ok(List::whole(views.into_iter().map(PoolLimit::of).collect()))
}
