//! `DELETE /providers/{name}/keys/{key_id}`: the provider is called without this key.

use http::StatusCode;

use crate::access::Operator;
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::{Segments, credential_id};

/// Remove an API key of a provider
///
/// In force for the next request. A key from the environment or a file comes back at the next start, if it is still there.
#[utoipa::path(delete, path = "/providers/{name}/keys/{key_id}", tag = "providers",
    params(("name" = String, Path, description = "The provider's name"), ("key_id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It is removed"), DeleteErrors, NotFound))]
pub(crate) async fn remove_provider_key(
    operator: Operator,
    Segments((name, key)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    operator.store().remove_credential(operator.actor(), &name.into(), credential_id(&key)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
