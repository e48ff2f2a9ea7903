//! Calls of Stripe's API, each within its time and with an answer of bounded length. What it refuses is told apart by what is to be done
//! about it. Neither the key nor an answer's text reaches whoever wanted to pay.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::billing::ChargeFault;
use crate::caps::{CHARGER_TIMEOUT, MAX_CHARGER_ANSWER_BYTES};
use crate::form::Form;
use crate::http_client::HttpClient;

/// The version of the API that is spoken; events come in the version of the webhook.
const VERSION: &str = "2024-06-20";

/// The API under its key.
pub(super) struct Api {
    http: Box<dyn HttpClient>,
    base: String,
    key: SecretString,
}

/// Why a call did not do what it was for.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It isn't known whether anything was done.
    Unknown { call: String, why: String },
    /// It was answered, with an error.
    Answered { call: String, status: StatusCode, error: ErrorObject },
}

/// The members of an error that are names, and no text of anybody.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorObject {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    param: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorObject,
}

impl Refusal {
    /// The card's bank says no, or wants its owner to be there.
    pub(super) fn is_decline(&self) -> bool {
        matches!(self, Self::Answered { status: StatusCode::PAYMENT_REQUIRED, .. })
    }

    /// What was named isn't there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Answered { status: StatusCode::NOT_FOUND, .. })
            || matches!(self, Self::Answered { status: StatusCode::BAD_REQUEST, .. } if self.code() == "resource_missing")
    }

    /// The key was used for another call before.
    pub(super) fn is_reused_key(&self) -> bool {
        matches!(self, Self::Answered { error, .. } if error.kind.as_deref() == Some("idempotency_error"))
    }

    /// The amount is less than is charged in its currency, which differs from country to country.
    pub(super) fn is_too_small(&self) -> bool {
        self.code() == "amount_too_small"
    }

    /// The same call will be refused whenever it is made.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Answered { status: StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND, .. })
    }

    /// The error's name, where it has one.
    pub(super) fn code(&self) -> &str {
        match self {
            Self::Unknown { .. } => "",
            Self::Answered { error, .. } => error.code.as_deref().unwrap_or_default(),
        }
    }

    /// For the operator.
    pub(super) fn log(&self) {
        match self {
            Self::Unknown { call, why } => tracing::warn!(call, why, "Stripe gave no answer"),
            Self::Answered { call, status, error } => {
                let (status, kind, code, param) = (status.as_u16(), &error.kind, &error.code, &error.param);
                let advice = if status == 401 { "; is secret_key in [billing] right?" } else { "" };
                tracing::warn!(call, status, kind, code, param, "Stripe refused a call{advice}");
            }
        }
    }

    /// For whoever wanted to pay; the operator is told more.
    pub(super) fn into_fault(self) -> ChargeFault {
        if self.is_too_small() {
            return ChargeFault::TooSmall;
        }
        self.log();
        match self {
            Self::Unknown { .. } => ChargeFault::Unreachable,
            Self::Answered { status, .. } if status.is_server_error() => ChargeFault::Unreachable,
            Self::Answered { status: StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS, .. } => ChargeFault::Unreachable,
            Self::Answered { .. } => ChargeFault::Refused,
        }
    }
}

impl Api {
    pub(super) fn new(http: Box<dyn HttpClient>, base: &Uri, key: SecretString) -> Self {
        Self { http, base: base.to_string().trim_end_matches('/').to_owned(), key }
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &Form) -> Result<T, Refusal> {
        let mark = if query.as_str().is_empty() { "" } else { "?" };
        self.call(Method::GET, &format!("{path}{mark}{}", query.as_str()), Bytes::new(), None).await
    }

    /// Creates something, once for each `key`.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, form: &Form, key: &str) -> Result<T, Refusal> {
        self.call(Method::POST, path, Bytes::copy_from_slice(form.as_str().as_bytes()), Some(key)).await
    }

    /// Does what may be done any number of times.
    pub(super) async fn post_again<T: DeserializeOwned>(&self, path: &str, form: &Form) -> Result<T, Refusal> {
        self.call(Method::POST, path, Bytes::copy_from_slice(form.as_str().as_bytes()), None).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes, key: Option<&str>) -> Result<T, Refusal> {
        // The query may hold ids of customers; what is logged is what was done.
        let call = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let unknown = |why: String| Refusal::Unknown { call: call.clone(), why };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.key.expose_secret()))
            .map_err(|_| unknown("secret_key can't be sent in a header".into()))?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::AUTHORIZATION, bearer)
            .header("stripe-version", VERSION)
            .header(header::USER_AGENT, "tidegate");
        if let Some(key) = key {
            request = request.header("idempotency-key", format!("tidegate-{key}"));
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let request = request.body(body).map_err(|error| unknown(error.to_string()))?;
        let answer = self.http.send(request, CHARGER_TIMEOUT, MAX_CHARGER_ANSWER_BYTES).await.map_err(unknown)?;
        let status = answer.status();
        if !status.is_success() {
            let error = serde_json::from_slice::<ErrorBody>(answer.body()).map(|body| body.error).unwrap_or_default();
            return Err(Refusal::Answered { call, status, error });
        }
        serde_json::from_slice(answer.body()).map_err(|_| unknown(format!("status {} with an answer that can't be read", status.as_u16())))
    }
}
