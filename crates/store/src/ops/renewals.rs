//! What is due by itself: plans that were to change change, months are renewed, graces end. The card that is kept is charged by others; here
//! it is only asked for.

use domain::{Money, OrgId, PaymentId, Period, PlanId, UnixMicros, whole_cents};
use serde_json::json;

use super::people::note;
use crate::sql::{self, Database, Transaction};
use crate::store::Inner;
use crate::{Actor, BillingError, Checkout, CheckoutState, DatabaseFault, Payment, PaymentState, Store, Subscription, Way, caps};

impl Store {
    /// Does what is due at this moment: plans that were to change change, for others a payment is asked, and those that were not paid for
    /// leave their plan for `unpaid` when their grace is over. Returns how many it was about.
    pub async fn run_billing(&self, unpaid: PlanId) -> Result<usize, BillingError> {
        self.turn(move |inner| async move {
            let now = inner.now().wall;
            let mut connection = inner.database.reads.acquire().await.map_err(DatabaseFault::from)?;
            let due = sql::billing::due(&mut connection, now, caps::RENEWALS).await?;
            drop(connection);
            for subscription in &due {
                inner.renew(subscription, &unpaid, now).await?;
            }
            let mut transaction = inner.database.begin().await?;
            sql::payments::forget_events(&mut transaction, UnixMicros(now.0 - caps::EVENTS_KEPT_US)).await?;
            Database::commit(transaction).await?;
            Ok(due.len())
        })
        .await
    }
}

impl Inner {
    /// The month, or the grace, of a subscription is over, or its card is to be tried again.
    async fn renew(&self, subscription: &Subscription, unpaid: &PlanId, now: UnixMicros) -> Result<(), BillingError> {
        let Subscription { org, plan, next_plan, grace_until, renews, carried, .. } = subscription;
        let mut transaction = self.database.begin().await?;
        if self.live_org(*org).is_none() {
            sql::billing::end_subscription(&mut transaction, *org).await?;
            return Ok(Database::commit(transaction).await?);
        }
        if grace_until.is_some_and(|until| until <= now) {
            sql::billing::end_subscription(&mut transaction, *org).await?;
            let details = json!({"plan": plan, "effective_plan": unpaid});
            note(&mut transaction, Actor::System, "plan.unpaid", &org.to_string(), details, now).await?;
            return self.put_in_force(Actor::System, *org, plan, unpaid, transaction).await;
        }
        let next = next_plan.as_ref().unwrap_or(plan);
        let price = whole_cents(self.price(next).unwrap_or_default());
        if price.0 <= 0 {
            sql::billing::end_subscription(&mut transaction, *org).await?;
            return self.put_in_force(Actor::System, *org, next, next, transaction).await;
        }
        let checkout = Checkout { is_renewal: true, ..self.checkout(*org, next.clone(), (Money(0), *carried, price.plus(*carried))) };
        if !renews {
            self.past_due(&checkout, subscription, &mut transaction).await?;
            return Ok(Database::commit(transaction).await?);
        }
        if grace_until.is_some() && sql::billing::open_checkout(&mut transaction, *org, now).await?.is_some() {
            // Somebody may be paying it just now.
            let later = Subscription { try_at: Some(UnixMicros(now.0 + caps::CHECKOUT_US)), ..subscription.clone() };
            sql::billing::put_subscription(&mut transaction, &later).await?;
            return Ok(Database::commit(transaction).await?);
        }
        // What was to be paid less what was left of the month that is over, is not any more.
        sql::billing::void_checkouts(&mut transaction, *org).await?;
        sql::billing::insert_checkout(&mut transaction, &checkout).await?;
        sql::payments::insert(&mut transaction, &self.payment(&checkout, Way::Card, 0)).await?;
        Ok(Database::commit(transaction).await?)
    }

    /// A payment that is asked for from now on, and looked at after a while.
    pub(super) fn payment(&self, checkout: &Checkout, way: Way, wait_us: i64) -> Payment {
        let now = self.now().wall;
        let id = PaymentId::generate(now, self.entropy.as_ref());
        let Checkout { id: checkout, org, due, .. } = checkout;
        let (org, checkout, amount, state) = (*org, *checkout, *due, PaymentState::Asked);
        Payment {
            id,
            org,
            checkout,
            way,
            amount,
            state,
            page: None,
            charge: None,
            created: now,
            look_at: Some(UnixMicros(now.0 + wait_us)),
            refunded: Money(0),
            dispute: None,
        }
    }

    /// The next month was not paid: its plan stays in force for a while, in which the card is tried again once a day.
    pub(super) async fn past_due(
        &self,
        checkout: &Checkout,
        subscription: &Subscription,
        transaction: &mut Transaction,
    ) -> Result<(), DatabaseFault> {
        let Subscription { org, plan, period, grace_until, renews, .. } = subscription;
        let (org, now): (OrgId, _) = (*org, self.now().wall);
        let until = grace_until.unwrap_or(UnixMicros(period.end.0 + caps::GRACE_US));
        let try_at = renews.then_some(UnixMicros(now.0 + caps::RETRY_CHARGE_US));
        let late = Subscription { grace_until: Some(until), try_at, ..subscription.clone() };
        sql::billing::put_subscription(transaction, &late).await?;
        if grace_until.is_some() {
            let details = json!({"plan": plan, "until": until});
            return note(transaction, Actor::System, "plan.still_due", &org.to_string(), details, now).await;
        }
        let invoice = self.invoice(checkout, Period::month_from(period.end), false);
        sql::billing::insert_invoice(transaction, &invoice).await?;
        let details = json!({"plan": plan, "invoice": invoice.id, "until": until});
        note(transaction, Actor::System, "plan.past_due", &org.to_string(), details, now).await
    }

    /// The card was not charged for the next month.
    pub(super) async fn renewal_failed(&self, checkout: &Checkout, transaction: &mut Transaction) -> Result<(), DatabaseFault> {
        sql::billing::end_checkout(transaction, checkout.id, CheckoutState::Void).await?;
        match sql::billing::subscription(transaction, checkout.org).await? {
            Some(subscription) => self.past_due(checkout, &subscription, transaction).await,
            None => Ok(()),
        }
    }
}
