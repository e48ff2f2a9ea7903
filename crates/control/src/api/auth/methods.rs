//! `GET /auth/methods`: the ways to log in.

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::shapes::log_in::{LoginMethods, OidcMethod};

/// Get the ways to log in
///
/// For whoever shows them to people. Log-in with a provider of identities begins at `GET /api/v1/auth/oidc/login`.
#[utoipa::path(get, path = "/auth/methods", tag = "accounts", security(()),
    responses((status = 200, description = "The ways to log in", body = LoginMethods)))]
pub(crate) async fn get_login_methods(State(app): State<App>) -> Json<LoginMethods> {
    let oidc = app.oidc().map(|oidc| OidcMethod { name: oidc.name().to_owned() });
    Json(LoginMethods { password: true, oidc, signup: app.config().sign_up.mode.into() })
}
