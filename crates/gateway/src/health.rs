//! How targets and credentials stand, shared by all that use them. The rules are the domain's; here are the locks, the flag that
//! makes a healthy one's check a load, and the lines for the operator.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{
    Admits, AllowanceStatus, Attempt, Change, Cooldown, CredentialId, Health, HealthState, Now, ProviderName, ProviderStatus, QuotaRead,
    QuotaStatus, Standing, TargetStatus, Trouble,
};
use hashbrown::HashMap;

/// Whose standing it is: a model's at a provider, a credential's, or a credential's at a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    provider: ProviderName,
    /// By its name there.
    model: Option<String>,
    credential: Option<CredentialId>,
}

impl Place {
    pub(crate) fn new(provider: &ProviderName, model: Option<&str>, credential: Option<CredentialId>) -> Self {
        Self { provider: provider.clone(), model: model.map(Into::into), credential }
    }
}

/// The standing of one place, shared by every route that leads there.
#[derive(Debug)]
pub(crate) struct Slot {
    place: Place,
    /// Whether anything speaks against it, or may: if not, nobody needs the lock or the time.
    is_troubled: AtomicBool,
    in_flight: AtomicU64,
    health: Mutex<Health>,
}

impl Slot {
    fn new(place: Place) -> Self {
        Self { place, is_troubled: AtomicBool::new(false), in_flight: AtomicU64::new(0), health: Mutex::default() }
    }

    /// Whether anything speaks, or may speak, against it.
    pub(crate) fn is_troubled(&self) -> bool {
        self.is_troubled.load(Relaxed)
    }

    /// Whether a request may go there now.
    pub(crate) fn admits(&self, now_us: u64) -> Admits {
        self.with(|health| health.admits(now_us))
    }

    /// Begins an attempt, if one may be made.
    pub(crate) fn begin(&self, now_us: u64) -> Result<Attempt, Admits> {
        self.with(|health| health.begin(now_us))
    }

    /// Begins one of a request that has nowhere else to go.
    pub(crate) fn begin_as_last_resort(&self, now_us: u64) -> Option<Attempt> {
        self.with(|health| health.begin_as_last_resort(now_us))
    }

    /// It answered.
    pub(crate) fn succeeded(&self, attempt: Attempt, now_us: u64) {
        let first_byte_us = now_us.saturating_sub(attempt.begun_us());
        let change = self.with(|health| health.succeeded(attempt, now_us, first_byte_us));
        self.tell(change);
    }

    /// It did not, which says something of it.
    pub(crate) fn failed(&self, attempt: Attempt, trouble: Trouble, wait_ms: Option<u64>, now_us: u64, random: u64) {
        let change = self.with(|health| health.failed(attempt, trouble, wait_ms, now_us, random));
        self.tell(change);
    }

    /// What it answered broke off.
    pub(crate) fn broke(&self, trouble: Trouble, wait_ms: Option<u64>, now_us: u64, random: u64) {
        let change = self.with(|health| health.broke(trouble, wait_ms, now_us, random));
        self.tell(change);
    }

    /// The attempt ended and says nothing of it.
    pub(crate) fn let_go(&self, attempt: Attempt) {
        if !attempt.is_plain() {
            self.with(|health| health.let_go(attempt));
        }
    }

    /// What an answer told of the provider's own limits.
    pub(crate) fn told(&self, quota: QuotaRead) {
        self.with(|health| health.told(quota));
    }

    fn clear(&self, now_us: u64) {
        self.with(|health| health.clear(now_us));
    }

    fn standing(&self, now_us: u64) -> Standing {
        self.with(|health| health.standing(now_us))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Health) -> R) -> R {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut health);
        self.is_troubled.store(!health.is_untroubled(), Relaxed);
        result
    }

    /// Writes a change down, once: what only the operator can mend may wake somebody.
    fn tell(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        let Place { provider, model, credential } = &self.place;
        let (provider, model) = (provider.as_str(), model.as_deref());
        let credential = credential.map(tracing::field::display);
        match change {
            Change::Alarmed(trouble) => tracing::warn!(
                provider,
                model,
                credential,
                trouble = trouble.as_str(),
                "a provider refuses this gateway: {}; nothing goes there but a probe now and then until that is put right",
                domain::Why::Cooling(trouble).text()
            ),
            Change::Opened => {
                tracing::warn!(
                    provider,
                    model,
                    credential,
                    "a provider fails too often; nothing goes there but probes until one is answered"
                )
            }
            Change::Recovered => tracing::info!(provider, model, credential, "a provider answers again"),
        }
    }

    fn status(&self, standing: Standing, now: Now) -> TargetStatus {
        let wall = |us: Option<u64>| us.map(|us| now.wall_at(us));
        TargetStatus {
            model: self.place.model.clone(),
            credential: self.place.credential,
            state: standing.state,
            why: standing.why.map(|why| why.text().to_owned()),
            since: wall(standing.since_us),
            until: wall(standing.until_us),
            next_probe: wall(standing.next_probe_us),
            success_percent: standing.success_percent,
            p95_us: standing.p95_us,
            failures_in_a_row: standing.failures_in_a_row,
            in_flight: self.in_flight.load(Relaxed),
            quota: quota_status(standing.quota, now),
        }
    }
}

fn cooldown(of: &TargetStatus, now: Now) -> Option<Cooldown> {
    let (until, why) = (of.until?, of.why.as_deref()?);
    let since = of.since.filter(|since| *since < until).unwrap_or(now.wall);
    let seconds = u64::try_from(until.0 - since.0).unwrap_or(0).div_ceil(1_000_000);
    Some(Cooldown { model: of.model.clone(), credential: of.credential, until, why: format!("{why}, waiting {seconds} s") })
}

fn quota_status(read: QuotaRead, now: Now) -> Option<QuotaStatus> {
    let allowance = |of: domain::Allowance| AllowanceStatus {
        limit: of.limit,
        remaining: of.remaining,
        resets_at: of.reset_us.map(|us| now.wall_at(us)),
    };
    (read.at_us > 0).then(|| QuotaStatus {
        requests: read.requests.map(allowance),
        tokens: read.tokens.map(allowance),
        told_at: now.wall_at(read.at_us),
    })
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

/// All slots. Routes hold theirs, so the lock is taken only when routes are compiled or people ask.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Mutex<HashMap<Place, Arc<Slot>>>,
}

impl Slots {
    /// The slot of a place; it outlives the routes that use it.
    pub(crate) fn slot(&self, place: Place) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(place).or_insert_with_key(|place| Arc::new(Slot::new(place.clone()))))
    }

    /// Drops the slots that no route uses and that don't cool down.
    pub(crate) fn sweep(&self, now_us: u64) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || matches!(slot.admits(now_us), Admits::No { .. }));
    }

    /// How a provider's targets and credentials stand. Those that no route uses any more are left out, unless they cool down.
    pub(crate) fn of(&self, provider: &ProviderName, now: Now) -> ProviderStatus {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mine: Vec<_> = slots.values().filter(|slot| slot.place.provider == *provider).collect();
        mine.sort_by(|a, b| (&a.place.model, a.place.credential).cmp(&(&b.place.model, b.place.credential)));
        let cooldowns = mine.iter().filter_map(|slot| cooldown(&slot.status(slot.standing(now.mono_us), now), now)).collect();
        let status = |slot: &&Arc<Slot>| {
            let (standing, lacks_credential) = standing(&slots, slot, now.mono_us);
            let mut status = slot.status(standing, now);
            status.why = status.why.map(|why| if lacks_credential { format!("with every credential: {why}") } else { why });
            status
        };
        let mut targets: Vec<_> = mine.iter().map(status).collect();
        let in_flight = targets.iter().map(|target| target.in_flight).sum();
        // A credential at a model is of interest only where it isn't well.
        targets.retain(|target| target.model.is_none() || target.credential.is_none() || target.state != HealthState::Healthy);
        ProviderStatus { cooldowns, in_flight, targets }
    }

    /// Ends all cooldowns of a provider and closes its circuits.
    pub(crate) fn clear(&self, provider: &ProviderName, now_us: u64) {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().filter(|slot| slot.place.provider == *provider).for_each(|slot| slot.clear(now_us));
    }

    /// Every target that some route uses, by provider and name there, for whoever measures.
    pub(crate) fn targets(&self, now_us: u64) -> Vec<(ProviderName, String, Standing)> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let used = slots.values().filter(|slot| Arc::strong_count(slot) > 1);
        let target = |slot: &Arc<Slot>| {
            let Place { provider, model: Some(model), credential: None } = &slot.place else { return None };
            Some((provider.clone(), model.clone(), standing(&slots, slot, now_us).0))
        };
        used.filter_map(target).collect()
    }
}

/// How a place stands, and whether that is for want of a credential that may be used there: then as the one that may be first.
fn standing(slots: &HashMap<Place, Arc<Slot>>, slot: &Slot, now_us: u64) -> (Standing, bool) {
    let own = slot.standing(now_us);
    let Place { provider, model: Some(model), credential: None } = &slot.place else { return (own, false) };
    let first = if own.until_us.is_some() { None } else { first_to_open(slots, provider, model, now_us) };
    match first {
        Some(Standing { state, why, since_us, until_us, next_probe_us, .. }) => {
            (Standing { state, why, since_us, until_us, next_probe_us, ..own }, true)
        }
        None => (own, false),
    }
}

/// Where no credential of the provider may be used for the model, the one that may be first.
fn first_to_open(slots: &HashMap<Place, Arc<Slot>>, provider: &ProviderName, model: &str, now_us: u64) -> Option<Standing> {
    let is_mine = |slot: &&Arc<Slot>| slot.place.provider == *provider && slot.place.model.is_none() && Arc::strong_count(slot) > 1;
    let mut first: Option<Standing> = None;
    for everywhere in slots.values().filter(is_mine) {
        let here = slots.get(&Place { model: Some(model.into()), ..everywhere.place.clone() });
        let standings = [Some(everywhere), here].into_iter().flatten().map(|slot| slot.standing(now_us));
        let closed = standings.filter(|standing| standing.until_us.is_some()).max_by_key(|standing| standing.until_us)?;
        if first.as_ref().is_none_or(|first| closed.until_us < first.until_us) {
            first = Some(closed);
        }
    }
    first
}

/// The number of a state in metrics: the larger, the worse.
pub(crate) const fn level(state: HealthState) -> i64 {
    match state {
        HealthState::Healthy => 0,
        HealthState::Cooling => 1,
        HealthState::HalfOpen => 2,
        HealthState::Open => 3,
        HealthState::Alarm => 4,
    }
}

#[cfg(test)]
mod tests {
    use domain::UnixMicros;

    use super::*;

    #[test]
    fn people_see_what_runs_and_can_end_it() {
        let all = Slots::default();
        let (name, now) = (ProviderName::from("p"), Now { mono_us: 1, wall: UnixMicros(1) });
        let slot = all.slot(Place::new(&name, Some("m"), None));
        assert!(!slot.is_troubled());
        slot.failed(Attempt::plain(1), Trouble::RateLimited, Some(20_000), 1, 0);
        assert!(slot.is_troubled());
        slot.told(QuotaRead { requests: None, tokens: Some(domain::Allowance { remaining: Some(7), ..Default::default() }), at_us: 1 });
        let attempt = InFlight::begin(&slot);
        let status = all.of(&name, now);
        assert_eq!((status.cooldowns.len(), status.in_flight), (1, 1));
        let cooldown = &status.cooldowns[0];
        assert_eq!((cooldown.until, cooldown.why.as_str()), (UnixMicros(20_000_001), "429 Too Many Requests, waiting 20 s"));
        assert_eq!(status.targets[0].quota.as_ref().unwrap().tokens.unwrap().remaining, Some(7));
        assert_eq!(all.targets(1).len(), 1);
        drop(attempt);
        all.clear(&name, 1);
        let status = all.of(&name, now);
        assert_eq!((status.cooldowns, status.in_flight), (Vec::new(), 0));
        assert!(!slot.is_troubled());
        drop(slot);
        all.sweep(1);
        assert!(all.slots.lock().unwrap().is_empty());
    }

    #[test]
    fn what_cools_down_outlives_its_routes() {
        let all = Slots::default();
        let name = ProviderName::from("p");
        let credential = |n| Some(CredentialId::of_fingerprint([n; 6]));
        all.slot(Place::new(&name, None, credential(1))).failed(Attempt::plain(0), Trouble::Billing, None, 0, 0);
        all.sweep(1);
        assert!(matches!(all.slot(Place::new(&name, None, credential(1))).admits(1), Admits::No { .. }));
        assert_eq!(all.slot(Place::new(&name, None, credential(2))).admits(1), Admits::Yes, "another credential");
        all.sweep(10_000_000);
        assert!(all.slots.lock().unwrap().is_empty());
    }
}
