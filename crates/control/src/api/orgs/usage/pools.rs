//! `GET /orgs/{id}/usage/pools`: the greatest minutes of an organisation's pools against their limits as they were.

use axum::Json;

use crate::access::{OrgAccess, See};
use crate::api::orgs::usage_queries::PoolUsageQuery;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::pool_usage::PoolUsage;

/// Get the greatest minutes of an organisation's pools
///
/// What of each pool was used in its greatest minute, over the whole span and by bucket, what its limits were at the time, and how much they refused.
/// An average would hide what was refused. Limits of longer windows and of API keys are not among them.
#[utoipa::path(get, path = "/orgs/{id}/usage/pools", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), PoolUsageQuery),
    responses((status = 200, description = "The organisation, then its pools", body = PoolUsage), ReadErrors, TooLow, NotFound))]
pub(crate) async fn get_pool_usage(org: OrgAccess<See>, Query(query): Query<PoolUsageQuery>) -> Result<Json<PoolUsage>, Problem> {
    let usage = org.pool_usage(|org| query.of(org)).await??;
    Ok(Json(usage.into()))
}
