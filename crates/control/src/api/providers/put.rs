//! `PUT /providers/{name}`: the provider as it is to be.

use store::{Origin, PutMode};

use crate::access::Operator;
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::WriteErrors;
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::apply::named_by_path;
use crate::shapes::provider::{Provider, ProviderInput};

/// Make or replace a provider
///
/// A credential and headers that are left out stay as they are, and so does `state`. In force for the next request.
#[utoipa::path(put, path = "/providers/{name}", tag = "providers", params(("name" = String, Path, description = "The provider's name")), request_body = ProviderInput,
    responses((status = 200, description = "The provider was replaced", body = Provider),
        (status = 201, description = "The provider was made", body = Provider), WriteErrors))]
pub(crate) async fn put_provider(
    operator: Operator,
    Segments(name): Segments<String>,
    Body(input): Body<ProviderInput>,
) -> Result<Put<Provider>, Problem> {
    let name = named_by_path("name", input.name.as_deref(), &name)?;
    let present = operator.store().provider(&name);
    let draft = input.into_draft(name.clone().into(), present.as_ref().map(|kept| &*kept.provider))?;
    let written = operator.store().put_provider(operator.actor(), draft, Origin::Api, PutMode::Upsert).await?;
    Ok(Put::of(&["providers", &name], written, |kept| Provider::of(&kept)))
}
