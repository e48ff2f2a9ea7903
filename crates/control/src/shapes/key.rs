//! API keys as the API writes them. The secret is in the answer to its making only.

use domain::{ApiKey, KeyLimits, ModelId};
use serde::{Deserialize, Serialize};
use store::{KeyInfo, NewKey};
use utoipa::ToSchema;

use super::choice::RateLimitBody;
use super::time::Time;

/// An API key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyInput {
    /// What people call it.
    name: String,
    /// Refused from this moment on; absent: never.
    #[serde(default)]
    expires: Option<Time>,
    /// The only models it may use, by id or alias; absent: all of the plan.
    #[serde(default)]
    models: Option<Vec<String>>,
    /// Its own limit: requests a minute over all models.
    #[serde(default)]
    rpm: Option<u64>,
    /// Its own limit: tokens a minute over all models.
    #[serde(default)]
    tpm: Option<u64>,
    /// The shape of its 429s; absent: the installation's.
    #[serde(default)]
    rate_limit_body: Option<RateLimitBody>,
}

impl KeyInput {
    /// What the store is to make.
    pub(crate) fn into_new(self) -> NewKey {
        NewKey {
            name: self.name,
            expires: self.expires.map(|time| time.0),
            models: self.models.map(|models| models.into_iter().map(ModelId::from).collect()),
            limits: KeyLimits { rpm: self.rpm, tpm: self.tpm },
            rate_limit_body: self.rate_limit_body.map(Into::into),
        }
    }
}

/// What changes of an API key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyChange {
    /// Whether it may be used. In force for the next request.
    pub(crate) state: KeyState,
}

/// How an API key is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRotation {
    /// How long the key that is replaced lives on, in seconds: 0 (it is refused from the next request on) to 2592000 (30 days).
    #[schema(maximum = 2_592_000)]
    pub(crate) overlap_seconds: u64,
}

/// Whether an API key may be used, as far as people have decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyState {
    /// It may, until it expires or is revoked.
    Enabled,
    /// It is refused until it is enabled again.
    Disabled,
}

/// An API key without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Key {
    /// `key_` and a ULID. It is not the secret.
    id: String,
    /// What people call it.
    name: String,
    /// The secret's first characters, to tell keys apart.
    prefix: String,
    /// Refused from this moment on; `null`: never.
    #[schema(required)]
    expires: Option<Time>,
    /// The only models it may use; `null`: all of the plan.
    #[schema(required)]
    models: Option<Vec<String>>,
    /// Its own limit: requests a minute; `null`: none.
    #[schema(required)]
    rpm: Option<u64>,
    /// Its own limit: tokens a minute; `null`: none.
    #[schema(required)]
    tpm: Option<u64>,
    /// The shape of its 429s; `null`: the installation's.
    #[schema(required)]
    rate_limit_body: Option<RateLimitBody>,
    /// When it was made.
    created: Time,
    /// Who made it: `operator` (the bearer of the operator token), `system`, or a person's id; `null`: it is older than that is kept.
    #[schema(required)]
    made_by: Option<String>,
    /// The minute of its last request, refused ones included, as of a second ago; `null`: it was never used.
    #[schema(required)]
    last_used: Option<Time>,
    /// Whether it is enabled.
    state: KeyState,
    /// When it was revoked; `null`: it was not.
    #[schema(required)]
    revoked: Option<Time>,
}

impl Key {
    /// The key as it is kept.
    pub(crate) fn of(info: KeyInfo) -> Self {
        let KeyInfo { key, made_by, last_used } = info;
        Self {
            id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            expires: key.expires.map(Time),
            models: key.models.map(|models| models.into_iter().map(String::from).collect()),
            rpm: key.limits.rpm,
            tpm: key.limits.tpm,
            rate_limit_body: key.rate_limit_body.map(Into::into),
            created: Time(key.created),
            made_by: made_by.map(|actor| actor.to_string()),
            last_used: last_used.map(Time),
            state: if key.disabled { KeyState::Disabled } else { KeyState::Enabled },
            revoked: key.revoked.map(Time),
        }
    }
}

/// An API key as it was made, with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeyShown {
    /// `key_` and a ULID. It is not the secret.
    id: String,
    /// The secret: `tg_` and 40 letters and digits. Shown this once, kept as a hash.
    key: String,
    /// What people call it.
    name: String,
    /// The secret's first characters, to tell keys apart.
    prefix: String,
    /// Refused from this moment on; `null`: never.
    #[schema(required)]
    expires: Option<Time>,
    /// The only models it may use; `null`: all of the plan.
    #[schema(required)]
    models: Option<Vec<String>>,
    /// Its own limit: requests a minute; `null`: none.
    #[schema(required)]
    rpm: Option<u64>,
    /// Its own limit: tokens a minute; `null`: none.
    #[schema(required)]
    tpm: Option<u64>,
    /// The shape of its 429s; `null`: the installation's.
    #[schema(required)]
    rate_limit_body: Option<RateLimitBody>,
    /// When it was made.
    created: Time,
}

impl NewKeyShown {
    /// The key and its secret.
    pub(crate) fn of(key: domain::Key, secret: &ApiKey) -> Self {
        let Key { id, name, prefix, expires, models, rpm, tpm, rate_limit_body, created, .. } =
            Key::of(KeyInfo { key, made_by: None, last_used: None });
        Self { id, key: secret.expose().into(), name, prefix, expires, models, rpm, tpm, rate_limit_body, created }
    }
}
