//! `POST /providers/{name}/test`: asks a provider for its models, as a trial.

use axum::Json;
use axum::extract::State;

use crate::access::Operator;
use crate::app::App;
use crate::documented_errors::{DeleteErrors, NotFound};
use crate::problem::Problem;
use crate::segments::Segments;
use crate::shapes::provider_state::ProviderTest;

/// Test a provider
///
/// Asks it for its models with its credential. It takes no body, and changes nothing.
#[utoipa::path(post, path = "/providers/{name}/test", tag = "providers", params(("name" = String, Path, description = "The provider's name")),
    responses((status = 200, description = "What came of it", body = ProviderTest), DeleteErrors, NotFound))]
pub(crate) async fn test_provider(
    operator: Operator,
    State(app): State<App>,
    Segments(name): Segments<String>,
) -> Result<Json<ProviderTest>, Problem> {
    let kept = operator.store().provider(&name).ok_or_else(|| Problem::not_found("provider", &name))?;
    Ok(Json(app.tester().test(kept.provider.name.clone()).await.into()))
}
