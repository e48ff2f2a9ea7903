//! `POST /providers`: a new provider.

use store::{Origin, PutMode};

use crate::access::Operator;
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::{Conflict, WriteErrors};
use crate::problem::Problem;
use crate::shapes::apply::named;
use crate::shapes::provider::{Provider, ProviderInput};

/// Make a provider
#[utoipa::path(post, path = "/providers", tag = "providers", request_body = ProviderInput,
    responses((status = 201, description = "The provider", body = Provider), WriteErrors, Conflict))]
pub(crate) async fn create_provider(operator: Operator, Body(input): Body<ProviderInput>) -> Result<Put<Provider>, Problem> {
    let name = named("name", input.name.clone())?;
    let draft = input.into_draft(name.clone().into(), None)?;
    let written = operator.store().put_provider(operator.actor(), draft, Origin::Api, PutMode::Create).await?;
    Ok(Put::of(&["providers", &name], written, |kept| Provider::of(&kept)))
}
