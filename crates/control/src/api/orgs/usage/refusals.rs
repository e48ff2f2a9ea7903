//! `GET /orgs/{id}/usage/refusals`: why an organisation's requests were refused.

use axum::Json;

use crate::access::{OrgAccess, See};
use crate::api::orgs::usage_queries::WhyQuery;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::pool_usage::WhyRefused;

/// Get why an organisation's requests were refused
///
/// Which limits refused them, what each counts, when that was, and which keys and models asked.
#[utoipa::path(get, path = "/orgs/{id}/usage/refusals", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), WhyQuery),
    responses((status = 200, description = "The limits that refused", body = WhyRefused), ReadErrors, TooLow, NotFound))]
pub(crate) async fn get_refusals(org: OrgAccess<See>, Query(query): Query<WhyQuery>) -> Result<Json<WhyRefused>, Problem> {
    let why = org.why_refused(|org| query.of(org)).await??;
    Ok(Json(why.into()))
}
