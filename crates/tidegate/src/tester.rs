//! Asking a provider for its models on the operator's behalf. How it is asked is the gateway's matter.

use std::pin::Pin;
use std::sync::Arc;

use domain::{ProviderKind, ProviderName, ProviderTest, ProviderTester};
use gateway::Gateway;
use store::Store;

use crate::caps::TEST_TIMEOUT;

/// Finds a provider in the store and asks it through the gateway's client.
pub(crate) struct Tester {
    store: Store,
    gateway: Arc<Gateway>,
}

impl Tester {
    pub(crate) fn new(store: Store, gateway: Arc<Gateway>) -> Self {
        Self { store, gateway }
    }

    async fn ask(&self, name: ProviderName) -> ProviderTest {
        let bad = |message: String| ProviderTest { ok: false, models: Vec::new(), elapsed_us: 0, message };
        let Some(info) = self.store.provider(name.as_str()) else {
            return bad(format!("there is no provider \"{name}\""));
        };
        if info.provider.kind == ProviderKind::Demo {
            let message = "built in: its answers are simulated".into();
            return ProviderTest { ok: true, models: Vec::new(), elapsed_us: 0, message };
        }
        let credential = self.store.directory().credential(name.as_str());
        match self.gateway.probe(&info.provider, credential.as_ref(), TEST_TIMEOUT).await {
            Ok(probe) => {
                let message = format!("it answers, and has {} models", probe.models.len());
                ProviderTest { ok: true, models: probe.models, elapsed_us: probe.elapsed_us, message }
            }
            Err(error) => bad(error.to_string()),
        }
    }
}

impl ProviderTester for Tester {
    fn test(&self, name: ProviderName) -> Pin<Box<dyn Future<Output = ProviderTest> + Send + '_>> {
        Box::pin(self.ask(name))
    }
}
