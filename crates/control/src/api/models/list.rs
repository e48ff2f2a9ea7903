//! `GET /models`: models, in their order.

use axum::Json;

use crate::access::Operator;
use crate::answer::List;
use crate::documented_errors::ReadErrors;
use crate::problem::Problem;
use crate::query::{PageQuery, Query};
use crate::shapes::model::Model;

/// List models
#[utoipa::path(get, path = "/models", tag = "models", params(PageQuery),
    responses((status = 200, description = "A page of models", body = List<Model>), ReadErrors))]
pub(crate) async fn list_models(operator: Operator, Query(query): Query<PageQuery>) -> Result<Json<List<Model>>, Problem> {
    let found = operator.store().models(&query.page()?);
    Ok(List::of(found, |kept| Model::of(&kept)))
}
