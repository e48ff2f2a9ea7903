//! Who may call: the bearer of the operator token. It knows the token's hash only, and no cookies.

use axum::extract::FromRequestParts;
use domain::ApiKey;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use store::Actor;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::problem::Problem;

/// SHA-256 of an operator token's text: all that the control plane keeps of it.
pub fn hash_operator_token(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Proof that the request bears the operator token. Every handler but the document's takes it first, so that nothing is read before.
pub(crate) struct Operator(());

impl Operator {
    /// Who the audit log says it was.
    pub(crate) fn actor(&self) -> Actor {
        Actor::Operator
    }
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let presented = bearer(&parts.headers)?;
        let matches: bool = hash_operator_token(presented).ct_eq(&app.config().operator_token_hash).into();
        if matches {
            Ok(Self(()))
        } else if presented.parse::<ApiKey>().is_ok() {
            Err(refused("This is an organisation's API key; the control API takes the operator token only."))
        } else {
            Err(refused("The operator token is not right. It is in the file operator-token of the server's data folder."))
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = all.next() else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "missing_operator_token",
            "Send the operator token as \"Authorization: Bearer …\". It is in the file operator-token of the server's data folder.",
        ));
    };
    if all.next().is_some() {
        return Err(refused("There is more than one Authorization header."));
    }
    let split = first.to_str().ok().and_then(|text| text.split_once(' '));
    match split {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refused("The Authorization header must read \"Bearer\" and the operator token.")),
    }
}

fn refused(message: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "invalid_operator_token", message)
}
