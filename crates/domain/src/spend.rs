//! What a UTC day's requests cost at their providers, against ceilings of the installation, of providers and of plans.
//! Pure: it knows neither clocks nor requests, and forgets a day when the next begins.

use std::collections::HashMap;
use std::fmt;

use crate::pool::DAY_US;
use crate::{Money, PlanId, ProviderName, UnixMicros};

/// A UTC day, in days since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpendDay(i64);

impl SpendDay {
    /// The day of a moment.
    pub fn of(at: UnixMicros) -> Self {
        Self(at.0.div_euclid(DAY_US.cast_signed()))
    }

    /// Its first moment.
    pub fn begin(self) -> UnixMicros {
        UnixMicros(self.0.saturating_mul(DAY_US.cast_signed()))
    }
}

/// Whose spend a ceiling bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpendScope {
    /// All of it.
    Installation,
    /// What goes to this provider.
    Provider(ProviderName),
    /// What organisations on this plan spend.
    Plan(PlanId),
}

/// `installation`, `provider:NAME`, `plan:ID`.
impl fmt::Display for SpendScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("installation"),
            Self::Provider(name) => write!(f, "provider:{name}"),
            Self::Plan(id) => write!(f, "plan:{id}"),
        }
    }
}

/// The ceilings there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendCeilings {
    /// For all providers and plans together.
    pub installation: Option<Money>,
    /// For each provider that has one.
    pub providers: HashMap<ProviderName, Money>,
    /// For each plan that has one.
    pub plans: HashMap<PlanId, Money>,
}

impl SpendCeilings {
    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.installation.is_none() && self.providers.is_empty() && self.plans.is_empty()
    }
}

/// How much of a ceiling is spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpendLevel {
    /// Less than 80 %.
    #[default]
    Below,
    /// 80 % or more.
    Near,
    /// All of it, or so much that a request was refused.
    Reached,
}

impl SpendLevel {
    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::Near => "near",
            Self::Reached => "reached",
        }
    }
}

/// How one ceiling stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendStanding {
    /// Whose it is.
    pub scope: SpendScope,
    /// The ceiling.
    pub ceiling: Money,
    /// What was spent today.
    pub spent: Money,
    /// What requests in progress may cost.
    pub held: Money,
    /// The highest level that was told today.
    pub level: SpendLevel,
}

/// A refusal, or what the operator is to hear of: each ceiling tells of each level once a day.
pub type SpendAlarms = Vec<SpendStanding>;

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    spent: Money,
    held: Money,
    told: SpendLevel,
}

impl Account {
    fn level(&self, ceiling: Money) -> SpendLevel {
        if self.spent >= ceiling {
            SpendLevel::Reached
        } else if i128::from(self.spent.0) * 5 >= i128::from(ceiling.0) * 4 {
            SpendLevel::Near
        } else {
            SpendLevel::Below
        }
    }

    fn has_room(&self, ceiling: Option<Money>, amount: Money) -> bool {
        ceiling.is_none_or(|ceiling| self.spent.plus(self.held).plus(amount) <= ceiling)
    }

    fn hold(&mut self, amount: Money) {
        self.held = self.held.plus(amount);
    }

    fn release(&mut self, amount: Money) {
        self.held = Money(self.held.0.saturating_sub(amount.0).max(0));
    }

    fn spend(&mut self, cost: Money) {
        self.spent = self.spent.plus(cost);
    }

    fn standing(&self, scope: SpendScope, ceiling: Money) -> SpendStanding {
        SpendStanding { scope, ceiling, spent: self.spent, held: self.held, level: self.told }
    }

    /// Its standing where it has come to a level that wasn't told.
    fn alarm(&mut self, scope: impl FnOnce() -> SpendScope, ceiling: Option<Money>, is_refusing: bool, alarms: &mut SpendAlarms) {
        let Some(ceiling) = ceiling else { return };
        let level = if is_refusing { SpendLevel::Reached } else { self.level(ceiling) };
        if level > self.told {
            self.told = level;
            alarms.push(self.standing(scope(), ceiling));
        }
    }
}

/// A request's part in a day's spend, until it is settled or released.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "what is held stays held until it is settled or released"]
pub struct SpendHold {
    day: SpendDay,
    plan: PlanId,
    provider: Option<ProviderName>,
    amount: Money,
}

impl SpendHold {
    /// What it holds.
    pub const fn amount(&self) -> Money {
        self.amount
    }
}

/// What was spent and is held, by whose it is, on one day.
#[derive(Clone, Debug, Default)]
pub struct DaySpend {
    day: SpendDay,
    ceilings: SpendCeilings,
    installation: Account,
    providers: HashMap<ProviderName, Account>,
    plans: HashMap<PlanId, Account>,
}

impl DaySpend {
    /// From now on these are the ceilings. Where one is no longer near, it tells anew when it is.
    pub fn set_ceilings(&mut self, ceilings: SpendCeilings) {
        self.ceilings = ceilings;
        let mend = |account: &mut Account, ceiling: Option<&Money>| {
            account.told = account.told.min(ceiling.map_or(SpendLevel::Below, |ceiling| account.level(*ceiling)));
        };
        mend(&mut self.installation, self.ceilings.installation.as_ref());
        self.providers.iter_mut().for_each(|(name, account)| mend(account, self.ceilings.providers.get(name)));
        self.plans.iter_mut().for_each(|(id, account)| mend(account, self.ceilings.plans.get(id)));
    }

    /// The ceilings in force.
    pub fn ceilings(&self) -> &SpendCeilings {
        &self.ceilings
    }

    /// A clock that was set back begins no earlier day.
    fn turn_to(&mut self, day: SpendDay) {
        if day > self.day {
            let ceilings = std::mem::take(&mut self.ceilings);
            *self = Self { day, ceilings, ..Self::default() };
        }
    }

    /// Holds what a request on `plan` may cost, if the ceilings of the installation and of the plan have room for it. What costs nothing
    /// always has room.
    pub fn hold(&mut self, day: SpendDay, plan: &PlanId, amount: Money, alarms: &mut SpendAlarms) -> Option<SpendHold> {
        self.turn_to(day);
        let (whole, of_plan) = (self.ceilings.installation, self.ceilings.plans.get(plan).copied());
        let account = account_of(&mut self.plans, plan);
        let (fits_whole, fits_plan) = (self.installation.has_room(whole, amount), account.has_room(of_plan, amount));
        if amount.0 > 0 && !(fits_whole && fits_plan) {
            if !fits_whole {
                self.installation.alarm(|| SpendScope::Installation, whole, true, alarms);
            }
            if !fits_plan {
                account.alarm(|| SpendScope::Plan(plan.clone()), of_plan, true, alarms);
            }
            return None;
        }
        self.installation.hold(amount);
        account.hold(amount);
        Some(SpendHold { day: self.day, plan: plan.clone(), provider: None, amount })
    }

    /// Holds the same at the provider that is to be asked, if its ceiling has room. It lets go of the one asked before.
    pub fn hold_at(&mut self, hold: &mut SpendHold, provider: &ProviderName, alarms: &mut SpendAlarms) -> bool {
        self.let_go(hold);
        let ceiling = self.ceilings.providers.get(provider).copied();
        let account = account_of(&mut self.providers, provider);
        if hold.day == self.day && hold.amount.0 > 0 && !account.has_room(ceiling, hold.amount) {
            account.alarm(|| SpendScope::Provider(provider.clone()), ceiling, true, alarms);
            return false;
        }
        if hold.day == self.day {
            account.hold(hold.amount);
        }
        hold.provider = Some(provider.clone());
        true
    }

    /// The provider that was asked is not any more.
    fn let_go(&mut self, hold: &mut SpendHold) {
        if let Some(provider) = hold.provider.take()
            && hold.day == self.day
        {
            account_of(&mut self.providers, &provider).release(hold.amount);
        }
    }

    /// The request turns out to cost up to `amount`, more than was held. That may pass the ceilings, since it goes on.
    pub fn grow(&mut self, hold: &mut SpendHold, amount: Money) {
        let more = Money(amount.0.saturating_sub(hold.amount.0));
        if more.0 <= 0 {
            return;
        }
        hold.amount = amount;
        if hold.day == self.day {
            self.installation.hold(more);
            account_of(&mut self.plans, &hold.plan).hold(more);
            if let Some(provider) = &hold.provider {
                account_of(&mut self.providers, provider).hold(more);
            }
        }
    }

    /// The request is over and cost nothing.
    pub fn release(&mut self, mut hold: SpendHold) {
        self.let_go(&mut hold);
        if hold.day == self.day {
            self.installation.release(hold.amount);
            account_of(&mut self.plans, &hold.plan).release(hold.amount);
        }
    }

    /// The request is over and cost so much at `provider`.
    pub fn settle(&mut self, hold: SpendHold, provider: Option<&ProviderName>, cost: Money, alarms: &mut SpendAlarms) {
        let (day, plan) = (hold.day, hold.plan.clone());
        self.release(hold);
        self.spend(day, &plan, provider, cost, alarms);
    }

    /// So much was spent by what held nothing. Of a day that is over nothing is kept.
    pub fn spend(&mut self, day: SpendDay, plan: &PlanId, provider: Option<&ProviderName>, cost: Money, alarms: &mut SpendAlarms) {
        self.turn_to(day);
        if day != self.day || cost.0 <= 0 {
            return;
        }
        self.installation.spend(cost);
        self.installation.alarm(|| SpendScope::Installation, self.ceilings.installation, false, alarms);
        let account = account_of(&mut self.plans, plan);
        account.spend(cost);
        account.alarm(|| SpendScope::Plan(plan.clone()), self.ceilings.plans.get(plan).copied(), false, alarms);
        match provider {
            Some(provider) => {
                let account = account_of(&mut self.providers, provider);
                account.spend(cost);
                let ceiling = self.ceilings.providers.get(provider).copied();
                account.alarm(|| SpendScope::Provider(provider.clone()), ceiling, false, alarms);
            }
            // Nobody knows which of them it went to: what is unknown counts as used.
            None => {
                for (provider, ceiling) in &self.ceilings.providers {
                    let account = account_of(&mut self.providers, provider);
                    account.spend(cost);
                    account.alarm(|| SpendScope::Provider(provider.clone()), Some(*ceiling), false, alarms);
                }
            }
        }
    }

    /// Takes off what was spent at an earlier moment of the same day, because it is going to be counted from elsewhere.
    pub fn forget(&mut self, earlier: &Self) {
        if self.day != earlier.day {
            return;
        }
        let off = |account: &mut Account, before: &Account| account.spent = Money(account.spent.0.saturating_sub(before.spent.0));
        off(&mut self.installation, &earlier.installation);
        earlier.providers.iter().for_each(|(name, before)| off(account_of(&mut self.providers, name), before));
        earlier.plans.iter().for_each(|(id, before)| off(account_of(&mut self.plans, id), before));
    }

    /// How every ceiling stands on this day: the installation's, then the providers', then the plans', by name.
    pub fn standings(&mut self, day: SpendDay) -> Vec<SpendStanding> {
        self.turn_to(day);
        let of = |account: Option<&Account>, scope, ceiling| account.copied().unwrap_or_default().standing(scope, ceiling);
        let mut providers: Vec<_> = self.ceilings.providers.iter().collect();
        providers.sort();
        let mut plans: Vec<_> = self.ceilings.plans.iter().collect();
        plans.sort();
        let whole = self.ceilings.installation.map(|ceiling| self.installation.standing(SpendScope::Installation, ceiling));
        let providers = providers.into_iter().map(|(name, c)| of(self.providers.get(name), SpendScope::Provider(name.clone()), *c));
        let plans = plans.into_iter().map(|(id, c)| of(self.plans.get(id), SpendScope::Plan(id.clone()), *c));
        whole.into_iter().chain(providers).chain(plans).collect()
    }
}

/// The account of a name, made where there is none.
fn account_of<'a, K: Clone + Eq + std::hash::Hash>(accounts: &'a mut HashMap<K, Account>, name: &K) -> &'a mut Account {
    if !accounts.contains_key(name) {
        accounts.insert(name.clone(), Account::default());
    }
    accounts.entry(name.clone()).or_default()
}

/// Whoever knows how the ceilings stand; the binary hands it to the control plane.
pub trait SpendRuntime: Send + Sync {
    /// How every ceiling stands today; empty: there is none.
    fn spend(&self) -> Vec<SpendStanding>;
}

#[cfg(test)]
mod tests;
