//! What becomes of payments that were made, elsewhere: the operator gives money back there, or a card's owner disputes a charge. It is told
//! here, to members and operators; only a dispute that is lost costs the plan. What is told twice or late changes nothing more.

use domain::{Money, PaymentId, Period, UnixMicros};
use serde_json::json;

use super::payments::bounded;
use super::people::note;
use crate::sql::{self, Database, Transaction};
use crate::store::Inner;
use crate::{Actor, BillingError, DatabaseFault, Payment, PaymentState, Settled, Store, Subscription, caps};

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeState {
    /// It isn't decided.
    Open,
    /// The money stays.
    Won,
    /// The money is gone.
    Lost,
}

impl DisputeState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    pub(crate) fn of_str(text: &str) -> Option<Self> {
        [Self::Open, Self::Won, Self::Lost].into_iter().find(|state| state.as_str() == text)
    }

    /// Whether it can come after that.
    fn follows(self, before: Option<Self>) -> bool {
        match before {
            None => true,
            Some(Self::Open) => self != Self::Open,
            Some(Self::Won | Self::Lost) => false,
        }
    }
}

/// What became of a payment that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reversal {
    /// So much of it was given back until now.
    Refunded(Money),
    /// It is disputed, or was.
    Disputed(DisputeState),
}

impl Store {
    /// Something became of a payment, as the event of this name tells. It is known by its id, or by what its charge is called.
    pub async fn reverse(
        &self,
        event: String,
        payment: Option<PaymentId>,
        charge: Option<String>,
        reversal: Reversal,
    ) -> Result<Settled, BillingError> {
        self.turn(move |inner| async move {
            let mut transaction = inner.database.begin().await?;
            let found = match (payment, charge) {
                (Some(payment), _) => sql::payments::get(&mut transaction, payment).await?,
                (None, Some(charge)) => sql::payments::of_charge(&mut transaction, bounded(&charge)).await?,
                (None, None) => None,
            };
            let Some(payment) = found else { return Ok(Settled::Nothing) };
            if !sql::payments::hear(&mut transaction, bounded(&event), inner.now().wall).await? {
                return Ok(Settled::Nothing);
            }
            let changed = match reversal {
                Reversal::Refunded(amount) => inner.refunded_there(payment, amount, &mut transaction).await?,
                Reversal::Disputed(state) => inner.disputed(payment, state, &mut transaction).await?,
            };
            Database::commit(transaction).await?;
            Ok(if changed { Settled::Reversed } else { Settled::Nothing })
        })
        .await
    }
}

impl Inner {
    /// The plan stays as it is: whoever gave the money back knows why, and changes it if it is to.
    async fn refunded_there(&self, payment: Payment, amount: Money, transaction: &mut Transaction) -> Result<bool, DatabaseFault> {
        // What is given back from here is known.
        let is_ours = matches!(payment.state, PaymentState::Refunding | PaymentState::Refunded);
        if is_ours || amount <= payment.refunded {
            return Ok(false);
        }
        let (org, id, of) = (payment.org.to_string(), payment.id, payment.amount);
        tracing::warn!(%org, payment = %id, amount = %amount, of = %of, "money of a payment was given back where it was charged; its plan is as it was");
        let details = json!({"payment": id, "charge": payment.charge, "amount": amount, "of": of});
        note(transaction, Actor::System, "payment.refunded_elsewhere", &org, details, self.now().wall).await?;
        sql::payments::update(transaction, &Payment { refunded: amount, ..payment }).await?;
        Ok(true)
    }

    async fn disputed(&self, payment: Payment, state: DisputeState, transaction: &mut Transaction) -> Result<bool, DatabaseFault> {
        if !state.follows(payment.dispute) {
            return Ok(false);
        }
        let (org, id, now) = (payment.org.to_string(), payment.id, self.now().wall);
        match state {
            DisputeState::Open => tracing::warn!(%org, payment = %id, "a payment is disputed: answer where it was charged"),
            DisputeState::Won => tracing::info!(%org, payment = %id, "a dispute about a payment is won"),
            DisputeState::Lost => tracing::warn!(%org, payment = %id, "a dispute about a payment is lost: what it paid is due again"),
        }
        let details = json!({"payment": id, "charge": payment.charge, "amount": payment.amount, "state": state.as_str()});
        note(transaction, Actor::System, "payment.disputed", &org, details, now).await?;
        if state == DisputeState::Lost {
            self.unpaid_again(&payment, now, transaction).await?;
        }
        sql::payments::update(transaction, &Payment { dispute: Some(state), ..payment }).await?;
        Ok(true)
    }

    /// The month that a payment paid for was not paid after all. If it runs, it is over now: the plan stays in force for a week, in which it
    /// can be paid anew. The card isn't charged again by itself: its owner has said no.
    async fn unpaid_again(&self, payment: &Payment, now: UnixMicros, transaction: &mut Transaction) -> Result<(), DatabaseFault> {
        let Some(invoice) = sql::billing::invoice_of(transaction, payment.id).await? else { return Ok(()) };
        sql::billing::unpay_invoice(transaction, invoice.id).await?;
        let Some(subscription) = sql::billing::subscription(transaction, payment.org).await? else { return Ok(()) };
        if (&subscription.plan, subscription.period) != (&invoice.plan, invoice.period) {
            return Ok(());
        }
        let until = subscription.grace_until.unwrap_or(UnixMicros(now.0 + caps::GRACE_US));
        let period = Period { end: subscription.period.end.min(now), ..subscription.period };
        let details = json!({"plan": subscription.plan, "invoice": invoice.id, "until": until});
        let late = Subscription { period, grace_until: Some(until), renews: false, try_at: None, ..subscription };
        sql::billing::put_subscription(transaction, &late).await?;
        note(transaction, Actor::System, "plan.past_due", &payment.org.to_string(), details, now).await
    }
}
