//! `POST /models`: a new model.

use store::{Origin, PutMode};

use crate::access::Operator;
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::{Conflict, WriteErrors};
use crate::problem::Problem;
use crate::shapes::apply::named;
use crate::shapes::model::{Model, ModelInput};

/// Make a model
#[utoipa::path(post, path = "/models", tag = "models", request_body = ModelInput,
    responses((status = 201, description = "The model", body = Model), WriteErrors, Conflict))]
pub(crate) async fn create_model(operator: Operator, Body(input): Body<ModelInput>) -> Result<Put<Model>, Problem> {
    let id = named("id", input.id.clone())?;
    let model = input.into_model(id.clone().into())?;
    let written = operator.store().put_model(operator.actor(), model, Origin::Api, PutMode::Create).await?;
    Ok(Put::of(&["models", &id], written, |kept| Model::of(&kept)))
}
