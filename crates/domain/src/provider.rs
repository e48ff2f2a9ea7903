//! A provider as the operator describes it. How its language is spoken is the `providers` crate's matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Money, ProviderName};

/// Which language a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenAI's, and every look-alike.
    #[serde(alias = "openai_compatible")]
    Openai,
    /// vLLM's server: OpenAI's language.
    Vllm,
    /// Ollama: OpenAI's language under `/v1`.
    Ollama,
    /// llama.cpp's server: OpenAI's language.
    #[serde(alias = "llama.cpp", alias = "llamacpp")]
    LlamaCpp,
    /// Built in: simulated answers, no network.
    Demo,
}

/// Whether a provider takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// It takes requests.
    #[default]
    Enabled,
    /// What it has is finished; nothing new is sent.
    Draining,
    /// Nothing is sent.
    Disabled,
}

/// How much output a provider's quota and its targets' own hold for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaHold {
    /// All that an answer can have, as far as that is known: the request's `max_tokens`, else the model's `max_output_tokens`.
    #[default]
    MaxTokens,
    /// What the organisation's pool holds: what such requests have needed.
    Learned,
}

impl QuotaHold {
    /// Output to hold where the pool holds `held` and an answer has at most `most` (`u64::MAX`: not known), in tokens.
    pub const fn of(self, held: u64, most: u64) -> u64 {
        match self {
            Self::MaxTokens if most != u64::MAX && most > held => most,
            Self::MaxTokens | Self::Learned => held,
        }
    }
}

/// A provider without its credential, which is kept apart (see `store`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Unique in the installation.
    pub name: ProviderName,
    /// Which language it speaks.
    pub kind: ProviderKind,
    /// Where its API begins, such as `https://api.openai.com/v1`; empty for `demo`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base_url: String,
    /// Longest time for a whole attempt; absent: 600 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Longest wait for the answer's first byte; absent: `timeout_seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_timeout_seconds: Option<f64>,
    /// Further headers sent with every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The provider's own quota for us: requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u64>,
    /// The provider's own quota for us: tokens a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<u64>,
    /// How much output its quota and its targets' own hold for a request.
    #[serde(default)]
    pub quota_hold: QuotaHold,
    /// What may be spent at it in a UTC day, at the catalogue's prices; absent: no ceiling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_per_day: Option<Money>,
    /// Whether it takes requests.
    #[serde(default)]
    pub state: ProviderState,
}
