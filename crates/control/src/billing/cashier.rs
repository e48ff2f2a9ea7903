//! Between the store and whoever charges: what is asked is kept first, then told; what came of it is settled in the store. Organisations have
//! their turn one call at a time; what is heard has no turn, since it may be heard at any time and twice.

use std::sync::Arc;

use domain::{CheckoutId, Clock, Org, OrgId, PlanId};
use store::{
    AccountError, Actor, BillingError, Checkout, CheckoutState, ErrorClass, OperationError, Outcome, Payment, PaymentState, PlanChange,
    Settled, Store, Way,
};
use tokio::sync::{Mutex, MutexGuard};

use super::{About, Bill, ChargeFault, Charger, HearFault, Page, Standing};
use crate::caps::CASHIER_LOCKS;

/// Why something was not bought, paid or looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CashierError {
    /// The store says no.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] AccountError),
    /// Whoever charges says no.
    #[error(transparent)]
    Charge(#[from] ChargeFault),
}

impl OperationError for CashierError {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Billing(error) => error.class(),
            Self::Store(error) => error.class(),
            Self::Charge(error) => error.class(),
        }
    }
}

/// What a cashier is made of.
pub struct CashierParts {
    /// Where everything is kept.
    pub store: Store,
    /// Who charges.
    pub charger: Box<dyn Charger>,
    /// The plan of those who have not paid.
    pub unpaid: PlanId,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Sells plans.
#[derive(Clone)]
pub struct Cashier(Arc<Inner>);

struct Inner {
    parts: CashierParts,
    turns: Vec<Mutex<()>>,
}

impl std::fmt::Debug for Cashier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cashier").field(&self.name()).finish()
    }
}

impl Cashier {
    /// Puts it together. It does nothing by itself: see [`Self::run`].
    pub fn new(parts: CashierParts) -> Self {
        Self(Arc::new(Inner { parts, turns: (0..CASHIER_LOCKS).map(|_| Mutex::default()).collect() }))
    }

    /// After a start: whatever isn't settled is asked about at the next run, since something may have been missed.
    pub async fn begin(&self) {
        if let Err(error) = self.store().look_at_all_payments().await {
            tracing::warn!(error = error.to_string(), "payments could not be looked at after the start; they are by and by");
        }
    }

    /// Does what is due, and asks what became of payments; to be called once a minute. What fails is logged and tried again.
    pub async fn run(&self) {
        if let Err(error) = self.store().run_billing(self.0.parts.unpaid.clone()).await {
            tracing::warn!(error = error.to_string(), "renewals could not be done; they are tried again in a minute");
        }
        let payments = self.store().payments_to_look_at().await.unwrap_or_else(|error| {
            tracing::warn!(error = error.to_string(), "payments could not be looked at; they are again in a minute");
            Vec::new()
        });
        for payment in payments {
            let _turn = self.turn(payment.org).await;
            let Err(error) = self.look(&payment).await else { continue };
            tracing::warn!(payment = %payment.id, error = error.to_string(), "it is not known what became of a payment; it is asked again");
            let put_off = self.store().look_again(payment.id).await;
            // Whoever can't be reached is not asked for each of them.
            if put_off.is_err() || matches!(error, CashierError::Charge(ChargeFault::Unreachable)) {
                break;
            }
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.charger().name()
    }

    pub(crate) fn sells(&self) -> bool {
        self.charger().sells()
    }

    /// Another plan is chosen: a card that is kept is charged for what is due, else there is a page to pay it.
    pub(crate) async fn choose(&self, actor: Actor, org: OrgId, plan: PlanId) -> Result<PlanChange, CashierError> {
        let _turn = self.turn(org).await;
        let found = self.store().org(org).ok_or(BillingError::NoOrg(org))?;
        let now = self.0.parts.clock.now().wall;
        let open = self.store().unsettled_checkout(org).await?;
        if let Some(open) = open.filter(|open| !open.is_fresh(&plan, now)) {
            self.close(&open).await?;
        }
        if let Some(charging) = self.store().charging(org).await? {
            self.look(&charging).await?;
        }
        match self.store().buy_plan(actor, org, plan).await? {
            PlanChange::ToPay(checkout) if checkout.url.is_none() => self.collect(&found, checkout).await,
            change @ (PlanChange::ToPay(_) | PlanChange::InForce | PlanChange::Scheduled(_)) => Ok(change),
        }
    }

    /// Somebody came back from the page of a checkout: what is known there is so here.
    pub(crate) async fn returned(&self, org: OrgId, checkout: CheckoutId) -> Result<(), CashierError> {
        let _turn = self.turn(org).await;
        self.store().checkout(org, checkout).await?.ok_or(BillingError::NoCheckout(checkout))?;
        let payment = self.store().page_of(checkout).await?;
        match payment.filter(|payment| payment.state == PaymentState::Asked && payment.page.is_some()) {
            Some(payment) => Ok(self.look(&payment).await?),
            None => Ok(()),
        }
    }

    /// Where an organisation sees to its card.
    pub(crate) async fn portal(&self, org: OrgId) -> Result<String, CashierError> {
        let _turn = self.turn(org).await;
        let found = self.store().org(org).ok_or(BillingError::NoOrg(org))?;
        let (customer, _) = self.customer(&found).await?;
        Ok(self.charger().portal(&customer.ok_or(ChargeFault::NotHere)?).await?)
    }

    /// Whoever charges tells something.
    pub(crate) async fn hear(&self, signatures: &[&str], body: &[u8]) -> Result<Result<Settled, BillingError>, HearFault> {
        let heard = self.charger().hear(signatures, body, self.0.parts.clock.now().wall)?;
        Ok(match heard.about {
            None => Ok(Settled::Nothing),
            Some(About::Outcome(payment, outcome)) => self.store().settle(Some(heard.event), payment, outcome).await,
            Some(About::Reversal { payment, charge, reversal }) => self.store().reverse(heard.event, payment, charge, reversal).await,
        })
    }

    fn store(&self) -> &Store {
        &self.0.parts.store
    }

    fn charger(&self) -> &dyn Charger {
        &*self.0.parts.charger
    }

    /// One at a time for an organisation. Some organisations share a turn.
    async fn turn(&self, org: OrgId) -> MutexGuard<'_, ()> {
        let place = usize::try_from(org.bits() % (CASHIER_LOCKS as u128)).unwrap_or_default();
        self.0.turns[place].lock().await
    }

    /// Who an organisation is to whoever charges, and the card that is kept of it.
    async fn customer(&self, org: &Org) -> Result<(Option<String>, Option<String>), CashierError> {
        let before = self.store().customer(org.id).await?;
        if let Some(before) = &before {
            match self.charger().card(Some(before)).await {
                Ok(card) => return Ok((Some(before.clone()), card)),
                // As after the keys of another account were configured.
                Err(ChargeFault::UnknownCustomer) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        let customer = self.charger().introduce(org, before.as_deref()).await?;
        match &customer {
            Some(customer) => self.store().keep_customer(org.id, customer.clone()).await?,
            None => return Ok((None, self.charger().card(None).await?)),
        }
        Ok((customer, None))
    }

    /// What is due for a checkout is asked for.
    async fn collect(&self, org: &Org, mut checkout: Checkout) -> Result<PlanChange, CashierError> {
        let mut has_card = false;
        match self.ask(org, &checkout, &mut has_card).await {
            Ok(None) => Ok(PlanChange::InForce),
            Err(CashierError::Charge(ChargeFault::TooSmall)) => {
                self.store().carry_over(org.id, checkout.id, has_card).await?;
                Ok(PlanChange::InForce)
            }
            Ok(Some(page)) => {
                checkout.url = Some(page.url);
                Ok(PlanChange::ToPay(checkout))
            }
            Err(error) => {
                // Nobody was told of a page, so nobody pays there; a card of which nothing is known may have paid.
                if self.store().charging(org.id).await?.is_none() {
                    self.store().withdraw_checkout(org.id, checkout.id).await?;
                }
                Err(error)
            }
        }
    }

    /// The page where a checkout is paid; `None`: the card that is kept has paid it.
    async fn ask(&self, org: &Org, checkout: &Checkout, has_card: &mut bool) -> Result<Option<Page>, CashierError> {
        let (customer, card) = self.customer(org).await?;
        *has_card = card.is_some();
        if let Some(card) = card.filter(|_| self.charger().charges_kept_cards()) {
            let payment = self.store().ask_payment(org.id, checkout.id, Way::Card).await?;
            let bill = self.bill(payment, checkout, customer.clone());
            let (id, charged) = (bill.payment.id, self.charger().charge(&bill, &card).await);
            let outcome = match charged {
                Ok(Standing::Settled(outcome)) => outcome,
                // Not known, which is another thing than no.
                Ok(Standing::Open | Standing::NeverAsked) | Err(ChargeFault::Unreachable) => return Err(BillingError::Charging.into()),
                Err(ChargeFault::TooSmall) => return Err(ChargeFault::TooSmall.into()),
                Err(fault) => {
                    self.store().settle(None, id, Outcome::Failed).await?;
                    return Err(fault.into());
                }
            };
            if self.store().settle(None, id, outcome).await? == Settled::InForce {
                return Ok(None);
            }
        }
        let page = self.store().ask_payment(org.id, checkout.id, Way::Page).await?;
        let bill = self.bill(page, checkout, customer);
        let opened = self.charger().open_page(&bill).await?;
        self.store().page_opened(bill.payment, opened.name.clone(), opened.url.clone()).await?;
        Ok(Some(opened))
    }

    fn bill(&self, payment: Payment, checkout: &Checkout, customer: Option<String>) -> Bill {
        let catalogue = self.store().directory().catalogue();
        let plan = catalogue.plan(checkout.plan.as_str());
        let what = plan.map_or_else(|| checkout.plan.as_str().to_owned(), |plan| plan.name.clone());
        Bill { payment, customer, what, expires: checkout.expires, is_renewal: checkout.is_renewal }
    }

    /// Nobody can pay a checkout any more, unless it is paid already: then it is in force.
    async fn close(&self, checkout: &Checkout) -> Result<(), CashierError> {
        let Some(payment) = self.store().page_of(checkout.id).await?.filter(|payment| payment.state == PaymentState::Asked) else {
            return Ok(());
        };
        let outcome = if payment.page.is_some() { self.charger().close_page(&payment).await? } else { Outcome::Failed };
        self.store().settle(None, payment.id, outcome).await?;
        Ok(())
    }

    /// Asks what became of a payment, and does what that leaves to do.
    async fn look(&self, payment: &Payment) -> Result<(), CashierError> {
        let checkout = self.store().checkout(payment.org, payment.checkout).await?.ok_or(BillingError::NoCheckout(payment.checkout))?;
        let bill = self.bill(payment.clone(), &checkout, self.store().customer(payment.org).await?);
        match (payment.state, payment.way) {
            (PaymentState::Refunding, _) => {
                self.charger().refund(&bill).await?;
                self.store().refunded(payment.id).await?;
            }
            (PaymentState::Asked, Way::Card) => self.look_at_card(&bill, &checkout).await?,
            (PaymentState::Asked, Way::Page) => {
                let is_over = checkout.state != CheckoutState::Open || checkout.expires <= self.0.parts.clock.now().wall;
                let standing = match &payment.page {
                    None => Standing::Settled(Outcome::Failed),
                    Some(_) if is_over => Standing::Settled(self.charger().close_page(payment).await?),
                    Some(_) => self.charger().look(&bill).await?,
                };
                self.stands(payment, standing).await?;
            }
            (PaymentState::Paid, _) => {
                let standing = self.charger().look(&bill).await?;
                self.stands(payment, standing).await?;
            }
            (PaymentState::Failed | PaymentState::Refunded, _) => {}
        }
        Ok(())
    }

    /// A card is charged, or was and nothing is known of it.
    async fn look_at_card(&self, bill: &Bill, checkout: &Checkout) -> Result<(), CashierError> {
        let payment = &bill.payment;
        let is_new = payment.look_at == Some(payment.created);
        let mut standing = if is_new { Standing::NeverAsked } else { self.charger().look(bill).await? };
        if standing == Standing::NeverAsked {
            // A choice whose answer was that it failed is not charged later, nor what nobody wants any more.
            standing = if checkout.state != CheckoutState::Open || !checkout.is_renewal {
                Standing::Settled(Outcome::Failed)
            } else {
                match self.charger().card(bill.customer.as_deref()).await {
                    Ok(Some(card)) => match self.charger().charge(bill, &card).await {
                        Err(ChargeFault::TooSmall) => {
                            self.store().carry_over(payment.org, checkout.id, true).await?;
                            return Ok(());
                        }
                        charged => charged?,
                    },
                    Ok(None) | Err(ChargeFault::UnknownCustomer) => Standing::Settled(Outcome::Failed),
                    Err(fault) => return Err(fault.into()),
                }
            };
        }
        self.stands(payment, standing).await
    }

    async fn stands(&self, payment: &Payment, standing: Standing) -> Result<(), CashierError> {
        match standing {
            Standing::Settled(outcome) => {
                // Where there is no receipt it is asked for again.
                let lacks_receipt =
                    payment.state == PaymentState::Paid && !matches!(&outcome, Outcome::Paid(charged) if charged.receipt_url.is_some());
                if lacks_receipt {
                    self.store().look_again(payment.id).await?;
                } else {
                    self.store().settle(None, payment.id, outcome).await?;
                }
            }
            Standing::Open | Standing::NeverAsked => self.store().look_again(payment.id).await?,
        }
        Ok(())
    }
}
