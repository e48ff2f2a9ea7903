//! A small Stripe of our own: customers, hosted Checkout, charges of kept cards, refunds, the portal, signed events, idempotency. It has no
//! network: a test hands it requests, by whatever way they came. What it is asked wrongly it refuses, as Stripe does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::form::form_pairs;

/// A card that pays.
pub const CARD_PAYS: &str = "4242424242424242";
/// A card that its bank declines.
pub const CARD_DECLINED: &str = "4000000000000002";
/// A card that pays while its owner is there, and is declined afterwards.
pub const CARD_PAYS_ONCE: &str = "4000000000000341";

type Form = BTreeMap<String, String>;
type Reply = (u16, Value);

/// What is wrong with it for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// It does nothing and says 503.
    Down,
    /// It does what it is told and says 500: the answer got lost.
    Mute,
    /// The same where cards are charged.
    MuteCharges,
}

/// The whole of it.
#[derive(Debug)]
pub struct FakeStripe {
    secret_key: String,
    webhook_secret: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    made: u64,
    trouble: Trouble,
    customers: BTreeMap<String, Value>,
    cards: BTreeMap<String, (String, String)>,
    sessions: BTreeMap<String, Value>,
    intents: BTreeMap<String, Value>,
    refunds: Vec<Value>,
    answers: HashMap<String, (String, Reply)>,
    calls: Vec<String>,
}

impl FakeStripe {
    /// One with these secrets.
    pub fn new(secret_key: &str, webhook_secret: &str) -> Self {
        Self { secret_key: secret_key.into(), webhook_secret: webhook_secret.into(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it is so.
    pub fn is_in(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    /// Answers a request. `now`: seconds since 1970, which sessions are held against.
    pub fn answer(&self, method: &str, target: &str, header: impl Fn(&str) -> Option<String>, body: &str, now: i64) -> Reply {
        if header("authorization") != Some(format!("Bearer {}", self.secret_key)) {
            return refused(401, "invalid_request_error", None);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut state = self.state();
        state.calls.push(format!("{method} {path}"));
        if state.trouble == Trouble::Down {
            return refused(503, "api_error", None);
        }
        let form = form_pairs(if method == "GET" { query } else { body });
        let key = header("idempotency-key");
        let said = format!("{path} {body}");
        let known = key.as_ref().and_then(|key| state.answers.get(key).cloned());
        let reply = match known {
            Some((before, reply)) if before == said => reply,
            Some(_) => return refused(400, "idempotency_error", None),
            None => {
                let reply = state.call(method, path, &form, now);
                if let Some(key) = key.filter(|_| method == "POST") {
                    state.answers.insert(key, (said, reply.clone()));
                }
                reply
            }
        };
        let is_lost = match state.trouble {
            Trouble::None | Trouble::Down => false,
            Trouble::Mute => true,
            Trouble::MuteCharges => method == "POST" && path == "/v1/payment_intents",
        };
        if is_lost { refused(500, "api_error", None) } else { reply }
    }

    /// What it was asked so far: `METHOD PATH`.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    /// Somebody pays on a page. The events that this makes; `Err`: declined, or the page is closed.
    ///
    /// # Errors
    /// Why it was not paid.
    pub fn pay(&self, session: &str, card: &str, now: i64) -> Result<Vec<Value>, &'static str> {
        let mut state = self.state();
        let mut found = state.sessions.get(session).cloned().ok_or("no such page")?;
        if found["status"] != "open" || found["expires_at"].as_i64().unwrap_or(0) <= now {
            return Err("the page is closed");
        }
        if card == CARD_DECLINED {
            return Err("declined");
        }
        let customer = text(&found["customer"]);
        let card_id = state.keep_card(&customer, card);
        let metadata = found["payment_intent_metadata"].clone();
        let intent = state.intent(&customer, &card_id, &found["amount_total"], &found["currency"], "succeeded", metadata);
        let charged = intent["id"].clone();
        for (member, value) in [("status", json!("complete")), ("payment_status", json!("paid")), ("payment_intent", charged)] {
            found[member] = value;
        }
        state.sessions.insert(session.into(), found.clone());
        Ok(vec![state.event("payment_intent.succeeded", &intent), state.event("checkout.session.completed", &found)])
    }

    /// A customer gives a card, as in the portal: it is the one they prefer from now on.
    pub fn give_card(&self, customer: &str, card: &str) {
        let mut state = self.state();
        let id = state.keep_card(customer, card);
        if let Some(found) = state.customers.get_mut(customer) {
            found["invoice_settings"]["default_payment_method"] = json!(id);
        }
    }

    /// Forgets every customer, as another account would know none.
    pub fn forget_customers(&self) {
        self.state().customers.clear();
    }

    /// The customers, by id.
    pub fn customers(&self) -> Vec<Value> {
        self.state().customers.values().cloned().collect()
    }

    /// The pages, oldest first.
    pub fn sessions(&self) -> Vec<Value> {
        self.state().sessions.values().cloned().collect()
    }

    /// What was taken in all, less what was given back, in cents.
    pub fn taken(&self) -> i64 {
        let state = self.state();
        let cents = |value: &Value| value["amount"].as_i64().unwrap_or(0);
        let taken: i64 = state.intents.values().filter(|intent| intent["status"] == "succeeded").map(cents).sum();
        taken - state.refunds.iter().map(cents).sum::<i64>()
    }

    /// How often money was given back.
    pub fn refunds(&self) -> usize {
        self.state().refunds.len()
    }

    /// The operator gives back so many cents of a payment, by hand: the event that this makes.
    pub fn give_back(&self, intent: &str, cents: i64) -> Value {
        let mut state = self.state();
        let intent = state.intents.get(intent).cloned().expect("a payment of this name");
        let made = json!({"id": state.id("re"), "amount": cents, "payment_intent": intent["id"], "status": "succeeded"});
        state.refunds.push(made);
        let of = state.refunds.iter().filter(|refund| refund["payment_intent"] == intent["id"]);
        let given: i64 = of.map(|refund| refund["amount"].as_i64().unwrap_or(0)).sum();
        let charge = json!({"id": intent["latest_charge"]["id"], "object": "charge", "payment_intent": intent["id"], "amount": intent["amount"],
            "amount_refunded": given, "refunded": intent["amount"] == given, "currency": intent["currency"], "metadata": intent["metadata"]});
        state.event("charge.refunded", &charge)
    }

    /// A dispute about a payment comes to this: the event that this makes.
    pub fn dispute(&self, intent: &str, kind: &str, status: &str) -> Value {
        let mut state = self.state();
        let intent = state.intents.get(intent).cloned().expect("a payment of this name");
        let dispute = json!({"id": "dp_1", "object": "dispute", "charge": intent["latest_charge"]["id"], "payment_intent": intent["id"],
            "amount": intent["amount"], "currency": intent["currency"], "status": status, "metadata": {}});
        state.event(&format!("charge.dispute.{kind}"), &dispute)
    }

    /// An event that tells of an object.
    pub fn event(&self, kind: &str, object: &Value) -> Value {
        self.state().event(kind, object)
    }

    /// The signature of an event at this second.
    pub fn sign(&self, body: &str, now: i64) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.webhook_secret.as_bytes()).expect("any key will do");
        mac.update(format!("{now}.{body}").as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("t={now},v1={hex}")
    }
}

impl State {
    fn id(&mut self, prefix: &str) -> String {
        self.made += 1;
        format!("{prefix}_{:08}", self.made)
    }

    fn call(&mut self, method: &str, path: &str, form: &Form, now: i64) -> Reply {
        let parts: Vec<_> = path.trim_start_matches("/v1/").split('/').collect();
        match (method, parts.as_slice()) {
            ("POST", ["customers"]) => {
                let id = self.id("cus");
                let made = json!({"id": id, "object": "customer", "name": form.get("name"), "metadata": metadata(form, "metadata"),
                    "invoice_settings": {"default_payment_method": null}});
                self.customers.insert(id, made.clone());
                (200, made)
            }
            ("GET", ["customers", id]) => found(self.customers.get(*id)),
            ("GET", ["payment_methods"]) => {
                let of = form.get("customer").cloned().unwrap_or_default();
                let cards = self.cards.iter().rev().filter(|(_, (customer, _))| *customer == of).map(|(id, _)| json!({"id": id}));
                (200, json!({"object": "list", "data": cards.collect::<Vec<_>>()}))
            }
            ("POST", ["payment_intents"]) => self.charge(form),
            ("GET", ["payment_intents"]) => {
                let of = form.get("customer").cloned().unwrap_or_default();
                let all = self.intents.values().rev().filter(|intent| intent["customer"] == of.as_str()).cloned();
                (200, json!({"object": "list", "data": all.collect::<Vec<_>>()}))
            }
            ("GET", ["payment_intents", id]) => found(self.intents.get(*id)),
            ("POST", ["payment_intents", id, "cancel"]) => {
                if let Some(intent) = self.intents.get_mut(*id) {
                    intent["status"] = json!("canceled");
                }
                found(self.intents.get(*id))
            }
            ("POST", ["checkout", "sessions"]) => self.open(form, now),
            ("GET", ["checkout", "sessions", id]) => {
                let Some(mut session) = self.sessions.get(*id).cloned() else {
                    return refused(404, "invalid_request_error", Some("resource_missing"));
                };
                if session["status"] == "open" && session["expires_at"].as_i64().unwrap_or(0) <= now {
                    session["status"] = json!("expired");
                }
                if let Some(intent) = session["payment_intent"].as_str().and_then(|id| self.intents.get(id)) {
                    session["payment_intent"] = intent.clone();
                }
                (200, session)
            }
            ("POST", ["checkout", "sessions", id, "expire"]) => match self.sessions.get_mut(*id) {
                Some(session) if session["status"] == "open" && session["expires_at"].as_i64().unwrap_or(0) > now => {
                    session["status"] = json!("expired");
                    (200, session.clone())
                }
                Some(_) => refused(400, "invalid_request_error", None),
                None => refused(404, "invalid_request_error", Some("resource_missing")),
            },
            ("POST", ["refunds"]) => {
                let Some(intent) = form.get("payment_intent").and_then(|id| self.intents.get(id)).cloned() else {
                    return refused(404, "invalid_request_error", Some("resource_missing"));
                };
                if self.refunds.iter().any(|refund| refund["payment_intent"] == intent["id"]) {
                    return refused(400, "invalid_request_error", Some("charge_already_refunded"));
                }
                let made = json!({"id": self.id("re"), "amount": intent["amount"], "payment_intent": intent["id"], "status": "succeeded"});
                self.refunds.push(made.clone());
                (200, made)
            }
            ("POST", ["billing_portal", "sessions"]) => match form.get("customer").filter(|id| self.customers.contains_key(*id)) {
                Some(customer) => (200, json!({"id": self.made, "url": format!("https://billing.stripe.test/p/{customer}")})),
                None => refused(400, "invalid_request_error", Some("resource_missing")),
            },
            _ => refused(404, "invalid_request_error", None),
        }
    }

    fn keep_card(&mut self, customer: &str, card: &str) -> String {
        let id = self.id("pm");
        self.cards.insert(id.clone(), (customer.into(), card.into()));
        id
    }

    fn intent(&mut self, customer: &str, card: &str, amount: &Value, currency: &Value, status: &str, metadata: Value) -> Value {
        let id = self.id("pi");
        let receipt = json!({"id": self.id("ch"), "receipt_url": format!("https://pay.stripe.test/receipts/{id}")});
        let made = json!({"id": id, "object": "payment_intent", "customer": customer, "payment_method": card, "amount": amount,
            "amount_received": if status == "succeeded" { amount.clone() } else { json!(0) },
            "currency": currency, "status": status, "metadata": metadata, "latest_charge": receipt});
        self.intents.insert(id, made.clone());
        made
    }

    fn charge(&mut self, form: &Form) -> Reply {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let (customer, card) = (get("customer").to_owned(), get("payment_method").to_owned());
        let amount = get("amount").parse::<i64>().ok().filter(|cents| *cents >= 50);
        let (Some(amount), "true", "true") = (amount, get("confirm"), get("off_session")) else {
            return refused(400, "invalid_request_error", Some("amount_too_small"));
        };
        let number = match self.cards.get(&card) {
            Some((owner, number)) if *owner == customer => number.clone(),
            _ => return refused(400, "invalid_request_error", Some("resource_missing")),
        };
        let (currency, metadata) = (json!(get("currency")), metadata(form, "metadata"));
        if number == CARD_PAYS {
            return (200, self.intent(&customer, &card, &json!(amount), &currency, "succeeded", metadata));
        }
        self.intent(&customer, &card, &json!(amount), &currency, "requires_payment_method", metadata);
        refused(402, "card_error", Some("card_declined"))
    }

    fn open(&mut self, form: &Form, now: i64) -> Reply {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let number = |name: &str| get(name).parse::<i64>().ok();
        let amount = number("line_items[0][price_data][unit_amount]").filter(|cents| *cents >= 50);
        // Stripe's rule: from half an hour to a day from now.
        let expires = number("expires_at").filter(|at| (1_800..=86_400).contains(&(at - now)));
        let is_whole = get("mode") == "payment" && get("line_items[0][quantity]") == "1" && self.customers.contains_key(get("customer"));
        let leads_back = get("success_url").starts_with("http") && get("cancel_url").starts_with("http");
        if number("line_items[0][price_data][unit_amount]").is_some_and(|cents| cents < 50) {
            return refused(400, "invalid_request_error", Some("amount_too_small"));
        }
        let (Some(amount), Some(expires), true, true) = (amount, expires, is_whole, leads_back) else {
            return refused(400, "invalid_request_error", Some("parameter_invalid"));
        };
        let id = self.id("cs_test");
        let made = json!({"id": id, "object": "checkout.session", "status": "open", "payment_status": "unpaid", "amount_total": amount,
            "currency": get("line_items[0][price_data][currency]"), "customer": get("customer"), "payment_intent": null,
            "url": format!("https://checkout.stripe.test/c/{id}"), "expires_at": expires, "metadata": metadata(form, "metadata"),
            "success_url": get("success_url"), "payment_intent_metadata": metadata(form, "payment_intent_data[metadata]")});
        self.sessions.insert(id, made.clone());
        (200, made)
    }

    fn event(&mut self, kind: &str, object: &Value) -> Value {
        json!({"id": self.id("evt"), "object": "event", "type": kind, "data": {"object": object}})
    }
}

fn refused(status: u16, kind: &str, code: Option<&str>) -> Reply {
    (status, json!({"error": {"type": kind, "code": code, "message": "a text of the payment service"}}))
}

fn found(object: Option<&Value>) -> Reply {
    object.map_or_else(|| refused(404, "invalid_request_error", Some("resource_missing")), |object| (200, object.clone()))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn metadata(form: &Form, prefix: &str) -> Value {
    let members = form.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']')?;
        Some((name.to_owned(), json!(value)))
    });
    Value::Object(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_a_thing_once_and_nothing_else() {
        let stripe = FakeStripe::new("sk", "whsec");
        let header = |name: &str| match name {
            "authorization" => Some("Bearer sk".into()),
            "idempotency-key" => Some("k".into()),
            _ => None,
        };
        let make = |name: &str| stripe.answer("POST", "/v1/customers", header, &format!("name={name}"), 0);
        let first = make("K%C3%B6ln+1");
        assert_eq!((first.0, &first.1["name"]), (200, &json!("Köln 1")));
        assert_eq!(make("K%C3%B6ln+1"), first);
        assert_eq!(make("other").1["error"]["type"], "idempotency_error");
        assert_eq!(stripe.customers().len(), 1);
    }
}
