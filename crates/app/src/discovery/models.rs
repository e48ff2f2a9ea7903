//! What becomes of the models that a discovered provider has: a built-in example gets a target, any other becomes an
//! entry without a category, which no plan's category row admits.

use std::collections::BTreeMap;

use domain::{Model, ModelId, Money, ProviderName, Target, Tokenizer};
use store::{Actor, Managed, Origin, PutMode, Store};

use crate::caps::MAX_DISCOVERED_MODELS;

/// Adds targets and entries for the models of `provider`.
pub(crate) async fn take_over(store: &Store, provider: &ProviderName, mut names: Vec<String>) {
    if names.len() > MAX_DISCOVERED_MODELS {
        tracing::warn!(%provider, has = names.len(), taken = MAX_DISCOVERED_MODELS, "a provider has more models than are taken over");
        names.truncate(MAX_DISCOVERED_MODELS);
    }
    for (model, origin) in plan(provider, &names, |name| find(store, name)) {
        let id = model.id.clone();
        if let Err(error) = store.put_model(Actor::System, model, origin, PutMode::Upsert).await {
            tracing::warn!(%provider, model = %id, %error, "a discovered model can't be added");
        }
    }
}

/// The entry of this id or alias, without regard to case.
fn find(store: &Store, name: &str) -> Option<Managed<Model>> {
    let catalogue = store.directory().catalogue();
    let exact = catalogue.find(name).and_then(|index| catalogue.model(index));
    let is_named = |model: &Model| std::iter::once(&model.id).chain(&model.aliases).any(|n| n.as_str().eq_ignore_ascii_case(name));
    let found = exact.or_else(|| catalogue.models().map(|(_, m)| m).find(|m| is_named(m)))?;
    store.model(found.id.as_str())
}

/// The entries to put. What the operator has made is left alone.
fn plan(provider: &ProviderName, names: &[String], find: impl Fn(&str) -> Option<Managed<Model>>) -> Vec<(Model, Origin)> {
    let mut changed: BTreeMap<ModelId, (Model, Origin)> = BTreeMap::new();
    for name in names.iter().map(|name| name.strip_suffix(":latest").unwrap_or(name).trim()).filter(|name| !name.is_empty()) {
        let (id, present) = match find(name) {
            Some(there) => (there.item.id.clone(), Some(there)),
            None => (ModelId::from(name), None),
        };
        let (model, origin) = match (changed.remove(&id), present) {
            (Some(begun), _) => begun,
            (None, Some(there)) if matches!(there.origin, Origin::Seed | Origin::Discovered) => ((*there.item).clone(), there.origin),
            (None, Some(_)) => continue,
            (None, None) => (bare(id.clone()), Origin::Discovered),
        };
        changed.insert(id, (with_target(model, provider, name), origin));
    }
    changed.into_values().collect()
}

fn with_target(mut model: Model, provider: &ProviderName, name: &str) -> Model {
    if !model.targets.iter().any(|t| t.provider == *provider) {
        let there = (model.id.as_str() != name).then(|| name.to_owned());
        model.targets.push(Target { model: there, ..Target::at(provider.clone()) });
    }
    model
}

fn bare(id: ModelId) -> Model {
    Model {
        id,
        aliases: Vec::new(),
        parameters_b: None,
        category: None,
        context_window: None,
        max_output_tokens: None,
        default_output_tokens: None,
        input_price: Money::default(),
        output_price: Money::default(),
        tokenizer: Tokenizer::default(),
        features: None,
        hedge_after_ms: None,
        targets: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::UnixMicros;

    use super::*;

    #[test]
    fn examples_get_targets_strangers_become_entries_and_the_operators_own_stay() {
        let seed = crate::seed::seed().unwrap().models;
        let own = Model { category: Some(domain::Category::Small), ..bare("own".into()) };
        let find = |name: &str| {
            let managed = |item: &Model, origin| Managed { item: Arc::new(item.clone()), origin, updated: UnixMicros(0) };
            let example = seed.iter().find(|m| m.id.as_str() == name || m.aliases.iter().any(|a| a.as_str() == name));
            example.map(|m| managed(m, Origin::Seed)).or_else(|| (name == "own").then(|| managed(&own, Origin::Api)))
        };
        let names = ["qwen3:32b", "smollm2:latest", "own", "gemma3:4b", ""].map(String::from);
        let planned = plan(&"ollama".into(), &names, find);
        let shown: Vec<_> = planned.iter().map(|(m, o)| (m.id.as_str(), *o, m.targets[0].model.as_deref(), m.size_category())).collect();
        assert_eq!(
            shown,
            [
                ("gemma-3-4b", Origin::Seed, Some("gemma3:4b"), Some(domain::Category::Small)),
                ("qwen-3-32b", Origin::Seed, Some("qwen3:32b"), Some(domain::Category::Medium)),
                ("smollm2", Origin::Discovered, None, None),
            ]
        );
    }
}
