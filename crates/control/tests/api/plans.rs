//! `/plans`.

use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn a_plan_is_made_shown_and_listed() {
    let api = Api::new().await;
    let wanted = json!({
        "id": "growth", "name": "Growth", "price_month": "99.5", "hold": "max_tokens", "on_exhausted": "overdraft",
        "limits": [{"category": "small", "rpm": 600, "tpm": 400000}, {"any": true, "rpd": 5, "tpd": 6, "concurrent": 7, "window_seconds": 1.5, "rpm": 1, "enforce": false}]
    });
    let made = api.post("/plans", wanted).await.expect(201);
    insta::assert_json_snapshot!("plan", made);
    assert_eq!(api.get("/plans/growth").await.expect(200), made);
    let ids = api.get("/plans").await.expect(200);
    assert_eq!(ids["data"].as_array().unwrap().iter().map(|plan| plan["id"].as_str().unwrap()).collect::<Vec<_>>().len(), 4);
}

#[tokio::test]
async fn a_plans_rows_are_in_force_for_its_organisations_at_once() {
    let api = Api::new().await;
    let org = format!("/orgs/{}", api.org("Acme").await);
    let replaced = api.put("/plans/starter", json!({"limits": [{"any": true, "rpm": 3}]})).await.expect(200);
    assert_eq!((&replaced["name"], &replaced["price_month"]), (&json!("starter"), &json!(null)));
    assert_eq!(api.get(&org).await.expect(200)["limits"], json!([{"any": true, "rpm": 3, "enforce": true, "source": "plan"}]));
    assert_eq!(api.get(&format!("{org}/limits")).await.expect(200)["data"][0]["limit"], 3);
}

#[tokio::test]
async fn faults_of_a_plan_are_named() {
    let api = Api::new().await;
    for (body, code, param) in [
        (json!({}), "invalid_value", Some("id")),
        (json!({"id": "p", "price_month": "a lot"}), "invalid_value", Some("price_month")),
        (json!({"id": "p", "hold": "none"}), "invalid_value", Some("hold")),
        (json!({"id": "p", "limits": [{"any": true}, {"any": true}]}), "invalid_value", Some("limits")),
        (json!({"id": "p", "limits": [{"model": "nowhere"}]}), "invalid_value", Some("limits")),
        (json!({"id": "p", "limits": [{"any": true, "from": "2026-03-01T00:00:00Z"}]}), "invalid_value", Some("limits[0].from")),
        (json!({"id": "p", "limits": [{"any": true, "reason": "x"}]}), "invalid_value", Some("limits[0].reason")),
        (json!({"id": "p", "limits": [{"any": true, "rpm": 1000000000001u64}]}), "invalid_value", Some("limits[0]")),
        (json!({"id": "p", "limit": []}), "unknown_member", Some("limit")),
    ] {
        assert_eq!(api.post("/plans", body.clone()).await.fault(422), (code.into(), param.map(Into::into)), "{body}");
    }
    assert_eq!(api.put("/plans/p", json!({"id": "q"})).await.fault(422).1.as_deref(), Some("id"));
    assert_eq!(api.get("/plans/p").await.fault(404).0, "not_found");
}

#[tokio::test]
async fn a_plan_that_exists_or_is_in_use_is_409() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    assert_eq!(api.post("/plans", json!({"id": "starter"})).await.fault(409).0, "conflict");
    insta::assert_json_snapshot!("plan_in_use", api.delete("/plans/starter").await.expect(409));
    api.patch(&format!("/orgs/{org}"), json!({"plan": "free"})).await.expect(200);
    api.delete("/plans/starter").await.expect(204);
    assert_eq!(api.delete("/plans/starter").await.fault(404).0, "not_found");
}
