//! Plans that are paid: what a change costs, what was paid for, renewals, grace. No card is known here: whoever charges says whether it
//! was paid.

use domain::{CheckoutId, InvoiceId, Money, OrgId, Period, PlanId, Quote, UnixMicros, quote};
use serde_json::json;

use super::input;
use super::people::note;
use crate::sql::{self, Database, Transaction};
use crate::store::Inner;
use crate::{
    AccountError, Actor, DatabaseFault, ErrorClass, InvalidInput, ListError, OperationError, OrgPatch, Page, PageRequest, Store,
    UpdateOrgError, caps,
};

/// What an organisation has paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Whose.
    pub org: OrgId,
    /// The plan.
    pub plan: PlanId,
    /// The month that was paid for.
    pub period: Period,
    /// The plan after that; `None`: the same.
    pub next_plan: Option<PlanId>,
    /// The renewal was not paid: until then the plan stays in force.
    pub grace_until: Option<UnixMicros>,
    /// Whether the card that is kept will be charged.
    pub renews: bool,
}

/// How a checkout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutState {
    /// It is to be paid.
    Open,
    /// It was paid, and its plan was put in force.
    Paid,
    /// Another has taken its place.
    Void,
}

impl CheckoutState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }

    pub(crate) fn of_str(text: &str) -> Option<Self> {
        [Self::Open, Self::Paid, Self::Void].into_iter().find(|state| state.as_str() == text)
    }
}

/// What is to be paid before a plan is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its id.
    pub id: CheckoutId,
    /// Whose.
    pub org: OrgId,
    /// The plan.
    pub plan: PlanId,
    /// What is left of what was paid before.
    pub credit: Money,
    /// What is to be paid.
    pub due: Money,
    /// Who wants it.
    pub by: Actor,
    /// How it stands.
    pub state: CheckoutState,
    /// When it was made.
    pub created: UnixMicros,
    /// It can be paid until before this moment: the credit shrinks.
    pub expires: UnixMicros,
}

/// What was charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Whose.
    pub org: OrgId,
    /// For which plan.
    pub plan: PlanId,
    /// What was left of what was paid before.
    pub credit: Money,
    /// What was charged.
    pub amount: Money,
    /// Whether it was paid.
    pub is_paid: bool,
    /// For which month.
    pub period: Period,
    /// When.
    pub created: UnixMicros,
}

/// What came of the wish for another plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanChange {
    /// It is in force.
    InForce,
    /// It will be, at this moment.
    Scheduled(UnixMicros),
    /// It will be when this is paid.
    ToPay(Checkout),
}

/// Why a plan can't be bought or paid.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// There is no organisation of this id.
    #[error("there is no organisation {0}")]
    NoOrg(OrgId),
    /// There is no such checkout.
    #[error("there is no checkout {0} of this organisation")]
    NoCheckout(CheckoutId),
    /// It was paid, has expired, or another has taken its place.
    #[error("this checkout can't be paid any more; choose the plan again")]
    Over,
    /// The organisation has that plan, and it is paid.
    #[error("the organisation is on the plan \"{0}\" already")]
    Same(PlanId),
    /// The plan has no price.
    #[error("the plan \"{0}\" is not for sale by itself; ask for it instead")]
    NotForSale(PlanId),
    /// The input is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidInput),
    /// The database failed.
    #[error(transparent)]
    Unavailable(#[from] DatabaseFault),
}

impl OperationError for BillingError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::NoOrg(_) | Self::NoCheckout(_) => ErrorClass::NotFound,
            Self::Over | Self::Same(_) | Self::NotForSale(_) => ErrorClass::Conflict,
            Self::Invalid(fault) => ErrorClass::Invalid { param: &fault.param },
            Self::Unavailable(_) => ErrorClass::Unavailable,
        }
    }
}

impl From<UpdateOrgError> for BillingError {
    fn from(error: UpdateOrgError) -> Self {
        match error {
            UpdateOrgError::NotFound(org) => Self::NoOrg(org),
            UpdateOrgError::Invalid(fault) => Self::Invalid(fault),
            UpdateOrgError::Unavailable(fault) => Self::Unavailable(fault),
        }
    }
}

impl Store {
    /// What an organisation has paid for, and what is open.
    pub async fn billing_of(&self, org: OrgId) -> Result<(Option<Subscription>, Option<Checkout>), AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        let subscription = sql::billing::subscription(&mut connection, org).await?;
        Ok((subscription, sql::billing::open_checkout(&mut connection, org, self.inner.now().wall).await?))
    }

    /// What it takes to be on another plan.
    pub async fn quote(&self, org: OrgId, plan: &PlanId) -> Result<Quote, BillingError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        let paid = sql::billing::subscription(&mut connection, org).await?;
        self.inner.quote(paid.as_ref(), plan)
    }

    /// Another plan is wanted: it is in force at once where nothing is due, at the end of what was paid for where it is cheaper, else when
    /// the checkout is paid. The plan that is in force takes back what was wanted before.
    pub async fn buy_plan(&self, actor: Actor, org: OrgId, plan: PlanId) -> Result<PlanChange, BillingError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let present = inner.live_org(org).ok_or(BillingError::NoOrg(org))?.to_org();
            input::plan(&inner.directory.catalogue_now(), &plan)?;
            let mut transaction = inner.database.begin().await?;
            let paid = sql::billing::subscription(&mut transaction, org).await?;
            sql::billing::void_checkouts(&mut transaction, org).await?;
            let is_late = paid.as_ref().is_some_and(|paid| paid.grace_until.is_some());
            if present.plan == plan && !is_late {
                let Some(paid) = paid.filter(|paid| paid.next_plan.is_some()) else { return Err(BillingError::Same(plan)) };
                sql::billing::put_subscription(&mut transaction, &Subscription { next_plan: None, ..paid }).await?;
                note(&mut transaction, actor, "plan.keep", &org.to_string(), json!({ "plan": plan }), now).await?;
                Database::commit(transaction).await?;
                return Ok(PlanChange::InForce);
            }
            match (inner.quote(paid.as_ref(), &plan)?, paid) {
                (Quote::AtPeriodEnd(at), Some(paid)) => {
                    let details = json!({"plan": plan, "at": at});
                    let next = Subscription { next_plan: Some(plan), ..paid };
                    sql::billing::put_subscription(&mut transaction, &next).await?;
                    note(&mut transaction, actor, "plan.schedule", &org.to_string(), details, now).await?;
                    Database::commit(transaction).await?;
                    Ok(PlanChange::Scheduled(at))
                }
                (Quote::Now { due: Money(0), .. } | Quote::AtPeriodEnd(_), _) => {
                    sql::billing::end_subscription(&mut transaction, org).await?;
                    inner.put_in_force(actor, org, &plan, &plan, transaction).await?;
                    Ok(PlanChange::InForce)
                }
                (Quote::Now { credit, due }, _) => {
                    let id = CheckoutId::generate(now, inner.entropy.as_ref());
                    let expires = UnixMicros(now.0 + caps::CHECKOUT_US);
                    let checkout = Checkout { id, org, plan, credit, due, by: actor, state: CheckoutState::Open, created: now, expires };
                    sql::billing::insert_checkout(&mut transaction, &checkout).await?;
                    let details = json!({"checkout": id, "plan": checkout.plan, "due": due, "credit": credit});
                    note(&mut transaction, actor, "plan.checkout", &org.to_string(), details, now).await?;
                    Database::commit(transaction).await?;
                    Ok(PlanChange::ToPay(checkout))
                }
            }
        })
        .await
    }

    /// A checkout was paid: its plan is in force for the next request. Told again it changes nothing. `renews`: whether what it was paid
    /// with can be charged again.
    pub async fn checkout_paid(&self, actor: Actor, org: OrgId, id: CheckoutId, renews: bool) -> Result<Invoice, BillingError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let checkout = sql::billing::checkout(&mut transaction, org, id).await?.ok_or(BillingError::NoCheckout(id))?;
            if checkout.state != CheckoutState::Open || checkout.expires <= now {
                return Err(BillingError::Over);
            }
            let Checkout { plan, credit, due, .. } = checkout;
            let period = Period::month_from(now);
            sql::billing::pay_checkout(&mut transaction, id).await?;
            let paid = Subscription { org, plan: plan.clone(), period, next_plan: None, grace_until: None, renews };
            sql::billing::put_subscription(&mut transaction, &paid).await?;
            let invoice = inner.invoice(org, &plan, (credit, due), period, true);
            sql::billing::insert_invoice(&mut transaction, &invoice).await?;
            let details = json!({"checkout": id, "plan": plan, "invoice": invoice.id, "amount": due});
            note(&mut transaction, actor, "plan.paid", &org.to_string(), details, now).await?;
            inner.put_in_force(actor, org, &plan, &plan, transaction).await?;
            Ok(invoice)
        })
        .await
    }

    /// A page of an organisation's invoices, newest first.
    pub async fn invoices(&self, org: OrgId, page: &PageRequest) -> Result<Page<Invoice>, ListError> {
        let before = page.position()?;
        let found = sql::billing::invoices(&self.inner.database.reads, org, before, page.size() + 1).await?;
        Ok(Page::of(found, page, |invoice| invoice.id.to_string()))
    }

    /// Does what is due at this moment: plans that were to change change, others are renewed, and those that were not paid for leave their
    /// plan for `unpaid` when their grace is over. Returns how many changed.
    pub async fn run_billing(&self, unpaid: PlanId) -> Result<usize, BillingError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut connection = inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
            let due = sql::billing::due(&mut connection, now, caps::RENEWALS).await?;
            drop(connection);
            for subscription in &due {
                inner.renew(subscription, &unpaid, now).await?;
            }
            Ok(due.len())
        })
        .await
    }
}

impl Inner {
    fn price(&self, plan: &PlanId) -> Option<Money> {
        self.directory.catalogue_now().plan(plan.as_str()).and_then(|plan| plan.price_month)
    }

    fn quote(&self, paid: Option<&Subscription>, plan: &PlanId) -> Result<Quote, BillingError> {
        let wanted = self.price(plan).ok_or_else(|| BillingError::NotForSale(plan.clone()))?;
        // What is late is paid whole: nothing of it was paid for.
        let paid = paid.filter(|paid| paid.grace_until.is_none());
        let present = paid.and_then(|paid| self.price(&paid.plan)).unwrap_or_default();
        Ok(quote(present, paid.map(|paid| paid.period), wanted, self.now().wall))
    }

    fn invoice(&self, org: OrgId, plan: &PlanId, (credit, amount): (Money, Money), period: Period, is_paid: bool) -> Invoice {
        let now = self.now().wall;
        let id = InvoiceId::generate(now, self.entropy.as_ref());
        Invoice { id, org, plan: plan.clone(), credit, amount, is_paid, period, created: now }
    }

    /// Puts plans in force with what else the transaction holds.
    async fn put_in_force(
        &self,
        actor: Actor,
        org: OrgId,
        plan: &PlanId,
        effective: &PlanId,
        transaction: Transaction,
    ) -> Result<(), BillingError> {
        let patch = OrgPatch { plan: Some(plan.clone()), effective_plan: Some(effective.clone()), ..OrgPatch::default() };
        self.change_org(actor, org, patch, Some(transaction)).await?;
        Ok(())
    }

    /// The month, or the grace, of a subscription is over.
    async fn renew(&self, subscription: &Subscription, unpaid: &PlanId, now: UnixMicros) -> Result<(), BillingError> {
        let Subscription { org, plan, period, next_plan, grace_until, renews } = subscription;
        let mut transaction = self.database.begin().await?;
        if self.live_org(*org).is_none() {
            sql::billing::end_subscription(&mut transaction, *org).await?;
            return Ok(Database::commit(transaction).await?);
        }
        if grace_until.is_some() {
            sql::billing::end_subscription(&mut transaction, *org).await?;
            let details = json!({"plan": plan, "effective_plan": unpaid});
            note(&mut transaction, Actor::System, "plan.unpaid", &org.to_string(), details, now).await?;
            return self.put_in_force(Actor::System, *org, plan, unpaid, transaction).await;
        }
        let next = next_plan.as_ref().unwrap_or(plan);
        let price = self.price(next).unwrap_or_default();
        let month = Period::month_from(period.end);
        if price.0 <= 0 {
            sql::billing::end_subscription(&mut transaction, *org).await?;
            return self.put_in_force(Actor::System, *org, next, next, transaction).await;
        }
        let invoice = self.invoice(*org, next, (Money(0), price), month, *renews);
        sql::billing::insert_invoice(&mut transaction, &invoice).await?;
        if *renews {
            let renewed = Subscription { plan: next.clone(), period: month, next_plan: None, ..subscription.clone() };
            sql::billing::put_subscription(&mut transaction, &renewed).await?;
            let details = json!({"plan": next, "invoice": invoice.id, "amount": price});
            note(&mut transaction, Actor::System, "plan.renew", &org.to_string(), details, now).await?;
            return self.put_in_force(Actor::System, *org, next, next, transaction).await;
        }
        let late = Subscription { grace_until: Some(UnixMicros(period.end.0 + caps::GRACE_US)), ..subscription.clone() };
        sql::billing::put_subscription(&mut transaction, &late).await?;
        let details = json!({"plan": plan, "invoice": invoice.id, "until": late.grace_until});
        note(&mut transaction, Actor::System, "plan.past_due", &org.to_string(), details, now).await?;
        Ok(Database::commit(transaction).await?)
    }
}
