//! What is there before anybody configures anything: the plans, the example models, and the demo.

use std::collections::BTreeMap;

use domain::Provider;

use crate::config::{Config, Entries, Faults};
use crate::discovery;

const SEED: &str = include_str!("seed.toml");
const DEMO: &str = include_str!("seed_demo.toml");

/// The plans and example models of a new database.
///
/// # Errors
/// None with the text that is built in, as a test shows.
pub fn seed() -> Result<Entries, Faults> {
    Config::built_in("built in: seed.toml", SEED)
}

/// The demo provider and its models.
///
/// # Errors
/// None with the text that is built in, as a test shows.
pub fn demo() -> Result<Entries, Faults> {
    Config::built_in("built in: seed_demo.toml", DEMO)
}

/// What a configuration's entries may refer to without defining it.
pub(crate) struct Base {
    seed: Entries,
    demo: Entries,
    found: Vec<Provider>,
}

/// What is built in, and the providers that this environment holds keys for.
pub(crate) fn base(environment: &BTreeMap<String, String>) -> Result<Base, Faults> {
    let found = discovery::environment(environment).into_iter().map(|found| found.provider).collect();
    Ok(Base { seed: seed()?, demo: demo()?, found })
}

impl Base {
    /// What is there beside this configuration's own entries.
    pub(crate) fn of(self, config: &Config) -> Entries {
        let mut entries = self.seed;
        if config.has_demo() {
            entries.providers.extend(self.demo.providers);
            entries.models.extend(self.demo.models);
        }
        if config.uses_environment() {
            entries.providers.extend(self.found);
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use domain::{Catalogue, Category, CustomPool, Entitlement, Kind, PlanId, UnixMicros};

    use super::*;

    fn catalogue() -> Catalogue {
        let (seed, demo) = (seed().unwrap(), demo().unwrap());
        let models = seed.models.into_iter().chain(demo.models).collect();
        Catalogue::build(demo.providers, models, seed.plans, 60_000_000)
    }

    fn numbers(plan: &str, model: &str) -> Option<(String, u64, u64)> {
        let catalogue = catalogue();
        let model = catalogue.find(model).and_then(|i| catalogue.model(i).cloned()).unwrap();
        let custom: &[CustomPool] = &[];
        match catalogue.entitlement(&PlanId::from(plan), custom, &model, UnixMicros(0)) {
            Entitlement::NotInPlan => None,
            Entitlement::Pool(pool) => {
                let n = |kind| pool.limits.iter().find(|l| l.kind == kind).map(|l| l.n).unwrap();
                Some((pool.name.text().to_string(), n(Kind::Requests), n(Kind::Tokens)))
            }
        }
    }

    #[test]
    fn every_row_of_the_plan_table() {
        let row = |pool: &str, rpm, tpm| Some((pool.to_owned(), rpm, tpm));
        assert_eq!(numbers("free", "qwen-3-coder-next"), row("model:qwen-3-coder-next", 50, 300_000));
        for (plan, small, medium, large) in
            [("starter", (180, 120_000), (90, 60_000), (45, 30_000)), ("growth", (600, 400_000), (300, 200_000), (150, 100_000))]
        {
            for model in ["mistral-7b", "gemma-3-4b", "qwen-2.5-coder-3b", "demo-small"] {
                assert_eq!(numbers(plan, model), row("category:small", small.0, small.1), "{plan} {model}");
            }
            for model in ["qwen-3-32b", "qwen-3-coder-next", "gemma-3-27b", "demo-medium"] {
                assert_eq!(numbers(plan, model), row("category:medium", medium.0, medium.1), "{plan} {model}");
            }
            for model in ["llama-3.3-70b", "gpt-oss-120b", "llama-3.3-70b-fp8", "demo-large"] {
                assert_eq!(numbers(plan, model), row("category:large", large.0, large.1), "{plan} {model}");
            }
        }
    }

    #[test]
    fn free_has_one_model_and_enterprise_none() {
        for (_, model) in catalogue().models() {
            let is_free = model.id.as_str() == "qwen-3-coder-next";
            assert_eq!(numbers("free", model.id.as_str()).is_some(), is_free, "{}", model.id);
            assert_eq!(numbers("enterprise", model.id.as_str()), None);
        }
    }

    #[test]
    fn only_the_mixture_of_experts_departs_from_its_parameter_count() {
        for (_, model) in catalogue().models().filter(|(_, m)| m.parameters_b.is_some()) {
            let by_count = model.parameters_b.map(Category::of_parameters_b);
            assert_eq!(model.size_category() == by_count, model.id.as_str() != "qwen-3-coder-next", "{}", model.id);
        }
    }
}
