//! Asking a provider for its models on the operator's behalf. How it is asked is the gateway's matter.

use std::pin::Pin;
use std::sync::Arc;

use domain::{ProviderKind, ProviderName, ProviderTest, ProviderTester};
use futures_util::{StreamExt as _, stream};
use gateway::{Gateway, Probe, ProbeError};
use store::Store;

use crate::caps::{TEST_TIMEOUT, TESTS_AT_ONCE};

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
        let credentials = self.store.directory().credentials(name.as_str());
        if let [] | [_] = credentials.as_slice() {
            let secret = credentials.first().map(|(_, secret)| secret);
            return match self.gateway.probe(&info.provider, secret, TEST_TIMEOUT).await {
                Ok(probe) => fine(probe, ""),
                Err(error) => bad(error.to_string()),
            };
        }
        let count = credentials.len();
        let mut refused = Vec::new();
        let mut answered: Option<Probe> = None;
        let ask = |(id, secret)| {
            let (gateway, provider) = (&self.gateway, &info.provider);
            async move { (id, gateway.probe(provider, Some(&secret), TEST_TIMEOUT).await) }
        };
        let mut tests = stream::iter(credentials).map(ask).buffered(TESTS_AT_ONCE);
        while let Some((id, came)) = tests.next().await {
            match came {
                Ok(probe) => answered = Some(probe),
                Err(error @ ProbeError::Refused { .. }) => refused.push(format!("{id}: {error}")),
                // Nothing that another key would mend.
                Err(error) => return bad(error.to_string()),
            }
        }
        match (refused.is_empty(), answered) {
            (true, Some(probe)) => fine(probe, &format!(" with each of its {count} keys")),
            (_, answered) => ProviderTest { models: answered.map(|probe| probe.models).unwrap_or_default(), ..bad(refused.join("; ")) },
        }
    }
}

fn fine(probe: Probe, how: &str) -> ProviderTest {
    let message = format!("it answers{how}, and has {} models", probe.models.len());
    ProviderTest { ok: true, models: probe.models, elapsed_us: probe.elapsed_us, message }
}

impl ProviderTester for Tester {
    fn test(&self, name: ProviderName) -> Pin<Box<dyn Future<Output = ProviderTest> + Send + '_>> {
        Box::pin(self.ask(name))
    }
}
