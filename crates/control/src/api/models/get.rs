//! `GET /models/{id}`: one model.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::authenticate::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::model::Model;

/// Get a model
#[utoipa::path(get, path = "/models/{id}", tag = "models", params(("id" = String, Path, description = "The model's id, percent-encoded or with raw slashes")),
    responses((status = 200, description = "The model", body = Model), ReadErrors, NotFound))]
pub(crate) async fn get_model(_: Operator, State(app): State<App>, Segments(id): Segments<String>) -> Result<Json<Model>, Problem> {
    let kept = app.store().model(&id).ok_or_else(|| Problem::not_found("model", &id))?;
    Ok(Json(Model::of(&kept)))
}
