//! What every handler can reach. Handlers get it as their state; it decides nothing.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Entropy, PlanId, ProviderRuntime, ProviderTester, SpendRuntime};
use http::Uri;
use store::Store;
use tokio_util::task::TaskTracker;

use crate::access::Vault;
use crate::billing::Cashier;
use crate::mail::Mailer;
use crate::oidc::Oidc;
use crate::passwords::Passwords;
use crate::shapes::org::Org;

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUpMode {
    /// Whoever has an invitation.
    #[default]
    Invite,
    /// Everybody.
    Open,
    /// Nobody.
    Closed,
}

/// How people come to have accounts and organisations.
#[derive(Clone, Debug)]
pub struct SignUpConfig {
    /// Who may make an account.
    pub mode: SignUpMode,
    /// The plan of an organisation that somebody makes themselves.
    pub plan: PlanId,
    /// How many organisations one person may own.
    pub orgs_per_person: u64,
}

/// How the control plane is set up.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// SHA-256 of the operator token's text, as `hash_operator_token` gives it.
    pub operator_token_hash: [u8; 32],
    /// Where browsers reach the server, if not under the `Host` they name.
    pub public_url: Option<Uri>,
    /// Where links to the console lead.
    pub own_url: Uri,
    /// Whether browsers come over https.
    pub is_secure: bool,
    /// How people come to have accounts and organisations.
    pub sign_up: SignUpConfig,
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
    /// Who sells plans.
    pub cashier: Cashier,
    /// Who can try a provider.
    pub tester: Arc<dyn ProviderTester>,
    /// Who sends mail; `None`: nobody does, and addresses are taken as they are given.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Who else can say who somebody is; `None`: nobody.
    pub oidc: Option<Arc<Oidc>>,
    /// What is done after the answer runs among these.
    pub tasks: TaskTracker,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// The state of all routes.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

struct Parts {
    config: ControlConfig,
    vault: Vault,
    passwords: Passwords,
    entropy: Arc<dyn Entropy>,
    providers: Arc<dyn ProviderRuntime>,
    spend: Arc<dyn SpendRuntime>,
    tester: Arc<dyn ProviderTester>,
    mailer: Option<Arc<dyn Mailer>>,
    oidc: Option<Arc<Oidc>>,
    tasks: TaskTracker,
    clock: Arc<dyn Clock>,
}

impl App {
    /// Shares the parts.
    pub(crate) fn new(parts: ControlParts) -> Self {
        let ControlParts { config, store, providers, spend, cashier, tester, mailer, oidc, tasks, clock, entropy } = parts;
        let (vault, passwords) = (Vault::new(store, cashier), Passwords::new(Arc::clone(&entropy)));
        Self(Arc::new(Parts { config, vault, passwords, entropy, providers, spend, tester, mailer, oidc, tasks, clock }))
    }

    pub(crate) fn config(&self) -> &ControlConfig {
        &self.0.config
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.0.entropy
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

    /// Who sends mail, if anybody does.
    pub(crate) fn mailer(&self) -> Option<&dyn Mailer> {
        self.0.mailer.as_deref()
    }

    /// Who else can say who somebody is.
    pub(crate) fn oidc(&self) -> Option<&Oidc> {
        self.0.oidc.as_deref()
    }

    /// Does this after the answer, which so takes as long whatever is to be done.
    pub(crate) fn afterwards(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(work);
    }

    pub(crate) fn now(&self) -> domain::Now {
        self.0.clock.now()
    }

    /// The organisation as it stands now.
    pub(crate) fn org_shape(&self, org: &domain::Org) -> Org {
        Org::of(org, &self.vault().catalogue(), self.now().wall)
    }
}
