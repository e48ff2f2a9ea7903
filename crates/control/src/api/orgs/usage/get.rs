//! `GET /orgs/{id}/usage`: what an organisation used in a span of time.

use axum::Json;
use axum::response::{IntoResponse, Response};

use crate::access::{OrgAccess, See};
use crate::api::orgs::usage_queries::UsageQuery;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::usage::Usage;

/// Get an organisation's usage
///
/// What ended a second ago or more is in it. Requests count by the minute in which they arrived. The usage of a deleted organisation is kept.
#[utoipa::path(get, path = "/orgs/{id}/usage", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), UsageQuery),
    responses((status = 200, description = "Totals and a series", content((Usage = "application/json"), (String = "text/csv"))),
        ReadErrors, TooLow, NotFound))]
pub(crate) async fn get_usage(org: OrgAccess<See>, Query(query): Query<UsageQuery>) -> Result<Response, Problem> {
    let is_csv = query.is_csv()?;
    let (usage, group_by) = org.usage(|org| query.of(org)).await?;
    let usage = Usage::from(usage?);
    Ok(if is_csv { usage.csv(group_by).into_response() } else { Json(usage).into_response() })
}
