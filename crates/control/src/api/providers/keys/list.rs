//! `GET /providers/{name}/keys`: what may be told of a provider's API keys.

use axum::Json;

use crate::access::Operator;
use crate::answer::List;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::provider_key::ProviderKey;

/// List the API keys of a provider
///
/// In the order in which they take their turns. The keys themselves are never shown.
#[utoipa::path(get, path = "/providers/{name}/keys", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    responses((status = 200, description = "All its keys", body = List<ProviderKey>), ReadErrors, NotFound))]
pub(crate) async fn list_provider_keys(operator: Operator, Segments(name): Segments<String>) -> Result<Json<List<ProviderKey>>, Problem> {
    let keys = operator.store().credentials(&name).ok_or_else(|| Problem::not_found("provider", &name))?;
    Ok(List::whole(keys.iter().map(ProviderKey::of).collect()))
}
