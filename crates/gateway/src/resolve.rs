//! Second stop: which model is meant, and which pool the caller draws from for it. It asks no limit.

use std::sync::Arc;

use domain::{Catalogue, Entitlement, HoldPolicy, KeyId, Model, ModelId, OnExhausted, PlanId, PoolLimits, UnixMicros};
use store::KeyEntry;

use crate::routes::{ModelRoute, Routes};

/// Where a request may go, and what it draws from.
#[derive(Clone)]
pub(crate) struct Resolved {
    /// The model with its targets.
    pub(crate) model: Arc<ModelRoute>,
    /// The plan in force.
    pub(crate) plan: PlanId,
    /// The pool of the organisation.
    pub(crate) pool: Arc<PoolLimits>,
    /// How much output the plan holds.
    pub(crate) hold: HoldPolicy,
    /// What it does with output for which there is no room.
    pub(crate) on_exhausted: OnExhausted,
}

/// Why a model can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ResolveFault {
    /// Nothing has this name.
    NoSuchModel {
        /// As it was requested.
        name: String,
        /// Ids that look like it.
        near: Vec<ModelId>,
    },
    /// The plan has no row for it.
    NotInPlan {
        /// As it was requested.
        name: String,
        /// The plan in force.
        plan: PlanId,
        /// The plans that have one.
        plans: Vec<PlanId>,
    },
    /// The key may use other models only.
    NotForKey {
        /// As it was requested.
        name: String,
        /// The key.
        key: KeyId,
    },
}

/// Finds the model called `name` and the caller's pool for it.
pub(crate) fn resolve(key: &KeyEntry, routes: &Routes, name: &str, wall: UnixMicros) -> Result<Resolved, ResolveFault> {
    let catalogue = routes.catalogue();
    let Some(model) = routes.find(name) else {
        return Err(ResolveFault::NoSuchModel { name: name.into(), near: near_misses(key, catalogue, name, wall) });
    };
    if key.models().is_some_and(|models| !models.contains(&model.model.id)) {
        return Err(ResolveFault::NotForKey { name: name.into(), key: key.id() });
    }
    let state = key.org().state();
    match catalogue.entitlement(&state.effective_plan, &state.custom_pools, &model.model, wall) {
        Entitlement::Pool(pool) => {
            let plan = state.effective_plan.clone();
            let (hold, on_exhausted) = catalogue.policies(&plan);
            Ok(Resolved { model: Arc::clone(model), plan, pool, hold, on_exhausted })
        }
        Entitlement::NotInPlan => Err(ResolveFault::NotInPlan {
            name: name.into(),
            plan: state.effective_plan.clone(),
            plans: catalogue.plans_with(&model.model),
        }),
    }
}

/// Whether the caller's plan and key admit the model.
pub(crate) fn admits(key: &KeyEntry, catalogue: &Catalogue, model: &Model, wall: UnixMicros) -> bool {
    let state = key.org().state();
    key.models().is_none_or(|models| models.contains(&model.id))
        && matches!(catalogue.entitlement(&state.effective_plan, &state.custom_pools, model, wall), Entitlement::Pool(_))
}

/// Suggestions are made only of what the caller may use.
fn near_misses(key: &KeyEntry, catalogue: &Catalogue, name: &str, wall: UnixMicros) -> Vec<ModelId> {
    let usable = |id: &ModelId| {
        let model = catalogue.find(id.as_str()).and_then(|index| catalogue.model(index));
        model.is_some_and(|model| admits(key, catalogue, model, wall))
    };
    catalogue.near_misses(name).into_iter().filter(usable).collect()
}
