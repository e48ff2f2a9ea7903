//! Plans that are paid: what a change costs, what was paid for, renewals, grace. No card is known here: whoever charges says whether it
//! was paid.

use domain::{CheckoutId, InvoiceId, Money, OrgId, PaymentId, Period, PlanId, Quote, UnixMicros, quote};
use serde_json::json;

use super::input;
use super::people::note;
use crate::sql::{self, Database, Transaction};
use crate::store::Inner;
use crate::{
    AccountError, Actor, DatabaseFault, DisputeState, ErrorClass, InvalidInput, ListError, OperationError, OrgPatch, Page, PageRequest,
    Store, UpdateOrgError, caps,
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
    /// When a card that was declined is charged again.
    pub try_at: Option<UnixMicros>,
    /// What was too little to be charged, and is charged with the next invoice.
    pub carried: Money,
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
    /// What was too little to be charged before.
    pub carried: Money,
    /// What is to be paid, with that.
    pub due: Money,
    /// Who wants it.
    pub by: Actor,
    /// How it stands.
    pub state: CheckoutState,
    /// When it was made.
    pub created: UnixMicros,
    /// It can be paid until before this moment: the credit shrinks.
    pub expires: UnixMicros,
    /// Whether it is the next month of a plan, which nobody has to choose.
    pub is_renewal: bool,
    /// Where it is paid, once that is known.
    pub url: Option<String>,
}

impl Checkout {
    /// Whether whoever chooses its plan again is led to it: it is the same choice, and there is time to pay.
    pub fn is_fresh(&self, plan: &PlanId, now: UnixMicros) -> bool {
        self.plan == *plan && self.state == CheckoutState::Open && self.expires.0 - now.0 >= caps::CHECKOUT_FRESH_US
    }
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
    /// What was too little to be charged before, and is charged here.
    pub carried: Money,
    /// What was charged.
    pub amount: Money,
    /// What was too little to be charged, and is charged with the next invoice.
    pub carried_on: Money,
    /// Whether it was paid.
    pub is_paid: bool,
    /// For which month.
    pub period: Period,
    /// When.
    pub created: UnixMicros,
    /// What paid it, where that went through whoever charges.
    pub payment: Option<PaymentId>,
    /// Where its receipt is seen.
    pub receipt_url: Option<String>,
    /// What of it was given back where it was charged.
    pub refunded: Money,
    /// How the dispute about its payment stands; `None`: there is none.
    pub dispute: Option<DisputeState>,
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
    /// It is not known yet whether the card was charged for something else.
    #[error("a payment of this organisation is under way; try again in a minute")]
    Charging,
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
            Self::Over | Self::Same(_) | Self::Charging | Self::NotForSale(_) => ErrorClass::Conflict,
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
            if sql::payments::charging(&mut transaction, org).await?.is_some() {
                return Err(BillingError::Charging);
            }
            let paid = sql::billing::subscription(&mut transaction, org).await?;
            // Whoever clicks twice is to pay once.
            let open = sql::billing::open_checkout(&mut transaction, org, now).await?;
            if let Some(open) = open.filter(|open| open.is_fresh(&plan, now)) {
                return Ok(PlanChange::ToPay(open));
            }
            sql::billing::void_checkouts(&mut transaction, org).await?;
            let is_late = paid.as_ref().is_some_and(|paid| paid.grace_until.is_some());
            if present.plan == plan && present.effective_plan == plan && !is_late {
                let Some(paid) = paid.filter(|paid| paid.next_plan.is_some()) else { return Err(BillingError::Same(plan)) };
                sql::billing::put_subscription(&mut transaction, &Subscription { next_plan: None, ..paid }).await?;
                note(&mut transaction, actor, "plan.keep", &org.to_string(), json!({ "plan": plan }), now).await?;
                Database::commit(transaction).await?;
                return Ok(PlanChange::InForce);
            }
            let carried = paid.as_ref().map_or(Money(0), |paid| paid.carried);
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
                    let checkout = Checkout { by: actor, ..inner.checkout(org, plan, (credit, carried, due)) };
                    let id = checkout.id;
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

    /// A checkout was paid here, without whoever charges elsewhere: its plan is in force for the next request. `renews`: whether what it was
    /// paid with can be charged again.
    pub async fn checkout_paid(&self, actor: Actor, org: OrgId, id: CheckoutId, renews: bool) -> Result<Invoice, BillingError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut transaction = inner.database.begin().await?;
            let checkout = sql::billing::checkout(&mut transaction, org, id).await?.ok_or(BillingError::NoCheckout(id))?;
            if checkout.state != CheckoutState::Open || checkout.is_renewal || checkout.expires <= now {
                return Err(BillingError::Over);
            }
            sql::payments::paid_here(&mut transaction, id).await?;
            inner.apply(actor, &checkout, Proof { renews, ..Proof::default() }, transaction).await
        })
        .await
    }

    /// What is due for a checkout is less than whoever charges takes: its plan is in force all the same, and the amount is charged with the
    /// next invoice. `renews`: whether there is a card for that.
    pub async fn carry_over(&self, org: OrgId, id: CheckoutId, renews: bool) -> Result<Invoice, BillingError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let checkout = sql::billing::checkout(&mut transaction, org, id).await?.ok_or(BillingError::NoCheckout(id))?;
            if checkout.state != CheckoutState::Open {
                return Err(BillingError::Over);
            }
            sql::payments::give_up(&mut transaction, id).await?;
            inner.apply(Actor::System, &checkout, Proof { renews, is_carried: true, ..Proof::default() }, transaction).await
        })
        .await
    }

    /// A page of an organisation's invoices, newest first.
    pub async fn invoices(&self, org: OrgId, page: &PageRequest) -> Result<Page<Invoice>, ListError> {
        let before = page.position()?;
        let found = sql::billing::invoices(&self.inner.database.reads, org, before, page.size() + 1).await?;
        Ok(Page::of(found, page, |invoice| invoice.id.to_string()))
    }
}

/// What is known of a payment once it was made.
#[derive(Default)]
pub(super) struct Proof {
    /// Whether what it was paid with can be charged again.
    pub(super) renews: bool,
    pub(super) payment: Option<PaymentId>,
    pub(super) receipt_url: Option<String>,
    /// It was too little to be made.
    pub(super) is_carried: bool,
}

impl Inner {
    pub(super) fn price(&self, plan: &PlanId) -> Option<Money> {
        self.directory.catalogue_now().plan(plan.as_str()).and_then(|plan| plan.price_month)
    }

    fn quote(&self, paid: Option<&Subscription>, plan: &PlanId) -> Result<Quote, BillingError> {
        let wanted = self.price(plan).ok_or_else(|| BillingError::NotForSale(plan.clone()))?;
        let carried = paid.map_or(Money(0), |paid| paid.carried);
        // What is late is paid whole: nothing of it was paid for.
        let paid = paid.filter(|paid| paid.grace_until.is_none());
        let present = paid.and_then(|paid| self.price(&paid.plan)).unwrap_or_default();
        Ok(match quote(present, paid.map(|paid| paid.period), wanted, self.now().wall) {
            // Whoever leaves owes less than can be charged.
            Quote::Now { credit, due } if wanted.0 > 0 => Quote::Now { credit, due: due.plus(carried) },
            quote @ (Quote::Now { .. } | Quote::AtPeriodEnd(_)) => quote,
        })
    }

    /// Something to be paid, from now on.
    pub(super) fn checkout(&self, org: OrgId, plan: PlanId, (credit, carried, due): (Money, Money, Money)) -> Checkout {
        let now = self.now().wall;
        let (id, expires) = (CheckoutId::generate(now, self.entropy.as_ref()), UnixMicros(now.0 + caps::CHECKOUT_US));
        let (by, state) = (Actor::System, CheckoutState::Open);
        Checkout { id, org, plan, credit, carried, due, by, state, created: now, expires, is_renewal: false, url: None }
    }

    pub(super) fn invoice(&self, checkout: &Checkout, period: Period, is_paid: bool) -> Invoice {
        let now = self.now().wall;
        let id = InvoiceId::generate(now, self.entropy.as_ref());
        let Checkout { org, plan, credit, carried, due, .. } = checkout;
        let (org, plan, credit, carried, amount, carried_on) = (*org, plan.clone(), *credit, *carried, *due, Money(0));
        Invoice {
            id,
            org,
            plan,
            credit,
            carried,
            amount,
            carried_on,
            is_paid,
            period,
            created: now,
            payment: None,
            receipt_url: None,
            refunded: Money(0),
            dispute: None,
        }
    }

    /// The month that a checkout pays for; `None`: it renews what is there no more.
    pub(super) fn month_of(&self, checkout: &Checkout, subscription: Option<&Subscription>) -> Option<Period> {
        if checkout.is_renewal {
            subscription.map(|subscription| Period::month_from(subscription.period.end))
        } else {
            Some(Period::month_from(self.now().wall))
        }
    }

    /// A checkout that is open was paid: its plan is in force with the commit of `transaction`.
    pub(super) async fn apply(
        &self,
        actor: Actor,
        checkout: &Checkout,
        proof: Proof,
        mut transaction: Transaction,
    ) -> Result<Invoice, BillingError> {
        let Checkout { id, org, plan, due, is_renewal, .. } = checkout;
        let before = sql::billing::subscription(&mut transaction, *org).await?;
        let period = self.month_of(checkout, before.as_ref()).ok_or(BillingError::Over)?;
        sql::billing::end_checkout(&mut transaction, *id, CheckoutState::Paid).await?;
        let Proof { renews, payment, receipt_url, is_carried } = proof;
        let (org, carried) = (*org, if is_carried { *due } else { Money(0) });
        let paid = Subscription { org, plan: plan.clone(), period, next_plan: None, grace_until: None, renews, try_at: None, carried };
        sql::billing::put_subscription(&mut transaction, &paid).await?;
        let mut invoice = Invoice { payment, receipt_url, ..self.invoice(checkout, period, true) };
        if is_carried {
            (invoice.amount, invoice.carried_on) = (Money(0), carried);
        }
        if !sql::billing::pay_invoice(&mut transaction, &invoice).await? {
            sql::billing::insert_invoice(&mut transaction, &invoice).await?;
        }
        let action = match (is_carried, is_renewal) {
            (true, _) => "plan.carried",
            (false, true) => "plan.renew",
            (false, false) => "plan.paid",
        };
        let mut details = json!({"checkout": id, "plan": plan, "invoice": invoice.id, "amount": invoice.amount, "payment": payment});
        if is_carried {
            details["carried_on"] = json!(carried);
        }
        note(&mut transaction, actor, action, &org.to_string(), details, self.now().wall).await?;
        self.put_in_force(actor, org, plan, plan, transaction).await?;
        Ok(invoice)
    }

    /// Puts plans in force with what else the transaction holds.
    pub(super) async fn put_in_force(
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
}
