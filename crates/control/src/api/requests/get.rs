//! `GET /requests/{id}`: what was decided about one request.

use axum::Json;
use http::StatusCode;

use crate::access::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::{Segments, request_id};
use crate::shapes::request::Request;

/// Get a request
///
/// What was decided about one request, by which pool and why: how it fared, what it was charged, each attempt at a provider where there
/// were several or one failed, and the limits that refused it or would have. It is known a second after its end. Requests that one limit
/// refused within one second are kept as one, under the id of the first.
#[utoipa::path(get, path = "/requests/{id}", tag = "organisations",
    params(("id" = String, Path, description = "The answer's `x-request-id`")),
    responses((status = 200, description = "The request", body = Request), ReadErrors, NotFound))]
pub(crate) async fn get_request(operator: Operator, Segments(id): Segments<String>) -> Result<Json<Request>, Problem> {
    let story = operator.store().request(request_id(&id)?).await?;
    story.and_then(Request::of).map(Json).ok_or_else(|| unknown(&id))
}

pub(crate) fn unknown(id: &str) -> Problem {
    let message = format!(
        "Nothing is known of the request \"{id}\". It may be in progress, or have ended before any limit was asked; of the requests that one \
         limit refused within a second only the first is kept by its id."
    );
    Problem::new(StatusCode::NOT_FOUND, "not_found", message)
}
