//! Providers as the API writes them. Credentials and the values of headers go in and never come out.

use std::collections::BTreeMap;

use domain::{ProviderName, checked_base_url, header_fault};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use store::{CredentialChange, CredentialKind, ProviderDraft, ProviderInfo};
use utoipa::ToSchema;

use super::choice::{ManagedBy, ProviderKind, ProviderState};
use super::text::{Invalid, at_most, printable};
use super::time::Time;
use crate::caps::{MAX_CREDENTIAL_BYTES, MAX_HEADERS};

/// A provider as it is written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderInput {
    /// Unique in the installation; where the path names it, it may be left out.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Which language it speaks.
    kind: ProviderKind,
    /// Where its API begins, such as `https://api.openai.com/v1`; absent: the kind's usual address.
    #[serde(default)]
    base_url: Option<String>,
    /// Its credential: written, never shown. Absent: the one that is there stays; `null`: none from now on.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, write_only, format = Password)]
    api_key: Option<Option<SecretString>>,
    /// Longest time for a whole attempt in seconds; absent: 600.
    #[serde(default)]
    timeout_seconds: Option<f64>,
    /// Longest wait for the answer's first byte in seconds; absent: `timeout_seconds`.
    #[serde(default)]
    first_byte_timeout_seconds: Option<f64>,
    /// Further headers sent with every request: written, never shown. Absent: those that are there stay.
    #[serde(default)]
    #[schema(write_only)]
    headers: Option<BTreeMap<String, String>>,
    /// The provider's own quota for us: requests a minute.
    #[serde(default)]
    rpm: Option<u64>,
    /// The provider's own quota for us: tokens a minute.
    #[serde(default)]
    tpm: Option<u64>,
    /// Whether it takes requests; absent: as it is, `enabled` for a new one.
    #[serde(default)]
    state: Option<ProviderState>,
}

/// Tells `null` from absent.
fn given<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Option<SecretString>>, D::Error> {
    Option::<String>::deserialize(d).map(|text| Some(text.map(SecretString::from)))
}

impl ProviderInput {
    /// The provider under `name`; what is left out of it is as `present` has it.
    pub(crate) fn into_draft(self, name: ProviderName, present: Option<&domain::Provider>) -> Result<ProviderDraft, Invalid> {
        printable("name", name.as_str())?;
        let kind = domain::ProviderKind::from(self.kind);
        let headers = self.headers.map(checked_headers).transpose()?;
        let state = self.state.map(domain::ProviderState::from);
        let provider = domain::Provider {
            name,
            kind,
            base_url: base_url(kind, self.base_url)?,
            timeout_seconds: seconds("timeout_seconds", self.timeout_seconds)?,
            first_byte_timeout_seconds: seconds("first_byte_timeout_seconds", self.first_byte_timeout_seconds)?,
            headers: headers.or_else(|| present.map(|p| p.headers.clone())).unwrap_or_default(),
            rpm: self.rpm,
            tpm: self.tpm,
            state: state.or(present.map(|p| p.state)).unwrap_or_default(),
        };
        Ok(ProviderDraft { provider, credential: credential(self.api_key)? })
    }
}

fn base_url(kind: domain::ProviderKind, given: Option<String>) -> Result<String, Invalid> {
    let given = given.filter(|text| !text.is_empty());
    match (kind, given) {
        (domain::ProviderKind::Demo, Some(_)) => Err(Invalid::new("base_url", "the demo provider is built in and has none; leave it out")),
        (_, Some(text)) => checked_base_url(&text).map_err(|fault| Invalid::new("base_url", fault)),
        (_, None) => {
            let usual = kind.default_base_url().map(Into::into);
            usual.ok_or_else(|| Invalid::new("base_url", "this kind has no usual address; give one such as http://127.0.0.1:8081/v1"))
        }
    }
}

fn seconds(param: &str, given: Option<f64>) -> Result<Option<f64>, Invalid> {
    match given {
        Some(s) if !(0.001..=86_400.0).contains(&s) => Err(Invalid::new(param, "expected seconds from 0.001 to 86400")),
        fine => Ok(fine),
    }
}

fn checked_headers(headers: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Invalid> {
    at_most("headers", headers.len(), MAX_HEADERS)?;
    let fault = headers.iter().find_map(|(name, value)| header_fault(name, value).map(|fault| (name, fault)));
    match fault {
        Some((name, fault)) => Err(Invalid::new(format!("headers.{name}"), fault)),
        None => Ok(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()),
    }
}

fn credential(given: Option<Option<SecretString>>) -> Result<CredentialChange, Invalid> {
    use secrecy::ExposeSecret;
    let Some(wanted) = given else { return Ok(CredentialChange::Keep) };
    let Some(secret) = wanted else { return Ok(CredentialChange::Clear) };
    let text = secret.expose_secret();
    if text.is_empty() || text.len() > MAX_CREDENTIAL_BYTES || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let fault = format!("expected 1 to {MAX_CREDENTIAL_BYTES} printable ASCII characters without spaces, or null to remove it");
        return Err(Invalid::new("api_key", fault));
    }
    Ok(CredentialChange::Store(secret))
}

/// A provider. Its credential is never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Provider {
    /// Unique in the installation.
    name: String,
    /// Which language it speaks.
    kind: ProviderKind,
    /// Where its API begins; empty for `demo`.
    base_url: String,
    /// Where its credential is kept: `stored` (encrypted in the database), `env:NAME`, `file`; `null`: it has none.
    #[schema(required, pattern = "^(stored|file|env:.+)$")]
    credential: Option<String>,
    /// Longest time for a whole attempt in seconds; `null`: 600.
    #[schema(required)]
    timeout_seconds: Option<f64>,
    /// Longest wait for the answer's first byte in seconds; `null`: `timeout_seconds`.
    #[schema(required)]
    first_byte_timeout_seconds: Option<f64>,
    /// Names of the further headers; their values may be secret and are not shown.
    header_names: Vec<String>,
    /// The provider's own quota for us: requests a minute.
    #[schema(required)]
    rpm: Option<u64>,
    /// The provider's own quota for us: tokens a minute.
    #[schema(required)]
    tpm: Option<u64>,
    /// Whether it takes requests.
    state: ProviderState,
    /// Who manages it. What the file manages is applied anew at each start.
    managed_by: ManagedBy,
    /// When it was last changed.
    updated: Time,
}

impl Provider {
    /// The provider as it is kept.
    pub(crate) fn of(kept: &ProviderInfo) -> Self {
        let provider = &kept.provider;
        Self {
            name: provider.name.as_str().into(),
            kind: provider.kind.into(),
            base_url: provider.base_url.clone(),
            credential: kept.credential.as_ref().map(|kind| match kind {
                CredentialKind::Stored => "stored".into(),
                CredentialKind::Env(name) => format!("env:{name}"),
                CredentialKind::File(_) => "file".into(),
            }),
            timeout_seconds: provider.timeout_seconds,
            first_byte_timeout_seconds: provider.first_byte_timeout_seconds,
            header_names: provider.headers.keys().cloned().collect(),
            rpm: provider.rpm,
            tpm: provider.tpm,
            state: provider.state.into(),
            managed_by: kept.origin.into(),
            updated: Time(kept.updated),
        }
    }
}
