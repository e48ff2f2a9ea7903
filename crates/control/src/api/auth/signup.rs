//! `POST /auth/signup`: an account, with an organisation of its own or by an invitation.

use axum::extract::State;
use domain::{SecretToken, TokenHash};
use http::{HeaderMap, StatusCode};
use store::{Attempted, SignUp, SignUpError};

use super::{WithCookie, agent, mail_verification};
use crate::access::{ClientAddress, set};
use crate::app::{App, SignUpMode};
use crate::body::Body;
use crate::documented_errors::{AttemptErrors, Conflict, WriteErrors};
use crate::mail;
use crate::problem::Problem;
use crate::shapes::account::{SignUpInput, SignedUp, email};

/// Sign up
///
/// Without an invitation the answer is the same whether or not there is an account with this address; where there is, nothing changes.
#[utoipa::path(post, path = "/auth/signup", tag = "accounts", security(()), request_body = SignUpInput,
    responses((status = 201, description = "What is next, and a session's cookie", body = SignedUp), WriteErrors, AttemptErrors, Conflict))]
pub(crate) async fn sign_up(
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    State(app): State<App>,
    Body(input): Body<SignUpInput>,
) -> Result<WithCookie<SignedUp>, Problem> {
    let config = &app.config().sign_up;
    let is_invited = input.invitation.is_some();
    admitted(config.mode, is_invited)?;
    let email = input.email.as_deref().map(|text| email("email", text)).transpose()?;
    let password = input.password.chosen("password")?;
    let attempt = app.vault().attempt(Attempted::SignUpFrom(address))?;
    let password = app.passwords().hash(password).await?;
    let new = SignUp {
        email,
        name: input.name,
        password,
        organisation: input.organisation,
        invitation: input.invitation.map(|secret| TokenHash::of(secret.expose())),
        plan: config.plan.clone(),
        is_verified: app.mailer().is_none(),
    };
    let wanted = new.email.clone();
    let made = app.vault().sign_up(new).await;
    drop(attempt);
    match made {
        Ok((person, _)) => {
            if !person.is_verified {
                mail_verification(&app, &person).await?;
            }
            let begun = app.vault().begin_session(person, agent(&headers)).await?;
            Ok(WithCookie::begun(&app, &begun, StatusCode::CREATED, next()))
        }
        // To whom no invitation was sent the answer looks the same, its cookie included, which nobody knows.
        Err(SignUpError::Taken) if !is_invited => {
            if let (Some(mailer), Some(email)) = (app.mailer(), wanted) {
                mailer.send(mail::known_already(&email, &app.config().own_url));
            }
            let now = app.now().wall;
            let token = SecretToken::generate(app.entropy());
            let cookie = set(&token, app.config().is_secure, now, app.vault().session_end(now));
            Ok(WithCookie { status: StatusCode::CREATED, cookie, body: next() })
        }
        Err(error) => Err(error.into()),
    }
}

fn admitted(mode: SignUpMode, is_invited: bool) -> Result<(), Problem> {
    let refuse = |code, message: &str| Err(Problem::new(StatusCode::FORBIDDEN, code, message));
    match mode {
        SignUpMode::Open => Ok(()),
        SignUpMode::Invite if is_invited => Ok(()),
        SignUpMode::Invite => refuse("invitation_needed", "To sign up here you need an invitation; ask whoever runs this installation."),
        SignUpMode::Closed => refuse("signup_closed", "Nobody can sign up here; ask whoever runs this installation."),
    }
}

fn next() -> SignedUp {
    let message = "If there was no account with this address, there is one now, and you are logged in to it. If there was one, nothing has \
                   changed: log in with its password, or ask for a link to choose a new one.";
    SignedUp { message: message.into() }
}
