//! `GET /orgs/{id}/usage`: what an organisation used in a span of time.

use axum::Json;
use axum::extract::State;

use crate::api::orgs::queries::UsageQuery;
use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::query::Query;
use crate::segments::{Segments, org_id};
use crate::shapes::usage::Usage;

/// Get an organisation's usage
///
/// What ended a second ago or more is in it. The usage of a deleted organisation is kept.
#[utoipa::path(get, path = "/orgs/{id}/usage", tag = "organisations",
    params(("id" = String, Path, description = "The organisation's id"), UsageQuery),
    responses((status = 200, description = "Totals and a series", body = Usage), ReadErrors, NotFound))]
pub(crate) async fn get_usage(
    _: Operator,
    State(app): State<App>,
    Segments(id): Segments<String>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<Usage>, Problem> {
    let usage = app.store().usage(&query.of(org_id(&id)?)?).await?;
    Ok(Json(usage.into()))
}
