//! `GET /providers/{name}/state`: how a provider stands at this moment.

use axum::Json;
use axum::extract::State;

use crate::access::Operator;
use crate::app::App;
use crate::documented_errors::{NotFound, ReadErrors};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::provider_state::ProviderStanding;

/// Get a provider's state
///
/// Whether it is cooling down, until when and why, and how many attempts are in progress; for each of its models and for its
/// credential how it stands, since when, until when, how it did in the last 5 minutes, and its own limits as it last told them.
#[utoipa::path(get, path = "/providers/{name}/state", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    responses((status = 200, description = "How it stands", body = ProviderStanding), ReadErrors, NotFound))]
pub(crate) async fn get_provider_state(
    operator: Operator,
    State(app): State<App>,
    Segments(name): Segments<String>,
) -> Result<Json<ProviderStanding>, Problem> {
    let kept = operator.store().provider(&name).ok_or_else(|| Problem::not_found("provider", &name))?;
    let status = app.providers().status(&kept.provider.name);
    Ok(Json(ProviderStanding::of(&kept.provider.name, kept.provider.state, status)))
}
