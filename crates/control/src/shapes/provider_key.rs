//! The API keys of providers as the API writes them. They go in and never come out.

use std::fmt;

use secrecy::SecretString;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use store::{CredentialChange, CredentialInfo, CredentialKind, NewCredential};
use utoipa::ToSchema;

use super::time::Time;

/// A provider's API key, or several that take turns.
#[derive(ToSchema)]
#[schema(as = ApiKeys)]
#[serde(untagged)]
#[expect(dead_code, reason = "its schema alone is used: what is read is secret")]
pub(crate) enum KeysSchema {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// What a body says of a provider's API keys: `null`, one, or a list.
pub(crate) struct Keys(Vec<SecretString>);

impl Keys {
    /// What becomes of those that are there: nothing where the body doesn't speak of them.
    pub(crate) fn change(given: Option<Self>) -> CredentialChange {
        given.map_or(CredentialChange::Keep, |keys| CredentialChange::Replace(keys.0.into_iter().map(NewCredential::stored).collect()))
    }

    /// For a member that may be absent.
    pub(crate) fn given<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Self>, D::Error> {
        d.deserialize_any(Reading).map(|keys| Some(Self(keys)))
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Vec<SecretString>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key, a list of keys, or null")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(vec![text.into()])
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = entries.next_element::<String>()? {
            keys.push(key.into());
        }
        Ok(keys)
    }
}

/// A provider's API key to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderKeyInput {
    /// The key: written, never shown. It is kept encrypted.
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, write_only, format = Password)]
    pub(crate) api_key: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(d: D) -> Result<SecretString, D::Error> {
    String::deserialize(d).map(SecretString::from)
}

/// What may be told of a provider's API key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderKey {
    /// `cred_` and twelve digits, the same as long as it is the same key there.
    id: String,
    /// Where it is kept: `stored` (encrypted in the database), `env:NAME`, `file`.
    #[schema(pattern = "^(stored|file|env:.+)$")]
    source: String,
    /// When the provider got it; in case of one from the environment or a file, when this run of the server did.
    added: Time,
}

impl ProviderKey {
    /// What the store tells of it.
    pub(crate) fn of(info: &CredentialInfo) -> Self {
        Self { id: info.id.to_string(), source: source(&info.kind), added: Time(info.added) }
    }
}

/// Where a key is kept.
pub(crate) fn source(kind: &CredentialKind) -> String {
    match kind {
        CredentialKind::Stored => "stored".into(),
        CredentialKind::Env(name) => format!("env:{name}"),
        CredentialKind::File(_) => "file".into(),
    }
}
