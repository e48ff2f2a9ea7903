//! A model of the catalogue and its targets at providers.

use serde::{Deserialize, Serialize};

use crate::{Category, Features, HoldPolicy, ModelId, Price, ProviderName};

/// Which tokenizer counts a model's text before its provider has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokenizer {
    /// OpenAI's `o200k_base`, also the stand-in for models whose own is not built in.
    #[default]
    #[serde(alias = "o200k")]
    O200kBase,
    /// OpenAI's `cl100k_base`.
    #[serde(alias = "cl100k")]
    Cl100kBase,
}

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The provider's name.
    pub provider: ProviderName,
    /// The model's name there; absent: the catalogue's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Lower is tried first.
    #[serde(default)]
    pub priority: u32,
    /// Share of the requests among targets of the same priority.
    #[serde(default = "one")]
    pub weight: u32,
    /// Longest input plus output in tokens there; absent: the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// What it can do there; absent: what the model can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// Its quota for us there: requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u64>,
    /// Its quota for us there: tokens a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<u64>,
    /// Its quota for us there: requests under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u64>,
}

impl Target {
    /// A model at a provider under its own name, of which nothing else is said.
    pub fn at(provider: ProviderName) -> Self {
        Self { provider, model: None, priority: 0, weight: 1, context_window: None, features: None, rpm: None, tpm: None, concurrent: None }
    }
}

fn one() -> u32 {
    1
}

/// A model as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Any printable text, slashes included; what clients send as `model`.
    pub id: ModelId,
    /// Other names for it; they never appear in `/v1/models`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<ModelId>,
    /// Parameters in billions, total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters_b: Option<f64>,
    /// Size category; absent: from `parameters_b`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Longest input plus output in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u64>,
    /// Most output tokens the model gives for one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// Output tokens held for a request that states no maximum; absent: 1,024, at most `max_output_tokens`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_output_tokens: Option<u64>,
    /// Price per million input tokens.
    #[serde(default)]
    pub input_price: Price,
    /// Price per million output tokens.
    #[serde(default)]
    pub output_price: Price,
    /// Which tokenizer counts its text.
    #[serde(default)]
    pub tokenizer: Tokenizer,
    /// What it can do; absent: everything is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// How long a target may take for its first byte before the next is tried beside it, in milliseconds; absent: that is never done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge_after_ms: Option<u64>,
    /// Where it can be had, in no particular order.
    #[serde(default)]
    pub targets: Vec<Target>,
}

impl Model {
    /// Output tokens held for a request that states no maximum and whose model the catalogue describes no further.
    const DEFAULT_OUTPUT_TOKENS: u64 = 1_024;

    /// The explicit category, else the one that follows from the parameter count; `None` where neither is known.
    pub fn size_category(&self) -> Option<Category> {
        self.category.or_else(|| self.parameters_b.map(Category::of_parameters_b))
    }

    /// Output tokens to hold for a request that asks for at most `asked` (`None`: not stated), for each choice. `learned` is asked,
    /// with the catalogue's default, what such requests have needed.
    pub fn output_to_hold(&self, policy: HoldPolicy, asked: Option<u64>, learned: impl FnOnce(u64) -> u64) -> u64 {
        let default = self.default_output_tokens.unwrap_or(Self::DEFAULT_OUTPUT_TOKENS);
        let wished = match policy {
            HoldPolicy::Learned => learned(default),
            HoldPolicy::MaxTokens => asked.unwrap_or(default),
            HoldPolicy::Fixed => default,
        };
        wished.min(self.most_output(asked))
    }

    /// Most output tokens of one answer to a request that asks for at most `asked`; `u64::MAX` where nothing is known.
    pub fn most_output(&self, asked: Option<u64>) -> u64 {
        asked.unwrap_or(u64::MAX).min(self.max_output_tokens.unwrap_or(u64::MAX))
    }
}
