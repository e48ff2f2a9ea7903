//! Providers as the API writes them. API keys and the values of headers go in and never come out.

use std::collections::BTreeMap;

use domain::ProviderName;
use serde::{Deserialize, Serialize};
use store::{ProviderDraft, ProviderInfo};
use utoipa::ToSchema;

use super::amount::Amount;
use super::choice::{ManagedBy, ProviderKind, ProviderState, QuotaHold};
use super::provider_key::{Keys, KeysSchema, ProviderKey, source};
use super::text::{Invalid, at_most};
use super::time::Time;
use crate::caps::MAX_HEADERS;

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
    /// Its API key, or several that take turns: written, never shown. Absent: those that are there stay; `null`: none from now on.
    #[serde(default, deserialize_with = "Keys::given")]
    #[schema(value_type = Option<KeysSchema>, write_only)]
    api_key: Option<Keys>,
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
    /// How much output its quota and its targets' own hold for a request; absent: `max_tokens`.
    #[serde(default)]
    quota_hold: Option<QuotaHold>,
    /// What may be spent at it in a UTC day, at the catalogue's prices; absent: no ceiling.
    #[serde(default)]
    spend_per_day: Option<Amount>,
    /// Whether it takes requests; absent: as it is, `enabled` for a new one.
    #[serde(default)]
    state: Option<ProviderState>,
}

impl ProviderInput {
    /// The provider under `name`; what is left out of it is as `present` has it.
    pub(crate) fn into_draft(self, name: ProviderName, present: Option<&domain::Provider>) -> Result<ProviderDraft, Invalid> {
        at_most("headers", self.headers.as_ref().map_or(0, BTreeMap::len), MAX_HEADERS)?;
        let state = self.state.map(domain::ProviderState::from);
        let provider = domain::Provider {
            name,
            kind: self.kind.into(),
            base_url: self.base_url.unwrap_or_default(),
            timeout_seconds: self.timeout_seconds,
            first_byte_timeout_seconds: self.first_byte_timeout_seconds,
            headers: self.headers.or_else(|| present.map(|p| p.headers.clone())).unwrap_or_default(),
            rpm: self.rpm,
            tpm: self.tpm,
            quota_hold: self.quota_hold.map(domain::QuotaHold::from).unwrap_or_default(),
            spend_per_day: self.spend_per_day.map(|amount| amount.0),
            state: state.or(present.map(|p| p.state)).unwrap_or_default(),
        };
        Ok(ProviderDraft { provider, credential: Keys::change(self.api_key) })
    }
}

/// A provider. Its API keys are never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Provider {
    /// Unique in the installation.
    name: String,
    /// Which language it speaks.
    kind: ProviderKind,
    /// Where its API begins; empty for `demo`.
    base_url: String,
    /// Where its first API key is kept: `stored` (encrypted in the database), `env:NAME`, `file`; `null`: it has none.
    #[schema(required, pattern = "^(stored|file|env:.+)$")]
    credential: Option<String>,
    /// What may be told of its API keys, in the order in which they take their turns.
    keys: Vec<ProviderKey>,
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
    /// How much output its quota and its targets' own hold for a request.
    quota_hold: QuotaHold,
    /// What may be spent at it in a UTC day, at the catalogue's prices; `null`: no ceiling.
    #[schema(required)]
    spend_per_day: Option<Amount>,
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
            credential: kept.credentials.first().map(|first| source(&first.kind)),
            keys: kept.credentials.iter().map(ProviderKey::of).collect(),
            timeout_seconds: provider.timeout_seconds,
            first_byte_timeout_seconds: provider.first_byte_timeout_seconds,
            header_names: provider.headers.keys().cloned().collect(),
            rpm: provider.rpm,
            tpm: provider.tpm,
            quota_hold: provider.quota_hold.into(),
            spend_per_day: provider.spend_per_day.map(Amount),
            state: provider.state.into(),
            managed_by: kept.origin.into(),
            updated: Time(kept.updated),
        }
    }
}
