//! `POST /providers/{name}/keys`: one more API key for a provider.

use crate::access::Operator;
use crate::answer::Put;
use crate::body::Body;
use crate::documented_errors::{Conflict, NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::provider_key::{ProviderKey, ProviderKeyInput};

/// Add an API key to a provider
///
/// The provider's keys take turns; one that the provider refuses, or rate limits, is left out for a while. In force for the next
/// request.
#[utoipa::path(post, path = "/providers/{name}/keys", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    request_body = ProviderKeyInput,
    responses((status = 201, description = "What may be told of the key", body = ProviderKey), WriteErrors, NotFound, Conflict))]
pub(crate) async fn add_provider_key(
    operator: Operator,
    Segments(name): Segments<String>,
    Body(input): Body<ProviderKeyInput>,
) -> Result<Put<ProviderKey>, Problem> {
    let info = operator.store().add_credential(operator.actor(), &name.clone().into(), input.api_key).await?;
    Ok(Put::made(&["providers", &name, "keys", &info.id.to_string()], ProviderKey::of(&info)))
}
