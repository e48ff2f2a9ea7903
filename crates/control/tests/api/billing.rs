//! Plans that are paid, with cards that are none.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::support::{Api, Browser, request};

const CARD: &str = "4242 4242 4242 4242";
const DECLINED: &str = "4000000000000002";
const PAYS_ONCE: &str = "4000000000000341";
const DAY_S: u64 = 86_400;

/// An organisation on the plan `free`, and its owner.
struct Customer {
    api: Api,
    owner: Browser,
    org: String,
}

impl Customer {
    async fn new() -> Self {
        let api = Api::with_test_cards().await;
        for (plan, price) in [("starter", "20"), ("growth", "100")] {
            let body = json!({"name": plan, "price_month": price, "limits": [{"category": "large", "rpm": 150}]});
            let answer = api.put(&format!("/plans/{plan}"), body).await;
            assert!(answer.status.is_success(), "{}", answer.body);
        }
        let owner = api.sign_up("ada@example.com", "Analytical").await;
        for card in ["4242424242424242", CARD, DECLINED, PAYS_ONCE] {
            api.is_secret(card);
        }
        let me = owner.get(&api, "/auth/session").await.expect(200);
        let org = me["organisations"][0]["id"].as_str().unwrap().to_owned();
        Self { api, owner, org }
    }

    fn path(&self, rest: &str) -> String {
        format!("/orgs/{}{rest}", self.org)
    }

    async fn subscription(&self) -> Value {
        self.owner.get(&self.api, &self.path("/subscription")).await.expect(200)
    }

    /// Chooses a plan; the status and the subscription.
    async fn choose(&self, plan: &str) -> (u16, Value) {
        let answer = self.owner.post(&self.api, &self.path("/subscription"), json!({ "plan": plan })).await;
        (answer.status.as_u16(), answer.body)
    }

    async fn pay(&self, subscription: &Value, card: &str) -> (u16, Value) {
        let path = self.path(&format!("/subscription/checkouts/{}/test-payment", subscription["checkout"]["id"].as_str().unwrap()));
        let answer = self.owner.post(&self.api, &path, json!({ "card": card })).await;
        (answer.status.as_u16(), answer.body)
    }

    async fn buy(&self, plan: &str, card: &str) -> Value {
        let (status, chosen) = self.choose(plan).await;
        assert_eq!(status, 202, "{chosen}");
        let (status, paid) = self.pay(&chosen, card).await;
        assert_eq!(status, 200, "{paid}");
        paid
    }

    async fn invoices(&self) -> Vec<(String, String, bool)> {
        let list = self.owner.get(&self.api, &self.path("/invoices")).await.expect(200);
        let text = |invoice: &Value, name: &str| invoice[name].as_str().unwrap().to_owned();
        let invoices = list["data"].as_array().unwrap().iter();
        invoices.map(|i| (text(i, "plan"), text(i, "amount"), i["paid"].as_bool().unwrap())).collect()
    }

    /// The plans bought and in force, after what is due was done.
    async fn after(&self, seconds: u64) -> (String, String) {
        self.api.clock.advance_s(seconds);
        self.api.cashier.run().await;
        // The owner's session may be over by now.
        let org = self.api.get(&self.path("")).await.expect(200);
        let text = |name: &str| org[name].as_str().unwrap().to_owned();
        (text("plan"), text("effective_plan"))
    }
}

fn invoice(plan: &str, amount: &str, paid: bool) -> (String, String, bool) {
    (plan.into(), amount.into(), paid)
}

fn both(plan: &str) -> (String, String) {
    (plan.into(), plan.into())
}

#[tokio::test]
async fn an_upgrade_is_in_force_when_it_is_paid_and_not_before() {
    let customer = Customer::new().await;
    let (status, chosen) = customer.choose("starter").await;
    assert_eq!((status, &chosen["plan"], &chosen["checkout"]["due"]), (202, &json!("free"), &json!("20")));
    let (status, declined) = customer.pay(&chosen, DECLINED).await;
    assert_eq!((status, declined["error"]["code"].as_str()), (402, Some("card_declined")));
    assert_eq!(customer.pay(&chosen, "4111111111111111").await.0, 422, "a card that may be real");
    assert_eq!(customer.subscription().await["plan"], "free");
    assert_eq!(customer.invoices().await, []);

    let (status, paid) = customer.pay(&chosen, CARD).await;
    assert_eq!(
        (status, &paid["plan"], &paid["effective_plan"], &paid["checkout"]),
        (200, &json!("starter"), &json!("starter"), &json!(null))
    );
    assert_eq!(paid["paid_until"], "2026-03-05T15:30:00Z");
    assert_eq!(customer.invoices().await, [invoice("starter", "20", true)]);
    assert_eq!(customer.pay(&chosen, CARD).await.0, 409, "paid twice it is paid once");
    assert_eq!(customer.invoices().await.len(), 1);
    assert_eq!(customer.choose("starter").await.0, 409);
}

#[tokio::test]
async fn an_upgrade_within_the_month_costs_what_is_not_paid_already() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD).await;
    customer.api.clock.advance_s(3 * DAY_S);
    let preview = customer.owner.get(&customer.api, &customer.path("/subscription/preview?plan=growth")).await.expect(200);
    assert_eq!(
        (&preview["credit"], &preview["due_now"], &preview["from"]),
        (&json!("17.85"), &json!("82.15"), &json!(null)),
        "25 of 28 days are left"
    );
    let paid = customer.buy("growth", CARD).await;
    assert_eq!((&paid["plan"], &paid["paid_until"]), (&json!("growth"), &json!("2026-03-08T15:30:00Z")));
    assert_eq!(customer.invoices().await[0], invoice("growth", "82.15", true));
}

#[tokio::test]
async fn a_later_choice_takes_the_place_of_an_earlier_and_a_checkout_expires() {
    let customer = Customer::new().await;
    let (_, first) = customer.choose("starter").await;
    let (_, second) = customer.choose("growth").await;
    assert_eq!(customer.pay(&first, CARD).await.0, 409);
    customer.api.clock.advance_s(3_600);
    assert_eq!(customer.pay(&second, CARD).await.0, 409, "the credit shrinks");
    assert_eq!(customer.subscription().await["checkout"], json!(null));
    assert_eq!(customer.invoices().await, []);
}

#[tokio::test]
async fn a_downgrade_waits_for_the_end_of_what_was_paid_and_can_be_taken_back() {
    let customer = Customer::new().await;
    customer.buy("growth", CARD).await;
    let (status, chosen) = customer.choose("starter").await;
    assert_eq!((status, &chosen["plan"], &chosen["next_plan"]), (202, &json!("growth"), &json!("starter")));
    let preview = customer.owner.get(&customer.api, &customer.path("/subscription/preview?plan=starter")).await.expect(200);
    assert_eq!((&preview["due_now"], &preview["from"]), (&json!("0"), &json!("2026-03-05T15:30:00Z")));
    let (status, kept) = customer.choose("growth").await;
    assert_eq!((status, &kept["next_plan"]), (200, &json!(null)));
    customer.choose("free").await;
    assert_eq!(customer.after(28 * DAY_S - 1).await, both("growth"));
    assert_eq!(customer.after(1).await, both("free"));
    assert_eq!(customer.api.store.run_billing("free".into()).await.unwrap(), 0, "it is done");
}

#[tokio::test]
async fn a_month_is_renewed_on_the_day_it_ends_and_each_once() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD).await;
    assert_eq!(customer.after(28 * DAY_S).await, both("starter"));
    assert_eq!(customer.api.store.run_billing("free".into()).await.unwrap(), 0);
    let list = customer.api.get(&customer.path("/invoices")).await.expect(200);
    let invoices = list["data"].as_array().unwrap();
    assert_eq!(
        (invoices.len(), &invoices[0]["period_start"], &invoices[0]["period_end"]),
        (2, &json!("2026-03-05T15:30:00Z"), &json!("2026-04-05T15:30:00Z"))
    );
}

#[tokio::test]
async fn what_is_not_paid_stays_in_force_for_a_week_and_comes_back_when_it_is_paid() {
    let customer = Customer::new().await;
    customer.buy("starter", PAYS_ONCE).await;
    assert_eq!(customer.after(28 * DAY_S).await, both("starter"), "the renewal failed, and it says so");
    let late = customer.api.get(&customer.path("/subscription")).await.expect(200);
    assert_eq!(late["past_due_until"], "2026-03-12T15:30:00Z");
    assert_eq!(customer.after(7 * DAY_S).await, ("starter".into(), "free".into()), "bought and in force are told apart");
    let chosen = customer.api.post(&customer.path("/subscription"), json!({"plan": "starter"})).await.expect(202);
    let path = customer.path(&format!("/subscription/checkouts/{}/test-payment", chosen["checkout"]["id"].as_str().unwrap()));
    let paid = customer.api.post(&path, json!({"card": CARD})).await.expect(200);
    assert_eq!((&paid["effective_plan"], &paid["paid_until"]), (&json!("starter"), &json!("2026-04-12T15:30:00Z")));
}

#[tokio::test]
async fn a_late_plan_can_be_paid_within_its_week() {
    let customer = Customer::new().await;
    customer.buy("starter", PAYS_ONCE).await;
    customer.after(28 * DAY_S).await;
    let chosen = customer.api.post(&customer.path("/subscription"), json!({"plan": "starter"})).await.expect(202);
    assert_eq!(chosen["checkout"]["due"], "20", "nothing of it was paid");
    let path = customer.path(&format!("/subscription/checkouts/{}/test-payment", chosen["checkout"]["id"].as_str().unwrap()));
    let paid = customer.api.post(&path, json!({"card": CARD})).await.expect(200);
    assert_eq!((&paid["effective_plan"], &paid["past_due_until"]), (&json!("starter"), &json!(null)));
    assert_eq!(customer.after(7 * DAY_S).await, both("starter"));
}

#[tokio::test]
async fn what_has_no_price_is_asked_for_and_an_operators_choice_is_not_renewed() {
    let customer = Customer::new().await;
    customer.buy("starter", CARD).await;
    let (status, asked) = customer.choose("enterprise").await;
    assert_eq!((status, &asked["request"]["plan"]), (202, &json!("enterprise")));
    let request = asked["request"]["id"].as_str().unwrap();
    customer.api.patch(&format!("/plan-requests/{request}"), json!({"state": "granted"})).await.expect(200);
    assert_eq!(customer.after(28 * DAY_S).await, both("enterprise"));
    assert_eq!(customer.api.get(&customer.path("/invoices")).await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn one_organisation_pays_no_other_ones_checkout_and_manual_takes_no_card() {
    let customer = Customer::new().await;
    let (_, chosen) = customer.choose("starter").await;
    let eve = customer.api.sign_up("eve@example.com", "Other").await;
    let me = eve.get(&customer.api, "/auth/session").await.expect(200);
    let other = me["organisations"][0]["id"].as_str().unwrap();
    let path = format!("/orgs/{other}/subscription/checkouts/{}/test-payment", chosen["checkout"]["id"].as_str().unwrap());
    assert_eq!(eve.call(&customer.api, Method::POST, &path, Some(json!({"card": CARD}))).await.status, 404);
    let manual = Api::new().await;
    let org = manual.org("Acme").await;
    let path = format!("/orgs/{org}/subscription/checkouts/checkout_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8/test-payment");
    assert_eq!(manual.post(&path, json!({"card": CARD})).await.status, 404);
}

#[tokio::test]
async fn a_browser_pays_on_a_page_that_says_it_is_a_test() {
    let customer = Customer::new().await;
    let (_, chosen) = customer.choose("starter").await;
    let url = chosen["checkout"]["url"].as_str().unwrap();
    let path = url.strip_prefix("https://gateway.example.com/api/v1").unwrap();
    let look = customer.owner.request(Method::GET, path).body(Body::empty()).unwrap();
    let (parts, page) = customer.api.send_for_text(look).await;
    assert_eq!((parts.status.as_u16(), &parts.headers[header::CONTENT_TYPE]), (200, &"text/html; charset=utf-8".parse().unwrap()));
    let policy = parts.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("script"), "{policy}");
    assert!(page.contains("TEST") && page.contains("20 are due") && !page.contains("<script"), "{page}");
    let press = |card: &str| customer.owner.request(Method::POST, path).body(Body::from(format!("card={card}"))).unwrap();
    let (parts, page) = customer.api.send_for_text(press("declined")).await;
    assert!(parts.status == 402 && page.contains("declined"), "{page}");
    assert_eq!(customer.subscription().await["plan"], "free");
    let (parts, page) = customer.api.send_for_text(press("pays")).await;
    assert!(parts.status == 200 && page.contains("in force") && !page.contains("<form"), "{page}");
    assert_eq!(customer.subscription().await["plan"], "starter");

    let eve = customer.api.sign_up("eve@example.com", "Other").await;
    for request in [eve.request(Method::GET, path), eve.request(Method::POST, path)] {
        assert_eq!(customer.api.send_for_text(request.body(Body::empty()).unwrap()).await.0.status, 404, "another's page is as absent");
    }
    assert_eq!(customer.api.send_for_text(request(Method::GET, path).body(Body::empty()).unwrap()).await.0.status, 401);
    let foreign =
        request(Method::POST, path).header(header::COOKIE, &customer.owner.cookie).header(header::ORIGIN, "https://elsewhere.example");
    assert_eq!(customer.api.send_for_text(foreign.body(Body::from("card=pays")).unwrap()).await.0.status, 403);
}
