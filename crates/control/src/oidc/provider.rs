//! The provider of identities over the network: what it says of itself (OpenID Connect Discovery), its keys, and what it gives for a code. Every
//! call has its time, every answer its bound; what was learned is kept a while, and a provider that is down isn't asked again at once.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header, request};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::id_token::About;
use super::jws::Keys;
use super::{OidcConfig, OidcFault};
use crate::caps::{KEYS_AGAIN_US, MAX_OIDC_ANSWER_BYTES, OIDC_AFTER_FAILURE_US, OIDC_KNOWN_US, OIDC_TIMEOUT};
use crate::form::{Form, encoded};
use crate::http_client::HttpClient;

/// Where it is.
pub(super) struct Provider {
    http: Box<dyn HttpClient>,
    known: Mutex<Known>,
}

/// What is known of it. Times are those of the steady clock.
#[derive(Default)]
struct Known {
    endpoints: Option<(Arc<Endpoints>, u64)>,
    keys: Option<(Arc<Keys>, u64)>,
    failed: Option<u64>,
}

/// What it says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Endpoints {
    issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// What it gives for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// What it says of somebody when it is asked.
#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    about: About,
}

impl Provider {
    pub(super) fn new(http: Box<dyn HttpClient>) -> Self {
        Self { http, known: Mutex::default() }
    }

    /// Where it takes what. One asks for all who wait.
    pub(super) async fn endpoints(&self, config: &OidcConfig, now_us: u64) -> Result<Arc<Endpoints>, OidcFault> {
        let mut known = self.known.lock().await;
        if let Some((endpoints, since)) = &known.endpoints
            && now_us.saturating_sub(*since) < OIDC_KNOWN_US
        {
            return Ok(Arc::clone(endpoints));
        }
        known.is_worth_asking(now_us)?;
        let found = self.discovered(config).await.map(Arc::new);
        known.failed = found.is_err().then_some(now_us);
        let endpoints = found?;
        known.endpoints = Some((Arc::clone(&endpoints), now_us));
        Ok(endpoints)
    }

    /// Its keys, asked for again where one that is not among them is named, but at most once a minute.
    pub(super) async fn keys(&self, endpoints: &Endpoints, lacks_one: bool, now_us: u64) -> Result<Arc<Keys>, OidcFault> {
        let mut known = self.known.lock().await;
        let lasts = if lacks_one { KEYS_AGAIN_US } else { OIDC_KNOWN_US };
        if let Some((keys, since)) = &known.keys
            && now_us.saturating_sub(*since) < lasts
        {
            return Ok(Arc::clone(keys));
        }
        known.is_worth_asking(now_us)?;
        let found = self.published_keys(endpoints).await.map(Arc::new);
        known.failed = found.is_err().then_some(now_us);
        let keys = found?;
        known.keys = Some((Arc::clone(&keys), now_us));
        Ok(keys)
    }

    /// Asks for everything anew, and says in how far it can be had.
    pub(super) async fn check(&self, config: &OidcConfig, now_us: u64) -> Result<usize, OidcFault> {
        let mut known = self.known.lock().await;
        let endpoints = self.discovered(config).await?;
        let keys = self.published_keys(&endpoints).await?;
        let count = keys.len();
        *known = Known { endpoints: Some((Arc::new(endpoints), now_us)), keys: Some((Arc::new(keys), now_us)), failed: None };
        Ok(count)
    }

    async fn discovered(&self, config: &OidcConfig) -> Result<Endpoints, OidcFault> {
        let url = format!("{}/.well-known/openid-configuration", config.issuer.trim_end_matches('/'));
        let (status, answer) = self.call("discovery", Request::get(url), Bytes::new()).await?;
        let endpoints: Endpoints = read("discovery", status, &answer)?;
        let told = |why: String| Err(OidcFault::untrusted("discovery", why));
        if endpoints.issuer != config.issuer {
            return told(format!("it calls itself {:.300}; if that is right, set issuer in [oidc] to just that", endpoints.issuer));
        }
        let is_plain = config.issuer.starts_with("http://");
        let all = [Some(&endpoints.authorization_endpoint), Some(&endpoints.token_endpoint), Some(&endpoints.jwks_uri)];
        for url in all.into_iter().chain([endpoints.userinfo_endpoint.as_ref()]).flatten() {
            if let Err(why) = fit(url, is_plain) {
                return told(format!("{url:.300} {why}"));
            }
        }
        Ok(endpoints)
    }

    async fn published_keys(&self, endpoints: &Endpoints) -> Result<Keys, OidcFault> {
        let (status, answer) = self.call("keys", Request::get(&endpoints.jwks_uri), Bytes::new()).await?;
        if status != StatusCode::OK {
            return Err(OidcFault::unreachable("keys", format!("status {}", status.as_u16())));
        }
        let unreadable = || OidcFault::untrusted("keys", "the answer is no set of keys".into());
        Keys::read(&answer).ok_or_else(unreadable)
    }

    /// What it gives for a code.
    pub(super) async fn tokens(&self, config: &OidcConfig, endpoints: &Endpoints, code: &str, verifier: &str) -> Result<Tokens, OidcFault> {
        let form = Form::new().with("grant_type", "authorization_code").with("code", code);
        let form = form.with("redirect_uri", &config.callback_url()).with("code_verifier", verifier);
        let (id, secret) = (&config.client_id, config.client_secret.expose_secret());
        let call = Request::post(&endpoints.token_endpoint).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let (call, form) = if endpoints.takes_basic() {
            // Encoded before it is joined (RFC 6749, 2.3.1).
            let both = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
            (call.header(header::AUTHORIZATION, sensitive("Basic", &both)?), form)
        } else {
            (call, form.with("client_id", id).with("client_secret", secret))
        };
        let (status, answer) = self.call("token", call, Bytes::copy_from_slice(form.as_str().as_bytes())).await?;
        if status.is_client_error() {
            let refusal = serde_json::from_slice::<Refusal>(&answer).map(|refusal| refusal.error).unwrap_or_default();
            if refusal == "invalid_grant" {
                return Err(OidcFault::CodeRefused);
            }
            // Its own names only: a sentence could repeat what was sent.
            let word: String = refusal.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40).collect();
            let why = format!("status {} {word}; are client_id and client_secret in [oidc] right?", status.as_u16());
            return Err(OidcFault::untrusted("token", why));
        }
        read("token", status, &answer)
    }

    /// What else it says of somebody whose ID token says less.
    pub(super) async fn about(&self, endpoints: &Endpoints, access_token: &str, subject: &str) -> Result<Option<About>, OidcFault> {
        let Some(url) = &endpoints.userinfo_endpoint else { return Ok(None) };
        let call = Request::get(url).header(header::AUTHORIZATION, sensitive("Bearer", access_token)?);
        let (status, answer) = self.call("userinfo", call, Bytes::new()).await?;
        let told: UserInfo = read("userinfo", status, &answer)?;
        // It could be about somebody else (OpenID Connect Core, 5.3.2).
        if told.sub != subject {
            return Err(OidcFault::untrusted("userinfo", "it is about somebody else than the ID token".into()));
        }
        Ok(Some(told.about))
    }

    async fn call(&self, what: &'static str, request: request::Builder, body: Bytes) -> Result<(StatusCode, Bytes), OidcFault> {
        let request = request.header(header::ACCEPT, "application/json").header(header::USER_AGENT, "tidegate");
        let request = request.body(body).map_err(|error| OidcFault::untrusted(what, error.to_string()))?;
        let answer = self.http.send(request, OIDC_TIMEOUT, MAX_OIDC_ANSWER_BYTES).await;
        let answer = answer.map_err(|why| OidcFault::unreachable(what, why))?;
        Ok((answer.status(), answer.into_body()))
    }
}

impl Known {
    /// Whoever was down a moment ago still is.
    fn is_worth_asking(&self, now_us: u64) -> Result<(), OidcFault> {
        let is_down = self.failed.is_some_and(|failed| now_us.saturating_sub(failed) < OIDC_AFTER_FAILURE_US);
        if is_down { Err(OidcFault::StillDown) } else { Ok(()) }
    }
}

impl Endpoints {
    /// Whether the client's name and secret go in a header, as they do where nothing is said (Discovery, 3).
    fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic") || methods.is_empty())
    }
}

/// The answer of a call that succeeded.
fn read<T: DeserializeOwned>(what: &'static str, status: StatusCode, answer: &[u8]) -> Result<T, OidcFault> {
    if status != StatusCode::OK {
        return Err(OidcFault::unreachable(what, format!("status {}", status.as_u16())));
    }
    serde_json::from_slice(answer).map_err(|_| OidcFault::untrusted(what, "the answer is not what it should be".into()))
}

fn sensitive(scheme: &str, secret: &str) -> Result<HeaderValue, OidcFault> {
    let value = HeaderValue::try_from(format!("{scheme} {secret}"));
    let mut value = value.map_err(|_| OidcFault::untrusted("token", "what is to be sent does not fit in a header".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether an address may be called: encrypted, unless the issuer itself is on this machine, and none that is never called.
pub(super) fn fit(url: &str, is_plain: bool) -> Result<(), String> {
    let parsed: Uri = url.parse().map_err(|_| "is no address".to_owned())?;
    let (Some(scheme), Some(authority)) = (parsed.scheme_str(), parsed.authority()) else { return Err("is no whole address".into()) };
    if scheme != "https" && !(is_plain && scheme == "http") {
        return Err("is not https".into());
    }
    domain::checked_base_url(&format!("{scheme}://{authority}")).map(drop)
}
