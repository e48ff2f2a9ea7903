//! Bringing providers, models and plans to what a file says, all or nothing, with a diff that people can read.

use std::collections::BTreeSet;

use domain::{Model, Plan};

use super::credentials::{beside_stored, put_credentials};
use super::definitions::Draft;
use super::diff::Diff;
use super::input;
use super::providers::put_provider;
use crate::definitions::{Entries, Named};
use crate::sql;
use crate::store::Inner;
use crate::{Actor, CredentialKind, DatabaseFault, ErrorClass, OperationError, Origin, ProviderDraft, Store};

/// What there is to be.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Providers.
    pub providers: Vec<ProviderDraft>,
    /// Models.
    pub models: Vec<Model>,
    /// Plans.
    pub plans: Vec<Plan>,
}

/// How to apply it.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions {
    /// Where the desired entries come from.
    pub origin: Origin,
    /// Whether entries that exist are brought to the desired form; `false` adds the missing ones only.
    pub overwrite: bool,
    /// Whether what is not desired is deleted.
    pub prune: bool,
    /// Only tell what would change.
    pub dry_run: bool,
}

/// Why it can't be applied. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The desired entries contradict each other, or what stays.
    #[error("{}", faults.join("\n"))]
    Invalid {
        /// Everything that is wrong.
        faults: Vec<String>,
    },
    /// Pruning would delete plans that organisations are on.
    #[error("organisations are on plans that would be deleted: {plans}; move them first, or add the plans to the file")]
    PlansInUse {
        /// The plans, each with its number of organisations.
        plans: String,
    },
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for ApplyError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Invalid { .. } => ErrorClass::Invalid { param: "" },
            Self::PlansInUse { .. } => ErrorClass::Conflict,
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl Store {
    /// Brings providers, models and plans to what is desired, in one transaction and one publication. What was found in the
    /// environment is never pruned, since it would be found again.
    pub async fn apply(&self, actor: Actor, desired: Desired, options: ApplyOptions) -> Result<Diff, ApplyError> {
        self.turn(move |inner| async move {
            let mut draft = Draft::begin(&inner);
            let mut faults = twice(&desired);
            let names = Names::of(&desired);
            put_all(&mut draft, desired, options, &mut faults);
            names.settle_others(&mut draft, options);
            faults.extend(draft.check().err().map(|fault| fault.message));
            if !faults.is_empty() {
                return Err(ApplyError::Invalid { faults });
            }
            check_plans_unused(&inner, &draft).await?;
            if options.dry_run {
                return Ok(draft.diff());
            }
            Ok(draft.save(&inner, actor).await?)
        })
        .await
    }
}

/// Names that the desired entries have twice.
fn twice(desired: &Desired) -> Vec<String> {
    let mut faults = Vec::new();
    let mut look = |kind: &str, names: Vec<&str>| {
        let mut seen = BTreeSet::new();
        faults.extend(names.into_iter().filter(|name| !seen.insert(*name)).map(|name| format!("{kind} \"{name}\" is defined twice")));
    };
    look("provider", desired.providers.iter().map(|draft| draft.provider.name()).collect());
    look("model", desired.models.iter().map(Named::name).collect());
    look("plan", desired.plans.iter().map(Named::name).collect());
    faults
}

fn put_all(draft: &mut Draft, desired: Desired, options: ApplyOptions, faults: &mut Vec<String>) {
    let ApplyOptions { origin, overwrite, .. } = options;
    for mut one in desired.providers {
        let is_there = draft.next.providers.get(one.provider.name()).is_some();
        // A credential of this run is news even for a provider that is left as it is, unless it has one of its own.
        let has_stored = draft.credentials.get(&one.provider.name).into_iter().flatten().any(|c| c.kind == CredentialKind::Stored);
        let only_credentials = is_there && !overwrite;
        if only_credentials && (has_stored || !one.credential.is_of_this_run()) {
            continue;
        }
        if origin == Origin::Discovered {
            one.credential = beside_stored(draft, &one.provider.name, one.credential);
        }
        let result =
            if only_credentials { put_credentials(draft, &one.provider.name, one.credential) } else { put_provider(draft, one, origin) };
        faults.extend(result.err().map(|fault| fault.message));
    }
    let now = draft.now;
    for model in desired.models.into_iter().filter(|model| overwrite || draft.before.models.get(model.name()).is_none()) {
        draft.next.models.put(model, origin, now);
    }
    for plan in desired.plans.into_iter().filter(|plan| overwrite || draft.before.plans.get(plan.name()).is_none()) {
        faults.extend(input::plan_rows(&plan).err().map(|fault| format!("plan \"{}\": {fault}", plan.id)));
        draft.next.plans.put(plan, origin, now);
    }
}

/// The names of what is desired.
struct Names {
    providers: BTreeSet<String>,
    models: BTreeSet<String>,
    plans: BTreeSet<String>,
}

impl Names {
    fn of(desired: &Desired) -> Self {
        Self {
            providers: desired.providers.iter().map(|draft| draft.provider.name().to_owned()).collect(),
            models: desired.models.iter().map(|model| model.name().to_owned()).collect(),
            plans: desired.plans.iter().map(|plan| plan.name().to_owned()).collect(),
        }
    }

    /// Deletes what is not desired, or lets go of what the file no longer has.
    fn settle_others(&self, draft: &mut Draft, options: ApplyOptions) {
        settle(&mut draft.next.providers, &self.providers, options);
        settle(&mut draft.next.models, &self.models, options);
        settle(&mut draft.next.plans, &self.plans, options);
        let providers = &draft.next.providers;
        draft.credentials.retain(|name, _| providers.get(name.as_str()).is_some());
    }
}

fn settle<T: Named + Clone>(entries: &mut Entries<T>, desired: &BTreeSet<String>, options: ApplyOptions) {
    if options.prune {
        entries.0.retain(|entry| entry.origin == Origin::Discovered || desired.contains(entry.item.name()));
    }
    if options.origin == Origin::File {
        let left = entries.0.iter_mut().filter(|entry| entry.origin == Origin::File && !desired.contains(entry.item.name()));
        left.for_each(|entry| entry.origin = Origin::Api);
    }
}

async fn check_plans_unused(inner: &Inner, draft: &Draft) -> Result<(), ApplyError> {
    let mut in_use = Vec::new();
    for plan in draft.before.plans.0.iter().filter(|plan| draft.next.plans.get(plan.item.name()).is_none()) {
        let orgs = sql::orgs::count_on_plan(&inner.database.reads, plan.item.name()).await?;
        if orgs > 0 {
            in_use.push(format!("{} ({orgs})", plan.item.name()));
        }
    }
    if in_use.is_empty() { Ok(()) } else { Err(ApplyError::PlansInUse { plans: in_use.join(", ") }) }
}
