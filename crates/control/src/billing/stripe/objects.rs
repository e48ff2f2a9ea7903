//! What is read of Stripe's objects: as little as is needed, so that other versions of its API can be read as well.

use serde::Deserialize;
use store::{Charged, DisputeState, Outcome};

use super::Stripe;
use crate::billing::Standing;

/// Another object: its id, or all of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Other<T> {
    Id(String),
    Whole(T),
}

impl Other<Named> {
    pub(super) fn into_id(self) -> String {
        match self {
            Self::Id(id) => id,
            Self::Whole(whole) => whole.id,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Customer {
    pub(super) id: String,
    #[serde(default)]
    pub(super) deleted: bool,
    pub(super) invoice_settings: Option<InvoiceSettings>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct InvoiceSettings {
    pub(super) default_payment_method: Option<Other<Named>>,
}

/// Something of which only its name is read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

/// A charge of which something was given back.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GivenBack {
    amount_refunded: i64,
    currency: String,
    pub(super) payment_intent: Option<Other<Named>>,
    /// It has that of what was charged.
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// A dispute about a charge.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Dispute {
    status: String,
    pub(super) payment_intent: Option<Other<Named>>,
}

impl Dispute {
    /// What it came to.
    pub(super) fn state(&self) -> DisputeState {
        match self.status.as_str() {
            // The second: the bank only asked.
            "won" | "warning_closed" => DisputeState::Won,
            "lost" => DisputeState::Lost,
            _ => DisputeState::Open,
        }
    }
}

/// What somebody is led to, or nothing of which anything is read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Link {
    pub(super) url: Option<String>,
}

/// What of an object's metadata is ours.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Metadata {
    pub(super) tidegate_payment: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) amount_received: Option<i64>,
    pub(super) currency: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) metadata: Metadata,
    pub(super) latest_charge: Option<Other<Charge>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Charge {
    receipt_url: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    #[serde(default)]
    pub(super) payment_status: Option<String>,
    pub(super) amount_total: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) payment_intent: Option<Other<Intent>>,
    #[serde(default)]
    pub(super) metadata: Metadata,
}

impl Stripe {
    fn amount(&self, cents: i64, currency: &str) -> Option<domain::Money> {
        (currency == self.currency).then(|| domain::Money::of_cents(cents))
    }

    /// What was given back of a charge until now; `None`: in another currency.
    pub(super) fn given_back_of(&self, charge: &GivenBack) -> Option<domain::Money> {
        self.amount(charge.amount_refunded, &charge.currency)
    }

    /// What a charge that succeeded took.
    pub(super) fn of_intent(&self, intent: &Intent) -> Charged {
        let receipt_url = match &intent.latest_charge {
            Some(Other::Whole(charge)) => charge.receipt_url.clone(),
            Some(Other::Id(_)) | None => None,
        };
        let cents = intent.amount_received.unwrap_or(intent.amount);
        Charged { amount: self.amount(cents, &intent.currency), charge: Some(intent.id.clone()), receipt_url }
    }

    /// What a page that was paid took.
    fn of_paid_session(&self, session: &Session) -> Charged {
        let amount = session.amount_total.zip(session.currency.as_deref()).and_then(|(cents, currency)| self.amount(cents, currency));
        match &session.payment_intent {
            Some(Other::Whole(intent)) => Charged { amount, ..self.of_intent(intent) },
            Some(Other::Id(id)) => Charged { amount, charge: Some(id.clone()), receipt_url: None },
            None => Charged { amount, charge: None, receipt_url: None },
        }
    }

    pub(super) fn of_session(&self, session: &Session) -> Standing {
        match (session.status.as_deref(), session.payment_status.as_deref()) {
            (_, Some("paid")) => Standing::Settled(Outcome::Paid(self.of_paid_session(session))),
            (Some("expired"), _) => Standing::Settled(Outcome::Failed),
            _ => Standing::Open,
        }
    }
}
