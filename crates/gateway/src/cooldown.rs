//! Which targets are left alone for a while and why. When a cooldown begins is decided by whoever calls.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Cooldown, CredentialId, Now, ProviderName};
use hashbrown::HashMap;

use crate::caps;

/// Why a target cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The provider answered 429.
    RateLimited,
    /// It said that it is overloaded and when to come back.
    Overloaded,
    /// It refused this credential.
    Refused,
}

impl Why {
    const fn code(self) -> u8 {
        match self {
            Self::RateLimited => 0,
            Self::Overloaded => 1,
            Self::Refused => 2,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::RateLimited => "429 Too Many Requests",
            Self::Overloaded => "503 Service Unavailable",
            Self::Refused => "the provider refuses this key",
        }
    }
}

/// The state of one target (a model at a provider), of a credential, or of a credential at a target; shared by every route that leads
/// there.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// End of the cooldown on the steady clock; 0: never was one.
    until_us: AtomicU64,
    wait_ms: AtomicU64,
    why: AtomicU8,
    in_flight: AtomicU64,
}

impl Slot {
    /// When the cooldown ends and why it is, if one runs at `now_us`.
    pub(crate) fn cooling(&self, now_us: u64) -> Option<(u64, Why)> {
        let until = self.until_us.load(Relaxed);
        (until > now_us).then(|| (until, self.why()))
    }

    /// Whether there ever was a cooldown: if not, nobody needs to know the time.
    pub(crate) fn ever_cooled(&self) -> bool {
        self.until_us.load(Relaxed) != 0
    }

    /// Leaves the target alone for `wait_ms` (absent: 1 s; at most 60 s). Never shortens a cooldown that runs.
    pub(crate) fn cool(&self, wait_ms: Option<u64>, why: Why, now_us: u64) {
        let wait_ms = wait_ms.unwrap_or(caps::COOLDOWN_DEFAULT_MS).clamp(1, caps::COOLDOWN_MAX_MS);
        let until = now_us.saturating_add(wait_ms * 1_000);
        if self.until_us.fetch_max(until, Relaxed) < until {
            self.wait_ms.store(wait_ms, Relaxed);
            self.why.store(why.code(), Relaxed);
        }
    }

    pub(crate) fn clear(&self) {
        self.until_us.store(0, Relaxed);
    }

    fn why(&self) -> Why {
        let code = self.why.load(Relaxed);
        [Why::Overloaded, Why::Refused].into_iter().find(|why| why.code() == code).unwrap_or(Why::RateLimited)
    }

    fn view(&self, place: &Place, now: Now) -> Option<Cooldown> {
        let (until, why) = self.cooling(now.mono_us)?;
        let wait_s = self.wait_ms.load(Relaxed).div_ceil(1_000);
        let why = format!("{}, waiting {wait_s} s", why.text());
        Some(Cooldown { model: place.model.clone(), credential: place.credential, until: now.wall_at(until), why })
    }
}

/// An attempt in progress at a target.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Slot>);

impl InFlight {
    pub(crate) fn begin(slot: &Arc<Slot>) -> Self {
        slot.in_flight.fetch_add(1, Relaxed);
        Self(Arc::clone(slot))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// What a slot is the state of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    provider: ProviderName,
    model: Option<String>,
    credential: Option<CredentialId>,
}

/// All slots. Routes hold theirs, so the lock is taken only when routes are compiled or people ask.
#[derive(Debug, Default)]
pub(crate) struct Cooldowns {
    slots: Mutex<HashMap<Place, Arc<Slot>>>,
}

impl Cooldowns {
    /// The slot of a model at a provider, whatever the credential; it outlives the routes that use it.
    pub(crate) fn slot(&self, provider: &ProviderName, model: &str) -> Arc<Slot> {
        self.at(provider, Some(model), None)
    }

    /// The slot of a credential, at one model or at all.
    pub(crate) fn of_credential(&self, provider: &ProviderName, model: Option<&str>, credential: CredentialId) -> Arc<Slot> {
        self.at(provider, model, Some(credential))
    }

    fn at(&self, provider: &ProviderName, model: Option<&str>, credential: Option<CredentialId>) -> Arc<Slot> {
        let place = Place { provider: provider.clone(), model: model.map(Into::into), credential };
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(place).or_default())
    }

    /// Drops the slots that no route uses and that don't cool down.
    pub(crate) fn sweep(&self, now_us: u64) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.cooling(now_us).is_some());
    }

    /// The cooldowns of a provider and its attempts in progress.
    pub(crate) fn of(&self, provider: &ProviderName, now: Now) -> (Vec<Cooldown>, u64) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = slots.iter().filter(|(place, _)| place.provider == *provider);
        let mut cooldowns: Vec<_> = mine.clone().filter_map(|(place, slot)| slot.view(place, now)).collect();
        cooldowns.sort_by(|a, b| (&a.model, a.credential).cmp(&(&b.model, b.credential)));
        (cooldowns, mine.map(|(_, slot)| slot.in_flight.load(Relaxed)).sum())
    }

    /// Ends all cooldowns of a provider.
    pub(crate) fn clear(&self, provider: &ProviderName) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().filter(|(place, _)| place.provider == *provider).for_each(|(_, slot)| slot.clear());
    }
}

#[cfg(test)]
mod tests {
    use domain::UnixMicros;

    use super::*;

    #[test]
    fn a_cooldown_ends_when_it_said_and_is_never_shortened() {
        let slot = Slot::default();
        slot.cool(Some(20_000), Why::RateLimited, 1_000_000);
        slot.cool(Some(1_000), Why::Overloaded, 1_000_000);
        assert_eq!(slot.cooling(20_999_999), Some((21_000_000, Why::RateLimited)));
        assert_eq!(slot.cooling(21_000_000), None);
    }

    #[test]
    fn waits_are_bounded_and_have_a_default() {
        let slot = Slot::default();
        slot.cool(None, Why::RateLimited, 0);
        assert_eq!(slot.cooling(0), Some((1_000_000, Why::RateLimited)));
        slot.cool(Some(86_400_000), Why::RateLimited, 0);
        assert_eq!(slot.cooling(0), Some((60_000_000, Why::RateLimited)));
    }

    #[test]
    fn people_see_what_runs_and_can_end_it() {
        let all = Cooldowns::default();
        let (name, now) = (ProviderName::from("p"), Now { mono_us: 0, wall: UnixMicros(0) });
        let slot = all.slot(&name, "m");
        slot.cool(Some(20_000), Why::RateLimited, 0);
        let attempt = InFlight::begin(&slot);
        let (cooldowns, in_flight) = all.of(&name, now);
        assert_eq!((cooldowns.len(), in_flight), (1, 1));
        assert_eq!((cooldowns[0].until, cooldowns[0].why.as_str()), (UnixMicros(20_000_000), "429 Too Many Requests, waiting 20 s"));
        drop(attempt);
        all.clear(&name);
        assert_eq!(all.of(&name, now), (Vec::new(), 0));
        drop(slot);
        all.sweep(0);
        assert!(all.slots.lock().unwrap().is_empty());
    }
}
