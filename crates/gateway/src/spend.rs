//! Keeps the day's spend below its ceilings while requests are in progress. Where there is no ceiling nothing is kept, and every
//! question is one branch. What a request costs is told to it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{
    Catalogue, Clock, DaySpend, Model, Money, PlanId, ProviderName, SpendAlarms, SpendCeilings, SpendDay, SpendHold, SpendLevel,
    SpendScope, SpendStanding, UnixMicros,
};
use store::{DatabaseFault, Store};

/// The day's spend of everything.
pub(crate) struct SpendGuard {
    /// Whether there is any ceiling.
    is_on: AtomicBool,
    day: Mutex<DaySpend>,
    store: Store,
    clock: Arc<dyn Clock>,
}

/// A request's part in the day's spend. Dropped unsettled, it is given back.
pub(crate) struct SpendTicket {
    guard: Arc<SpendGuard>,
    hold: Option<SpendHold>,
}

/// What a request has cost, and whose it was.
pub(crate) struct Spent<'a> {
    pub(crate) arrived: UnixMicros,
    pub(crate) plan: &'a PlanId,
    pub(crate) provider: Option<&'a ProviderName>,
    pub(crate) cost: Money,
}

/// What these tokens cost.
pub(crate) fn price(model: &Model, input: u64, output: u64) -> Money {
    model.input_price.for_tokens(input).plus(model.output_price.for_tokens(output))
}

/// The ceilings of an installation with this catalogue.
pub(crate) fn ceilings(installation: Option<Money>, catalogue: &Catalogue) -> SpendCeilings {
    let providers = catalogue.providers().iter().filter_map(|provider| Some((provider.name.clone(), provider.spend_per_day?)));
    let plans = catalogue.plans().filter_map(|plan| Some((plan.id.clone(), plan.spend_per_day?)));
    SpendCeilings { installation, providers: providers.collect(), plans: plans.collect() }
}

impl SpendGuard {
    pub(crate) fn new(store: Store, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { is_on: AtomicBool::new(false), day: Mutex::default(), store, clock })
    }

    fn lock(&self) -> MutexGuard<'_, DaySpend> {
        self.day.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    /// From now on these are the ceilings. Returns whether there were none before, so that what the day has cost must be loaded.
    pub(crate) fn set_ceilings(&self, ceilings: SpendCeilings) -> bool {
        let has_any = !ceilings.is_empty();
        let mut spend = self.lock();
        let was_on = self.is_on.swap(has_any, Relaxed);
        if !has_any {
            *spend = DaySpend::default();
        } else if *spend.ceilings() != ceilings {
            spend.set_ceilings(ceilings);
        }
        has_any && !was_on
    }

    /// Counts what the day has cost before anybody counted. What ends just then may count twice, and never less than once.
    pub(crate) async fn load(&self) -> Result<(), DatabaseFault> {
        if !self.is_on() {
            return Ok(());
        }
        let today = SpendDay::of(self.clock.now().wall);
        let before = self.lock().clone();
        let sums = self.store.spend_since(today.begin()).await?;
        let mut alarms = SpendAlarms::new();
        let mut spend = self.lock();
        // All that was counted before is among the sums.
        spend.forget(&before);
        for sum in &sums {
            spend.spend(today, &sum.plan, sum.provider.as_ref(), sum.cost, &mut alarms);
        }
        drop(spend);
        tell(&alarms);
        Ok(())
    }

    /// Holds what a request may cost; `Err`: a ceiling has no room for it. `Ok(None)`: nothing is kept.
    pub(crate) fn hold(self: &Arc<Self>, arrived: UnixMicros, plan: &PlanId, amount: Money) -> Result<Option<SpendTicket>, SpendRefused> {
        if !self.is_on() {
            return Ok(None);
        }
        let mut alarms = SpendAlarms::new();
        let hold = self.lock().hold(SpendDay::of(arrived), plan, amount, &mut alarms);
        tell(&alarms);
        match hold {
            Some(hold) => Ok(Some(SpendTicket { guard: Arc::clone(self), hold: Some(hold) })),
            None => Err(SpendRefused),
        }
    }

    /// A request has ended, and its record is written down.
    pub(crate) fn settle(&self, ticket: Option<SpendTicket>, spent: &Spent<'_>) {
        if ticket.is_none() && !self.is_on() {
            return;
        }
        let mut alarms = SpendAlarms::new();
        let hold = ticket.and_then(|mut ticket| ticket.hold.take());
        let mut day = self.lock();
        match hold {
            Some(hold) => day.settle(hold, spent.provider, spent.cost, &mut alarms),
            None => day.spend(SpendDay::of(spent.arrived), spent.plan, spent.provider, spent.cost, &mut alarms),
        }
        drop(day);
        tell(&alarms);
    }

    /// Whether this provider's ceiling, if there is one, has room for so much more.
    pub(crate) fn has_room_at(&self, provider: &ProviderName, amount: Money) -> bool {
        let is_its = |standing: &SpendStanding| matches!(&standing.scope, SpendScope::Provider(name) if name == provider);
        let its = self.standings().into_iter().find(is_its);
        its.is_none_or(|standing| standing.spent.plus(standing.held).plus(amount) <= standing.ceiling)
    }

    /// Whether every ceiling that concerns a request on this plan at this provider has room for so much more.
    pub(crate) fn has_room_for(&self, plan: &PlanId, provider: &ProviderName, amount: Money) -> bool {
        let concerns = |standing: &SpendStanding| match &standing.scope {
            SpendScope::Installation => true,
            SpendScope::Provider(name) => name == provider,
            SpendScope::Plan(id) => id == plan,
        };
        let has_room = |standing: SpendStanding| standing.spent.plus(standing.held).plus(amount) <= standing.ceiling;
        self.standings().into_iter().filter(concerns).all(has_room)
    }

    /// How every ceiling stands.
    pub(crate) fn standings(&self) -> Vec<SpendStanding> {
        if !self.is_on() {
            return Vec::new();
        }
        let today = SpendDay::of(self.clock.now().wall);
        self.lock().standings(today)
    }
}

/// A ceiling has no room for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpendRefused;

impl SpendTicket {
    /// Takes the same from this provider's ceiling, if it has room. It lets go of the provider before.
    pub(crate) fn take_at(&mut self, provider: &ProviderName) -> bool {
        let Some(hold) = &mut self.hold else { return true };
        let mut alarms = SpendAlarms::new();
        let is_taken = self.guard.lock().hold_at(hold, provider, &mut alarms);
        tell(&alarms);
        is_taken
    }

    /// It may cost so much.
    pub(crate) fn grow(&mut self, amount: Money) {
        if let Some(hold) = self.hold.as_mut().filter(|hold| hold.amount() < amount) {
            self.guard.lock().grow(hold, amount);
        }
    }
}

impl Drop for SpendTicket {
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.guard.lock().release(hold);
        }
    }
}

fn tell(alarms: &SpendAlarms) {
    for SpendStanding { scope, ceiling, spent, held, level } in alarms {
        let (spent, held, ceiling) = (spent.to_string(), held.to_string(), ceiling.to_string());
        let what = match scope {
            SpendScope::Installation => "requests are refused until the next day in UTC",
            SpendScope::Provider(_) => "its targets are passed by until the next day in UTC",
            SpendScope::Plan(_) => "requests on this plan are refused until the next day in UTC",
        };
        match level {
            SpendLevel::Below => {}
            SpendLevel::Near => tracing::warn!(%scope, spent, held, ceiling, "80 % of the day's ceiling on provider spend is used"),
            SpendLevel::Reached => tracing::warn!(
                %scope, spent, held, ceiling,
                "the day's ceiling on provider spend is reached: {what}, or until the ceiling is raised"
            ),
        }
    }
}
