//! What was asked of whoever charges, and what came of it. What is told twice, late or in another order changes nothing more: a payment goes
//! from asked to failed to paid and never back. It knows nobody who charges.

use domain::{CheckoutId, Money, OrgId, PaymentId, UnixMicros};
use serde_json::json;

use super::billing::Proof;
use super::people::note;
use crate::sql::{self, Database, Transaction};
use crate::store::Inner;
use crate::{AccountError, Actor, BillingError, Checkout, CheckoutState, DatabaseFault, DisputeState, Store, caps};

/// How something is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The card that is kept is charged.
    Card,
    /// Somebody pays on a page.
    Page,
}

impl Way {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Page => "page",
        }
    }

    pub(crate) fn of_str(text: &str) -> Option<Self> {
        [Self::Card, Self::Page].into_iter().find(|way| way.as_str() == text)
    }
}

/// How a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentState {
    /// Nobody knows yet what becomes of it.
    Asked,
    /// It was not paid; whoever charges may still be heard to say it was.
    Failed,
    /// It was paid, and what it was for is in force.
    Paid,
    /// It was paid when nothing was due any more: the money is to be given back.
    Refunding,
    /// The money was given back.
    Refunded,
}

impl PaymentState {
    const ALL: [Self; 5] = [Self::Asked, Self::Failed, Self::Paid, Self::Refunding, Self::Refunded];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Failed => "failed",
            Self::Paid => "paid",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }

    pub(crate) fn of_str(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What was asked of whoever charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its id, which whoever charges is told.
    pub id: PaymentId,
    /// Who is to pay.
    pub org: OrgId,
    /// What it is for.
    pub checkout: CheckoutId,
    /// How.
    pub way: Way,
    /// How much.
    pub amount: Money,
    /// How it stands.
    pub state: PaymentState,
    /// What its page is called by whoever charges.
    pub page: Option<String>,
    /// What the charge is called by whoever charges.
    pub charge: Option<String>,
    /// When it was asked for.
    pub created: UnixMicros,
    /// When it is to be asked what became of it; `None`: nothing is left to do.
    pub look_at: Option<UnixMicros>,
    /// What was given back of it where it was charged, without us.
    pub refunded: Money,
    /// How the dispute about it stands; `None`: there is none.
    pub dispute: Option<DisputeState>,
}

/// Money that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// How much; `None`: it was in another currency.
    pub amount: Option<Money>,
    /// What the charge is called by whoever charges.
    pub charge: Option<String>,
    /// Where its receipt is seen, where that is known.
    pub receipt_url: Option<String>,
}

/// What came of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was paid.
    Paid(Charged),
    /// It was not, and will not be.
    Failed,
}

/// What hearing an outcome changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing: it was known, or nobody here asked for it.
    Nothing,
    /// It was not paid.
    Failed,
    /// What was paid for is in force.
    InForce,
    /// The money is to be given back.
    Refunding,
    /// Money was given back elsewhere, or is disputed.
    Reversed,
}

impl Store {
    /// Asks for a checkout to be paid in this way. What is asked is kept before anybody is told, so that nothing is lost.
    pub async fn ask_payment(&self, org: OrgId, checkout: CheckoutId, way: Way) -> Result<Payment, BillingError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let checkout = sql::billing::checkout(&mut transaction, org, checkout).await?.ok_or(BillingError::NoCheckout(checkout))?;
            if checkout.state != CheckoutState::Open {
                return Err(BillingError::Over);
            }
            let asked = sql::payments::of_checkout(&mut transaction, checkout.id, way).await?;
            if let Some(asked) = asked.filter(|asked| asked.state == PaymentState::Asked) {
                return Ok(asked);
            }
            let payment = inner.payment(&checkout, way, caps::CHARGE_LOOK_US);
            sql::payments::insert(&mut transaction, &payment).await?;
            Database::commit(transaction).await?;
            Ok(payment)
        })
        .await
    }

    /// There is a page for a payment now. `None` for its name: nobody elsewhere keeps it.
    pub async fn page_opened(&self, mut payment: Payment, page: Option<String>, url: String) -> Result<(), AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            payment.look_at = page.as_ref().map(|_| UnixMicros(inner.now().wall.0 + caps::PAYMENT_LOOK_US));
            payment.page = page;
            sql::payments::update(&mut transaction, &payment).await?;
            sql::billing::put_url(&mut transaction, payment.checkout, bounded(&url)).await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }

    /// A checkout could not be asked for: nobody is to pay it.
    pub async fn withdraw_checkout(&self, org: OrgId, id: CheckoutId) -> Result<(), AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            if let Some(page) =
                sql::payments::of_checkout(&mut transaction, id, Way::Page).await?.filter(|p| p.state == PaymentState::Asked)
            {
                let failed = Payment { state: PaymentState::Failed, look_at: None, ..page };
                sql::payments::update(&mut transaction, &failed).await?;
            }
            let checkout = sql::billing::checkout(&mut transaction, org, id).await?;
            if checkout.is_some_and(|checkout| checkout.state == CheckoutState::Open) {
                sql::billing::end_checkout(&mut transaction, id, CheckoutState::Void).await?;
            }
            Ok(Database::commit(transaction).await?)
        })
        .await
    }

    /// The payment that a checkout's page is for.
    pub async fn page_of(&self, checkout: CheckoutId) -> Result<Option<Payment>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::payments::of_checkout(&mut connection, checkout, Way::Page).await?)
    }

    /// The checkout of an organisation that is to be paid, also if its time is over.
    pub async fn unsettled_checkout(&self, org: OrgId) -> Result<Option<Checkout>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::billing::unsettled_checkout(&mut connection, org).await?)
    }

    /// The charge of an organisation's card of which nothing is known yet.
    pub async fn charging(&self, org: OrgId) -> Result<Option<Payment>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::payments::charging(&mut connection, org).await?)
    }

    /// A checkout of this organisation.
    pub async fn checkout(&self, org: OrgId, id: CheckoutId) -> Result<Option<Checkout>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::billing::checkout(&mut connection, org, id).await?)
    }

    /// What is to be looked at by now.
    pub async fn payments_to_look_at(&self) -> Result<Vec<Payment>, AccountError> {
        Ok(sql::payments::to_look_at(&self.inner.database.reads, self.inner.now().wall, caps::RENEWALS).await?)
    }

    /// Whatever isn't settled is to be looked at now: something may have been missed while nothing ran.
    pub async fn look_at_all_payments(&self) -> Result<(), AccountError> {
        self.turn(|inner| async move {
            let mut transaction = inner.database.begin().await?;
            sql::payments::look_at_all(&mut transaction).await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }

    /// Nothing is known yet of a payment: it is looked at again later.
    pub async fn look_again(&self, payment: PaymentId) -> Result<(), AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            if let Some(mut payment) = sql::payments::get(&mut transaction, payment).await? {
                let (now, is_slow) = (inner.now().wall.0, payment.way == Way::Page && payment.state != PaymentState::Refunding);
                let wait = if is_slow { caps::PAYMENT_LOOK_US } else { caps::CHARGE_LOOK_US };
                // A receipt that can't be had for a day is done without.
                let is_given_up = payment.state == PaymentState::Paid && now - payment.created.0 > caps::RETRY_CHARGE_US;
                payment.look_at = (!is_given_up).then_some(UnixMicros(now + wait));
                sql::payments::update(&mut transaction, &payment).await?;
            }
            Ok(Database::commit(transaction).await?)
        })
        .await
    }

    /// The money of a payment was given back.
    pub async fn refunded(&self, payment: PaymentId) -> Result<(), AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            if let Some(payment) = sql::payments::get(&mut transaction, payment).await?.filter(|p| p.state == PaymentState::Refunding) {
                let details = json!({"payment": payment.id, "checkout": payment.checkout, "charge": payment.charge});
                let org = payment.org.to_string();
                note(&mut transaction, Actor::System, "payment.refunded", &org, details, inner.now().wall).await?;
                let payment = Payment { state: PaymentState::Refunded, look_at: None, ..payment };
                sql::payments::update(&mut transaction, &payment).await?;
            }
            Ok(Database::commit(transaction).await?)
        })
        .await
    }

    /// An outcome was heard, in the event of this name or because it was asked for. It has its effect once, in one transaction with what is
    /// kept of it.
    pub async fn settle(&self, event: Option<String>, id: PaymentId, outcome: Outcome) -> Result<Settled, BillingError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            if let Some(event) = event
                && !sql::payments::hear(&mut transaction, bounded(&event), inner.now().wall).await?
            {
                return Ok(Settled::Nothing);
            }
            let Some(payment) = sql::payments::get(&mut transaction, id).await? else {
                Database::commit(transaction).await?;
                return Ok(Settled::Nothing);
            };
            match (payment.state, outcome) {
                (PaymentState::Asked, Outcome::Failed) => inner.payment_failed(payment, transaction).await,
                (PaymentState::Asked | PaymentState::Failed, Outcome::Paid(charged)) => inner.paid(payment, charged, transaction).await,
                (PaymentState::Paid, Outcome::Paid(charged)) => {
                    if let Some(url) = &charged.receipt_url {
                        sql::billing::put_receipt(&mut transaction, id, bounded(url)).await?;
                        sql::payments::update(&mut transaction, &Payment { look_at: None, ..payment }).await?;
                    }
                    Database::commit(transaction).await?;
                    Ok(Settled::Nothing)
                }
                (PaymentState::Failed | PaymentState::Paid, Outcome::Failed) | (PaymentState::Refunding | PaymentState::Refunded, _) => {
                    Database::commit(transaction).await?;
                    Ok(Settled::Nothing)
                }
            }
        })
        .await
    }

    /// Who an organisation is to whoever charges.
    pub async fn customer(&self, org: OrgId) -> Result<Option<String>, AccountError> {
        let mut connection = self.inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
        Ok(sql::payments::customer(&mut connection, org).await?)
    }

    /// Keeps who it is.
    pub async fn keep_customer(&self, org: OrgId, customer: String) -> Result<(), AccountError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            sql::payments::put_customer(&mut transaction, org, bounded(&customer)).await?;
            Ok(Database::commit(transaction).await?)
        })
        .await
    }
}

impl Inner {
    async fn payment_failed(&self, payment: Payment, mut transaction: Transaction) -> Result<Settled, BillingError> {
        let checkout = sql::billing::checkout(&mut transaction, payment.org, payment.checkout).await?;
        let failed = Payment { state: PaymentState::Failed, look_at: None, ..payment };
        sql::payments::update(&mut transaction, &failed).await?;
        if let Some(checkout) = checkout.filter(|checkout| checkout.state == CheckoutState::Open) {
            if checkout.is_renewal {
                self.renewal_failed(&checkout, &mut transaction).await?;
            } else if failed.way == Way::Page {
                sql::billing::end_checkout(&mut transaction, checkout.id, CheckoutState::Void).await?;
            } else {
                let details = json!({"checkout": checkout.id, "plan": checkout.plan, "payment": failed.id, "amount": failed.amount});
                note(&mut transaction, Actor::System, "payment.declined", &checkout.org.to_string(), details, self.now().wall).await?;
            }
        }
        Database::commit(transaction).await?;
        Ok(Settled::Failed)
    }

    async fn paid(&self, payment: Payment, charged: Charged, mut transaction: Transaction) -> Result<Settled, BillingError> {
        let now = self.now().wall;
        let checkout = sql::billing::checkout(&mut transaction, payment.org, payment.checkout).await?;
        let charge = charged.charge.as_deref().map(|charge| bounded(charge).to_owned()).or(payment.charge.clone());
        let payment = Payment { charge, ..payment };
        let due = match self.why_not_due(&payment, checkout, charged.amount, &mut transaction).await? {
            Ok(due) => due,
            Err(why) => {
                let org = payment.org.to_string();
                tracing::warn!(%org, payment = %payment.id, why, "a payment is given back");
                let details = json!({"payment": payment.id, "checkout": payment.checkout, "charge": payment.charge, "why": why});
                note(&mut transaction, Actor::System, "payment.refund", &org, details, now).await?;
                let refunding = Payment { state: PaymentState::Refunding, look_at: Some(now), ..payment };
                sql::payments::update(&mut transaction, &refunding).await?;
                Database::commit(transaction).await?;
                return Ok(Settled::Refunding);
            }
        };
        // Where the receipt is unknown it is asked for by and by.
        let has_receipt = payment.charge.is_some() || payment.page.is_some();
        let look_at = (has_receipt && charged.receipt_url.is_none()).then_some(now);
        let (id, receipt_url) = (payment.id, charged.receipt_url.map(|url| bounded(&url).to_owned()));
        sql::payments::update(&mut transaction, &Payment { state: PaymentState::Paid, look_at, ..payment }).await?;
        self.apply(Actor::System, &due, Proof { renews: true, payment: Some(id), receipt_url, is_carried: false }, transaction).await?;
        Ok(Settled::InForce)
    }

    /// The checkout that a payment pays; or why there is none, for people.
    async fn why_not_due(
        &self,
        payment: &Payment,
        checkout: Option<Checkout>,
        amount: Option<Money>,
        transaction: &mut Transaction,
    ) -> Result<Result<Checkout, &'static str>, DatabaseFault> {
        let Some(checkout) = checkout else { return Ok(Err("nothing was to be paid")) };
        let catalogue = self.directory.catalogue_now();
        let subscription = sql::billing::subscription(transaction, payment.org).await?;
        Ok(if payment.refunded >= payment.amount {
            Err("it was given back before it was known here")
        } else if amount != Some(payment.amount) {
            Err("another amount or currency was paid than was due")
        } else if checkout.state != CheckoutState::Open {
            Err("it was paid already, or another choice has taken its place")
        } else if self.live_org(payment.org).is_none() {
            Err("the organisation was deleted")
        } else if catalogue.plan(checkout.plan.as_str()).is_none() {
            Err("the plan was deleted")
        } else if self.month_of(&checkout, subscription.as_ref()).is_none() {
            Err("there is nothing to renew any more")
        } else {
            Ok(checkout)
        })
    }
}

/// As much of a text as is kept.
pub(super) fn bounded(text: &str) -> &str {
    text.char_indices().nth(caps::MAX_CHARGER_TEXT).map_or(text, |(end, _)| &text[..end])
}
