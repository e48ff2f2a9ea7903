//! Looking for model servers on this machine, and asking found providers what they have. It never delays a start.

use std::sync::Arc;

use domain::{Provider, ProviderKind};
use gateway::Gateway;
use store::{Actor, ApplyOptions, Desired, Origin, Store};

use super::environment::provider;
use super::{models, withdraw};
use crate::caps::{PROBE_TIMEOUT, TEST_TIMEOUT};
use crate::config::ConfiguredProvider;
use crate::entries::draft;

/// Name, kind, port: where these servers listen when nobody tells them otherwise.
const LOCAL: &[(&str, ProviderKind, u16)] = &[
    ("ollama", ProviderKind::Ollama, 11_434),
    ("vllm", ProviderKind::Vllm, 8_000),
    ("llama-cpp", ProviderKind::LlamaCpp, 8_080),
    ("llama-cpp-8081", ProviderKind::LlamaCpp, 8_081),
];

/// The servers of this machine that are worth a look.
pub(crate) fn local() -> Vec<Provider> {
    LOCAL.iter().map(|(name, kind, port)| provider(name, *kind, &format!("http://127.0.0.1:{port}/v1"))).collect()
}

/// What to look for.
pub(crate) struct Plan {
    /// Providers found in the environment, to be asked for their models.
    pub(crate) found: Vec<ConfiguredProvider>,
    /// Servers that may be there.
    pub(crate) local: Vec<Provider>,
    /// Our own port, where no model server can be.
    pub(crate) own_port: u16,
}

/// Looks once, and brings the catalogue to what was found.
pub(crate) async fn look_around(plan: Plan, store: &Store, gateway: &Arc<Gateway>) {
    let own = format!(":{}/v1", plan.own_port);
    for candidate in plan.local.into_iter().filter(|c| !c.base_url.ends_with(&own)) {
        look_at(candidate, store, gateway).await;
    }
    for found in plan.found {
        let name = found.provider.name.clone();
        let secret = found.credentials.first().map(|c| &c.secret);
        match gateway.probe(&found.provider, secret, TEST_TIMEOUT).await {
            Ok(probe) => models::take_over(store, &name, probe.models).await,
            Err(error) => tracing::warn!(provider = %name, %error, "a provider found in the environment does not tell its models"),
        }
    }
}

async fn look_at(candidate: Provider, store: &Store, gateway: &Arc<Gateway>) {
    let name = candidate.name.clone();
    if store.provider(name.as_str()).is_some_and(|there| there.origin != Origin::Discovered) {
        return;
    }
    let Ok(probe) = gateway.probe(&candidate, None, PROBE_TIMEOUT).await else {
        withdraw::withdraw(store, &name).await;
        return;
    };
    tracing::info!(provider = %name, base_url = candidate.base_url, models = probe.models.len(), "found a model server on this machine");
    let desired =
        Desired { providers: vec![draft(&ConfiguredProvider { provider: candidate, credentials: Vec::new() })], ..Desired::default() };
    let options = ApplyOptions { origin: Origin::Discovered, overwrite: true, prune: false, dry_run: false };
    match store.apply(Actor::System, desired, options).await {
        Ok(_) => models::take_over(store, &name, probe.models).await,
        Err(error) => tracing::warn!(provider = %name, %error, "a model server on this machine can't be added"),
    }
}
