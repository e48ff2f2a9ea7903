//! Who a request comes from: the bearer of the operator token, or somebody whose session's cookie it carries. It knows hashes only.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use domain::{ApiKey, TokenHash};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use sha2::{Digest, Sha256};
use store::Session;
use subtle::ConstantTimeEq;

use super::cookie;
use crate::app::App;
use crate::problem::Problem;

/// SHA-256 of an operator token's text: all that the control plane keeps of it.
pub fn hash_operator_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The client's address, as an extension of its request. Where there is none, attempts of all clients count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(parts.extensions.get().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// Who calls.
pub(super) enum Caller {
    /// Whoever bears the operator token.
    Token,
    /// Somebody who is logged in.
    Person(Box<Session>),
}

impl Caller {
    /// Tells who it is before anything else of the request is looked at.
    pub(super) async fn of(parts: &Parts, app: &App) -> Result<Self, Problem> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return operator_token(&parts.headers, app).map(|()| Self::Token);
        }
        let Some(token) = cookie::session(&parts.headers, app.config().is_secure) else { return Err(nobody()) };
        let session = app.vault().store().session(TokenHash::of(token)).await?.ok_or_else(ended)?;
        let reads = [Method::GET, Method::HEAD].contains(&parts.method);
        if !reads && !parts.headers.contains_key(header::ORIGIN) {
            let message =
                "A write with a session's cookie needs the Origin header, as browsers send it, so that no other page can make it.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "origin_missing", message).at("origin"));
        }
        Ok(Self::Person(Box::new(session)))
    }
}

fn operator_token(headers: &HeaderMap, app: &App) -> Result<(), Problem> {
    let presented = bearer(headers)?;
    let matches: bool = hash_operator_token(presented).ct_eq(&app.config().operator_token_hash).into();
    if matches {
        Ok(())
    } else if presented.parse::<ApiKey>().is_ok() {
        Err(refused("This is an organisation's API key; the control API takes the operator token only."))
    } else {
        Err(refused("The operator token is not right. It is in the file operator-token of the server's data folder."))
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = all.next() else { return Err(nobody()) };
    if all.next().is_some() {
        return Err(refused("There is more than one Authorization header."));
    }
    let split = first.to_str().ok().and_then(|text| text.split_once(' '));
    match split {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refused("The Authorization header must read \"Bearer\" and the operator token.")),
    }
}

fn nobody() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "missing_operator_token",
        "Log in (POST /api/v1/auth/login), or send the operator token as \"Authorization: Bearer …\". \
         It is in the file operator-token of the server's data folder.",
    )
}

fn ended() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "session_ended", "Your session has ended; log in again.")
}

fn refused(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_operator_token", message)
}
