//! An organisation as admission needs it: what it is entitled to, and its ledger.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use domain::{CustomLimit, CustomPool, ModelId, Org, OrgId, PlanId, UnixMicros};
use limits::SharedLedger;

use super::key_entry::Limited;
use super::learned::Learned;
use super::shards::Spread;

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
    /// Its keys with limits of their own that aren't revoked.
    pub(crate) limited: Arc<[Limited]>,
}

/// An organisation: an identity that stays, a state that is swapped, a ledger that is made when it is first needed.
pub struct OrgEntry {
    id: OrgId,
    /// The window of its keys' own limits, in microseconds.
    window_us: u64,
    state: ArcSwap<OrgState>,
    ledger: OnceLock<SharedLedger>,
    learned: Learned,
}

impl OrgEntry {
    pub(crate) fn new(id: OrgId, state: OrgState, window_us: u64) -> Self {
        Self { id, window_us, state: ArcSwap::from_pointee(state), ledger: OnceLock::new(), learned: Learned::default() }
    }

    /// Its id.
    pub fn id(&self) -> OrgId {
        self.id
    }

    pub(super) fn window_us(&self) -> u64 {
        self.window_us
    }

    /// Its state now. Read it once for a decision.
    pub fn state(&self) -> arc_swap::Guard<Arc<OrgState>> {
        self.state.load()
    }

    /// The ledger of all its limits, made when it is first asked for. It stays; what it holds is given back when it is empty.
    pub fn ledger(&self) -> &SharedLedger {
        self.ledger.get_or_init(SharedLedger::new)
    }

    /// The ledger, if anything was ever asked of it.
    pub(crate) fn ledger_if_any(&self) -> Option<&SharedLedger> {
        self.ledger.get()
    }

    /// Output tokens to hold for a request to this model, from what such requests have needed; `default` until enough is known.
    pub fn learned_hold(&self, model: &ModelId, default: u64) -> u64 {
        self.learned.hold(model, default)
    }

    /// An answer of this model had so many output tokens.
    pub fn note_output(&self, model: &ModelId, tokens: u64) {
        self.learned.note(model, tokens);
    }

    /// Puts a new state in force. Callers take turns.
    pub(crate) fn set_state(&self, state: OrgState) {
        self.state.store(Arc::new(state));
    }

    /// The organisation as people see it.
    pub(crate) fn to_org(&self) -> Org {
        let state = self.state();
        Org {
            id: self.id,
            name: state.name.as_ref().into(),
            plan: state.plan.clone(),
            effective_plan: state.effective_plan.clone(),
            custom: state.custom.to_vec(),
            created: state.created,
        }
    }
}

impl Spread for OrgEntry {
    type Id = OrgId;

    fn id(&self) -> &OrgId {
        &self.id
    }

    /// The low bits of a ULID are random.
    fn bits(id: &OrgId) -> u64 {
        id.bits() as u64
    }
}
