//! `GET /audit`: every write leaves an entry, no read and no refused write does.

use axum::http::Method;
use serde_json::json;

use crate::support::{Api, CREDENTIAL, HEADER_VALUE};

async fn actions(api: &Api) -> Vec<String> {
    let log = api.get("/audit?limit=200").await.expect(200);
    log["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_write_leaves_an_entry() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let (key, _) = api.key(&org, "ci").await;
    let mut count = actions(&api).await.len();
    for (method, path, body) in [
        (Method::PATCH, format!("/orgs/{org}"), json!({"plan": "free"})),
        (Method::PUT, format!("/orgs/{org}/limits"), json!([{"any": true, "rpm": 5}])),
        (Method::DELETE, format!("/orgs/{org}/keys/{key}"), json!(null)),
        (Method::DELETE, format!("/orgs/{org}"), json!(null)),
        (
            Method::POST,
            "/providers".into(),
            json!({"name": "p", "kind": "openai", "api_key": CREDENTIAL, "headers": {"x-a": HEADER_VALUE}}),
        ),
        (Method::PUT, "/providers/p".into(), json!({"kind": "openai", "api_key": "sk-other"})),
        (Method::PATCH, "/providers/p".into(), json!({"state": "disabled"})),
        (Method::DELETE, "/providers/p/cooldown".into(), json!(null)),
        (Method::DELETE, "/providers/p".into(), json!(null)),
        (Method::POST, "/models".into(), json!({"id": "m", "category": "small"})),
        (Method::PUT, "/models/m".into(), json!({"category": "large"})),
        (Method::DELETE, "/models/m".into(), json!(null)),
        (Method::POST, "/plans".into(), json!({"id": "p"})),
        (Method::PUT, "/plans/p".into(), json!({"limits": [{"any": true}]})),
        (Method::DELETE, "/plans/p".into(), json!(null)),
        (Method::POST, "/apply".into(), json!({"plans": [{"id": "q"}]})),
    ] {
        let answer = api.call(method.clone(), &path, Some(body)).await;
        assert!(answer.status.is_success(), "{method} {path}: {:#}", answer.body);
        let now = actions(&api).await;
        assert_eq!(now.len(), count + 1, "{method} {path} left {now:?}");
        count = now.len();
    }
}

#[tokio::test]
async fn entries_say_who_what_and_when_newest_first() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    api.clock.advance_s(5);
    api.patch(&format!("/orgs/{org}"), json!({"plan": "free"})).await.expect(200);
    let log = api.get("/audit?limit=2").await.expect(200);
    insta::assert_json_snapshot!("audit", log["data"]);
}

#[tokio::test]
async fn what_changes_nothing_leaves_nothing() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let before = actions(&api).await;
    api.patch(&format!("/orgs/{org}"), json!({"plan": "starter"})).await.expect(200);
    api.patch(&format!("/orgs/{org}"), json!({"plan": "gold"})).await.expect(422);
    api.post("/plans", json!({"id": "free"})).await.expect(409);
    api.post("/apply", json!({"plans": [{"id": "new"}], "dry_run": true})).await.expect(200);
    api.get(&format!("/orgs/{org}")).await.expect(200);
    assert_eq!(actions(&api).await, before);
}
