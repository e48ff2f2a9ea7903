//! What a file wants, and what would change, as the API writes them.

use domain::{ModelId, PlanId, ProviderName};
use serde::{Deserialize, Serialize};
use store::{Desired, Store};
use utoipa::ToSchema;

use super::choice::Action;
use super::model::ModelInput;
use super::plan::PlanInput;
use super::provider::ProviderInput;
use super::text::{Invalid, each};

/// What there is to be: the `[[providers]]`, `[[models]]` and `[[plans]]` of a file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApplyInput {
    /// Providers. A credential that is left out stays as it is.
    #[serde(default)]
    providers: Vec<ProviderInput>,
    /// Models.
    #[serde(default)]
    models: Vec<ModelInput>,
    /// Plans.
    #[serde(default)]
    plans: Vec<PlanInput>,
    /// Whether what is not named is deleted.
    #[serde(default)]
    pub(crate) prune: bool,
    /// Whether to tell only what would change.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

impl ApplyInput {
    /// What the store is to bring about.
    pub(crate) fn into_desired(self, store: &Store) -> Result<Desired, Invalid> {
        let provider = |input: ProviderInput| {
            let name = ProviderName::from(named("name", input.name.clone())?);
            let present = store.provider(name.as_str());
            input.into_draft(name, present.as_ref().map(|info| &*info.provider))
        };
        Ok(Desired {
            providers: each("providers", self.providers, provider)?,
            models: each("models", self.models, |input| {
                let id = ModelId::from(named("id", input.id.clone())?);
                input.into_model(id)
            })?,
            plans: each("plans", self.plans, |input| {
                let id = PlanId::from(named("id", input.id.clone())?);
                input.into_plan(id)
            })?,
        })
    }
}

/// The name, which is needed where no path gives it.
pub(crate) fn named(param: &str, given: Option<String>) -> Result<String, Invalid> {
    given.ok_or_else(|| Invalid::new(param, "this member is missing"))
}

/// The name that the path gives, which the body may repeat.
pub(crate) fn named_by_path(param: &str, given: Option<&str>, path: &str) -> Result<String, Invalid> {
    match given {
        Some(given) if given != path => {
            Err(Invalid::new(param, format!("the path says \"{path}\"; leave it out, or make a new one to rename")))
        }
        Some(_) | None => Ok(path.into()),
    }
}

/// A field that changes. Secrets show as `(secret)`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FieldChange {
    /// Where it is, such as `limits.category:large.rpm`.
    path: String,
    /// What it was; `null`: absent.
    #[schema(value_type = Value)]
    before: serde_json::Value,
    /// What it becomes; `null`: absent.
    #[schema(value_type = Value)]
    after: serde_json::Value,
}

/// One entry that changes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    /// `provider`, `model` or `plan`.
    kind: &'static str,
    /// Its name or id.
    name: String,
    /// What happens.
    action: Action,
    /// The fields, where it is updated.
    fields: Vec<FieldChange>,
}

/// All that changed, or would.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Diff {
    /// Whether it was only told.
    dry_run: bool,
    /// One element an entry: providers, then models, then plans.
    changes: Vec<Change>,
}

impl Diff {
    /// The store's diff.
    pub(crate) fn of(diff: store::Diff, dry_run: bool) -> Self {
        Self { dry_run, changes: diff.changes.into_iter().map(change).collect() }
    }
}

fn change(of: store::Change) -> Change {
    let field = |f: store::FieldChange| FieldChange { path: f.path, before: f.before, after: f.after };
    Change { kind: of.kind, name: of.name, action: of.action.into(), fields: of.fields.into_iter().map(field).collect() }
}
