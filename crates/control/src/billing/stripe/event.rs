//! What Stripe's events say of our payments. Its word in them counts as it does when asked, since it is signed; whatever else it tells is
//! taken and forgotten.

use serde::Deserialize;
use serde_json::value::RawValue;
use store::{Outcome, Reversal};

use super::Stripe;
use super::objects::{Dispute, GivenBack, Intent, Other, Session};
use crate::billing::{About, Heard, Standing};

#[derive(Deserialize)]
struct Event<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: &'a RawValue,
}

impl Stripe {
    /// `None`: it is no event.
    pub(super) fn event(&self, body: &[u8]) -> Option<Heard> {
        let Event { id, kind, data } = serde_json::from_slice(body).ok()?;
        let object = data.object.get();
        let about = match kind.as_str() {
            "checkout.session.completed"
            | "checkout.session.async_payment_succeeded"
            | "checkout.session.async_payment_failed"
            | "checkout.session.expired" => {
                let session: Session = serde_json::from_str(object).ok()?;
                let failed = kind == "checkout.session.async_payment_failed";
                let outcome = match self.of_session(&session) {
                    Standing::Settled(outcome) => Some(outcome),
                    Standing::Open | Standing::NeverAsked => failed.then_some(Outcome::Failed),
                };
                // A payment of another installation that shares the account has an id that isn't ours, or is unknown here.
                let payment = session.metadata.tidegate_payment.and_then(|payment| payment.parse().ok());
                payment.zip(outcome).map(|(payment, outcome)| About::Outcome(payment, outcome))
            }
            "payment_intent.succeeded" => {
                let intent: Intent = serde_json::from_str(object).ok()?;
                let outcome = Outcome::Paid(self.of_intent(&intent));
                let payment = intent.metadata.tidegate_payment.and_then(|payment| payment.parse().ok());
                payment.map(|payment| About::Outcome(payment, outcome))
            }
            "charge.refunded" => {
                let charge: GivenBack = serde_json::from_str(object).ok()?;
                let payment = charge.metadata.tidegate_payment.as_deref().and_then(|payment| payment.parse().ok());
                let amount = self.given_back_of(&charge);
                let charge = charge.payment_intent.map(Other::into_id);
                amount.map(|amount| About::Reversal { payment, charge, reversal: Reversal::Refunded(amount) })
            }
            "charge.dispute.created" | "charge.dispute.updated" | "charge.dispute.closed" => {
                let dispute: Dispute = serde_json::from_str(object).ok()?;
                let reversal = Reversal::Disputed(dispute.state());
                Some(About::Reversal { payment: None, charge: dispute.payment_intent.map(Other::into_id), reversal })
            }
            _ => None,
        };
        Some(Heard { event: id, about })
    }
}
