//! `PATCH /providers/{name}`: enabled, draining or disabled; other API keys.

use axum::Json;
use http::StatusCode;

use crate::access::Operator;
use crate::body::Body;
use crate::documented_errors::{NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::provider::Provider;
use crate::shapes::provider_state::ProviderChange;

/// Enable, drain or disable a provider, or replace its API keys
///
/// What is left out stays as it is. In force for the next request.
#[utoipa::path(patch, path = "/providers/{name}", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    request_body = ProviderChange,
    responses((status = 200, description = "The provider after the change", body = Provider), WriteErrors, NotFound))]
pub(crate) async fn change_provider(
    operator: Operator,
    Segments(name): Segments<String>,
    Body(change): Body<ProviderChange>,
) -> Result<Json<Provider>, Problem> {
    let patch = change.into_patch().ok_or_else(nothing_to_change)?;
    let kept = operator.store().change_provider(operator.actor(), &name.into(), patch).await?;
    Ok(Json(Provider::of(&kept)))
}

fn nothing_to_change() -> Problem {
    let message = "The body changes nothing: give state, api_key, or both.";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "missing_member", message).at("state")
}
