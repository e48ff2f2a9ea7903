//! Who charges, and what the control plane asks of them. Plans, months, credits and graces are not theirs: they move money, and say what
//! became of it.

mod cashier;
mod manual;
mod stripe;
mod test;

use std::pin::Pin;

use domain::{Org, PaymentId, UnixMicros};
use store::{ErrorClass, OperationError, Outcome, Payment, Reversal};

pub(crate) use cashier::CashierError;
pub use cashier::{Cashier, CashierParts};
pub use manual::Manual;
pub use stripe::{Stripe, StripeConfig};
pub use test::TestCards;

/// What a call to somebody who charges gives, some time.
pub type Called<'a, T> = Pin<Box<dyn Future<Output = Result<T, ChargeFault>> + Send + 'a>>;

/// What is to be paid, as whoever charges is told.
#[derive(Clone, Debug)]
pub struct Bill {
    /// What was asked for, and how much.
    pub payment: Payment,
    /// Who the organisation is to them; `None`: they know nobody.
    pub customer: Option<String>,
    /// What it is for, for people: the plan's name.
    pub what: String,
    /// It can be paid until before this moment.
    pub expires: UnixMicros,
    /// Whether it is the next month of a plan, which nobody has to choose.
    pub is_renewal: bool,
}

/// A page where something is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is called there; `None`: it is a page of this server.
    pub name: Option<String>,
    /// Its address.
    pub url: String,
}

/// How a payment stands with whoever charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They never heard of it.
    NeverAsked,
    /// It isn't decided.
    Open,
    /// It is.
    Settled(Outcome),
}

/// Why whoever charges did not do what they were asked for. The text is for whoever wanted to pay, and says nothing of what they answered:
/// that is logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChargeFault {
    /// They can't be reached, or don't know yet.
    #[error("payments can't be taken at this moment; nothing was changed, try again in a minute")]
    Unreachable,
    /// They refuse this, which is for the operator to mend.
    #[error("the payment service refuses this; the operator of this server has to look at its log")]
    Refused,
    /// It is less than they take.
    #[error("this is less than the payment service takes; it is charged with the next invoice")]
    TooSmall,
    /// They don't know the customer (any more).
    #[error("the payment service doesn't know this organisation any more; try again")]
    UnknownCustomer,
    /// It is nothing that they do.
    #[error("there is no payment service here that does this")]
    NotHere,
}

impl OperationError for ChargeFault {
    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Unreachable | Self::Refused | Self::TooSmall | Self::UnknownCustomer => ErrorClass::Unavailable,
            Self::NotHere => ErrorClass::Conflict,
        }
    }
}

/// Something that whoever charges tells of their own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its name, the same each time it is told.
    pub event: String,
    /// What it is about; `None`: nothing that matters here.
    pub about: Option<About>,
}

/// What they tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// What became of a payment that was asked for.
    Outcome(PaymentId, Outcome),
    /// What became of one that was made.
    Reversal {
        /// Its id, where they know it.
        payment: Option<PaymentId>,
        /// What they call the charge.
        charge: Option<String>,
        /// What it was.
        reversal: Reversal,
    },
}

/// Why something is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HearFault {
    /// Nobody here tells anything.
    #[error("no payment service is heard here")]
    NotHere,
    /// The signature is missing, too old, or not theirs.
    #[error("the signature is missing, is older than 5 minutes, or is not that of the payment service")]
    Unsigned,
    /// It is signed, and can't be read.
    #[error("the event can't be read")]
    Unreadable,
}

/// Whoever charges. Every call that creates something may be repeated with the same [`Payment`]: it is done once.
pub trait Charger: Send + Sync {
    /// The name as configuration and API write it.
    fn name(&self) -> &'static str;

    /// Whether plans with a price are sold; else operators grant them.
    fn sells(&self) -> bool {
        true
    }

    /// Whether a card that is kept is charged when its owner chooses a plan.
    fn charges_kept_cards(&self) -> bool {
        false
    }

    /// Makes an organisation known. `before`: who it was, which is known no more. Gives who it is; `None`: they know nobody.
    fn introduce<'a>(&'a self, _org: &'a Org, _before: Option<&'a str>) -> Called<'a, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    /// The card that is kept of a customer.
    fn card<'a>(&'a self, customer: Option<&'a str>) -> Called<'a, Option<String>>;

    /// Charges it.
    fn charge<'a>(&'a self, bill: &'a Bill, card: &'a str) -> Called<'a, Standing>;

    /// Opens a page where somebody pays.
    fn open_page<'a>(&'a self, bill: &'a Bill) -> Called<'a, Page>;

    /// Closes it, so that nobody can pay there any more; or says what was paid.
    fn close_page<'a>(&'a self, payment: &'a Payment) -> Called<'a, Outcome>;

    /// How a payment stands.
    fn look<'a>(&'a self, bill: &'a Bill) -> Called<'a, Standing>;

    /// Gives the money of a payment back, once.
    fn refund<'a>(&'a self, _bill: &'a Bill) -> Called<'a, ()> {
        Box::pin(async { Err(ChargeFault::NotHere) })
    }

    /// The page where a customer sees to their card.
    fn portal<'a>(&'a self, _customer: &'a str) -> Called<'a, String> {
        Box::pin(async { Err(ChargeFault::NotHere) })
    }

    /// Reads what they tell, if it is they who tell it.
    fn hear(&self, _signatures: &[&str], _body: &[u8], _now: UnixMicros) -> Result<Heard, HearFault> {
        Err(HearFault::NotHere)
    }
}
