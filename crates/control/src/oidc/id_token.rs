//! What an ID token must say before it is believed (OpenID Connect Core, 3.1.3.7). Whether it is signed is another file's matter.

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq as _;

use super::jws::Unsigned;
use crate::caps::{CLOCKS_DIFFER_S, MAX_LOG_IN_S, MAX_SUBJECT_BYTES};

/// Why an ID token isn't believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotGenuine {
    /// Nobody who may has signed it.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// It can't be read.
    #[error("what is signed can't be read")]
    Unreadable,
    /// It is somebody else's.
    #[error("it is another issuer's")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for another client")]
    Audience,
    /// It is too old.
    #[error("it has expired")]
    Expired,
    /// It wasn't made for this log-in, by the clock.
    #[error("it was not made just now; are the clocks right?")]
    Time,
    /// It was made for another log-in.
    #[error("it was made for another log-in")]
    Nonce,
}

/// What it says of somebody.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    exp: f64,
    iat: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    nonce: Option<String>,
    #[serde(flatten)]
    pub(super) about: About,
}

/// What is said of somebody, here or where more is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct About {
    #[serde(default)]
    pub(super) email: Option<String>,
    #[serde(default, deserialize_with = "true_in_any_form")]
    pub(super) email_verified: Option<bool>,
    #[serde(default)]
    pub(super) name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Some write it as text. Whatever else it is, it is not true.
fn true_in_any_form<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => None,
        serde_json::Value::Bool(is_so) => Some(is_so),
        serde_json::Value::String(text) => Some(text == "true"),
        _other_kinds => Some(false),
    })
}

/// For which log-in an ID token has to be.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client: &'a str,
    pub(super) nonce: &'a str,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// Reads what is signed, and believes it if it is for this log-in.
pub(super) fn believed(payload: &[u8], expected: &Expected<'_>) -> Result<Claims, NotGenuine> {
    let claims: Claims = serde_json::from_slice(payload).map_err(|_| NotGenuine::Unreadable)?;
    if claims.iss != expected.issuer {
        return Err(NotGenuine::Issuer);
    }
    let is_for_us = match &claims.aud {
        Audience::One(client) => client == expected.client,
        // With others beside us it must say that it was given to us.
        Audience::Many(clients) => clients.iter().any(|client| client == expected.client) && (clients.len() == 1 || claims.azp.is_some()),
    };
    if !is_for_us || claims.azp.as_ref().is_some_and(|party| party != expected.client) {
        return Err(NotGenuine::Audience);
    }
    let (now, slack) = (expected.now as f64, CLOCKS_DIFFER_S as f64);
    if claims.exp <= now - slack {
        return Err(NotGenuine::Expired);
    }
    let is_new = claims.iat <= now + slack && claims.iat >= now - MAX_LOG_IN_S as f64 - slack;
    if !is_new || claims.nbf.is_some_and(|since| since > now + slack) {
        return Err(NotGenuine::Time);
    }
    let is_ours = claims.nonce.as_ref().is_some_and(|nonce| bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())));
    if !is_ours {
        return Err(NotGenuine::Nonce);
    }
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT_BYTES {
        return Err(NotGenuine::Unreadable);
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_770_305_400;

    fn judged(claims: &Value) -> Result<Claims, NotGenuine> {
        let expected = Expected { issuer: "https://id.example.com", client: "tidegate", nonce: "n", now: NOW };
        believed(claims.to_string().as_bytes(), &expected)
    }

    fn right() -> Value {
        json!({"iss": "https://id.example.com", "sub": "1", "aud": "tidegate", "exp": NOW + 60, "iat": NOW, "nonce": "n"})
    }

    fn with(changes: Value) -> Result<Claims, NotGenuine> {
        let mut claims = right();
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        judged(&claims)
    }

    #[test]
    fn what_is_for_this_log_in_is_believed() {
        assert_eq!(judged(&right()).unwrap().sub, "1");
        for fine in [
            json!({"aud": ["tidegate"]}),
            json!({"aud": ["other", "tidegate"], "azp": "tidegate"}),
            json!({"azp": "tidegate"}),
            json!({"exp": NOW - 59, "iat": NOW - 100}),
            json!({"iat": NOW + 60, "nbf": NOW + 60}),
            json!({"iat": NOW - 660, "exp": NOW as f64 + 0.5}),
            json!({"more": {"deep": [1]}, "at_hash": "x"}),
        ] {
            assert!(with(fine.clone()).is_ok(), "{fine}");
        }
    }

    #[test]
    fn what_is_not_is_refused_for_its_reason() {
        use NotGenuine::{Audience, Expired, Issuer, Nonce, Time, Unreadable};
        for (wrong, why) in [
            (json!({"iss": "https://id.example.com/"}), Issuer),
            (json!({"iss": "https://evil.example.com"}), Issuer),
            (json!({"aud": "other"}), Audience),
            (json!({"aud": []}), Audience),
            (json!({"aud": ["other", "tidegate"]}), Audience),
            (json!({"aud": ["other", "tidegate"], "azp": "other"}), Audience),
            (json!({"azp": "other"}), Audience),
            (json!({"exp": NOW - 60}), Expired),
            (json!({"exp": 0}), Expired),
            (json!({"exp": -1e300}), Expired),
            (json!({"iat": NOW + 61}), Time),
            (json!({"iat": NOW - 661}), Time),
            (json!({"nbf": NOW + 61}), Time),
            (json!({"nonce": "m"}), Nonce),
            (json!({"nonce": ""}), Nonce),
            (json!({"nonce": null}), Nonce),
            (json!({"sub": ""}), Unreadable),
            (json!({"sub": "x".repeat(256)}), Unreadable),
            (json!({"sub": 1}), Unreadable),
            (json!({"exp": "soon"}), Unreadable),
            (json!({"exp": null}), Unreadable),
            (json!({"aud": 3}), Unreadable),
        ] {
            assert_eq!(with(wrong.clone()).unwrap_err(), why, "{wrong}");
        }
        for name in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
            let mut claims = right();
            claims.as_object_mut().unwrap().remove(name);
            assert!(judged(&claims).is_err(), "{name} is missing");
        }
        let twice = r#"{"iss":"https://id.example.com","iss":"https://evil.example.com","sub":"1","aud":"tidegate","exp":9e9,"iat":1}"#;
        let expected = Expected { issuer: "https://id.example.com", client: "tidegate", nonce: "n", now: NOW };
        assert!(believed(twice.as_bytes(), &expected).is_err() && believed(b"[]", &expected).is_err());
    }

    #[test]
    fn an_address_is_confirmed_only_where_it_is_said_so() {
        let verified = |value: Value| with(json!({"email": "ada@example.com", "email_verified": value})).unwrap().about.email_verified;
        assert_eq!((verified(json!(true)), verified(json!("true"))), (Some(true), Some(true)));
        for other in [json!(false), json!("yes"), json!(1), json!([]), json!("True")] {
            assert_eq!(verified(other.clone()), Some(false), "{other}");
        }
        assert_eq!(verified(json!(null)), None);
    }
}
