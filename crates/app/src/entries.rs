//! Bringing providers, models and plans of the database to what is built in, configured and found, at each start.

use domain::Provider;
use store::{Actor, ApplyOptions, CredentialChange, Desired, NewCredential, Origin, PageRequest, ProviderDraft, Store};

use crate::config::{Config, ConfiguredProvider, Credential, Entries};
use crate::settings::Settings;
use crate::start_error::StartError;
use crate::{discovery, seed};

/// Applies what belongs in this order: the seed to a new database, the demo, the file, the environment.
pub(crate) async fn apply(store: &Store, settings: &Settings) -> Result<(), StartError> {
    let config = &settings.config;
    // Not only a new one: a first start that was killed before this point leaves a database without plans.
    if store.is_new() || store.plans(&PageRequest { cursor: None, limit: Some(1) }).data.is_empty() {
        add(store, seed::seed()?, "what is built in").await?;
    }
    let demo = seed::demo()?;
    if config.has_demo() {
        add(store, demo, "the demo").await?;
    } else {
        withdraw_demo(store, &demo).await;
    }
    bring(store, configured(config), Origin::File, "the configuration").await?;
    let found = settings.found_in_use();
    let expected: Vec<&str> = found.iter().map(|f| &f.provider).chain(settings.local_in_use()).map(|p| p.name.as_str()).collect();
    discovery::withdraw_all_but(store, &expected).await;
    let ours = found.iter().filter(|f| store.provider(f.provider.name.as_str()).is_none_or(|there| there.origin == Origin::Discovered));
    let desired = Desired { providers: ours.map(draft).collect(), ..Desired::default() };
    bring(store, desired, Origin::Discovered, "what the environment holds").await
}

/// The file's entries as the store takes them.
pub(crate) fn configured(config: &Config) -> Desired {
    Desired { providers: config.providers.iter().map(draft).collect(), models: config.models.clone(), plans: config.plans.clone() }
}

pub(crate) fn draft(configured: &ConfiguredProvider) -> ProviderDraft {
    let new = |Credential { secret, found }: &Credential| NewCredential { secret: secret.clone(), found: found.clone() };
    let credential = CredentialChange::Replace(configured.credentials.iter().map(new).collect());
    ProviderDraft { provider: configured.provider.clone(), credential }
}

async fn add(store: &Store, entries: Entries, origin: &'static str) -> Result<(), StartError> {
    let bare = |provider: Provider| ProviderDraft { provider, credential: CredentialChange::Keep };
    let desired = Desired { providers: entries.providers.into_iter().map(bare).collect(), models: entries.models, plans: entries.plans };
    let options = ApplyOptions { origin: Origin::Seed, overwrite: false, prune: false, dry_run: false };
    store.apply(Actor::System, desired, options).await.map(drop).map_err(|source| StartError::Apply { origin, source })
}

async fn bring(store: &Store, desired: Desired, from: Origin, origin: &'static str) -> Result<(), StartError> {
    if desired.providers.is_empty() && desired.models.is_empty() && desired.plans.is_empty() {
        return Ok(());
    }
    let options = ApplyOptions { origin: from, overwrite: true, prune: false, dry_run: false };
    let diff = store.apply(Actor::System, desired, options).await.map_err(|source| StartError::Apply { origin, source })?;
    for change in &diff.changes {
        tracing::info!(kind = ?change.kind, name = change.name, action = ?change.action, origin, "an entry changed");
    }
    Ok(())
}

/// Takes the demo's entries out again, unless the operator has made them their own.
async fn withdraw_demo(store: &Store, demo: &Entries) {
    for model in &demo.models {
        if store.model(model.id.as_str()).is_some_and(|there| there.origin == Origin::Seed)
            && let Err(error) = store.delete_model(Actor::System, &model.id).await
        {
            tracing::warn!(model = %model.id, %error, "a demo model stays, since something else needs it");
        }
    }
    for provider in &demo.providers {
        if store.provider(provider.name.as_str()).is_some_and(|there| there.origin == Origin::Seed)
            && let Err(error) = store.delete_provider(Actor::System, &provider.name).await
        {
            tracing::warn!(provider = %provider.name, %error, "the demo provider stays, since something else needs it");
        }
    }
}
