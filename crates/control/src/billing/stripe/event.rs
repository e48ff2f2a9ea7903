//! What Stripe's events say of our payments. Its word in them counts as it does when asked, since it is signed; whatever else it tells is
//! taken and forgotten.

use serde::Deserialize;
use serde_json::value::RawValue;
use store::Outcome;

use super::Stripe;
use super::objects::{Intent, Session};
use crate::billing::{Heard, Standing};

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
                session.metadata.tidegate_payment.zip(outcome)
            }
            "payment_intent.succeeded" => {
                let intent: Intent = serde_json::from_str(object).ok()?;
                let outcome = Outcome::Paid(self.of_intent(&intent));
                intent.metadata.tidegate_payment.map(|payment| (payment, outcome))
            }
            _ => None,
        };
        // A payment of another installation that shares the account has an id that isn't ours, or is unknown here.
        let about = about.and_then(|(payment, outcome)| Some((payment.parse().ok()?, outcome)));
        Some(Heard { event: id, about })
    }
}
