//! `/auth/sessions`: where somebody is logged in.

use axum::Json;
use http::StatusCode;

use crate::access::SignedIn;
use crate::answer::List;
use crate::documented_errors::{DeleteErrors, NotFound, ReadErrors, SessionNeeded};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::account::Session;

/// List your sessions
#[utoipa::path(get, path = "/auth/sessions", tag = "accounts", security(("session" = [])),
    responses((status = 200, description = "Your sessions, oldest first", body = List<Session>), ReadErrors, SessionNeeded))]
pub(crate) async fn list_sessions(me: SignedIn) -> Result<Json<List<Session>>, Problem> {
    let current = me.session().id;
    Ok(List::whole(me.sessions().await?.into_iter().map(|session| Session::of(session, current)).collect()))
}

/// End one of your sessions
///
/// It is refused from the next request on.
#[utoipa::path(delete, path = "/auth/sessions/{session}", tag = "accounts", security(("session" = [])),
    params(("session" = String, Path, description = "The session's id")),
    responses((status = 204, description = "It is ended"), DeleteErrors, NotFound))]
pub(crate) async fn end_session(me: SignedIn, Segments(segment): Segments<String>) -> Result<StatusCode, Problem> {
    let nothing = || Problem::not_found("session", &segment);
    let id = segment.parse().map_err(|_| nothing())?;
    if me.end_session(id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(nothing()) }
}
