//! `GET /status`: how the installation stands.

use axum::Json;
use axum::extract::State;

use crate::access::Operator;
use crate::app::App;
use crate::documented_errors::ReadErrors;
use crate::shapes::status::Status;

/// Get the installation's status
#[utoipa::path(get, path = "/status", tag = "installation",
    responses((status = 200, description = "How it stands", body = Status), ReadErrors))]
pub(crate) async fn get_status(operator: Operator, State(app): State<App>) -> Json<Status> {
    Json(Status::of(operator.store(), app.spend().spend(), app.now()))
}
