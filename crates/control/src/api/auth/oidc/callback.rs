//! `GET /auth/oidc/callback`: a browser comes back from the provider of identities. What it brings is believed only with what it was given
//! before it went, once; so nobody logs another in to an account of theirs, and no code is used that somebody else has got.

use std::net::IpAddr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, Uri};
use store::{Admitted, Arrival, Arrived, Attempted};

use super::PLACE;
use super::refused::{NoAccount, ROOT, Refused};
use crate::access::{ClientAddress, cleared_log_in, log_in, set};
use crate::app::{App, SignUpMode};
use crate::documented_errors::PageErrors;
use crate::mail;
use crate::oidc::{Flow, Linking, Oidc, OidcFault, Vouched};
use crate::pages::Said;
use crate::shapes::log_in::BackQuery;

/// What a provider says where somebody didn't want to, or may not, go on there (OpenID Connect Core, 3.1.2.6; RFC 6749, 4.1.2.1).
const DENIED: [&str; 5] = ["access_denied", "login_required", "interaction_required", "account_selection_required", "consent_required"];

/// Come back from the provider of identities
///
/// For browsers that began at `/api/v1/auth/oidc/login`. Who comes for the first time has an account made if they may sign up, or linked if
/// it is known to be theirs. The page gives a session's cookie, and leads on. Further parameters are passed over.
#[utoipa::path(get, path = "/auth/oidc/callback", tag = "accounts", security(()), params(BackQuery),
    responses((status = 200, description = "You are logged in; the page leads on", body = String, content_type = "text/html"), PageErrors))]
pub(crate) async fn finish_oidc_login(
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    State(app): State<App>,
    uri: Uri,
) -> Response {
    let Some(oidc) = app.oidc() else { return Refused::NotHere.said(None).into_response() };
    let back = axum::extract::Query::<BackQuery>::try_from_uri(&uri).map(|axum::extract::Query(back)| back).unwrap_or_default();
    // What else the browser keeps belongs to another window, which is still to come back.
    let Some(flow) = come_back(&app, &headers, back.state.as_deref()) else { return Refused::Stale.said(Some(oidc)).into_response() };
    let said = finished(&app, oidc, address, &headers, &flow, &back).await.unwrap_or_else(|refused| refused.said(Some(oidc)));
    // Whatever came of it, it doesn't come again.
    said.with(cleared_log_in(app.config().is_secure)).into_response()
}

async fn finished(app: &App, oidc: &Oidc, address: IpAddr, headers: &HeaderMap, flow: &Flow, back: &BackQuery) -> Result<Said, Refused> {
    if !oidc.spend(flow, app.now().wall) {
        return Err(Refused::Stale);
    }
    if let Some(error) = &back.error {
        return Err(denied(error));
    }
    let attempt = app.vault().attempt(Attempted::LogInFrom(address))?;
    let vouched = oidc.finish(flow, back.code.as_deref().unwrap_or_default(), back.iss.as_deref(), || app.now()).await;
    let vouched = match vouched {
        Ok(vouched) => vouched,
        Err(fault) => {
            // Else a provider that is down would keep people from logging in with their passwords.
            if fault.is_the_providers() {
                attempt.forgive(app.now().mono_us);
            }
            return Err(fault.into());
        }
    };
    if !oidc.admits(vouched.email.as_ref()) {
        return Err(NoAccount::WrongDomain.into());
    }
    let said = match flow.link {
        Some(linking) => linked(app, oidc, linking, vouched).await?,
        None => logged_in(app, oidc, address, headers, vouched).await?,
    };
    attempt.forgive(app.now().mono_us);
    Ok(said.link(&flow.next, "Go on").onward())
}

/// What the browser was given before it went, if it is what the answer belongs to.
fn come_back(app: &App, headers: &HeaderMap, state: Option<&str>) -> Option<Flow> {
    let sealed = log_in(headers, app.config().is_secure)?;
    Flow::of_text(&app.vault().unseal(PLACE, &sealed)?, state?, app.now().wall)
}

fn denied(error: &str) -> Refused {
    if DENIED.contains(&error) {
        return Refused::Denied;
    }
    let word: String = error.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
    OidcFault::untrusted("answer", format!("an error: {word}")).into()
}

async fn linked(app: &App, oidc: &Oidc, linking: Linking, vouched: Vouched) -> Result<Said, Refused> {
    let Linking { person, session } = linking;
    app.vault().link_identity(person, session, vouched.identity).await?;
    let account = app.vault().account_of(person).await?;
    if let (Some(mailer), Some(account)) = (app.mailer(), account) {
        mailer.send(mail::linked(&account.person.email, oidc.name()));
    }
    Ok(Said::new(StatusCode::OK, ROOT, "It is linked", format!("You can log in with {} from now on.", oidc.name())))
}

async fn logged_in(app: &App, oidc: &Oidc, address: IpAddr, headers: &HeaderMap, vouched: Vouched) -> Result<Said, Refused> {
    let person = match app.vault().person_of(&vouched.identity).await? {
        Some(person) => person,
        None => first_time(app, oidc, address, vouched).await?,
    };
    let (session, token) = app.vault().begin_session(person, super::super::agent(headers)).await?;
    let cookie = set(&token, app.config().is_secure, app.now().wall, session.expires);
    Ok(Said::new(StatusCode::OK, ROOT, "You are logged in", "One moment …").with(cookie))
}

async fn first_time(app: &App, oidc: &Oidc, address: IpAddr, vouched: Vouched) -> Result<domain::Person, Refused> {
    let Vouched { identity, email, name } = vouched;
    let sign_up = &app.config().sign_up;
    let admitted = match sign_up.mode {
        SignUpMode::Open => Admitted::Everybody,
        SignUpMode::Invite => Admitted::Invited,
        SignUpMode::Closed => Admitted::Nobody,
    };
    let attempt = app.vault().attempt(Attempted::SignUpFrom(address))?;
    match app.vault().arrive(Arrival { identity, email, name, admitted, plan: sign_up.plan.clone() }).await? {
        Arrived::SignedUp(person) => Ok(person),
        Arrived::Known(person) => {
            attempt.forgive(app.now().mono_us);
            Ok(person)
        }
        Arrived::Linked(person) => {
            attempt.forgive(app.now().mono_us);
            if let Some(mailer) = app.mailer() {
                mailer.send(mail::linked(&person.email, oidc.name()));
            }
            Ok(person)
        }
    }
}
