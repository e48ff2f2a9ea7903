//! `POST /auth/oidc/links`: somebody who is logged in links the provider of identities with their account.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::kept;
use crate::access::SignedIn;
use crate::app::App;
use crate::documented_errors::{DeleteErrors, QueryErrors, UpstreamErrors};
use crate::oidc::{Linking, OidcFault, local_path};
use crate::problem::Problem;
use crate::query::Query;
use crate::shapes::log_in::{NextQuery, Onward};

/// Link the provider of identities with your account
///
/// Gives an address to which your browser is to go within ten minutes, and a cookie that comes back from there. It takes no body.
#[utoipa::path(post, path = "/auth/oidc/links", tag = "accounts", security(("session" = [])), params(NextQuery),
    responses((status = 200, description = "Where to go", body = Onward), DeleteErrors, QueryErrors, UpstreamErrors))]
pub(crate) async fn link_oidc(me: SignedIn, State(app): State<App>, Query(query): Query<NextQuery>) -> Result<Response, Problem> {
    let oidc = app.oidc().ok_or_else(|| Problem::not_found("provider of identities", "oidc"))?;
    let next = query.next.as_deref().unwrap_or("/");
    let next = local_path(next).ok_or_else(|| Problem::invalid("next", "next: expected a path of this server, such as /orgs."))?;
    let linking = Linking { person: me.session().person.id, session: me.session().id };
    let begun = oidc.begin(next, Some(linking), app.now(), app.entropy()).await;
    let (flow, url) = begun.map_err(|fault: OidcFault| {
        fault.log();
        let message = format!("{} can't be asked at this moment; nothing was changed. Try again in a minute.", oidc.name());
        Problem::new(StatusCode::BAD_GATEWAY, "oidc_unreachable", message)
    })?;
    Ok(([kept(&app, &flow)], Json(Onward { url })).into_response())
}
