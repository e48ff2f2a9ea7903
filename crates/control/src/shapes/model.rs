//! Models and their targets as the API writes them.

use domain::ModelId;
use serde::{Deserialize, Serialize};
use store::Managed;
use utoipa::ToSchema;

use super::amount::Amount;
use super::choice::{Category, Feature, ManagedBy, Tokenizer};
use super::text::{Invalid, at_most, each, printable};
use super::time::Time;
use crate::caps::MAX_TARGETS;

/// A model at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// The provider's name.
    provider: String,
    /// The model's name there; absent: the catalogue's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Lower is tried first.
    #[serde(default)]
    priority: u32,
    /// Share of the requests among targets of the same priority.
    #[serde(default = "one")]
    weight: u32,
    /// Longest input plus output in tokens there; absent: the model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    /// What it can do there; absent: what the model can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    features: Option<Vec<Feature>>,
    /// Its own quota for us: requests a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    rpm: Option<u64>,
    /// Its own quota for us: tokens a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    tpm: Option<u64>,
    /// Its own quota for us: requests under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    concurrent: Option<u64>,
}

const fn one() -> u32 {
    1
}

/// A model as it is written. Give `category`, or `parameters_b` from which it follows.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelInput {
    /// Any printable text, slashes included; what clients send as `model`. Where the path names it, it may be left out.
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// Other names for it.
    #[serde(default)]
    aliases: Vec<String>,
    /// Parameters in billions, total.
    #[serde(default)]
    parameters_b: Option<f64>,
    /// Size category; absent: from `parameters_b` (up to 8 small, up to 35 medium, else large).
    #[serde(default)]
    category: Option<Category>,
    /// Longest input plus output in tokens.
    #[serde(default)]
    context_window: Option<u64>,
    /// Most output tokens for one request.
    #[serde(default)]
    max_output_tokens: Option<u64>,
    /// Output tokens held for a request that states no maximum; absent: 1,024, at most `max_output_tokens`.
    #[serde(default)]
    default_output_tokens: Option<u64>,
    /// Price per million input tokens; absent: 0.
    #[serde(default)]
    input_price: Option<Amount>,
    /// Price per million output tokens; absent: 0.
    #[serde(default)]
    output_price: Option<Amount>,
    /// Which tokenizer counts its text; absent: `o200k_base`.
    #[serde(default)]
    tokenizer: Option<Tokenizer>,
    /// What it can do; absent: everything is assumed.
    #[serde(default)]
    features: Option<Vec<Feature>>,
    /// How long a target may take for its first byte before the next is tried beside it, in milliseconds; absent: that is never done.
    /// Both providers may want to be paid.
    #[serde(default)]
    #[schema(minimum = 1)]
    hedge_after_ms: Option<u64>,
    /// Where it can be had.
    #[serde(default)]
    targets: Vec<Target>,
}

impl ModelInput {
    /// The model under `id`.
    pub(crate) fn into_model(self, id: ModelId) -> Result<domain::Model, Invalid> {
        at_most("aliases", self.aliases.len(), MAX_TARGETS)?;
        at_most("targets", self.targets.len(), MAX_TARGETS)?;
        if self.parameters_b.is_some_and(|b| !b.is_finite() || b <= 0.0) {
            return Err(Invalid::new("parameters_b", "expected the number of parameters in billions, above 0"));
        }
        if self.hedge_after_ms == Some(0) {
            return Err(Invalid::new("hedge_after_ms", "expected 1 or more; to try targets one after the other, leave it out"));
        }
        Ok(domain::Model {
            id,
            aliases: self.aliases.into_iter().map(ModelId::from).collect(),
            parameters_b: self.parameters_b,
            category: self.category.map(Into::into),
            context_window: self.context_window,
            max_output_tokens: self.max_output_tokens,
            default_output_tokens: self.default_output_tokens,
            input_price: self.input_price.unwrap_or_default().0,
            output_price: self.output_price.unwrap_or_default().0,
            tokenizer: self.tokenizer.map_or_else(Default::default, Into::into),
            features: self.features.map(able),
            hedge_after_ms: self.hedge_after_ms,
            targets: each("targets", self.targets, Target::into_target)?,
        })
    }
}

impl Target {
    fn into_target(self) -> Result<domain::Target, Invalid> {
        self.model.as_deref().map_or(Ok(()), |model| printable("model", model))?;
        for (name, limit) in
            [("context_window", self.context_window), ("rpm", self.rpm), ("tpm", self.tpm), ("concurrent", self.concurrent)]
        {
            if limit == Some(0) {
                return Err(Invalid::new(name, "expected 1 or more; to send nothing there, leave the target out"));
            }
        }
        Ok(domain::Target {
            provider: self.provider.into(),
            model: self.model,
            priority: self.priority,
            weight: self.weight,
            context_window: self.context_window,
            features: self.features.map(able),
            rpm: self.rpm,
            tpm: self.tpm,
            concurrent: self.concurrent,
        })
    }

    fn of(target: &domain::Target) -> Self {
        Self {
            provider: target.provider.as_str().into(),
            model: target.model.clone(),
            priority: target.priority,
            weight: target.weight,
            context_window: target.context_window,
            features: target.features.map(names),
            rpm: target.rpm,
            tpm: target.tpm,
            concurrent: target.concurrent,
        }
    }
}

fn able(features: Vec<Feature>) -> domain::Features {
    features.into_iter().map(domain::Feature::from).collect()
}

fn names(features: domain::Features) -> Vec<Feature> {
    features.iter().map(Into::into).collect()
}

/// A model of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Model {
    /// What clients send as `model`.
    id: String,
    /// Other names for it.
    aliases: Vec<String>,
    /// Parameters in billions, total.
    #[schema(required)]
    parameters_b: Option<f64>,
    /// Size category, given or derived.
    #[schema(required)]
    category: Option<Category>,
    /// Longest input plus output in tokens.
    #[schema(required)]
    context_window: Option<u64>,
    /// Most output tokens for one request.
    #[schema(required)]
    max_output_tokens: Option<u64>,
    /// Output tokens held for a request that states no maximum.
    #[schema(required)]
    default_output_tokens: Option<u64>,
    /// Price per million input tokens.
    input_price: Amount,
    /// Price per million output tokens.
    output_price: Amount,
    /// Which tokenizer counts its text.
    tokenizer: Tokenizer,
    /// What it can do; `null`: everything is assumed.
    #[schema(required)]
    features: Option<Vec<Feature>>,
    /// How long a target may take for its first byte before the next is tried beside it, in milliseconds; `null`: that is never done.
    #[schema(required)]
    hedge_after_ms: Option<u64>,
    /// Where it can be had.
    targets: Vec<Target>,
    /// Who manages it. What the file manages is applied anew at each start.
    managed_by: ManagedBy,
    /// When it was last changed.
    updated: Time,
}

impl Model {
    /// The model as it is kept.
    pub(crate) fn of(kept: &Managed<domain::Model>) -> Self {
        let model = &kept.item;
        Self {
            id: model.id.as_str().into(),
            aliases: model.aliases.iter().map(|alias| alias.as_str().into()).collect(),
            parameters_b: model.parameters_b,
            category: model.size_category().map(Into::into),
            context_window: model.context_window,
            max_output_tokens: model.max_output_tokens,
            default_output_tokens: model.default_output_tokens,
            input_price: Amount(model.input_price),
            output_price: Amount(model.output_price),
            tokenizer: model.tokenizer.into(),
            features: model.features.map(names),
            hedge_after_ms: model.hedge_after_ms,
            targets: model.targets.iter().map(Target::of).collect(),
            managed_by: kept.origin.into(),
            updated: Time(kept.updated),
        }
    }
}
