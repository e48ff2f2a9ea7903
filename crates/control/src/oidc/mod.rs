//! Log-in with a provider of identities (OpenID Connect, authorization code flow with PKCE): where a browser is sent, and who it is that comes
//! back. Whose account that is, and whether there is to be one, is the store's matter.

mod flow;
mod id_token;
mod jws;
mod provider;

use domain::{Email, Entropy, Identity, Now, UnixMicros};
use http::Uri;
use secrecy::SecretString;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::caps::{LOG_INS_AT_ONCE, MAX_CODE_BYTES};
use crate::form::Form;
use crate::http_client::HttpClient;
use flow::Spent;
use id_token::{About, Claims, Expected, NotGenuine};
use jws::{Token, Unsigned};
use provider::{Endpoints, Provider};

pub(crate) use flow::{Flow, Linking, local_path};

/// How the provider is reached.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// Its address, to the letter as it calls itself.
    pub issuer: String,
    /// Who this server is there.
    pub client_id: String,
    /// What shows it.
    pub client_secret: SecretString,
    /// What is asked for.
    pub scopes: String,
    /// What people call it.
    pub name: String,
    /// Domains of addresses whose people may log in with it, in small letters; empty: all.
    pub allowed_domains: Vec<String>,
    /// Where browsers reach this server.
    pub own_url: Uri,
}

/// Why it isn't known who comes. The text is for operators and never for who comes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OidcFault {
    /// It doesn't answer, or with an error.
    #[error("{what}: {why}")]
    Unreachable {
        /// What it was asked for.
        what: &'static str,
        /// A line for the log.
        why: String,
    },
    /// It was down a moment ago.
    #[error("it could not be reached a moment ago, and is asked again in a few seconds")]
    StillDown,
    /// It answers something that can't be believed, or refuses this server.
    #[error("{what}: {why}")]
    Untrusted {
        /// What it was asked for.
        what: &'static str,
        /// A line for the log.
        why: String,
    },
    /// It doesn't take the code: it was used, or is too old.
    #[error("it does not take the code")]
    CodeRefused,
    /// Too many log in at this moment.
    #[error("too many log in at this moment")]
    Busy,
}

impl OidcFault {
    fn unreachable(what: &'static str, why: String) -> Self {
        Self::Unreachable { what, why }
    }

    pub(crate) fn untrusted(what: &'static str, why: String) -> Self {
        Self::Untrusted { what, why }
    }

    fn not_genuine(why: NotGenuine) -> Self {
        Self::untrusted("ID token", why.to_string())
    }

    /// Whether it is the provider's fault, and not that of who comes.
    pub(crate) fn is_the_providers(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::StillDown | Self::Busy)
    }

    /// For the operator.
    pub(crate) fn log(&self) {
        match self {
            Self::Unreachable { what, why } => tracing::warn!(what, why, "the provider of identities can't be reached"),
            Self::Untrusted { what, why } => tracing::warn!(what, why, "an answer of the provider of identities is not taken"),
            Self::StillDown | Self::CodeRefused | Self::Busy => tracing::debug!(why = self.to_string(), "somebody could not log in"),
        }
    }
}

/// Somebody for whom the provider vouches.
#[derive(Debug)]
pub(crate) struct Vouched {
    /// Who they are there.
    pub(crate) identity: Identity,
    /// Their address, if the provider says that it is theirs.
    pub(crate) email: Option<Email>,
    /// What it calls them; empty: nothing.
    pub(crate) name: String,
}

/// The way to log in with a provider of identities.
pub struct Oidc {
    config: OidcConfig,
    provider: Provider,
    spent: Spent,
    places: Semaphore,
}

impl OidcConfig {
    fn callback_url(&self) -> String {
        format!("{}/api/v1/auth/oidc/callback", self.own_url.to_string().trim_end_matches('/'))
    }
}

impl Oidc {
    /// `http`: how the provider is called.
    pub fn new(config: OidcConfig, http: Box<dyn HttpClient>) -> Self {
        Self { config, provider: Provider::new(http), spent: Spent::default(), places: Semaphore::new(LOG_INS_AT_ONCE) }
    }

    /// What people call the provider.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// The provider's address.
    pub(crate) fn issuer(&self) -> &str {
        &self.config.issuer
    }

    fn place(&self) -> Result<SemaphorePermit<'_>, OidcFault> {
        self.places.try_acquire().map_err(|_| OidcFault::Busy)
    }

    /// Begins a log-in: what the browser is to keep, and where it goes.
    pub(crate) async fn begin(
        &self,
        next: &str,
        link: Option<Linking>,
        now: Now,
        entropy: &dyn Entropy,
    ) -> Result<(Flow, String), OidcFault> {
        let _place = self.place()?;
        let endpoints = self.provider.endpoints(&self.config, now.mono_us).await?;
        let flow = Flow::begin(next.into(), link, now.wall, entropy);
        let query = Form::new().with("response_type", "code").with("client_id", &self.config.client_id);
        let query = query.with("redirect_uri", &self.config.callback_url()).with("scope", &self.config.scopes);
        let query = query.with("state", flow.state()).with("nonce", &flow.nonce);
        let query = query.with("code_challenge", &flow.challenge()).with("code_challenge_method", "S256");
        let at = &endpoints.authorization_endpoint;
        let joint = if at.contains('?') { '&' } else { '?' };
        Ok((flow, format!("{at}{joint}{}", query.as_str())))
    }

    /// Whether a log-in comes back for the first time. It doesn't again.
    pub(crate) fn spend(&self, flow: &Flow, now: UnixMicros) -> bool {
        self.spent.is_first(flow, now)
    }

    /// Who it is that comes back with this code. `issuer` is who the answer says it is from, if it says so.
    pub(crate) async fn finish(&self, flow: &Flow, code: &str, issuer: Option<&str>, now: impl Fn() -> Now) -> Result<Vouched, OidcFault> {
        let _place = self.place()?;
        if code.is_empty() || code.len() > MAX_CODE_BYTES {
            return Err(OidcFault::CodeRefused);
        }
        let endpoints = self.provider.endpoints(&self.config, now().mono_us).await?;
        let is_its = match issuer {
            Some(issuer) => issuer == self.config.issuer,
            None => !endpoints.authorization_response_iss_parameter_supported,
        };
        if !is_its {
            return Err(OidcFault::untrusted("answer", "it does not say that it is from this provider (RFC 9207)".into()));
        }
        let tokens = self.provider.tokens(&self.config, &endpoints, code, &flow.verifier).await?;
        let claims = self.believed(&endpoints, &tokens.id_token, &flow.nonce, now).await?;
        let Claims { sub, mut about, .. } = claims;
        if (about.email.is_none() || about.email_verified.is_none())
            && let Some(access_token) = &tokens.access_token
            && let Some(more) = self.provider.about(&endpoints, access_token, &sub).await?
        {
            let name = more.name.clone().or(about.name);
            about = About { name, ..more };
        }
        let is_verified = about.email_verified == Some(true);
        let email = about.email.filter(|_| is_verified).and_then(|text| text.parse().ok());
        Ok(Vouched { identity: Identity { issuer: self.config.issuer.clone(), subject: sub }, email, name: about.name.unwrap_or_default() })
    }

    /// An ID token's claims, with the provider's keys as they are known; and as they are now, if it names another.
    async fn believed(&self, endpoints: &Endpoints, text: &str, nonce: &str, now: impl Fn() -> Now) -> Result<Claims, OidcFault> {
        let token = Token::read(text).map_err(|why| OidcFault::not_genuine(why.into()))?;
        let mut keys = self.provider.keys(endpoints, false, now().mono_us).await?;
        if token.verified(&keys) == Err(Unsigned::UnknownKey) {
            keys = self.provider.keys(endpoints, true, now().mono_us).await?;
        }
        let payload = token.verified(&keys).map_err(|why| OidcFault::not_genuine(why.into()))?;
        let expected =
            Expected { issuer: &self.config.issuer, client: &self.config.client_id, nonce, now: now().wall.0.div_euclid(1_000_000) };
        id_token::believed(payload, &expected).map_err(OidcFault::not_genuine)
    }

    /// Whether people with this address may log in.
    pub(crate) fn admits(&self, email: Option<&Email>) -> bool {
        let domains = &self.config.allowed_domains;
        let domain = email.map(|email| email.folded()).and_then(|email| email.rsplit_once('@').map(|(_, domain)| domain.to_owned()));
        domains.is_empty() || domain.is_some_and(|domain| domains.contains(&domain))
    }

    /// Asks the provider for all that it publishes; how many keys that can be used are among it.
    pub(crate) async fn check(&self, now: Now) -> Result<usize, OidcFault> {
        self.provider.check(&self.config, now.mono_us).await
    }
}
