//! A small provider of identities of our own (OpenID Connect): what it says of itself, its keys, codes with PKCE, ID tokens, userinfo. It has no
//! network: a test hands it requests, by whatever way they came. What it is asked wrongly it refuses; told to, it lies.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as URL_SAFE};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::form::{encoded, form_pairs};
use crate::oidc_keys::SigningKey;

type Reply = (u16, Value);

/// What is wrong with it for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    #[default]
    None,
    /// It answers everything with 503.
    Down,
    /// It calls itself something else.
    OtherName,
    /// ID tokens are for another log-in.
    Nonce,
    /// They have expired.
    Expired,
    /// They are for another client.
    Audience,
    /// They are another issuer's.
    Issuer,
    /// They are not signed, and say so.
    AlgNone,
    /// They are signed with a shared secret, for which the public key is taken.
    PublicKeyAsSecret,
    /// They are signed with a key of somebody else under the name of its own.
    ForeignKey,
    /// They are signed with a key that it never publishes.
    UnpublishedKey,
    /// What it says of somebody when asked is about somebody else.
    OtherSubject,
    /// Answers say that they are from somebody else (RFC 9207).
    MixedUp,
}

/// What a code stands for.
struct Grant {
    nonce: String,
    challenge: String,
    redirect_uri: String,
    claims: Value,
}

#[derive(Default)]
struct State {
    made: u64,
    lie: Lie,
    is_thin: bool,
    keys: Vec<SigningKey>,
    codes: BTreeMap<String, Grant>,
    access: BTreeMap<String, Value>,
    secrets: Vec<String>,
    calls: Vec<String>,
}

/// The whole of it.
pub struct FakeOidc {
    issuer: String,
    client_id: String,
    client_secret: String,
    state: Mutex<State>,
}

impl FakeOidc {
    /// One that knows one client. It signs with a new key over P-256.
    pub fn new(issuer: &str, client_id: &str, client_secret: &str) -> Self {
        let state = State { keys: vec![SigningKey::p256("key-1")], ..State::default() };
        Self { issuer: issuer.into(), client_id: client_id.into(), client_secret: client_secret.into(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it lies so.
    pub fn lies(&self, lie: Lie) {
        self.state().lie = lie;
    }

    /// From now on ID tokens name somebody and no more; the rest is told when it is asked for.
    pub fn is_thin(&self) {
        self.state().is_thin = true;
    }

    /// From now on it signs with another key, and publishes no other.
    pub fn rotate(&self) {
        let mut state = self.state();
        let name = format!("key-{}", state.keys.len() + 1);
        state.keys.push(SigningKey::p256(&name));
    }

    /// From now on it signs with RSA.
    pub fn signs_with_rsa(&self) {
        self.state().keys.push(SigningKey::rsa("key-rsa"));
    }

    /// What it was asked so far: `METHOD PATH`.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Every code and token that it has given.
    pub fn secrets(&self) -> Vec<String> {
        self.state().secrets.clone()
    }

    /// Somebody, of whom `claims` are true, logs in where their browser was sent; where it is sent back to, as path and query.
    ///
    /// # Panics
    /// If what was asked for isn't as it must be.
    pub fn log_in(&self, url: &str, claims: &Value) -> String {
        let asked = self.asked(url);
        let get = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let (redirect_uri, state_of_client) = (get("redirect_uri"), get("state"));
        let mut state = self.state();
        let code = state.secret("code");
        let grant =
            Grant { nonce: get("nonce"), challenge: get("code_challenge"), redirect_uri: redirect_uri.clone(), claims: claims.clone() };
        state.codes.insert(code.clone(), grant);
        let issuer = if state.lie == Lie::MixedUp { "https://other.example.com" } else { &self.issuer };
        format!("{}?code={code}&state={state_of_client}&session_state=x&iss={}", path_of(&redirect_uri), encoded(issuer))
    }

    /// Somebody doesn't; where their browser is sent back to.
    ///
    /// # Panics
    /// If what was asked for isn't as it must be.
    pub fn refuse(&self, url: &str, error: &str) -> String {
        let asked = self.asked(url);
        format!("{}?error={error}&error_description=No%20way&state={}", path_of(&asked["redirect_uri"]), asked["state"])
    }

    fn asked(&self, url: &str) -> BTreeMap<String, String> {
        let (at, query) = url.split_once('?').expect("an address with a query");
        assert_eq!(at, format!("{}/authorize", self.issuer));
        let asked = form_pairs(query);
        let is = |name: &str, value: &str| assert_eq!(asked.get(name).map(String::as_str), Some(value), "{name} in {query}");
        is("response_type", "code");
        is("client_id", &self.client_id);
        is("code_challenge_method", "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"), "{query}");
        for name in ["state", "nonce", "code_challenge", "redirect_uri"] {
            assert!(asked.get(name).is_some_and(|value| value.len() >= 20), "{name} in {query}");
        }
        asked
    }

    /// Answers a request. `now`: seconds since 1970.
    pub fn answer(&self, method: &str, target: &str, header: impl Fn(&str) -> Option<String>, body: &str, now: i64) -> Reply {
        let path = target.split('?').next().unwrap_or(target);
        let mut state = self.state();
        state.calls.push(format!("{method} {path}"));
        if state.lie == Lie::Down {
            return (503, json!({"error": "temporarily_unavailable"}));
        }
        let of_issuer = path_of(&self.issuer);
        let path = path.strip_prefix(of_issuer.trim_end_matches('/')).unwrap_or(path).to_owned();
        match (method, path.as_str()) {
            ("GET", "/.well-known/openid-configuration") => (200, self.description(state.lie)),
            ("GET", "/keys") => {
                (200, json!({"keys": [state.keys.last().map(SigningKey::public), Some(json!({"kty": "OKP", "crv": "Ed25519"}))]}))
            }
            ("POST", "/token") => self.token(&mut state, header("authorization").as_deref(), body, now),
            ("GET", "/userinfo") => {
                let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
                let Some(mut claims) = token.and_then(|token| state.access.get(&token).cloned()) else {
                    return (401, json!({"error": "invalid_token"}));
                };
                if state.lie == Lie::OtherSubject {
                    claims["sub"] = json!("somebody else");
                }
                (200, claims)
            }
            _ => (404, json!({"error": "not_found"})),
        }
    }

    fn description(&self, lie: Lie) -> Value {
        let issuer = &self.issuer;
        let at = |path: &str| format!("{issuer}{path}");
        json!({
            "issuer": if lie == Lie::OtherName { "https://other.example.com" } else { issuer },
            "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/userinfo"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"], "authorization_response_iss_parameter_supported": true,
        })
    }

    fn token(&self, state: &mut State, authorization: Option<&str>, body: &str, now: i64) -> Reply {
        let client = BASE64_STANDARD.encode(format!("{}:{}", encoded(&self.client_id), encoded(&self.client_secret)));
        if authorization != Some(&format!("Basic {client}")) {
            return (401, json!({"error": "invalid_client", "error_description": format!("not {body}")}));
        }
        let form = form_pairs(body);
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        // A code works once, whatever comes of it.
        let grant = state.codes.remove(get("code"));
        let challenge = URL_SAFE.encode(Sha256::digest(get("code_verifier")));
        let is_right = |grant: &Grant| {
            get("grant_type") == "authorization_code" && grant.redirect_uri == get("redirect_uri") && grant.challenge == challenge
        };
        let Some(grant) = grant.filter(is_right) else { return (400, json!({"error": "invalid_grant"})) };
        let access_token = state.secret("access");
        state.access.insert(access_token.clone(), grant.claims.clone());
        let id_token = self.id_token(state, &grant, now);
        state.secrets.push(id_token.clone());
        (200, json!({"token_type": "Bearer", "access_token": access_token, "expires_in": 300, "id_token": id_token}))
    }

    fn id_token(&self, state: &State, grant: &Grant, now: i64) -> String {
        let lie = state.lie;
        let mut claims = if state.is_thin { json!({"sub": grant.claims["sub"]}) } else { grant.claims.clone() };
        let told = [
            ("iss", json!(if lie == Lie::Issuer { "https://other.example.com" } else { &self.issuer })),
            ("aud", json!(if lie == Lie::Audience { "another client" } else { &self.client_id })),
            ("nonce", json!(if lie == Lie::Nonce { "another" } else { &grant.nonce })),
            ("iat", json!(if lie == Lie::Expired { now - 400 } else { now })),
            ("exp", json!(if lie == Lie::Expired { now - 100 } else { now + 300 })),
        ];
        for (name, value) in told {
            claims[name] = value;
        }
        let key = state.keys.last().expect("it has a key");
        let payload = URL_SAFE.encode(claims.to_string());
        let signed =
            |alg: &str, name: &str| format!("{}.{payload}", URL_SAFE.encode(json!({"alg": alg, "kid": name, "typ": "JWT"}).to_string()));
        let with = |signed: String, signature: &[u8]| format!("{signed}.{}", URL_SAFE.encode(signature));
        match lie {
            Lie::AlgNone => with(signed("none", key.name()), b""),
            Lie::PublicKeyAsSecret => {
                let signed = signed("HS256", key.name());
                let mut mac = Hmac::<Sha256>::new_from_slice(key.public().to_string().as_bytes()).expect("any key will do");
                mac.update(signed.as_bytes());
                with(signed, &mac.finalize().into_bytes())
            }
            Lie::ForeignKey => {
                let signed = signed("ES256", key.name());
                let signature = SigningKey::p256("foreign").sign(signed.as_bytes());
                with(signed, &signature)
            }
            Lie::UnpublishedKey => {
                let signed = signed("ES256", "unpublished");
                let signature = SigningKey::p256("unpublished").sign(signed.as_bytes());
                with(signed, &signature)
            }
            Lie::None
            | Lie::Down
            | Lie::OtherName
            | Lie::Nonce
            | Lie::Expired
            | Lie::Audience
            | Lie::Issuer
            | Lie::OtherSubject
            | Lie::MixedUp => {
                let signed = signed(key.algorithm(), key.name());
                let signature = key.sign(signed.as_bytes());
                with(signed, &signature)
            }
        }
    }
}

impl State {
    fn secret(&mut self, what: &str) -> String {
        self.made += 1;
        let secret = format!("{what}-of-the-provider-{:08}", self.made);
        self.secrets.push(secret.clone());
        secret
    }
}

/// The path of an address.
fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| rest.get(at..).unwrap_or("/")).to_owned()
}
