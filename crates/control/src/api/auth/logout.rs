//! `POST /auth/logout`: the session ends.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::access::{SignedIn, cleared};
use crate::app::App;
use crate::documented_errors::DeleteErrors;
use crate::problem::Problem;

/// Log out
///
/// Ends the session, and takes its cookie away. It takes no body.
#[utoipa::path(post, path = "/auth/logout", tag = "accounts", security(("session" = [])),
    responses((status = 204, description = "You are logged out"), DeleteErrors))]
pub(crate) async fn log_out(me: SignedIn, State(app): State<App>) -> Result<Response, Problem> {
    me.end_session(me.session().id).await?;
    Ok((StatusCode::NO_CONTENT, [cleared(app.config().is_secure)]).into_response())
}
