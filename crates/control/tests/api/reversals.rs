//! What becomes of payments at Stripe after they were made: money given back by hand, and disputes. It is told, twice, late and in any order,
//! and only a dispute that is lost costs the plan.

use axum::http::Method;
use serde_json::{Value, json};
use testkit::CARD_PAYS;

use crate::stripe::{Customer, DAY_S, both};

/// What the charge of an event is called.
fn charge(event: &Value) -> String {
    event["data"]["object"]["id"].as_str().filter(|id| id.starts_with("pi_")).unwrap().to_owned()
}

impl Customer {
    /// `paid`, `refunded` and `dispute` of the only invoice.
    async fn invoice(&self) -> (Value, Value, Value) {
        let mut invoices = self.invoices().await;
        assert_eq!(invoices.len(), 1, "{invoices:#?}");
        let mut take = |member: &str| invoices[0][member].take();
        (take("paid"), take("refunded"), take("dispute"))
    }

    async fn late_until(&self) -> Value {
        self.api.get(&self.path("/subscription")).await.expect(200)["past_due_until"].take()
    }
}

#[tokio::test]
async fn money_that_was_given_back_by_hand_is_told_once_and_the_plan_stays() {
    let customer = Customer::new().await;
    let charge = charge(&customer.buy("starter", CARD_PAYS).await[0]);
    let (first, second) = (customer.stripe.give_back(&charge, 500), customer.stripe.give_back(&charge, 1_500));
    customer.tell(&first).await;
    assert_eq!(customer.invoice().await, (json!(true), json!("5"), json!(null)));
    // Again, as another event, and the first after the second.
    for event in [&first, &second, &first, &second, &customer.stripe.event("charge.refunded", &first["data"]["object"])] {
        customer.tell(event).await;
    }
    assert_eq!(customer.invoice().await, (json!(true), json!("20"), json!(null)));
    assert_eq!((customer.audited("payment.refunded_elsewhere").await, customer.plans().await), (2, both("starter")));
    let shown = customer.owner.call(&customer.api, Method::GET, &customer.path("/audit"), None).await.expect(200);
    assert!(shown.to_string().contains("payment.refunded_elsewhere"), "the organisation sees it too");
    customer.api.cashier.run().await;
    assert_eq!((customer.late_until().await, customer.stripe.refunds()), (json!(null), 2), "nothing more is given back");
}

#[tokio::test]
async fn what_is_given_back_before_it_is_known_to_be_paid_gives_no_plan() {
    let customer = Customer::new().await;
    let events = customer.pay(&customer.choose("starter", 202).await, CARD_PAYS);
    customer.tell(&customer.stripe.give_back(&charge(&events[0]), 2_000)).await;
    for event in &events {
        customer.tell(event).await;
    }
    assert_eq!((customer.plans().await, customer.invoices().await), (both("free"), Vec::new()));
    customer.api.cashier.run().await;
    customer.api.cashier.run().await;
    assert_eq!((customer.stripe.refunds(), customer.stripe.taken(), customer.audited("payment.refunded").await), (1, 0, 1));
}

#[tokio::test]
async fn what_is_given_back_from_here_is_no_news() {
    let customer = Customer::new().await;
    let events = customer.pay(&customer.choose("starter", 202).await, CARD_PAYS);
    customer.api.patch(&customer.path(""), json!({"plan": "enterprise"})).await.expect(200);
    customer.tell(&events[1]).await;
    customer.api.cashier.run().await;
    let intent = &events[0]["data"]["object"];
    let told =
        json!({"id": "ch_1", "payment_intent": intent["id"], "amount_refunded": 2_000, "currency": "usd", "metadata": intent["metadata"]});
    customer.tell(&customer.stripe.event("charge.refunded", &told)).await;
    assert_eq!((customer.audited("payment.refunded").await, customer.audited("payment.refunded_elsewhere").await), (1, 0));
}

#[tokio::test]
async fn a_dispute_is_told_and_one_that_is_won_changes_nothing() {
    let customer = Customer::new().await;
    let charge = charge(&customer.buy("starter", CARD_PAYS).await[0]);
    let created = customer.stripe.dispute(&charge, "created", "needs_response");
    customer.tell(&created).await;
    assert_eq!(customer.invoice().await, (json!(true), json!("0"), json!("open")));
    customer.tell(&customer.stripe.dispute(&charge, "updated", "under_review")).await;
    customer.tell(&customer.stripe.dispute(&charge, "closed", "won")).await;
    // What comes late and twice.
    customer.tell(&created).await;
    customer.tell(&customer.stripe.dispute(&charge, "created", "needs_response")).await;
    assert_eq!(customer.invoice().await, (json!(true), json!("0"), json!("won")));
    assert_eq!((customer.audited("payment.disputed").await, customer.plans().await), (2, both("starter")));
    assert_eq!(customer.late_until().await, json!(null));
}

#[tokio::test]
async fn a_dispute_that_is_lost_leaves_a_week_to_pay_anew() {
    let customer = Customer::new().await;
    let first = charge(&customer.buy("starter", CARD_PAYS).await[0]);
    customer.api.clock.advance_s(3 * DAY_S);
    // Lost before anybody told that there was one.
    customer.tell(&customer.stripe.dispute(&first, "closed", "lost")).await;
    customer.tell(&customer.stripe.dispute(&first, "created", "needs_response")).await;
    assert_eq!(customer.invoice().await, (json!(false), json!("0"), json!("lost")));
    assert_eq!((customer.plans().await, customer.late_until().await), (both("starter"), json!("2026-02-15T15:30:00Z")));
    assert_eq!((customer.audited("payment.disputed").await, customer.audited("plan.past_due").await), (1, 1));
    // The card isn't charged by itself.
    assert_eq!(customer.after(3 * DAY_S).await, both("starter"));
    assert_eq!(customer.stripe.taken(), 2_000);
    assert_eq!(customer.choose("starter", 200).await["past_due_until"], json!(null), "whoever chooses it again pays it whole");
    assert_eq!((customer.plans().await, customer.stripe.taken()), (both("starter"), 4_000));
    assert_eq!(customer.after(7 * DAY_S).await, both("starter"));

    let customer = Customer::new().await;
    let first = charge(&customer.buy("starter", CARD_PAYS).await[0]);
    customer.tell(&customer.stripe.dispute(&first, "closed", "lost")).await;
    assert_eq!(customer.after(7 * DAY_S).await, ("starter".into(), "free".into()), "whose week is over leaves the plan");
    assert_eq!(customer.stripe.taken(), 2_000);
}

#[tokio::test]
async fn a_dispute_about_a_month_that_is_over_or_about_nothing_here_is_only_told() {
    let customer = Customer::new().await;
    let first = charge(&customer.buy("starter", CARD_PAYS).await[0]);
    assert_eq!(customer.after(28 * DAY_S).await, both("starter"));
    customer.tell(&customer.stripe.dispute(&first, "closed", "lost")).await;
    let paid: Vec<_> = customer.invoices().await.iter().map(|invoice| invoice["paid"] == true).collect();
    assert_eq!((paid, customer.late_until().await), (vec![true, false], json!(null)));
    let unknown = [
        ("charge.dispute.closed", json!({"id": "dp_9", "payment_intent": "pi_of_another", "status": "lost"})),
        ("charge.dispute.created", json!({"id": "dp_9", "payment_intent": null, "status": "needs_response"})),
        (
            "charge.refunded",
            json!({"id": "ch_9", "payment_intent": "pi_of_another", "amount_refunded": 1, "currency": "usd", "metadata": {}}),
        ),
        ("charge.refunded", json!({"id": "ch_9", "payment_intent": first, "amount_refunded": 1, "currency": "eur", "metadata": {}})),
    ];
    for (kind, object) in &unknown {
        customer.tell(&customer.stripe.event(kind, object)).await;
    }
    assert_eq!((customer.audited("payment.disputed").await, customer.audited("payment.refunded_elsewhere").await), (1, 0));
}
