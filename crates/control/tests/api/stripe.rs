//! Plans that are paid through Stripe: what it tells, when, how often and in which order; what it doesn't; and what is asked of it.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use testkit::{CARD_DECLINED, CARD_PAYS, CARD_PAYS_ONCE, FakeStripe, Trouble};

use crate::support::{Api, Browser, SECRET_KEY, WEBHOOK_SECRET};

pub(crate) const DAY_S: u64 = 86_400;

/// An organisation on the plan `free`, its owner, and Stripe.
pub(crate) struct Customer {
    pub(crate) api: Api,
    pub(crate) stripe: Arc<FakeStripe>,
    pub(crate) owner: Browser,
    org: String,
}

impl Customer {
    pub(crate) async fn new() -> Self {
        let (api, stripe) = Api::with_stripe().await;
        for (plan, price) in [("starter", "20"), ("growth", "100")] {
            let body = json!({"name": plan, "price_month": price, "limits": [{"category": "large", "rpm": 150}]});
            assert!(api.put(&format!("/plans/{plan}"), body).await.status.is_success());
        }
        let owner = api.sign_up("ada@example.com", "Analytical").await;
        let me = owner.get(&api, "/auth/session").await.expect(200);
        let org = me["organisations"][0]["id"].as_str().unwrap().to_owned();
        Self { api, stripe, owner, org }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/orgs/{}{rest}", self.org)
    }

    /// As the operator: the owner's session may be over after a month.
    pub(crate) async fn choose(&self, plan: &str, status: u16) -> Value {
        self.api.post(&self.path("/subscription"), json!({ "plan": plan })).await.expect(status)
    }

    pub(crate) async fn plans(&self) -> (String, String) {
        let org = self.api.get(&self.path("")).await.expect(200);
        (org["plan"].as_str().unwrap().into(), org["effective_plan"].as_str().unwrap().into())
    }

    /// Pays on the page of a chosen plan; what Stripe would tell.
    pub(crate) fn pay(&self, chosen: &Value, card: &str) -> Vec<Value> {
        self.stripe.pay(&page(chosen), card, self.api.now_s()).unwrap()
    }

    pub(crate) async fn tell(&self, event: &Value) {
        assert_eq!(self.api.tell(&self.stripe, event).await.expect(200), json!({"received": true}));
    }

    pub(crate) async fn buy(&self, plan: &str, card: &str) -> Vec<Value> {
        let events = self.pay(&self.choose(plan, 202).await, card);
        self.tell(&events[1]).await;
        assert_eq!(self.plans().await, both(plan));
        events
    }

    pub(crate) async fn after(&self, seconds: u64) -> (String, String) {
        self.api.clock.advance_s(seconds);
        self.api.cashier.run().await;
        self.plans().await
    }

    pub(crate) async fn invoices(&self) -> Vec<Value> {
        self.api.get(&self.path("/invoices")).await.expect(200)["data"].as_array().unwrap().clone()
    }

    pub(crate) async fn audited(&self, action: &str) -> usize {
        let log = self.api.get("/audit?limit=200").await.expect(200);
        log["data"].as_array().unwrap().iter().filter(|entry| entry["action"] == action).count()
    }
}

/// The page where a chosen plan is paid.
fn page(chosen: &Value) -> String {
    let url = chosen["checkout"]["url"].as_str().unwrap_or_else(|| panic!("no page in {chosen}"));
    url.strip_prefix("https://checkout.stripe.test/c/").unwrap().to_owned()
}

pub(crate) fn both(plan: &str) -> (String, String) {
    (plan.into(), plan.into())
}

#[tokio::test]
async fn a_plan_is_in_force_when_stripe_says_it_is_paid_and_not_before() {
    let customer = Customer::new().await;
    let chosen = customer.choose("starter", 202).await;
    let session = customer.stripe.sessions()[0].clone();
    assert_eq!((&session["amount_total"], &session["currency"]), (&json!(2_000), &json!("usd")));
    assert!(session["success_url"].as_str().unwrap().starts_with("https://gateway.example.com/?org=org_"));
    assert_eq!(customer.stripe.pay(&page(&chosen), CARD_DECLINED, customer.api.now_s()).unwrap_err(), "declined");
    let refresh = customer.path(&format!("/subscription/checkouts/{}/refresh", chosen["checkout"]["id"].as_str().unwrap()));
    let back = customer.owner.call(&customer.api, Method::POST, &refresh, None).await.expect(200);
    assert_eq!((&back["plan"], &back["checkout"]), (&json!("free"), &chosen["checkout"]), "whoever only comes back has paid nothing");
    let events = customer.pay(&chosen, CARD_PAYS);
    assert_eq!(customer.plans().await, both("free"), "nobody has told");
    customer.tell(&events[1]).await;
    assert_eq!(customer.plans().await, both("starter"));
    customer.api.cashier.run().await;
    let invoices = customer.invoices().await;
    assert_eq!((invoices.len(), &invoices[0]["amount"], &invoices[0]["paid"]), (1, &json!("20"), &json!(true)));
    assert!(invoices[0]["receipt_url"].as_str().unwrap().starts_with("https://pay.stripe.test/receipts/pi_"));
}

#[tokio::test]
async fn what_is_told_twice_late_replayed_or_in_another_order_has_its_effect_once() {
    let customer = Customer::new().await;
    let (session, intent) = {
        let mut events = customer.pay(&customer.choose("starter", 202).await, CARD_PAYS);
        (events.remove(1), events.remove(0))
    };
    // The charge before the page, each twice, then both again as other events and hours later.
    for event in [&intent, &session, &session, &intent] {
        customer.tell(event).await;
    }
    customer.api.clock.advance_s(7_200);
    for event in [&session, &intent] {
        customer.tell(event).await;
        let again = customer.stripe.event(event["type"].as_str().unwrap(), &event["data"]["object"]);
        customer.tell(&again).await;
    }
    assert_eq!(customer.plans().await, both("starter"));
    assert_eq!((customer.invoices().await.len(), customer.audited("plan.paid").await), (1, 1));
    assert_eq!((customer.stripe.taken(), customer.stripe.refunds()), (2_000, 0));
    // Upgraded meanwhile, what is told of the first changes nothing back.
    customer.choose("growth", 200).await;
    customer.tell(&session).await;
    customer.tell(&customer.stripe.event("checkout.session.completed", &session["data"]["object"])).await;
    customer.tell(&customer.stripe.event("checkout.session.expired", &session["data"]["object"])).await;
    assert_eq!(customer.plans().await, both("growth"));
}

#[tokio::test]
async fn what_is_not_signed_by_stripe_is_refused_and_what_is_about_nothing_is_taken() {
    let customer = Customer::new().await;
    let events = customer.pay(&customer.choose("starter", 202).await, CARD_PAYS);
    let (body, now) = (events[1].to_string(), customer.api.now_s());
    let right = customer.stripe.sign(&body, now);
    let other = FakeStripe::new(SECRET_KEY, "whsec_forged").sign(&body, now);
    let old = customer.stripe.sign(&body, now - 301);
    for (body, signature) in [(&body, &other), (&body, &old), (&body, &String::new()), (&body.replace("2000", "1"), &right)] {
        assert_eq!(customer.api.tell_signed(body, signature).await.fault(400).0, "invalid_signature");
    }
    assert_eq!(customer.plans().await, both("free"));
    let unreadable = "{\"id\":";
    let signed = customer.stripe.sign(unreadable, now);
    assert_eq!(customer.api.tell_signed(unreadable, &signed).await.fault(400).0, "invalid_event");
    let long = "x".repeat(300 << 10);
    assert_eq!(customer.api.tell_signed(&long, &right).await.status, 413);
    for (kind, object) in [
        ("customer.created", json!({"id": "cus_1"})),
        ("payment_intent.succeeded", json!({"id": "pi_1", "amount": 1, "currency": "usd", "status": "succeeded", "metadata": {}})),
        ("v3.of.something", json!([1])),
    ] {
        customer.tell(&customer.stripe.event(kind, &object)).await;
    }
    let stranger = json!({"id": "pi_1", "amount": 1, "currency": "usd", "status": "succeeded", "metadata": {"tidegate_payment": "payment_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8"}});
    customer.tell(&customer.stripe.event("payment_intent.succeeded", &stranger)).await;
    let (kept, secret) = (customer.api.get("/audit?limit=200").await.expect(200).to_string(), WEBHOOK_SECRET);
    assert!(!kept.contains(secret) && customer.plans().await == both("free"));
    customer.tell(&events[1]).await;
    assert_eq!(customer.plans().await, both("starter"), "the true one has its effect all the same");
}

#[tokio::test]
async fn where_nothing_is_told_it_is_asked_for_on_return_at_the_start_and_by_and_by() {
    for way in ["return", "start", "by and by"] {
        let customer = Customer::new().await;
        let chosen = customer.choose("starter", 202).await;
        customer.pay(&chosen, CARD_PAYS);
        match way {
            "return" => {
                let path = customer.path(&format!("/subscription/checkouts/{}/refresh", chosen["checkout"]["id"].as_str().unwrap()));
                let back = customer.owner.call(&customer.api, Method::POST, &path, None).await.expect(200);
                assert_eq!(back["effective_plan"], "starter");
            }
            "start" => {
                customer.api.cashier.run().await;
                assert_eq!(customer.plans().await, both("free"), "it is not asked every minute");
                customer.api.cashier.begin().await;
                customer.api.cashier.run().await;
            }
            _ => assert_eq!(customer.after(300).await, both("starter")),
        }
        assert_eq!(customer.plans().await, both("starter"), "{way}");
    }
}

#[tokio::test]
async fn whoever_clicks_twice_pays_once_and_an_earlier_page_is_closed() {
    let customer = Customer::new().await;
    let (first, second) = tokio::join!(customer.choose("starter", 202), customer.choose("starter", 202));
    assert_eq!((&first["checkout"], customer.stripe.sessions().len()), (&second["checkout"], 1));
    let other = customer.choose("growth", 202).await;
    assert_eq!(customer.stripe.pay(&page(&first), CARD_PAYS, customer.api.now_s()).unwrap_err(), "the page is closed");
    let events = customer.pay(&other, CARD_PAYS);
    customer.tell(&events[1]).await;
    assert_eq!((customer.plans().await, customer.stripe.taken()), (both("growth"), 10_000));
}

#[tokio::test]
async fn what_was_paid_before_another_choice_counts_for_it() {
    let customer = Customer::new().await;
    let first = customer.choose("starter", 202).await;
    let late = customer.pay(&first, CARD_PAYS);
    // Nothing was told yet. Closing the first page shows that it is paid; the card that paid it pays what is left of the other plan.
    customer.choose("growth", 200).await;
    assert_eq!((customer.plans().await, customer.stripe.taken()), (both("growth"), 10_000));
    customer.tell(&late[1]).await;
    assert_eq!((customer.plans().await, customer.stripe.refunds()), (both("growth"), 0));
}

#[tokio::test]
async fn money_for_what_is_due_no_more_is_given_back() {
    let customer = Customer::new().await;
    let chosen = customer.choose("starter", 202).await;
    let events = customer.pay(&chosen, CARD_PAYS);
    // An operator was faster.
    customer.api.patch(&customer.path(""), json!({"plan": "enterprise"})).await.expect(200);
    customer.tell(&events[1]).await;
    assert_eq!((customer.plans().await, customer.audited("payment.refund").await), (both("enterprise"), 1));
    customer.api.cashier.run().await;
    customer.api.cashier.run().await;
    assert_eq!((customer.stripe.refunds(), customer.stripe.taken(), customer.audited("payment.refunded").await), (1, 0, 1));
    customer.tell(&events[0]).await;
    assert_eq!((customer.plans().await, customer.invoices().await), (both("enterprise"), Vec::new()));
}

#[tokio::test]
async fn an_operators_choice_closes_the_page_and_another_amount_or_currency_is_given_back() {
    let customer = Customer::new().await;
    let chosen = customer.choose("starter", 202).await;
    customer.api.patch(&customer.path(""), json!({"plan": "enterprise"})).await.expect(200);
    customer.api.cashier.run().await;
    assert_eq!(customer.stripe.pay(&page(&chosen), CARD_PAYS, customer.api.now_s()).unwrap_err(), "the page is closed");

    for (member, value) in [("amount_total", json!(1_999)), ("currency", json!("eur"))] {
        let customer = Customer::new().await;
        let mut events = customer.pay(&customer.choose("starter", 202).await, CARD_PAYS);
        events[1]["data"]["object"][member] = value;
        customer.tell(&events[1]).await;
        assert_eq!(customer.plans().await, both("free"));
        customer.api.cashier.run().await;
        assert_eq!((customer.stripe.refunds(), customer.audited("payment.refund").await), (1, 1), "{member}");
    }
}

#[tokio::test]
async fn a_card_that_is_kept_pays_an_upgrade_at_once_and_a_declined_one_leads_to_a_page() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS).await;
    customer.api.clock.advance_s(3 * DAY_S);
    let changed = customer.choose("growth", 200).await;
    assert_eq!((&changed["plan"], &changed["checkout"]), (&json!("growth"), &json!(null)));
    let invoices = customer.invoices().await;
    assert_eq!((&invoices[0]["amount"], &invoices[0]["credit"], customer.stripe.taken()), (&json!("82.15"), &json!("17.85"), 10_215));

    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS_ONCE).await;
    let chosen = customer.choose("growth", 202).await;
    assert_eq!((customer.plans().await, customer.audited("payment.declined").await), (both("starter"), 1));
    let events = customer.pay(&chosen, CARD_PAYS);
    customer.tell(&events[1]).await;
    assert_eq!(customer.plans().await, both("growth"));
}

#[tokio::test]
async fn a_month_is_renewed_with_the_card_once_and_a_plan_can_be_given_up() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS).await;
    assert_eq!(customer.after(28 * DAY_S).await, both("starter"));
    customer.api.cashier.run().await;
    assert_eq!((customer.invoices().await.len(), customer.stripe.taken()), (2, 4_000));
    assert_eq!(customer.invoices().await[0]["period_end"], "2026-04-05T15:30:00Z");
    let given_up = customer.choose("free", 202).await;
    assert_eq!((&given_up["plan"], &given_up["next_plan"]), (&json!("starter"), &json!("free")));
    assert_eq!(customer.after(31 * DAY_S).await, both("free"));
    assert_eq!(customer.after(31 * DAY_S).await, both("free"));
    assert_eq!(customer.stripe.taken(), 4_000);
}

#[tokio::test]
async fn a_page_whose_credit_is_of_a_month_that_is_over_is_closed_when_the_next_is_paid() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS_ONCE).await;
    customer.api.clock.advance_s(28 * DAY_S - 60);
    let chosen = customer.choose("growth", 202).await;
    let known = customer.stripe.customers()[0]["id"].as_str().unwrap().to_owned();
    customer.stripe.give_card(&known, CARD_PAYS);
    assert_eq!(customer.after(60).await, both("starter"));
    customer.api.cashier.run().await;
    assert_eq!(customer.stripe.pay(&page(&chosen), CARD_PAYS, customer.api.now_s()).unwrap_err(), "the page is closed");
    assert_eq!((customer.stripe.taken(), customer.stripe.refunds()), (4_000, 0));
}

#[tokio::test]
async fn an_organisation_that_is_deleted_pays_no_more() {
    let customer = Customer::new().await;
    let chosen = customer.choose("starter", 202).await;
    customer.api.delete(&customer.path("")).await.expect(204);
    customer.api.cashier.run().await;
    assert_eq!(customer.stripe.pay(&page(&chosen), CARD_PAYS, customer.api.now_s()).unwrap_err(), "the page is closed");

    let customer = Customer::new().await;
    let events = customer.pay(&customer.choose("starter", 202).await, CARD_PAYS);
    customer.api.delete(&customer.path("")).await.expect(204);
    customer.tell(&events[1]).await;
    customer.api.cashier.run().await;
    assert_eq!(customer.stripe.taken(), 0);
}

#[tokio::test]
async fn a_declined_renewal_is_past_due_tried_again_each_day_and_paid_by_another_card() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS_ONCE).await;
    assert_eq!(customer.after(28 * DAY_S).await, both("starter"), "in force for a week");
    let late = customer.api.get(&customer.path("/subscription")).await.expect(200);
    assert_eq!(late["past_due_until"], "2026-03-12T15:30:00Z");
    customer.after(DAY_S).await;
    assert_eq!(customer.audited("plan.still_due").await, 1);
    let portal = customer.api.call(Method::POST, &customer.path("/subscription/portal"), None).await.expect(200);
    let known = portal["url"].as_str().unwrap().strip_prefix("https://billing.stripe.test/p/").unwrap().to_owned();
    customer.stripe.give_card(&known, CARD_PAYS);
    assert_eq!(customer.after(DAY_S).await, both("starter"));
    let paid = customer.api.get(&customer.path("/subscription")).await.expect(200);
    assert_eq!((&paid["past_due_until"], &paid["paid_until"]), (&json!(null), &json!("2026-04-05T15:30:00Z")));
    let invoices = customer.invoices().await;
    assert_eq!((invoices.len(), &invoices[0]["paid"], customer.stripe.taken()), (2, &json!(true), 4_000));
    assert_eq!(customer.after(7 * DAY_S).await, both("starter"), "its week is no more");

    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS_ONCE).await;
    for _ in 0..7 {
        customer.after(5 * DAY_S).await;
    }
    assert_eq!(customer.plans().await, ("starter".into(), "free".into()), "bought and in force are told apart");
    let chosen = customer.choose("starter", 202).await;
    let events = customer.pay(&chosen, CARD_PAYS);
    customer.tell(&events[1]).await;
    assert_eq!(customer.plans().await, both("starter"));
}

#[tokio::test]
async fn while_stripe_is_down_nothing_is_half_done() {
    let customer = Customer::new().await;
    customer.stripe.is_in(Trouble::Down);
    let fault = customer.api.post(&customer.path("/subscription"), json!({"plan": "starter"})).await.fault(503);
    assert_eq!(fault.0, "unavailable");
    let now = customer.api.get(&customer.path("/subscription")).await.expect(200);
    assert_eq!((&now["checkout"], &now["plan"]), (&json!(null), &json!("free")));
    customer.stripe.is_in(Trouble::None);
    customer.buy("starter", CARD_PAYS).await;
    // A renewal waits until it is known; the plan stays in force, since it is nobody's fault here.
    customer.stripe.is_in(Trouble::Down);
    assert_eq!(customer.after(28 * DAY_S).await, both("starter"));
    assert_eq!(customer.after(10 * DAY_S).await, both("starter"));
    assert_eq!(customer.choose("growth", 503).await["error"]["code"], "unavailable");
    customer.stripe.is_in(Trouble::None);
    assert_eq!(customer.after(60).await, both("starter"));
    assert_eq!((customer.stripe.taken(), customer.invoices().await.len()), (4_000, 2));
}

#[tokio::test]
async fn a_charge_whose_answer_got_lost_is_found_and_not_made_again() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS).await;
    customer.stripe.is_in(Trouble::Mute);
    // Even looking for the card gets no answer, so nothing is charged.
    customer.choose("growth", 503).await;
    customer.stripe.is_in(Trouble::None);
    assert_eq!(customer.stripe.taken(), 2_000);
    // The renewal is charged, and nobody hears of it.
    let given = customer.stripe.customers()[0]["id"].as_str().unwrap().to_owned();
    customer.stripe.give_card(&given, CARD_PAYS);
    customer.stripe.is_in(Trouble::MuteCharges);
    assert_eq!(customer.after(28 * DAY_S).await, both("starter"));
    assert_eq!((customer.stripe.taken(), customer.invoices().await.len()), (4_000, 1));
    // Another card, so that the same call would be another one; and days later, when Stripe has forgotten its keys.
    customer.stripe.give_card(&given, CARD_PAYS);
    customer.stripe.is_in(Trouble::None);
    customer.after(3 * DAY_S).await;
    assert_eq!((customer.stripe.taken(), customer.invoices().await.len()), (4_000, 2));
    // An upgrade's charge gets lost: the next choice finds it first.
    customer.stripe.is_in(Trouble::MuteCharges);
    customer.choose("growth", 409).await;
    customer.stripe.is_in(Trouble::None);
    assert_eq!(customer.choose("growth", 409).await["error"]["code"], "conflict", "it has it already");
    assert_eq!(customer.plans().await, both("growth"));
}

#[tokio::test]
async fn another_account_of_stripe_gets_to_know_the_organisation_anew() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS).await;
    customer.stripe.forget_customers();
    let chosen = customer.choose("growth", 202).await;
    let events = customer.pay(&chosen, CARD_PAYS);
    customer.tell(&events[1]).await;
    assert_eq!((customer.plans().await, customer.stripe.customers().len()), (both("growth"), 1));
}

#[tokio::test]
async fn what_is_too_little_to_be_charged_gives_the_plan_and_is_with_the_next_invoice() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD_PAYS).await;
    for (plan, price) in [("plus", "20.30"), ("dear", "20.60")] {
        let body = json!({"price_month": price, "limits": [{"category": "large", "rpm": 200}]});
        assert!(customer.api.put(&format!("/plans/{plan}"), body).await.status.is_success());
    }
    // 30 cents more are less than Stripe takes.
    let changed = customer.choose("plus", 200).await;
    assert_eq!((&changed["plan"], &changed["checkout"], customer.stripe.taken()), (&json!("plus"), &json!(null), 2_000));
    assert_eq!((customer.audited("plan.carried").await, customer.audited("payment.declined").await), (1, 0));
    let line = |invoices: &[Value], plan: &str| {
        let invoice = invoices.iter().find(|invoice| invoice["plan"] == plan).unwrap();
        ["credit", "carried", "amount", "carried_on", "paid"].map(|member| invoice[member].clone())
    };
    assert_eq!(line(&customer.invoices().await, "plus"), [json!("20"), json!("0"), json!("0"), json!("0.3"), json!(true)]);
    let preview = customer.api.get(&customer.path("/subscription/preview?plan=dear")).await.expect(200);
    assert_eq!((&preview["credit"], &preview["due_now"]), (&json!("20.3"), &json!("0.6")));
    // 30 more are enough with those.
    customer.choose("dear", 200).await;
    assert_eq!(customer.stripe.taken(), 2_060);
    assert_eq!(line(&customer.invoices().await, "dear"), [json!("20.3"), json!("0.3"), json!("0.6"), json!("0"), json!(true)]);
    assert_eq!(customer.after(31 * DAY_S).await, both("dear"));
    assert_eq!(customer.stripe.taken(), 4_120, "and it is charged once");
}

#[tokio::test]
async fn a_plan_that_costs_too_little_is_charged_every_other_month_where_there_is_a_card() {
    let customer = Customer::new().await;
    let tiny = json!({"price_month": "0.30", "limits": [{"category": "large", "rpm": 1}]});
    assert!(customer.api.put("/plans/tiny", tiny).await.status.is_success());
    customer.choose("tiny", 200).await;
    assert_eq!((customer.plans().await, customer.stripe.taken()), (both("tiny"), 0));
    // Without a card it isn't renewed by itself: then both months are enough for a page.
    assert_eq!(customer.after(28 * DAY_S).await, both("tiny"));
    let late = customer.api.get(&customer.path("/subscription")).await.expect(200);
    assert_eq!(late["past_due_until"], "2026-03-12T15:30:00Z");
    let chosen = customer.choose("tiny", 202).await;
    assert_eq!((&chosen["checkout"]["carried"], &chosen["checkout"]["due"]), (&json!("0.3"), &json!("0.6")));
    let events = customer.pay(&chosen, CARD_PAYS);
    customer.tell(&events[1]).await;
    assert_eq!((customer.plans().await, customer.stripe.taken()), (both("tiny"), 60));
    // With one, it is carried over and charged in turns, and nothing is asked twice.
    let mut taken = Vec::new();
    for _ in 0..4 {
        assert_eq!(customer.after(31 * DAY_S).await, both("tiny"));
        customer.api.cashier.run().await;
        taken.push(customer.stripe.taken());
    }
    assert_eq!(taken, [60, 120, 120, 180]);
    // Whoever leaves is asked for nothing.
    customer.choose("free", 202).await;
    assert_eq!(customer.after(31 * DAY_S).await, both("free"));
    assert_eq!(customer.stripe.taken(), 180);
}

#[tokio::test]
async fn elsewhere_there_is_no_webhook_and_no_portal() {
    let api = Api::new().await;
    assert_eq!(api.tell_signed("{}", "t=1,v1=00").await.status, 404);
    let org = api.org("Acme").await;
    assert_eq!(api.call(Method::POST, &format!("/orgs/{org}/subscription/portal"), None).await.fault(409).0, "conflict");
    let tests = Api::with_test_cards().await;
    assert_eq!(tests.tell_signed("{}", "t=1,v1=00").await.status, 404);
}
