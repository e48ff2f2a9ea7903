//! `PUT /models/{id}`: the model as it is to be.

use store::{Origin, PutMode};

use crate::access::Operator;
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::WriteErrors;
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::apply::named_by_path;
use crate::shapes::model::{Model, ModelInput};

/// Make or replace a model
///
/// In force for the next request.
#[utoipa::path(put, path = "/models/{id}", tag = "models", params(("id" = String, Path, description = "The model's id, percent-encoded or with raw slashes")), request_body = ModelInput,
    responses((status = 200, description = "The model was replaced", body = Model),
        (status = 201, description = "The model was made", body = Model), WriteErrors))]
pub(crate) async fn put_model(
    operator: Operator,
    Segments(id): Segments<String>,
    Body(input): Body<ModelInput>,
) -> Result<Put<Model>, Problem> {
    let id = named_by_path("id", input.id.as_deref(), &id)?;
    let model = input.into_model(id.clone().into())?;
    let written = operator.store().put_model(operator.actor(), model, Origin::Api, PutMode::Upsert).await?;
    Ok(Put::of(&["models", &id], written, |kept| Model::of(&kept)))
}
