//! The catalogue: providers, models and plans put together so that a request finds its pool and targets by index.
//! Immutable once built; whoever changes a part builds a new one.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    Category, CustomLimit, HoldPolicy, LimitRow, Model, ModelId, OnExhausted, Plan, PlanId, PoolLimits, Provider, ProviderName, Selector,
    Source, UnixMicros,
};

/// A model's place in one catalogue. It means nothing in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelIndex(usize);

/// What is wrong between the parts of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueFault {
    /// Two of a kind share a name.
    #[error("{what} \"{name}\" is defined twice")]
    Twice {
        /// `provider`, `model`, `plan`, or `model name` for an alias.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A target names a provider that is not there.
    #[error("model \"{model}\": target names provider \"{provider}\", which is not defined")]
    UnknownProvider {
        /// The model.
        model: ModelId,
        /// The missing provider.
        provider: ProviderName,
    },
    /// A plan's row names a model that is not there.
    #[error("plan \"{plan}\": a limit row names model \"{model}\", which is not defined")]
    UnknownModel {
        /// The plan.
        plan: PlanId,
        /// The missing model.
        model: ModelId,
    },
    /// A plan has two rows of one selector.
    #[error("plan \"{plan}\": two limit rows for {selector}")]
    TwoRows {
        /// The plan.
        plan: PlanId,
        /// The selector.
        selector: Selector,
    },
    /// A model's size is unknown, so no category row can apply to it.
    #[error("model \"{model}\": give category or parameters_b, so that category limits can apply")]
    NoCategory {
        /// The model.
        model: ModelId,
    },
    /// An id or name is empty, too long or not printable.
    #[error("{what} \"{name}\": use 1 to 200 printable characters")]
    BadName {
        /// `provider`, `model`, `plan` or `alias`.
        what: &'static str,
        /// The name.
        name: String,
    },
}

/// Which pool a request draws from.
#[derive(Clone, Debug)]
pub enum Entitlement {
    /// This one.
    Pool(Arc<PoolLimits>),
    /// None: the plan has no row for the model.
    NotInPlan,
}

struct PlanEntry {
    plan: Arc<Plan>,
    rows: HashMap<Selector, Arc<PoolLimits>>,
}

/// Providers, models and plans, indexed.
pub struct Catalogue {
    providers: Vec<Arc<Provider>>,
    models: Vec<Arc<Model>>,
    by_name: HashMap<ModelId, ModelIndex>,
    plans: HashMap<PlanId, PlanEntry>,
    plan_order: Vec<PlanId>,
    window_us: u64,
}

impl Catalogue {
    /// Puts the parts together; of parts with the same name the first counts. `window_us` is the installation's window.
    pub fn build(providers: Vec<Provider>, models: Vec<Model>, plans: Vec<Plan>, window_us: u64) -> Self {
        let models: Vec<_> = models.into_iter().map(Arc::new).collect();
        let mut by_name = HashMap::new();
        for (index, model) in models.iter().enumerate() {
            by_name.entry(model.id.clone()).or_insert(ModelIndex(index));
        }
        for (index, model) in models.iter().enumerate() {
            for alias in &model.aliases {
                by_name.entry(alias.clone()).or_insert(ModelIndex(index));
            }
        }
        let plan_order = plans.iter().map(|p| p.id.clone()).collect();
        let mut entries = HashMap::new();
        for plan in plans {
            let mut rows = HashMap::new();
            for row in &plan.limits {
                let pool = PoolLimits::of_selector(&row.selector, Source::Plan, row.enforce, row.limits(window_us));
                rows.entry(row.selector.clone()).or_insert_with(|| Arc::new(pool));
            }
            entries.entry(plan.id.clone()).or_insert_with(|| PlanEntry { plan: Arc::new(plan), rows });
        }
        let providers = providers.into_iter().map(Arc::new).collect();
        Self { providers, models, by_name, plans: entries, plan_order, window_us }
    }

    /// Everything that is wrong between the parts, all at once.
    pub fn faults(providers: &[Provider], models: &[Model], plans: &[Plan]) -> Vec<CatalogueFault> {
        let mut faults = Vec::new();
        let mut provider_names = Names::new("provider");
        let mut plan_ids = Names::new("plan");
        let mut model_names = Names::new("model");
        for provider in providers {
            provider_names.add("provider", provider.name.as_str(), &mut faults);
        }
        for model in models {
            model_names.add("model", model.id.as_str(), &mut faults);
        }
        model_names.what = "model name";
        for model in models {
            for alias in &model.aliases {
                model_names.add("alias", alias.as_str(), &mut faults);
            }
            if model.size_category().is_none() {
                faults.push(CatalogueFault::NoCategory { model: model.id.clone() });
            }
            for target in model.targets.iter().filter(|t| !provider_names.seen.contains(t.provider.as_str())) {
                faults.push(CatalogueFault::UnknownProvider { model: model.id.clone(), provider: target.provider.clone() });
            }
        }
        for plan in plans {
            plan_ids.add("plan", plan.id.as_str(), &mut faults);
            let mut selectors = BTreeSet::new();
            for row in &plan.limits {
                if !selectors.insert(&row.selector) {
                    faults.push(CatalogueFault::TwoRows { plan: plan.id.clone(), selector: row.selector.clone() });
                }
                if let Selector::Model(id) = &row.selector
                    && !models.iter().any(|m| m.id == *id)
                {
                    faults.push(CatalogueFault::UnknownModel { plan: plan.id.clone(), model: id.clone() });
                }
            }
        }
        faults
    }

    /// The installation's window in microseconds.
    pub fn window_us(&self) -> u64 {
        self.window_us
    }

    /// The model of this name or alias.
    pub fn find(&self, name: &str) -> Option<ModelIndex> {
        self.by_name.get(name).copied()
    }

    /// A model by its place. `None` only for an index of another catalogue.
    pub fn model(&self, index: ModelIndex) -> Option<&Arc<Model>> {
        self.models.get(index.0)
    }

    /// All models in the order they were given.
    pub fn models(&self) -> impl Iterator<Item = (ModelIndex, &Arc<Model>)> {
        self.models.iter().enumerate().map(|(i, m)| (ModelIndex(i), m))
    }

    /// All providers in the order they were given.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.iter().find(|p| p.name.as_str() == name)
    }

    /// The plan of this id.
    pub fn plan(&self, id: &str) -> Option<&Arc<Plan>> {
        self.plans.get(id).map(|entry| &entry.plan)
    }

    /// How much output a plan holds, and what it does when a hold is used up.
    pub fn policies(&self, plan: &PlanId) -> (HoldPolicy, OnExhausted) {
        self.plans.get(plan).map_or_else(Default::default, |entry| (entry.plan.hold, entry.plan.on_exhausted))
    }

    /// All plans in the order they were given.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plan_order.iter().filter_map(|id| self.plan(id.as_str()))
    }

    /// Which pool a request for `model` draws from, for an organisation on `plan` with these custom limits.
    /// A model row beats a category row beats `any`; a valid custom limit replaces the plan's row of its selector.
    pub fn entitlement(&self, plan: &PlanId, custom: &[CustomPool], model: &Model, now: UnixMicros) -> Entitlement {
        let rows = self.plans.get(plan).map(|entry| &entry.rows);
        for selector in Self::selectors_of(model) {
            let agreed = custom.iter().find(|c| c.selector == selector && c.is_valid_at(now)).map(|c| &c.pool);
            if let Some(pool) = agreed.or_else(|| rows.and_then(|rows| rows.get(&selector))) {
                return Entitlement::Pool(Arc::clone(pool));
            }
        }
        Entitlement::NotInPlan
    }

    /// Every pool of an organisation on `plan` with these custom limits, the plan's in its order, then the custom ones.
    pub fn pools(&self, plan: &PlanId, custom: &[CustomPool], now: UnixMicros) -> Vec<Arc<PoolLimits>> {
        let valid: Vec<_> = custom.iter().filter(|c| c.is_valid_at(now)).collect();
        let entry = self.plans.get(plan);
        let of_plan = entry
            .into_iter()
            .flat_map(|entry| entry.plan.limits.iter().filter_map(|row| entry.rows.get(&row.selector).map(|p| (&row.selector, p))));
        let kept = of_plan.filter(|(selector, _)| !valid.iter().any(|c| c.selector == **selector)).map(|(_, pool)| pool);
        kept.chain(valid.iter().map(|c| &c.pool)).cloned().collect()
    }

    /// The rows of an organisation on `plan` with these custom limits, in the order of `pools`.
    pub fn rows_in_force<'a>(&'a self, plan: &PlanId, custom: &'a [CustomLimit], now: UnixMicros) -> Vec<RowInForce<'a>> {
        let valid: Vec<_> = custom.iter().filter(|c| c.is_valid_at(now)).collect();
        let replaced = |row: &LimitRow| valid.iter().any(|c| c.row.selector == row.selector);
        let of_plan = self.plans.get(plan).into_iter().flat_map(|entry| &entry.plan.limits).filter(|row| !replaced(row));
        of_plan.map(RowInForce::Plan).chain(valid.iter().map(|limit| RowInForce::Custom(limit))).collect()
    }

    /// The ids of the plans that have a row for the model.
    pub fn plans_with(&self, model: &Model) -> Vec<PlanId> {
        let has = |id: &&PlanId| self.plans.get(*id).is_some_and(|entry| Self::selectors_of(model).any(|s| entry.rows.contains_key(&s)));
        self.plan_order.iter().filter(has).cloned().collect()
    }

    /// Up to three ids that look like `name`, nearest first.
    pub fn near_misses(&self, name: &str) -> Vec<ModelId> {
        let lower = name.to_lowercase();
        let mut scored: Vec<_> = self
            .models
            .iter()
            .map(|m| (strsim::jaro_winkler(&m.id.as_str().to_lowercase(), &lower), &m.id))
            .filter(|(score, _)| *score > 0.75)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        scored.into_iter().take(3).map(|(_, id)| id.clone()).collect()
    }

    fn selectors_of(model: &Model) -> impl Iterator<Item = Selector> {
        let category: Option<Category> = model.size_category();
        [Some(Selector::Model(model.id.clone())), category.map(Selector::Category), Some(Selector::Any)].into_iter().flatten()
    }
}

/// A row that is in force for an organisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowInForce<'a> {
    /// Its plan's.
    Plan(&'a LimitRow),
    /// A custom limit that is valid now.
    Custom(&'a CustomLimit),
}

/// A custom limit in the form that admission asks for.
#[derive(Clone, Debug)]
pub struct CustomPool {
    selector: Selector,
    from: Option<UnixMicros>,
    until: Option<UnixMicros>,
    pool: Arc<PoolLimits>,
}

impl CustomPool {
    /// The pool of a custom limit. `window_us` is the installation's window.
    pub fn of(limit: &CustomLimit, window_us: u64) -> Self {
        let pool = PoolLimits::of_selector(&limit.row.selector, Source::Custom, limit.row.enforce, limit.row.limits(window_us));
        Self { selector: limit.row.selector.clone(), from: limit.from, until: limit.until, pool: Arc::new(pool) }
    }

    fn is_valid_at(&self, now: UnixMicros) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

struct Names<'a> {
    what: &'static str,
    seen: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    fn new(what: &'static str) -> Self {
        Self { what, seen: BTreeSet::new() }
    }

    fn add(&mut self, kind: &'static str, name: &'a str, faults: &mut Vec<CatalogueFault>) {
        if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
            faults.push(CatalogueFault::BadName { what: kind, name: name.into() });
        }
        if !self.seen.insert(name) {
            faults.push(CatalogueFault::Twice { what: self.what, name: name.into() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(text: &str) -> Model {
        serde_json::from_str(text).unwrap()
    }

    fn catalogue() -> Catalogue {
        let models = vec![
            model(r#"{"id":"qwen3-coder-next","parameters_b":80,"category":"medium","aliases":["coder"]}"#),
            model(r#"{"id":"llama-3.3-70b","parameters_b":70}"#),
            model(r#"{"id":"mystery"}"#),
        ];
        let plan = |text| serde_json::from_str::<Plan>(text).unwrap();
        let plans = vec![
            plan(r#"{"id":"free","limits":[{"model":"qwen3-coder-next","rpm":50,"tpm":300000}]}"#),
            plan(r#"{"id":"starter","limits":[{"category":"medium","rpm":90},{"category":"large","rpm":45},{"any":true,"rpm":1}]}"#),
        ];
        Catalogue::build(Vec::new(), models, plans, 60_000_000)
    }

    fn pool_of(c: &Catalogue, plan: &str, custom: &[CustomPool], name: &str, now: i64) -> Option<String> {
        let model = c.model(c.find(name).unwrap()).unwrap();
        match c.entitlement(&plan.into(), custom, model, UnixMicros(now)) {
            Entitlement::Pool(pool) => Some(format!("{} {}", pool.name.text(), pool.limits[0].n)),
            Entitlement::NotInPlan => None,
        }
    }

    #[test]
    fn a_model_row_beats_a_category_row_beats_any() {
        let c = catalogue();
        assert_eq!(pool_of(&c, "free", &[], "coder", 0).as_deref(), Some("model:qwen3-coder-next 50"));
        assert_eq!(pool_of(&c, "starter", &[], "coder", 0).as_deref(), Some("category:medium 90"));
        assert_eq!(pool_of(&c, "starter", &[], "mystery", 0).as_deref(), Some("any 1"));
        assert_eq!(pool_of(&c, "free", &[], "llama-3.3-70b", 0), None);
        assert_eq!(pool_of(&c, "gone", &[], "coder", 0), None);
    }

    #[test]
    fn a_custom_limit_replaces_its_selectors_row_while_it_is_valid() {
        let c = catalogue();
        let row = serde_json::from_str(r#"{"category":"large","rpm":500}"#).unwrap();
        let limit = CustomLimit { row, from: Some(UnixMicros(10)), until: Some(UnixMicros(20)), reason: None };
        let custom = [CustomPool::of(&limit, 60_000_000)];
        let at = |now| pool_of(&c, "starter", &custom, "llama-3.3-70b", now).unwrap();
        assert_eq!([at(9), at(10), at(19), at(20)], ["category:large 45", "category:large 500", "category:large 500", "category:large 45"]);
        assert_eq!(pool_of(&c, "free", &custom, "llama-3.3-70b", 15).as_deref(), Some("category:large 500"));
        let names: Vec<_> = c.pools(&"starter".into(), &custom, UnixMicros(15)).iter().map(|p| p.name.text().to_string()).collect();
        assert_eq!(names, ["category:medium", "any", "category:large"]);
        let agreed = [limit];
        let rows = c.rows_in_force(&"starter".into(), &agreed, UnixMicros(15)).into_iter().map(|row| match row {
            RowInForce::Plan(row) => row.selector.to_string(),
            RowInForce::Custom(limit) => limit.row.selector.to_string(),
        });
        assert_eq!(rows.collect::<Vec<_>>(), names);
    }

    #[test]
    fn near_misses_and_plans_with_help_the_refused() {
        let c = catalogue();
        assert_eq!(c.near_misses("llama-3.3-70B-instruct"), ["llama-3.3-70b".into()]);
        let large = c.model(c.find("llama-3.3-70b").unwrap()).unwrap();
        assert_eq!(c.plans_with(large), ["starter".into()]);
    }

    #[test]
    fn all_faults_are_found_at_once() {
        let models = [model(r#"{"id":"a","parameters_b":1,"aliases":["b"],"targets":[{"provider":"nowhere"}]}"#), model(r#"{"id":"b"}"#)];
        let plan: Plan = serde_json::from_str(r#"{"id":"p","limits":[{"any":true},{"any":true},{"model":"zzz"}]}"#).unwrap();
        let said: Vec<_> = Catalogue::faults(&[], &models, &[plan]).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 5, "{said:#?}");
    }
}
