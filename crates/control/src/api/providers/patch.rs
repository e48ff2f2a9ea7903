//! `PATCH /providers/{name}`: enabled, draining or disabled.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::authenticate::Operator;
use crate::body::Body;
use crate::documented_errors::{NotFound, WriteErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::provider::Provider;
use crate::shapes::provider_state::ProviderChange;

/// Enable, drain or disable a provider
#[utoipa::path(patch, path = "/providers/{name}", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    request_body = ProviderChange,
    responses((status = 200, description = "The provider after the change", body = Provider), WriteErrors, NotFound))]
pub(crate) async fn change_provider(
    operator: Operator,
    State(app): State<App>,
    Segments(name): Segments<String>,
    Body(change): Body<ProviderChange>,
) -> Result<Json<Provider>, Problem> {
    let kept = app.store().set_provider_state(operator.actor(), &name.into(), change.state.into()).await?;
    Ok(Json(Provider::of(&kept)))
}
