//! Whether a request may go to a target, and if not, why: the one rule for requests and for the dry run. It sends nothing.

use domain::{Admits, Attempt, Features, ProviderState, Why};

use crate::health::Slot;
use crate::quota::NoRoom;
use crate::routes::TargetRoute;

/// What a request needs of whoever answers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    pub(crate) features: Features,
    /// Input and the output that was asked for.
    pub(crate) tokens: u64,
}

/// Whose standing speaks against a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Credential,
    Target,
}

/// Why a target is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// The operator has disabled its provider.
    Disabled,
    /// Its provider finishes what it has.
    Draining,
    /// It can't do all that is needed.
    Lacks(Features),
    /// Input and output are too long for it, and another target takes more.
    TooLong { window: u64 },
    /// It, or its credential, is left alone.
    Resting { until_us: u64, why: Why, party: Party },
    /// Its quota has no room.
    NoRoom(NoRoom),
}

/// Looks at a target, and enters where nothing speaks against it. `now` is asked where the time decides. Quotas are `enter`'s matter.
pub(crate) fn consider<T>(
    target: &TargetRoute,
    needs: &Needs,
    now: impl FnOnce() -> u64,
    enter: impl FnOnce() -> Result<T, Skip>,
) -> Result<T, Skip> {
    match target.provider.provider.state {
        ProviderState::Enabled => {}
        ProviderState::Draining => return Err(Skip::Draining),
        ProviderState::Disabled => return Err(Skip::Disabled),
    }
    let lacking = target.features.map_or(Features::NONE, |able| needs.features.without(able));
    if !lacking.is_empty() {
        return Err(Skip::Lacks(lacking));
    }
    if let Some(window) = target.window.filter(|window| needs.tokens > *window) {
        return Err(Skip::TooLong { window });
    }
    if target.is_troubled() {
        let now_us = now();
        for (slot, party) in target.parties() {
            rested(slot.admits(now_us), party)?;
        }
    }
    enter()
}

fn rested(admits: Admits, party: Party) -> Result<(), Skip> {
    match admits {
        Admits::Yes | Admits::Probe => Ok(()),
        Admits::No { until_us, why } => Err(Skip::Resting { until_us, why, party }),
    }
}

/// An attempt that has begun. Dropped untold, it says nothing of the target.
pub(crate) struct Entry<'a> {
    target: &'a TargetRoute,
    of_target: Attempt,
    of_credential: Attempt,
}

impl<'a> Entry<'a> {
    /// At a target that nothing speaks against.
    pub(crate) const fn plain(target: &'a TargetRoute, now_us: u64) -> Self {
        Self { target, of_target: Attempt::plain(now_us), of_credential: Attempt::plain(now_us) }
    }

    /// At any, if an attempt may be made.
    pub(crate) fn begin(target: &'a TargetRoute, now_us: u64) -> Result<Self, Skip> {
        let mut entry = Self::plain(target, now_us);
        entry.of_credential = begun(&target.provider.credential, Party::Credential, now_us)?;
        entry.of_target = begun(&target.slot, Party::Target, now_us)?;
        Ok(entry)
    }

    /// At one that should be left alone, for a request that has nowhere else to go.
    pub(crate) fn begin_as_last_resort(target: &'a TargetRoute, now_us: u64) -> Option<Self> {
        let mut entry = Self::plain(target, now_us);
        entry.of_credential = target.provider.credential.begin_as_last_resort(now_us)?;
        entry.of_target = target.slot.begin_as_last_resort(now_us)?;
        Some(entry)
    }

    /// It answered.
    pub(crate) fn answered(&self, now_us: u64) {
        self.target.slot.succeeded(self.of_target, now_us);
        if self.target.provider.credential.is_troubled() {
            self.target.provider.credential.succeeded(self.of_credential, now_us);
        }
    }

    /// What the attempt says of the target.
    pub(crate) const fn of_target(&self) -> Attempt {
        self.of_target
    }

    /// What it says of the credential.
    pub(crate) const fn of_credential(&self) -> Attempt {
        self.of_credential
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        // What was told before is told.
        self.target.slot.let_go(self.of_target);
        self.target.provider.credential.let_go(self.of_credential);
    }
}

fn begun(slot: &Slot, party: Party, now_us: u64) -> Result<Attempt, Skip> {
    slot.begin(now_us).map_err(|admits| rested(admits, party).err().unwrap_or(Skip::Resting { until_us: now_us, why: Why::Probing, party }))
}

impl TargetRoute {
    /// Whether anything speaks, or may speak, against it or its credential.
    pub(crate) fn is_troubled(&self) -> bool {
        self.slot.is_troubled() || self.provider.credential.is_troubled()
    }

    fn parties(&self) -> [(&Slot, Party); 2] {
        [(&self.provider.credential, Party::Credential), (&self.slot, Party::Target)]
    }
}
