//! What a span of time has cost, by provider and plan: exact, from the records themselves. It knows no ceilings.

use domain::{Money, PlanId, ProviderName, UnixMicros};

use crate::{DatabaseFault, Store, sql};

/// What was spent on one plan at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendSum {
    /// The provider; `None`: nobody knows, since the server was killed while the request was under way.
    pub provider: Option<ProviderName>,
    /// The plan.
    pub plan: PlanId,
    /// How much.
    pub cost: Money,
}

impl Store {
    /// What the requests that arrived from this moment on have cost. It waits until all that is recorded is in the database.
    pub async fn spend_since(&self, from: UnixMicros) -> Result<Vec<SpendSum>, DatabaseFault> {
        self.inner.recorder.flush().await;
        sql::usage::spend_since(&self.inner.database.reads, from).await
    }
}
