//! Whether a request may go to a target, and if not, why: the one rule for requests and for the dry run. It sends nothing.

use domain::{Admits, Attempt, Features, ProviderState, Trouble, Why};
use providers::Scope;

use crate::health::Slot;
use crate::quota::NoRoom;
use crate::rotation::OpenPlaces;
use crate::routes::TargetRoute;

/// What a request needs of whoever answers it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    pub(crate) features: Features,
    /// Input and the output that was asked for.
    pub(crate) tokens: u64,
}

/// Whose standing speaks against a target: its own, or that of all credentials.
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
    /// Its provider's ceiling on the day's spend has none.
    Spent,
}

impl Skip {
    /// When it opens, where it is tried before that all the same if no other target answers: not where it is left alone for its rate.
    pub(crate) const fn last_resort_us(&self) -> Option<u64> {
        match self {
            Self::Resting { why: Why::Cooling(Trouble::RateLimited), .. } => None,
            Self::Resting { until_us, why: Why::Cooling(_) | Why::Open | Why::Probing, .. } => Some(*until_us),
            Self::Disabled | Self::Draining | Self::Lacks(_) | Self::TooLong { .. } | Self::NoRoom(_) | Self::Spent => None,
        }
    }
}

/// Looks at a target, and enters, with one of the credentials that are open, where nothing speaks against it. `now` is asked where the
/// time decides. Quotas are `enter`'s matter.
pub(crate) fn consider<T>(
    target: &TargetRoute,
    needs: &Needs,
    now: impl FnOnce() -> u64,
    enter: impl FnOnce(OpenPlaces) -> Result<T, Skip>,
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
    let open = if target.is_troubled() {
        let now_us = now();
        rested(target.slot.admits(now_us), Party::Target)?;
        target.open_credentials(now_us)?
    } else {
        target.all_credentials()
    };
    enter(open)
}

fn rested(admits: Admits, party: Party) -> Result<(), Skip> {
    match admits {
        Admits::Yes | Admits::Probe => Ok(()),
        Admits::No { until_us, why } => Err(Skip::Resting { until_us, why, party }),
    }
}

/// An attempt that has begun, with the credential at this place.
pub(crate) struct Entry<'a> {
    target: &'a TargetRoute,
    pub(crate) place: usize,
    of_target: Attempt,
    /// The credential's, everywhere and here.
    of_credential: [Attempt; 2],
}

impl<'a> Entry<'a> {
    /// With the credential whose turn it is among those that are open, if an attempt may be made. `now_us` is a time that was read before;
    /// the clock is read only where it decides.
    pub(crate) fn begin(target: &'a TargetRoute, open: OpenPlaces, now_us: u64, clock: impl FnOnce() -> u64) -> Result<Self, Skip> {
        let place = if target.has_several_credentials() { target.provider.rotation.next(open).unwrap_or(0) } else { 0 };
        if !target.is_troubled() {
            return Ok(Self::plain(target, place, now_us));
        }
        let now_us = clock();
        let mut entry = Self::plain(target, place, now_us);
        for (attempt, slot) in entry.of_credential.iter_mut().zip(target.slots_of(place)) {
            *attempt = begun(slot, Party::Credential, now_us)?;
        }
        entry.of_target = begun(&target.slot, Party::Target, now_us)?;
        Ok(entry)
    }

    /// With any, at a target that should be left alone, for a request that has nowhere else to go.
    pub(crate) fn begin_as_last_resort(target: &'a TargetRoute, now_us: u64) -> Option<Self> {
        let mut places = 0..target.provider.credentials.len();
        places.find_map(|place| {
            let mut entry = Self::plain(target, place, now_us);
            for (attempt, slot) in entry.of_credential.iter_mut().zip(target.slots_of(place)) {
                *attempt = slot.begin_as_last_resort(now_us)?;
            }
            entry.of_target = target.slot.begin_as_last_resort(now_us)?;
            Some(entry)
        })
    }

    const fn plain(target: &'a TargetRoute, place: usize, now_us: u64) -> Self {
        Self { target, place, of_target: Attempt::plain(now_us), of_credential: [Attempt::plain(now_us); 2] }
    }

    /// It answered.
    pub(crate) fn answered(mut self, now_us: u64) {
        let begun_us = self.of_target.begun_us();
        self.target.slot.succeeded(std::mem::replace(&mut self.of_target, Attempt::plain(begun_us)), now_us);
        for (attempt, slot) in self.of_credential.iter_mut().zip(self.target.slots_of(self.place)) {
            if slot.is_troubled() {
                slot.succeeded(std::mem::replace(attempt, Attempt::plain(begun_us)), now_us);
            }
        }
    }

    /// It did not, and what that says concerns so much. A refusal for rate concerns the credential at this model, where there are others.
    pub(crate) fn failed(mut self, trouble: Trouble, scope: Scope, wait_ms: Option<u64>, now_us: u64, random: u64) {
        let is_of_one = trouble == Trouble::RateLimited && self.target.has_several_credentials();
        let [everywhere, here] = &mut self.of_credential;
        let mut credentials = self.target.slots_of(self.place);
        let (slot, attempt) = match scope {
            Scope::Request => return,
            Scope::Target if is_of_one => (credentials.nth(1), here),
            Scope::Target => (Some(&*self.target.slot), &mut self.of_target),
            Scope::Credential => (credentials.next(), everywhere),
        };
        let plain = Attempt::plain(attempt.begun_us());
        if let Some(slot) = slot {
            slot.failed(std::mem::replace(attempt, plain), trouble, wait_ms, now_us, random);
        }
    }
}

/// What was not told says nothing.
impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.target.slot.let_go(self.of_target);
        for (attempt, slot) in self.of_credential.iter().zip(self.target.slots_of(self.place)) {
            slot.let_go(*attempt);
        }
    }
}

fn begun(slot: &Slot, party: Party, now_us: u64) -> Result<Attempt, Skip> {
    slot.begin(now_us).map_err(|admits| rested(admits, party).err().unwrap_or(Skip::Resting { until_us: now_us, why: Why::Probing, party }))
}

impl TargetRoute {
    /// When it may be sent something again: later than now.
    pub(crate) fn opens_us(&self, now_us: u64) -> u64 {
        let opens = match self.slot.admits(now_us) {
            Admits::No { until_us, .. } => until_us,
            Admits::Yes | Admits::Probe => now_us,
        };
        let credentials = match self.open_credentials(now_us) {
            Err(Skip::Resting { until_us, .. }) => until_us,
            Ok(_) | Err(_) => now_us,
        };
        opens.max(credentials).max(now_us + 1)
    }
}
