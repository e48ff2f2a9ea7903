//! `GET /orgs`: organisations, oldest first.

use axum::Json;
use axum::extract::State;

use crate::access::Operator;
use crate::answer::List;
use crate::api::orgs::queries::OrgsQuery;
use crate::app::App;
use crate::documented_errors::ReadErrors;
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::org::Org;

/// List organisations
#[utoipa::path(get, path = "/orgs", tag = "organisations", params(OrgsQuery),
    responses((status = 200, description = "A page of organisations", body = List<Org>), ReadErrors))]
pub(crate) async fn list_orgs(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<OrgsQuery>,
) -> Result<Json<List<Org>>, Problem> {
    let found = operator.store().list_orgs(query.q.as_deref(), &query.page()?).await?;
    Ok(List::of(found, |org| app.org_shape(&org)))
}
