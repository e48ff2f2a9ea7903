//! `GET /models/{id}`: one model.

use axum::Json;

use crate::access::Operator;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::model::Model;

/// Get a model
#[utoipa::path(get, path = "/models/{id}", tag = "models", params(("id" = String, Path, description = "The model's id, percent-encoded or with raw slashes")),
    responses((status = 200, description = "The model", body = Model), ReadErrors, NotFound))]
pub(crate) async fn get_model(operator: Operator, Segments(id): Segments<String>) -> Result<Json<Model>, Problem> {
    let kept = operator.store().model(&id).ok_or_else(|| Problem::not_found("model", &id))?;
    Ok(Json(Model::of(&kept)))
}
