//! An organisation as admission needs it: what it is entitled to, and its ledger.

use std::sync::Arc;

use arc_swap::ArcSwap;
use domain::{CustomLimit, CustomPool, KeyId, OrgId, PlanId, PoolLimits, UnixMicros};

/// A key's own pool, as the organisation's views list it.
#[derive(Clone, Debug)]
pub(crate) struct KeyPool {
    pub(crate) key: KeyId,
    pub(crate) expires: Option<UnixMicros>,
    pub(crate) pool: Arc<PoolLimits>,
}

/// What may change of an organisation. Immutable: a change makes a new one.
#[derive(Clone, Debug)]
pub struct OrgState {
    /// What people call it.
    pub name: Arc<str>,
    /// The plan bought.
    pub plan: PlanId,
    /// The plan in force.
    pub effective_plan: PlanId,
    /// Custom limits as they were agreed.
    pub custom: Arc<[CustomLimit]>,
    /// The same in the form that `Catalogue::entitlement` takes.
    pub custom_pools: Arc<[CustomPool]>,
    /// When it was made.
    pub created: UnixMicros,
    /// Whether it was deleted: its keys are refused.
    pub deleted: bool,
    pub(crate) key_pools: Arc<[KeyPool]>,
}

/// An organisation: an identity that stays, a state that is swapped, a ledger that is made when it is first needed.
pub struct OrgEntry {
    id: OrgId,
    state: ArcSwap<OrgState>,
}

impl OrgEntry {
    /// Its id.
    pub fn id(&self) -> OrgId {
        self.id
    }

    /// Its state now. Read it once for a decision.
    pub fn state(&self) -> arc_swap::Guard<Arc<OrgState>> {
        self.state.load()
    }
}
