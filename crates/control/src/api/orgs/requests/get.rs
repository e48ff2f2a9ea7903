//! `GET /orgs/{id}/requests/{request}`: what was decided about one request of an organisation.

use axum::Json;

use crate::access::{OrgAccess, See};
use crate::api::requests::get::unknown;
use crate::documented_errors::{NotFound, ReadErrors, TooLow};
use crate::problem::Problem;
use crate::segments::{Segments, request_id};
use crate::shapes::request::Request;

/// Get an organisation's request
///
/// What was decided about one request, by which pool and why: how it fared, what it was charged, each attempt at a provider where there
/// were several or one failed, and the limits that refused it or would have, with what was used and held of them at that moment. It is known a
/// second after its end. Requests that one limit refused within one second are kept as one, under the id of the first.
#[utoipa::path(get, path = "/orgs/{id}/requests/{request}", tag = "organisations",
    security(("operator_token" = []), ("session" = [])), extensions(("x-role" = json!("viewer"))),
    params(("id" = String, Path, description = "The organisation's id"), ("request" = String, Path, description = "The answer's `x-request-id`")),
    responses((status = 200, description = "The request", body = Request), ReadErrors, TooLow, NotFound))]
pub(crate) async fn get_org_request(org: OrgAccess<See>, Segments(path): Segments<(String, String)>) -> Result<Json<Request>, Problem> {
    let (_, request) = path;
    let story = org.request(request_id(&request)?).await?;
    story.and_then(Request::of).map(Json).ok_or_else(|| unknown(&request))
}
