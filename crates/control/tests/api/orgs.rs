//! `/orgs`.

use axum::http::header;
use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn an_organisation_is_made_with_its_limits_in_force() {
    let api = Api::new().await;
    let answer = api.post("/orgs", json!({"name": "Acme", "plan": "starter"})).await;
    let location = answer.headers[header::LOCATION].to_str().unwrap().to_owned();
    let made = answer.expect(201);
    insta::assert_json_snapshot!("org", made);
    assert_eq!(api.get(location.strip_prefix("/api/v1").unwrap()).await.expect(200), made);
}

#[tokio::test]
async fn custom_limits_replace_the_plans_rows_of_their_selector_while_they_are_valid() {
    let api = Api::new().await;
    let limits = json!([
        {"category": "large", "rpm": 500, "tpm": 1_000_000, "reason": "contract 17"},
        {"any": true, "rpm": 5, "concurrent": 2, "from": "2026-02-05T16:00:00+01:00", "until": "2026-02-06T00:00:00Z", "enforce": false},
        {"model": "coder", "tpd": 7, "from": "2026-03-01T00:00:00Z"}
    ]);
    let made = api.post("/orgs", json!({"name": "Acme", "plan": "starter", "limits": limits})).await.expect(201);
    insta::assert_json_snapshot!("org_with_custom_limits", made);
    let org = format!("/orgs/{}", made["id"].as_str().unwrap());
    let selectors = |org: &serde_json::Value| {
        let name = |row: &serde_json::Value| {
            format!("{} {}", row["source"].as_str().unwrap(), row.get("model").or(row.get("category")).unwrap_or(&json!("any")))
        };
        org["limits"].as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    let with_any = ["plan \"small\"", "plan \"medium\"", "custom \"large\"", "custom \"any\""];
    assert_eq!(selectors(&made), with_any);
    api.clock.advance_s(8 * 3600 + 30 * 60 - 1);
    assert_eq!(selectors(&api.get(&org).await.expect(200)), with_any);
    api.clock.advance_s(1);
    assert_eq!(selectors(&api.get(&org).await.expect(200)), with_any[..3]);
    api.clock.advance_s(23 * 86_400);
    assert_eq!(selectors(&api.get(&org).await.expect(200)), [&with_any[..3], &["custom \"qwen3-coder-next\""]].concat());
}

#[tokio::test]
async fn putting_limits_replaces_all_custom_rows_and_survives_a_plan_change() {
    let api = Api::new().await;
    let id = api.org("Acme").await;
    let path = format!("/orgs/{id}/limits");
    let rows = |org: &serde_json::Value| org["limits"].as_array().unwrap().len();
    let first = api.put(&path, json!([{"any": true, "rpm": 1}, {"category": "large", "rpm": 2}])).await.expect(200);
    assert_eq!((rows(&first), first["custom_limits"].as_array().unwrap().len()), (4, 2));
    let second = api.put(&path, json!([{"category": "large", "rpm": 500, "tpm": 1000000}])).await.expect(200);
    assert_eq!((rows(&second), second["custom_limits"].as_array().unwrap().len()), (3, 1));
    let moved = api.patch(&format!("/orgs/{id}"), json!({"plan": "enterprise"})).await.expect(200);
    assert_eq!(moved["limits"], json!([{"category": "large", "rpm": 500, "tpm": 1000000, "enforce": true, "source": "custom"}]));
    let none = api.put(&path, json!([])).await.expect(200);
    assert_eq!((none["limits"].clone(), none["custom_limits"].clone()), (json!([]), json!([])));
    let back = api.put(&path, second["custom_limits"].clone()).await.expect(200);
    assert_eq!(back["custom_limits"], second["custom_limits"]);
}

#[tokio::test]
async fn a_fault_in_a_row_names_the_row() {
    let api = Api::new().await;
    let path = format!("/orgs/{}/limits", api.org("Acme").await);
    let fault = async |rows| api.put(&path, rows).await.fault(422);
    assert_eq!(fault(json!([{"any": true}, {"rpm": 1}])).await.1.as_deref(), Some("[1]"));
    assert_eq!(fault(json!([{"any": true, "rpm": -1}])).await.1.as_deref(), Some("[0].rpm"));
    assert_eq!(fault(json!([{"any": true, "rpn": 1}])).await, ("unknown_member".into(), Some("[0].rpn".into())));
    assert_eq!(fault(json!([{"any": true}, {"model": "nowhere"}])).await.1.as_deref(), Some("[1].model"));
    assert_eq!(fault(json!({"any": true})).await.1, None);
    assert_eq!(api.put("/orgs/org_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8/limits", json!([])).await.fault(404).0, "not_found");
}

#[tokio::test]
async fn a_plan_change_answers_the_limits_that_are_in_force_from_now_on() {
    let api = Api::new().await;
    let path = format!("/orgs/{}", api.org("Acme").await);
    let changed = api.patch(&path, json!({"plan": "free"})).await.expect(200);
    assert_eq!(changed["plan"], "free");
    assert_eq!(changed["effective_plan"], "free");
    assert_eq!(changed["limits"], json!([{"model": "qwen3-coder-next", "rpm": 50, "tpm": 300000, "enforce": true, "source": "plan"}]));
    assert_eq!(api.get(&path).await.expect(200), changed);
}

#[tokio::test]
async fn a_change_takes_any_of_its_members_and_refuses_others() {
    let api = Api::new().await;
    let path = format!("/orgs/{}", api.org("Acme").await);
    let renamed = api.patch(&path, json!({"name": "Acme Ltd", "limits": [{"any": true}]})).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["plan"]), (&json!("Acme Ltd"), &json!("starter")));
    assert_eq!(renamed["custom_limits"], json!([{"any": true, "enforce": true}]));
    assert_eq!(api.patch(&path, json!({})).await.expect(200), renamed);
    for member in ["id", "effective_plan", "created", "custom_limits"] {
        assert_eq!(api.patch(&path, json!({member: "x"})).await.fault(422), ("unknown_member".into(), Some(member.into())));
    }
    assert_eq!(api.patch(&path, json!({"plan": "gold"})).await.fault(422).1.as_deref(), Some("plan"));
    assert_eq!(api.patch(&path, json!({"plan": "free", "name": ""})).await.fault(422).1.as_deref(), Some("name"));
    assert_eq!(api.get(&path).await.expect(200), renamed);
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let api = Api::new().await;
    for id in ["org_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8", "org_", "x", "key_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8", "%20", "org_%2f.."] {
        let path = format!("/orgs/{id}");
        assert_eq!(api.get(&path).await.fault(404).0, "not_found", "{id}");
        assert_eq!(api.patch(&path, json!({"plan": "free"})).await.fault(404).0, "not_found");
        assert_eq!(api.delete(&path).await.fault(404).0, "not_found");
        assert_eq!(api.get(&format!("{path}/keys")).await.fault(404).0, "not_found");
        assert_eq!(api.get(&format!("{path}/limits")).await.fault(404).0, "not_found");
        assert_eq!(api.get(&format!("{path}/usage")).await.fault(404).0, "not_found");
        assert_eq!(api.post(&format!("{path}/keys"), json!({"name": "k"})).await.fault(404).0, "not_found");
    }
    assert_eq!(api.get("/orgs/%ff").await.fault(400).0, "invalid_path");
    for path in ["", "/", "/nothing", "/orgs/", "/orgs/a/b", "/orgs/a/keys/b/c", "/../orgs", "//orgs", "/ORGS"] {
        assert_eq!(api.get(path).await.fault(404).0, "unknown_path", "{path}");
    }
}

#[tokio::test]
async fn deleting_ends_it_once_and_keeps_its_usage() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let (key, _) = api.key(&org, "ci").await;
    let path = format!("/orgs/{org}");
    for _ in 0..2 {
        assert_eq!(api.delete(&path).await.expect(204), json!(null));
    }
    assert_eq!(api.get(&path).await.status, 404);
    assert_eq!(api.patch(&path, json!({"plan": "free"})).await.status, 404);
    assert_eq!(api.post(&format!("{path}/keys"), json!({"name": "k"})).await.status, 404);
    assert_eq!(api.get(&format!("{path}/limits")).await.status, 404);
    assert_eq!(api.get("/orgs").await.expect(200)["data"], json!([]));
    assert_eq!(api.get(&format!("{path}/usage")).await.expect(200)["totals"]["requests"], 0);
    let log = api.get("/audit").await.expect(200);
    let deletes = log["data"].as_array().unwrap().iter().filter(|entry| entry["action"] == "org.delete").count();
    assert_eq!(deletes, 1, "{log:#}");
    let _ = key;
}
