//! `POST /oidc/test`: asks the provider of identities for what it publishes, as a trial.

use axum::Json;
use axum::extract::State;

use crate::access::Operator;
use crate::app::App;
use crate::documented_errors::DeleteErrors;
use crate::problem::Problem;
use crate::shapes::log_in::OidcTest;

/// Test the provider of identities
///
/// Asks it for its description and its keys. It takes no body, and changes nothing. Nobody is logged in, so it doesn't show whether the
/// client's secret is right.
#[utoipa::path(post, path = "/oidc/test", tag = "installation", responses((status = 200, description = "What came of it", body = OidcTest), DeleteErrors))]
pub(crate) async fn test_oidc(_operator: Operator, State(app): State<App>) -> Result<Json<OidcTest>, Problem> {
    let oidc = app.oidc().ok_or_else(|| Problem::not_found("provider of identities", "oidc"))?;
    let begun = app.now();
    let found = oidc.check(begun).await;
    let elapsed_ms = app.now().mono_us.saturating_sub(begun.mono_us) as f64 / 1e3;
    let (ok, message) = match found {
        Ok(0) => (false, "it publishes no key with which it could sign as is known here (RS256 or ES256)".into()),
        Ok(keys) => (true, format!("it can be reached; signing keys that can be used: {keys}")),
        Err(fault) => (false, fault.to_string()),
    };
    Ok(Json(OidcTest { ok, issuer: oidc.issuer().to_owned(), elapsed_ms, message }))
}
