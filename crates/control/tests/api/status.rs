//! `GET /status`.

use axum::http::Method;
use domain::{Money, SpendLevel, SpendScope, SpendStanding};
use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn the_installation_is_counted() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    api.key(&org, "ci").await;
    let mut status = api.get("/status").await.expect(200);
    status["version"] = "…".into();
    insta::assert_json_snapshot!("status", status);
}

#[tokio::test]
async fn ceilings_on_spend_are_put_and_told() {
    let api = Api::new().await;
    api.put("/providers/local", json!({"kind": "vllm", "spend_per_day": "12.50"})).await.expect(200);
    assert_eq!(api.get("/providers/local").await.expect(200)["spend_per_day"], "12.5");
    api.put("/plans/free", json!({"spend_per_day": 3})).await.expect(200);
    assert_eq!(api.get("/plans/free").await.expect(200)["spend_per_day"], "3");
    assert_eq!(api.get("/plans/starter").await.expect(200)["spend_per_day"], json!(null));
    for wrong in [json!("-1"), json!("1.0000000001"), json!("x")] {
        assert_eq!(api.put("/plans/free", json!({"spend_per_day": wrong})).await.fault(422).1.as_deref(), Some("spend_per_day"));
    }
    let standing = |scope, level| SpendStanding { scope, ceiling: Money(10), spent: Money(8), held: Money(1), level };
    *api.providers.spend.lock().unwrap() = vec![
        standing(SpendScope::Installation, SpendLevel::Near),
        standing(SpendScope::Provider("local".into()), SpendLevel::Below),
        standing(SpendScope::Plan("free".into()), SpendLevel::Reached),
    ];
    insta::assert_json_snapshot!("spend", api.get("/status").await.expect(200)["spend"]);
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_never_401() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    api.store.flush_and_close().await;
    for (method, path, body) in [
        (Method::POST, "/orgs".to_owned(), json!({"name": "Other", "plan": "free"})),
        (Method::PATCH, format!("/orgs/{org}"), json!({"plan": "free"})),
        (Method::POST, format!("/orgs/{org}/keys"), json!({"name": "ci"})),
        (Method::GET, format!("/orgs/{org}/usage"), json!(null)),
        (Method::GET, "/orgs".into(), json!(null)),
        (Method::GET, "/audit".into(), json!(null)),
        (Method::PUT, "/models/m".into(), json!({"category": "small"})),
        (Method::DELETE, "/plans/enterprise".into(), json!(null)),
        (Method::POST, "/apply".into(), json!({"plans": [{"id": "q"}]})),
    ] {
        assert_eq!(api.call(method.clone(), &path, Some(body)).await.fault(503).0, "unavailable", "{method} {path}");
    }
    assert_eq!(api.get(&format!("/orgs/{org}")).await.expect(200)["plan"], "starter");
}
