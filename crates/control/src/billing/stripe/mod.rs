//! Stripe: customers, hosted Checkout, charges of the card that is kept, refunds, the portal. Every call that creates something carries an
//! Idempotency-Key made of our ids, and every object our payment's id. Subscriptions are not Stripe's matter but ours.

mod calls;
mod event;
mod objects;
mod signature;

use domain::{Org, UnixMicros};
use http::Uri;
use secrecy::SecretString;
use store::{Charged, Outcome, Payment, PaymentState, Way};

use super::{Bill, Called, ChargeFault, Charger, HearFault, Heard, Page, Standing};
use crate::caps::PAYMENTS_LOOKED_THROUGH;
use crate::form::{self, Form};
use crate::http_client::HttpClient;
use calls::{Api, Refusal};
use objects::{Customer, Intent, Link, List, Named, Session};

/// How Stripe is reached.
#[derive(Clone, Debug)]
pub struct StripeConfig {
    /// The secret key, `sk_…` or `rk_…`.
    pub secret_key: SecretString,
    /// The webhook's signing secret, `whsec_…`.
    pub webhook_secret: SecretString,
    /// Where its API is, without `/v1`.
    pub api_base: Uri,
    /// The currency of all prices: three small letters, with hundredths.
    pub currency: String,
    /// Where browsers reach this server.
    pub own_url: Uri,
}

/// Whoever charges is Stripe.
pub struct Stripe {
    api: Api,
    webhook_secret: SecretString,
    currency: String,
    own_url: String,
}

impl Stripe {
    /// `http`: how its API is called.
    pub fn new(config: StripeConfig, http: Box<dyn HttpClient>) -> Self {
        let StripeConfig { secret_key, webhook_secret, api_base, currency, own_url } = config;
        let own_url = own_url.to_string().trim_end_matches('/').to_owned();
        Self { api: Api::new(http, &api_base, secret_key), webhook_secret, currency, own_url }
    }

    async fn introduced(&self, org: &Org, before: Option<&str>) -> Result<Option<String>, ChargeFault> {
        let form = Form::new().with("name", &org.name).with("metadata[tidegate_org]", &org.id.to_string());
        let key = match before {
            None => format!("customer-{}", org.id),
            Some(before) => format!("customer-{}-after-{before}", org.id),
        };
        let made: Customer = self.api.post("/v1/customers", &form, &key).await.map_err(Refusal::into_fault)?;
        Ok(Some(made.id))
    }

    /// The card that the customer prefers, else the last that they gave.
    async fn kept_card(&self, customer: Option<&str>) -> Result<Option<String>, ChargeFault> {
        let Some(customer) = customer else { return Ok(None) };
        let found: Result<Customer, _> = self.api.get(&format!("/v1/customers/{}", form::encoded(customer)), &Form::new()).await;
        let found = match found {
            Ok(found) if found.deleted => return Err(ChargeFault::UnknownCustomer),
            Ok(found) => found,
            Err(refusal) if refusal.is_missing() => return Err(ChargeFault::UnknownCustomer),
            Err(refusal) => return Err(refusal.into_fault()),
        };
        if let Some(card) = found.invoice_settings.and_then(|settings| settings.default_payment_method) {
            return Ok(Some(card.into_id()));
        }
        let query = Form::new().with("customer", customer).with("type", "card").with("limit", "1");
        let cards: List<Named> = self.api.get("/v1/payment_methods", &query).await.map_err(Refusal::into_fault)?;
        Ok(cards.data.into_iter().next().map(|card| card.id))
    }

    async fn charged(&self, bill: &Bill, card: &str) -> Result<Standing, ChargeFault> {
        let Some(customer) = &bill.customer else { return Err(ChargeFault::UnknownCustomer) };
        let (id, cents) = (bill.payment.id.to_string(), bill.payment.amount.to_cents().to_string());
        let form = Form::new().with("amount", &cents).with("currency", &self.currency).with("customer", customer);
        let form = form.with("payment_method", card).with("payment_method_types[0]", "card").with("confirm", "true");
        let form = form.with("off_session", "true").with("metadata[tidegate_payment]", &id);
        let form = form.with("metadata[tidegate_org]", &bill.payment.org.to_string()).with("expand[]", "latest_charge");
        match self.api.post::<Intent>("/v1/payment_intents", &form, &id).await {
            Ok(intent) => Ok(self.of_card(intent).await),
            Err(refusal) if refusal.is_decline() => Ok(Standing::Settled(Outcome::Failed)),
            // With the card of today the call was another one: the first one's outcome is what counts.
            Err(refusal) if refusal.is_reused_key() => self.lost(bill, customer).await,
            Err(refusal) if refusal.is_final() && !refusal.is_too_small() => {
                refusal.log();
                Ok(Standing::Settled(Outcome::Failed))
            }
            Err(refusal) => Err(refusal.into_fault()),
        }
    }

    /// What a charge of a kept card came to. Whatever would need its owner now is taken back: nobody is there.
    async fn of_card(&self, intent: Intent) -> Standing {
        match intent.status.as_str() {
            "succeeded" => Standing::Settled(Outcome::Paid(self.of_intent(&intent))),
            "processing" => Standing::Open,
            "canceled" => Standing::Settled(Outcome::Failed),
            _ => {
                let path = format!("/v1/payment_intents/{}/cancel", form::encoded(&intent.id));
                let cancelled: Result<Intent, _> = self.api.post_again(&path, &Form::new()).await;
                match cancelled {
                    Ok(intent) if intent.status == "succeeded" => Standing::Settled(Outcome::Paid(self.of_intent(&intent))),
                    Ok(_) => Standing::Settled(Outcome::Failed),
                    Err(refusal) => {
                        refusal.log();
                        Standing::Open
                    }
                }
            }
        }
    }

    /// Looks for a payment among what the customer was charged.
    async fn lost(&self, bill: &Bill, customer: &str) -> Result<Standing, ChargeFault> {
        let query = Form::new().with("customer", customer).with("limit", &PAYMENTS_LOOKED_THROUGH.to_string());
        let query = query.with("expand[]", "data.latest_charge");
        let found: List<Intent> = self.api.get("/v1/payment_intents", &query).await.map_err(Refusal::into_fault)?;
        let id = bill.payment.id.to_string();
        let ours = found.data.into_iter().find(|intent| intent.metadata.tidegate_payment.as_deref() == Some(&id));
        match ours {
            Some(intent) => Ok(self.of_card(intent).await),
            None => Ok(Standing::NeverAsked),
        }
    }

    async fn opened(&self, bill: &Bill) -> Result<Page, ChargeFault> {
        let Payment { id, org, checkout, amount, .. } = &bill.payment;
        let Some(customer) = &bill.customer else { return Err(ChargeFault::UnknownCustomer) };
        let (id, org) = (id.to_string(), org.to_string());
        let back = |how: &str| format!("{}/?org={org}&checkout={checkout}&billing={how}", self.own_url);
        let form = Form::new().with("mode", "payment").with("customer", customer).with("client_reference_id", &org);
        let form = form.with("payment_method_types[0]", "card").with("line_items[0][quantity]", "1");
        let form = form.with("line_items[0][price_data][currency]", &self.currency);
        let form = form.with("line_items[0][price_data][unit_amount]", &amount.to_cents().to_string());
        let form = form.with("line_items[0][price_data][product_data][name]", &bill.what);
        let form = form.with("success_url", &back("returned")).with("cancel_url", &back("left"));
        let form = form.with("expires_at", &(bill.expires.0 / 1_000_000).to_string());
        let form = form.with("metadata[tidegate_payment]", &id).with("payment_intent_data[metadata][tidegate_payment]", &id);
        let form = form.with("payment_intent_data[metadata][tidegate_org]", &org);
        let form = form.with("payment_intent_data[setup_future_usage]", "off_session");
        let made: Session = self.api.post("/v1/checkout/sessions", &form, &id).await.map_err(Refusal::into_fault)?;
        let Some(url) = made.url else { return Err(ChargeFault::Refused) };
        Ok(Page { name: Some(made.id), url })
    }

    async fn closed(&self, payment: &Payment) -> Result<Outcome, ChargeFault> {
        let Some(page) = &payment.page else { return Ok(Outcome::Failed) };
        let path = format!("/v1/checkout/sessions/{}/expire", form::encoded(page));
        let expired: Result<Session, _> = self.api.post_again(&path, &Form::new()).await;
        match expired {
            Ok(_) => Ok(Outcome::Failed),
            // It is no longer open: paid, or expired.
            Err(refusal) if refusal.is_final() => match self.page_stands(page).await? {
                Standing::Settled(outcome) => Ok(outcome),
                Standing::NeverAsked => Ok(Outcome::Failed),
                Standing::Open => Err(ChargeFault::Unreachable),
            },
            Err(refusal) => Err(refusal.into_fault()),
        }
    }

    async fn page_stands(&self, page: &str) -> Result<Standing, ChargeFault> {
        let query = Form::new().with("expand[]", "payment_intent.latest_charge");
        match self.api.get::<Session>(&format!("/v1/checkout/sessions/{}", form::encoded(page)), &query).await {
            Ok(session) => Ok(self.of_session(&session)),
            Err(refusal) if refusal.is_missing() => {
                refusal.log();
                Ok(Standing::Settled(Outcome::Failed))
            }
            Err(refusal) => Err(refusal.into_fault()),
        }
    }

    async fn looked(&self, bill: &Bill) -> Result<Standing, ChargeFault> {
        let payment = &bill.payment;
        if payment.state == PaymentState::Paid
            && let Some(charge) = &payment.charge
        {
            let path = format!("/v1/payment_intents/{}", form::encoded(charge));
            let intent: Intent = self.api.get(&path, &Form::new().with("expand[]", "latest_charge")).await.map_err(Refusal::into_fault)?;
            return Ok(Standing::Settled(Outcome::Paid(self.of_intent(&intent))));
        }
        match (payment.way, &payment.page, &bill.customer) {
            (Way::Page, Some(page), _) => self.page_stands(page).await,
            (Way::Card, _, Some(customer)) => self.lost(bill, customer).await,
            (Way::Page, None, _) | (Way::Card, _, None) => Ok(Standing::NeverAsked),
        }
    }

    async fn given_back(&self, bill: &Bill) -> Result<(), ChargeFault> {
        let payment = &bill.payment;
        let charge = match &payment.charge {
            Some(charge) => charge.clone(),
            None => match self.looked(bill).await? {
                Standing::Settled(Outcome::Paid(Charged { charge: Some(charge), .. })) => charge,
                Standing::Settled(_) | Standing::Open | Standing::NeverAsked => return Err(ChargeFault::Refused),
            },
        };
        let form = Form::new().with("payment_intent", &charge).with("metadata[tidegate_payment]", &payment.id.to_string());
        match self.api.post::<Link>("/v1/refunds", &form, &format!("refund-{}", payment.id)).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.code() == "charge_already_refunded" => Ok(()),
            Err(refusal) => Err(refusal.into_fault()),
        }
    }

    async fn portal_of(&self, customer: &str) -> Result<String, ChargeFault> {
        let form = Form::new().with("customer", customer).with("return_url", &format!("{}/", self.own_url));
        let opened: Link = self.api.post_again("/v1/billing_portal/sessions", &form).await.map_err(Refusal::into_fault)?;
        opened.url.ok_or(ChargeFault::Refused)
    }
}

impl Charger for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn charges_kept_cards(&self) -> bool {
        true
    }

    fn introduce<'a>(&'a self, org: &'a Org, before: Option<&'a str>) -> Called<'a, Option<String>> {
        Box::pin(self.introduced(org, before))
    }

    fn card<'a>(&'a self, customer: Option<&'a str>) -> Called<'a, Option<String>> {
        Box::pin(self.kept_card(customer))
    }

    fn charge<'a>(&'a self, bill: &'a Bill, card: &'a str) -> Called<'a, Standing> {
        Box::pin(self.charged(bill, card))
    }

    fn open_page<'a>(&'a self, bill: &'a Bill) -> Called<'a, Page> {
        Box::pin(self.opened(bill))
    }

    fn close_page<'a>(&'a self, payment: &'a Payment) -> Called<'a, Outcome> {
        Box::pin(self.closed(payment))
    }

    fn look<'a>(&'a self, bill: &'a Bill) -> Called<'a, Standing> {
        Box::pin(self.looked(bill))
    }

    fn refund<'a>(&'a self, bill: &'a Bill) -> Called<'a, ()> {
        Box::pin(self.given_back(bill))
    }

    fn portal<'a>(&'a self, customer: &'a str) -> Called<'a, String> {
        Box::pin(self.portal_of(customer))
    }

    fn hear(&self, signatures: &[&str], body: &[u8], now: UnixMicros) -> Result<Heard, HearFault> {
        if !signature::is_theirs(signatures, body, &self.webhook_secret, now) {
            return Err(HearFault::Unsigned);
        }
        self.event(body).ok_or(HearFault::Unreadable)
    }
}
