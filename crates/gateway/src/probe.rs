//! Asks a provider for its list of models: a test of its address, its credential and its language, through the same client
//! that requests use. Nothing is charged and no cooldown begins.

use std::time::Duration;

use bytes::Bytes;
use domain::Provider;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Limited};
use providers::{Wire, wire};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use crate::routes::is_absolute;
use crate::upstream::{Outgoing, SendFault};
use crate::{Gateway, caps};

/// What a provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The names of its models there.
    pub models: Vec<String>,
    /// How long it took to say so, in microseconds.
    pub elapsed_us: u64,
}

/// Why a provider did not say what it has. One line for people each.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProbeError {
    /// The address can't be used.
    #[error("base_url \"{0}\" is no http or https address")]
    BadAddress(String),
    /// No connection.
    #[error("no connection to {host}: {why}; is it running, and does base_url name it?")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What the system said.
        why: String,
    },
    /// Nothing came in time.
    #[error("{host} did not answer within {seconds} s")]
    TimedOut {
        /// Host and port.
        host: String,
        /// The time it had.
        seconds: f64,
    },
    /// 401 or 403.
    #[error("{host} refused the credential (status {status}); check the API key")]
    Refused {
        /// Host and port.
        host: String,
        /// Its answer.
        status: u16,
    },
    /// Another status than 200.
    #[error("{host} answered with status {status}; does base_url end where its API begins (often /v1)?")]
    Status {
        /// Host and port.
        host: String,
        /// Its answer.
        status: u16,
    },
    /// Not a list of models.
    #[error("{host} answered, but with no list of models; does it speak this kind's language?")]
    NotItsLanguage {
        /// Host and port.
        host: String,
    },
}

#[derive(Deserialize)]
struct List {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

impl Gateway {
    /// Asks `provider` for its models. The built-in simulated server has whatever is asked of it: an empty list.
    pub async fn probe(&self, provider: &Provider, credential: Option<&SecretString>, within: Duration) -> Result<Probe, ProbeError> {
        let Wire::OpenAi(dialect) = wire(provider.kind) else { return Ok(Probe { models: Vec::new(), elapsed_us: 0 }) };
        let base = if provider.base_url.is_empty() { dialect.default_base_url } else { &provider.base_url };
        let address = format!("{}{}", base.trim_end_matches('/'), dialect.models_path());
        let address = address.parse::<Uri>().ok().filter(is_absolute).ok_or_else(|| ProbeError::BadAddress(base.to_owned()))?;
        let host = address.authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
        let mut request = Request::new(Outgoing::new(Bytes::new(), None));
        *request.uri_mut() = address;
        let own = credential.map(|secret| dialect.credential_header(secret.expose_secret()));
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let configured = provider.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(configured) {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
                request.headers_mut().insert(name, value);
            }
        }
        let begun = Instant::now();
        let asked = timeout(within, self.ask_models(request, &host, within)).await;
        let models = asked.unwrap_or(Err(ProbeError::TimedOut { host, seconds: within.as_secs_f64() }))?;
        Ok(Probe { models, elapsed_us: u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX) })
    }

    async fn ask_models(&self, mut request: Request<Outgoing>, host: &str, within: Duration) -> Result<Vec<String>, ProbeError> {
        let host = || host.to_owned();
        let response = self.upstream.send(&mut request, Instant::now() + within).await.map_err(|fault| match fault {
            SendFault::Connect(why) | SendFault::Broke(why) | SendFault::NoTls(why) => ProbeError::Unreachable { host: host(), why },
            SendFault::TimedOut => ProbeError::TimedOut { host: host(), seconds: within.as_secs_f64() },
        })?;
        match response.status().as_u16() {
            200 => {}
            status @ (401 | 403) => return Err(ProbeError::Refused { host: host(), status }),
            status => return Err(ProbeError::Status { host: host(), status }),
        }
        let not_a_list = || ProbeError::NotItsLanguage { host: host() };
        let body = Limited::new(response.into_body(), caps::PROBE_BODY_BYTES).collect().await.map_err(|_| not_a_list())?;
        let list: List = serde_json::from_slice(&body.to_bytes()).map_err(|_| not_a_list())?;
        Ok(list.data.into_iter().map(|entry| entry.id).collect())
    }
}
