//! `/orgs/{id}/keys`.

use domain::ApiKeyHash;
use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_a_hash() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let wanted =
        json!({"name": "ci", "expires": "2026-03-01T00:00:00Z", "models": ["coder"], "rpm": 5, "tpm": 1000, "rate_limit_body": "openai"});
    let made = api.post(&format!("/orgs/{org}/keys"), wanted).await.expect(201);
    insta::assert_json_snapshot!("key", made);
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("tg_"));
    let caller = api.store.directory().caller(&ApiKeyHash::of(secret.as_bytes())).unwrap();
    assert_eq!((caller.id().to_string(), caller.org().id().to_string()), (made["id"].as_str().unwrap().into(), org.clone()));
    api.is_secret(secret);
    insta::assert_json_snapshot!("keys", api.get(&format!("/orgs/{org}/keys")).await.expect(200));
    api.get("/audit").await.expect(200);
}

#[tokio::test]
async fn a_key_needs_a_name_only() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let made = api.post(&format!("/orgs/{org}/keys"), json!({"name": "ci"})).await.expect(201);
    for member in ["expires", "models", "rpm", "tpm", "rate_limit_body"] {
        assert!(made[member].is_null(), "{member}");
    }
}

#[tokio::test]
async fn faults_of_a_key_are_named() {
    let api = Api::new().await;
    let path = format!("/orgs/{}/keys", api.org("Acme").await);
    for (body, code, param) in [
        (json!({}), "missing_member", "name"),
        (json!({"name": ""}), "invalid_value", "name"),
        (json!({"name": "x", "key": "tg_mine"}), "unknown_member", "key"),
        (json!({"name": "x", "expires": "2026-02-05T15:30:00Z"}), "invalid_value", "expires"),
        (json!({"name": "x", "expires": "tomorrow"}), "invalid_value", "expires"),
        (json!({"name": "x", "models": []}), "invalid_value", "models"),
        (json!({"name": "x", "models": ["coder", "gpt-9"]}), "invalid_value", "models[1]"),
        (json!({"name": "x", "rpm": "5"}), "invalid_value", "rpm"),
        (json!({"name": "x", "rate_limit_body": "html"}), "invalid_value", "rate_limit_body"),
    ] {
        assert_eq!(api.post(&path, body.clone()).await.fault(422), (code.into(), Some(param.into())), "{body}");
    }
    assert_eq!(api.get(&path).await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn revoking_is_in_force_at_once_and_happens_once() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let (key, secret) = api.key(&org, "ci").await;
    let caller = || api.store.directory().caller(&ApiKeyHash::of(secret.as_bytes())).unwrap();
    let now = || domain::Clock::now(&*api.clock).wall;
    assert!(caller().is_valid_at(now()));
    let path = format!("/orgs/{org}/keys/{key}");
    api.delete(&path).await.expect(204);
    assert!(!caller().is_valid_at(now()));
    api.clock.advance_s(60);
    api.delete(&path).await.expect(204);
    let listed = api.get(&format!("/orgs/{org}/keys")).await.expect(200);
    assert_eq!(listed["data"][0]["revoked"], "2026-02-05T15:30:00Z");
}

#[tokio::test]
async fn a_key_of_another_organisation_is_not_there() {
    let api = Api::new().await;
    let (ours, theirs) = (api.org("Ours").await, api.org("Theirs").await);
    let (key, secret) = api.key(&theirs, "ci").await;
    assert_eq!(api.get(&format!("/orgs/{ours}/keys")).await.expect(200)["data"], json!([]));
    assert_eq!(api.delete(&format!("/orgs/{ours}/keys/{key}")).await.fault(404).0, "not_found");
    assert_eq!(api.delete(&format!("/orgs/{theirs}/keys/key_01J9Z3K8M2Q4R6T8V0W2X4Y6Z8")).await.fault(404).0, "not_found");
    assert_eq!(api.delete(&format!("/orgs/{theirs}/keys/nonsense")).await.fault(404).0, "not_found");
    let caller = api.store.directory().caller(&ApiKeyHash::of(secret.as_bytes())).unwrap();
    assert!(caller.is_valid_at(domain::Clock::now(&*api.clock).wall));
}
