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
use crate::probe::probe;

/// What to look for.
pub(crate) struct Plan {
    /// Providers found in the environment, to be asked for their models.
    pub(crate) found: Vec<ConfiguredProvider>,
    /// Whether to look for servers on this machine.
    pub(crate) looks_around: bool,
    /// Our own port, where no model server can be.
    pub(crate) own_port: u16,
}

/// Name, kind, port: where these servers listen when nobody tells them otherwise.
const LOCAL: &[(&str, ProviderKind, u16)] = &[
    ("ollama", ProviderKind::Ollama, 11_434),
    ("vllm", ProviderKind::Vllm, 8_000),
    ("llama-cpp", ProviderKind::LlamaCpp, 8_080),
    ("llama-cpp-8081", ProviderKind::LlamaCpp, 8_081),
];

/// The servers of this machine that are worth a look.
pub(super) fn candidates(own_port: u16) -> impl Iterator<Item = Provider> {
    let others = LOCAL.iter().filter(move |(_, _, port)| *port != own_port);
    others.map(|(name, kind, port)| provider(name, *kind, &format!("http://127.0.0.1:{port}/v1")))
}

/// Looks once, and brings the catalogue to what was found.
pub(crate) async fn look_around(plan: Plan, store: &Store, gateway: &Arc<Gateway>) {
    if plan.looks_around {
        for candidate in candidates(plan.own_port) {
            look_at(candidate, store, gateway).await;
        }
    }
    for found in plan.found {
        let name = found.provider.name.clone();
        let secret = found.credential.as_ref().map(|c| &c.secret);
        match probe(gateway, &found.provider, secret, TEST_TIMEOUT).await {
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
    let Ok(probe) = probe(gateway, &candidate, None, PROBE_TIMEOUT).await else {
        withdraw::withdraw(store, &name).await;
        return;
    };
    tracing::info!(provider = %name, base_url = candidate.base_url, models = probe.models.len(), "found a model server on this machine");
    let desired = Desired { providers: vec![draft(&ConfiguredProvider { provider: candidate, credential: None })], ..Desired::default() };
    let options = ApplyOptions { origin: Origin::Discovered, overwrite: true, prune: false, dry_run: false };
    match store.apply(Actor::System, desired, options).await {
        Ok(_) => models::take_over(store, &name, probe.models).await,
        Err(error) => tracing::warn!(provider = %name, %error, "a model server on this machine can't be added"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_port_is_not_looked_at() {
        let ports = |own| candidates(own).map(|p| p.base_url).collect::<Vec<_>>();
        assert_eq!(ports(9).len(), 4);
        assert!(!ports(8_080).contains(&"http://127.0.0.1:8080/v1".to_owned()));
    }
}
