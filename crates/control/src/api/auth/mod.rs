//! `/auth`: accounts and sessions.

pub(crate) mod identities;
pub(crate) mod invitations;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod methods;
pub(crate) mod oidc;
pub(crate) mod password;
pub(crate) mod reset;
pub(crate) mod reset_requests;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod signup;
pub(crate) mod verification_mails;
pub(crate) mod verify;

use axum::response::{IntoResponse, Response};
use domain::SecretToken;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use store::AccountError;

use crate::access::set;
use crate::app::App;
use crate::mail;
use crate::problem::Problem;
use crate::shapes::account::Person;

/// A successful answer that gives or takes a session's cookie.
pub(crate) struct WithCookie<T> {
    status: StatusCode,
    cookie: (HeaderName, HeaderValue),
    body: T,
}

impl<T> WithCookie<T> {
    /// The session that has begun.
    fn begun(app: &App, (session, token): &(store::Session, SecretToken), status: StatusCode, body: T) -> Self {
        Self { status, cookie: set(token, app.config().is_secure, app.now().wall, session.expires), body }
    }
}

impl WithCookie<Person> {
    /// A session for somebody whose password or link was right.
    async fn logged_in(app: &App, person: domain::Person, headers: &HeaderMap, status: StatusCode) -> Result<Self, Problem> {
        let shown = Person::of(&person);
        let begun = app.vault().begin_session(person, agent(headers)).await?;
        Ok(Self::begun(app, &begun, status, shown))
    }
}

impl<T: Serialize> IntoResponse for WithCookie<T> {
    fn into_response(self) -> Response {
        (self.status, [self.cookie], axum::Json(self.body)).into_response()
    }
}

/// Sends the link to confirm their address.
async fn mail_verification(app: &App, person: &domain::Person) -> Result<(), AccountError> {
    if let Some(mailer) = app.mailer() {
        let (_, token) = app.vault().make_verify_link(person.id).await?;
        mailer.send(mail::verification(&person.email, &crate::link(&app.config().own_url.to_string(), "verify", &token)));
    }
    Ok(())
}

fn no_mail() -> Problem {
    let message = "No mail is sent by this installation; ask whoever runs it for a link.";
    Problem::new(StatusCode::FORBIDDEN, "email_not_configured", message)
}

/// What the client calls itself.
fn agent(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
