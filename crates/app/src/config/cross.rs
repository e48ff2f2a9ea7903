//! What is wrong between providers, models and plans, said at the line that is to blame. The rules are the domain's.

use std::collections::BTreeMap;

use domain::{Catalogue, CatalogueFault, Model, ModelId, Plan, Provider};

use super::fault::Place;
use super::table::Reading;
use super::{Config, Entries};

/// Where entries were written.
#[derive(Default)]
pub(super) struct Places {
    at: BTreeMap<(&'static str, String), Vec<Place>>,
}

impl Places {
    pub(super) fn add(&mut self, what: &'static str, name: &str, place: Place) {
        self.at.entry((what, name.into())).or_default().push(place);
    }

    pub(super) fn add_in(&mut self, what: &'static str, owner: &str, name: &str, place: Place) {
        self.add(what, &format!("{owner}\n{name}"), place);
    }

    fn all(&self, what: &'static str, name: &str) -> &[Place] {
        self.at.get(&(what, name.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn last(&self, what: &'static str, name: &str) -> Option<Place> {
        self.all(what, name).last().cloned()
    }
}

/// Checks the file's entries together with those that are there without it (`base`), which the file overrides by id.
pub(super) fn check(reading: &Reading<'_>, file: &Config, base: &Entries, places: &Places) {
    let configured: Vec<Provider> = file.providers.iter().map(|p| p.provider.clone()).collect();
    let providers = merged(&configured, &base.providers, |p: &Provider| p.name.as_str());
    let models = merged(&file.models, &base.models, |m: &Model| m.id.as_str());
    let plans = merged(&file.plans, &base.plans, |p: &Plan| p.id.as_str());
    for fault in Catalogue::faults(&providers, &models, &plans) {
        if follows_from_another(&fault, places) {
            continue;
        }
        let (place, message) = locate(&fault, places, base);
        reading.fault(place.unwrap_or_else(|| reading.place(0)), message);
    }
    let pays = plans.iter().any(|plan| plan.id == file.sign_up.plan && plan.price_month.is_some_and(|price| !price.is_zero()));
    if file.total_tpm.is_some() && pays {
        let plan = &file.sign_up.plan;
        let place = places.last("section", "signup").unwrap_or_else(|| reading.place(0));
        reading.warn(
            place,
            format!("total_tpm bounds what is given away, but the plan \"{plan}\" has a price: whoever pays for it is bounded too"),
        );
    }
    for provider in configured.iter().filter(|p| p.name.as_str().contains('/')) {
        if let Some(place) = places.last("provider", provider.name.as_str()) {
            reading.fault(place, "name: a provider's name stands in paths and can't hold a slash");
        }
    }
}

/// An entry with a fault of its own is not there to be referred to; that is said once.
fn follows_from_another(fault: &CatalogueFault, places: &Places) -> bool {
    match fault {
        CatalogueFault::UnknownProvider { provider, .. } => places.last("provider", provider.as_str()).is_some(),
        CatalogueFault::NoCategory { model } => places.last("sized", model.as_str()).is_some(),
        CatalogueFault::Twice { .. }
        | CatalogueFault::UnknownModel { .. }
        | CatalogueFault::TwoRows { .. }
        | CatalogueFault::BadName { .. } => false,
    }
}

fn merged<T: Clone>(file: &[T], base: &[T], name: impl Fn(&T) -> &str) -> Vec<T> {
    let kept = base.iter().filter(|b| !file.iter().any(|f| name(f) == name(b)));
    file.iter().chain(kept).cloned().collect()
}

fn locate(fault: &CatalogueFault, places: &Places, base: &Entries) -> (Option<Place>, String) {
    match fault {
        CatalogueFault::Twice { what, name } => twice(what, name, places, base),
        CatalogueFault::UnknownProvider { model, provider } => {
            let place = places.last("target", &format!("{model}\n{provider}"));
            (place, format!("{fault}: add [[providers]] with name = \"{provider}\", or correct the target"))
        }
        CatalogueFault::UnknownModel { plan, model } => {
            let place = places.last("row", &format!("{plan}\nmodel:{model}"));
            let near = base.models.iter().find(|m| m.aliases.contains(model)).map(|m| &m.id);
            let hint = near.map_or_else(String::new, |id: &ModelId| format!(" (rows name ids, not aliases: \"{id}\")"));
            (place, format!("{fault}: add [[models]] with id = \"{model}\", or correct the row{hint}"))
        }
        CatalogueFault::TwoRows { plan, selector } => {
            let place = places.last("row", &format!("{plan}\n{selector}"));
            (place, format!("{fault}: put their numbers into one row"))
        }
        CatalogueFault::NoCategory { model } => (places.last("model", model.as_str()), fault.to_string()),
        CatalogueFault::BadName { what, name } => (places.last(what, name), fault.to_string()),
    }
}

/// The second of two names is to blame; or the only one in the file, where the other is built in.
fn twice(what: &str, name: &str, places: &Places, base: &Entries) -> (Option<Place>, String) {
    let (places_of_name, what): (Vec<&Place>, _) = match what {
        "provider" => (places.all("provider", name).iter().collect(), "provider"),
        "plan" => (places.all("plan", name).iter().collect(), "plan"),
        _ => (places.all("model", name).iter().chain(places.all("alias", name)).collect(), "model name"),
    };
    let place = places_of_name.iter().max().map(|p| (*p).clone());
    let built_in = base.models.iter().find(|m| m.id.as_str() == name || m.aliases.iter().any(|a| a.as_str() == name));
    match built_in {
        Some(model) if places_of_name.len() == 1 && what == "model name" => {
            let id = &model.id;
            (
                place,
                format!("\"{name}\" already names the built-in model \"{id}\": use id = \"{id}\" to override that entry, or another name"),
            )
        }
        Some(_) | None => (place, format!("{what} \"{name}\" is defined twice")),
    }
}
