//! Plans that members ask for and operators grant.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, Browser};

async fn org_of(api: &Api, browser: &Browser) -> String {
    browser.get(api, "/auth/session").await.expect(200)["organisations"][0]["id"].as_str().unwrap().into()
}

fn decide(state: &str) -> Value {
    json!({ "state": state })
}

#[tokio::test]
async fn a_plan_is_asked_for_granted_and_in_force() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let org = org_of(&api, &ada).await;
    let path = format!("/orgs/{org}/subscription");
    let before = ada.get(&api, &path).await.expect(200);
    let nothing = json!({"plan": "free", "effective_plan": "free", "billing": "manual", "paid_until": null, "next_plan": null,
                         "past_due_until": null, "checkout": null, "request": null});
    assert_eq!(before, nothing);
    let asked = ada.post(&api, &path, json!({"plan": "starter", "message": " for the launch "})).await.expect(202);
    let request = asked["request"]["id"].as_str().unwrap();
    assert_eq!(
        (&asked["plan"], &asked["request"]["message"], &asked["request"]["state"]),
        (&json!("free"), &json!("for the launch"), &json!("open"))
    );
    let open = api.get("/plan-requests?state=open").await.expect(200);
    assert_eq!((open["data"][0]["org"].as_str(), open["data"][0]["plan"].as_str()), (Some(org.as_str()), Some("starter")));
    let granted = api.patch(&format!("/plan-requests/{request}"), decide("granted")).await.expect(200);
    assert_eq!((&granted["state"], &granted["decided_by"]), (&json!("granted"), &json!("operator")));
    let after = ada.get(&api, &path).await.expect(200);
    assert_eq!((&after["plan"], &after["effective_plan"], &after["request"]), (&json!("starter"), &json!("starter"), &json!(null)));
    assert_eq!(api.patch(&format!("/plan-requests/{request}"), decide("declined")).await.status, 409, "it is decided");
    assert_eq!(ada.post(&api, &path, json!({"plan": "starter"})).await.status, 409, "it has that plan");
    let audit = api.get("/audit").await.expect(200);
    let entries = audit["data"].as_array().unwrap();
    let find = |action: &str| entries.iter().find(|entry| entry["action"] == action).unwrap();
    assert_eq!(find("org.update")["details"]["plan"], json!({"before": "free", "after": "starter"}));
    assert_eq!(find("plan.decide")["details"]["state"], "granted");
    assert!(find("plan.request")["actor"].as_str().unwrap().starts_with("person_"));
}

#[tokio::test]
async fn one_wish_is_open_at_most_and_may_be_declined_or_taken_back() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let org = org_of(&api, &ada).await;
    let path = format!("/orgs/{org}/subscription");
    let first = ada.post(&api, &path, json!({"plan": "starter"})).await.expect(202)["request"]["id"].as_str().unwrap().to_owned();
    api.clock.advance_ms(1);
    let second = ada.post(&api, &path, json!({"plan": "enterprise"})).await.expect(202)["request"]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.patch(&format!("/plan-requests/{first}"), decide("granted")).await.status, 409, "it was replaced");
    api.patch(&format!("/plan-requests/{second}"), decide("declined")).await.expect(200);
    assert_eq!(ada.get(&api, &path).await.expect(200)["plan"], "free");
    api.clock.advance_ms(1);
    ada.post(&api, &path, json!({"plan": "starter"})).await.expect(202);
    ada.call(&api, Method::DELETE, &format!("{path}/request"), None).await.expect(204);
    assert_eq!(ada.call(&api, Method::DELETE, &format!("{path}/request"), None).await.status, 404);
    let all = api.get("/plan-requests").await.expect(200);
    let states: Vec<_> = all["data"].as_array().unwrap().iter().map(|request| request["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["withdrawn", "declined", "withdrawn"]);
    assert_eq!(api.patch("/plan-requests/plan_request_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8", decide("granted")).await.status, 404);
}

#[tokio::test]
async fn what_is_wished_is_checked() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let org = org_of(&api, &ada).await;
    let path = format!("/orgs/{org}/subscription");
    for (body, code, param) in [
        (json!({"plan": "gold"}), "invalid_value", "plan"),
        (json!({}), "missing_member", "plan"),
        (json!({"plan": "starter", "message": "x".repeat(1_001)}), "invalid_value", "message"),
        (json!({"plan": "starter", "price": 0}), "unknown_member", "price"),
    ] {
        assert_eq!(ada.post(&api, &path, body).await.fault(422), (code.to_owned(), Some(param.to_owned())));
    }
    assert_eq!(api.get("/plan-requests?state=lost").await.fault(422).1.as_deref(), Some("state"));
}

#[tokio::test]
async fn a_preview_tells_every_limit_that_rises_and_falls() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let org = org_of(&api, &ada).await;
    let preview = ada.get(&api, &format!("/orgs/{org}/subscription/preview?plan=starter")).await.expect(200);
    let told = |pool: &str, limit: &str| {
        let found = preview["changes"].as_array().unwrap().iter().find(|c| c["pool"] == pool && c["limit"] == limit).unwrap();
        (found["before"].clone(), found["after"].clone(), found["rises"].clone())
    };
    assert_eq!(told("model:qwen3-coder-next", "tpm"), (json!(300_000), json!(60_000), json!(false)), "what falls is told");
    assert_eq!(told("model:qwen3-coder-next", "rpm"), (json!(50), json!(90), json!(true)));
    assert_eq!(told("category:large", "tpm"), (json!(0), json!(30_000), json!(true)));
    assert_eq!(ada.get(&api, &format!("/orgs/{org}/subscription/preview?plan=gold")).await.fault(422).1.as_deref(), Some("plan"));
    assert_eq!(ada.get(&api, &format!("/orgs/{org}/subscription/preview")).await.status, 422);
}
