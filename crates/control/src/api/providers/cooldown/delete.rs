//! `DELETE /providers/{name}/cooldown`: the provider is tried again at once.

use axum::extract::State;
use http::StatusCode;

use crate::access::Operator;
use crate::app::App;
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;

/// End a provider's cooldown
///
/// The cooldowns of all its models and of its credential end, and open circuits close: the next request may try it. Where there is none
/// nothing changes.
#[utoipa::path(delete, path = "/providers/{name}/cooldown", tag = "providers",
    params(("name" = String, Path, description = "The provider's name")),
    responses((status = 204, description = "It is not cooling down"), DeleteErrors, NotFound))]
pub(crate) async fn end_provider_cooldown(
    operator: Operator,
    State(app): State<App>,
    Segments(name): Segments<String>,
) -> Result<StatusCode, Problem> {
    let kept = operator.store().provider(&name).ok_or_else(|| Problem::not_found("provider", &name))?;
    let ended = app.providers().status(&kept.provider.name).cooldowns;
    let ended: Vec<_> = ended.iter().map(|of| serde_json::json!({"model": of.model, "until": of.until, "why": of.why})).collect();
    let details = serde_json::json!({"cooldowns": {"before": ended, "after": []}});
    operator.store().note(operator.actor(), "provider.end_cooldown", &name, details).await?;
    app.providers().clear_cooldown(&kept.provider.name);
    Ok(StatusCode::NO_CONTENT)
}
