//! What every handler can reach. Handlers get it as their state; it decides nothing.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, OrgId, PoolView, ProviderRuntime, ProviderTester, SpendRuntime};
use http::Uri;
use store::Store;

use crate::shapes::org::Org;

/// How the control plane is set up.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// SHA-256 of the operator token's text, as `hash_operator_token` gives it.
    pub operator_token_hash: [u8; 32],
    /// Where browsers reach the server, if not under the `Host` they name.
    pub public_url: Option<Uri>,
    /// Longest time for a whole body.
    pub body_timeout: Duration,
}

/// What the control plane is made of.
#[derive(Clone)]
pub struct ControlParts {
    /// How it is set up.
    pub config: ControlConfig,
    /// Where everything is kept.
    pub store: Store,
    /// What the data plane knows of providers.
    pub providers: Arc<dyn ProviderRuntime>,
    /// What the data plane knows of the day's spend.
    pub spend: Arc<dyn SpendRuntime>,
    /// Who can try a provider.
    pub tester: Arc<dyn ProviderTester>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The state of all routes.
#[derive(Clone)]
pub(crate) struct App(Arc<ControlParts>);

impl App {
    /// Shares the parts.
    pub(crate) fn new(parts: ControlParts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn config(&self) -> &ControlConfig {
        &self.0.config
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn providers(&self) -> &dyn ProviderRuntime {
        &*self.0.providers
    }

    pub(crate) fn spend(&self) -> &dyn SpendRuntime {
        &*self.0.spend
    }

    pub(crate) fn tester(&self) -> &dyn ProviderTester {
        &*self.0.tester
    }

    pub(crate) fn now(&self) -> domain::Now {
        self.0.clock.now()
    }

    /// The organisation as it stands now.
    pub(crate) fn org_shape(&self, org: &domain::Org) -> Org {
        Org::of(org, &self.store().directory().catalogue(), self.now().wall)
    }

    /// Every limit of every pool of the organisation; `None`: there is none, or it was deleted.
    pub(crate) fn pool_views(&self, id: OrgId) -> Option<Vec<PoolView>> {
        let org = self.store().directory().org(id).filter(|org| !org.state().deleted)?;
        Some(self.store().pools().views(&org, self.now()))
    }
}
