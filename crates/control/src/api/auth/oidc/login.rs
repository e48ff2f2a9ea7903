//! `GET /auth/oidc/login`: sends a browser to the provider of identities.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use store::Attempted;

use super::kept;
use super::refused::Refused;
use crate::access::ClientAddress;
use crate::app::App;
use crate::documented_errors::{PageErrors, QueryErrors};
use crate::oidc::local_path;
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::log_in::NextQuery;

/// Log in with the provider of identities
///
/// For browsers, which are sent there and come back to `/api/v1/auth/oidc/callback`. What goes wrong is told on a page.
#[utoipa::path(get, path = "/auth/oidc/login", tag = "accounts", security(()), params(NextQuery),
    responses((status = 303, description = "To the provider of identities, with a cookie that comes back from there",
        headers(("Location" = String, description = "The provider's address"))), PageErrors, QueryErrors))]
pub(crate) async fn begin_oidc_login(
    ClientAddress(address): ClientAddress,
    State(app): State<App>,
    Query(query): Query<NextQuery>,
) -> Result<Response, Problem> {
    Ok(begun(&app, address, query.next.as_deref()).await.unwrap_or_else(|refused| refused.said(app.oidc()).into_response()))
}

async fn begun(app: &App, address: std::net::IpAddr, next: Option<&str>) -> Result<Response, Refused> {
    let oidc = app.oidc().ok_or(Refused::NotHere)?;
    let next = local_path(next.unwrap_or("/")).ok_or(Refused::WrongNext)?;
    let now = app.now();
    // Who has failed too often need not be sent there. To begin is no failure.
    app.vault().attempt(Attempted::LogInFrom(address))?.forgive(now.mono_us);
    let (flow, url) = oidc.begin(next, None, now, app.entropy()).await?;
    let no_referrer: (HeaderName, HeaderValue) = (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let url = HeaderValue::try_from(url).map_err(|_| Refused::NotHere)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, url), kept(app, &flow), no_referrer]).into_response())
}
