//! `/orgs/{id}/keys`.

use domain::{ApiKeyHash, Clock, Outcome};
use serde_json::json;

use crate::support::Api;
use crate::usage::Client;

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
    let now = || Clock::now(&*api.clock).wall;
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
    assert!(caller.is_valid_at(Clock::now(&*api.clock).wall));
}

#[tokio::test]
async fn a_key_tells_who_made_it_and_when_it_was_used() {
    let api = Api::new().await;
    let (client, usage) = Client::new(&api, "Acme").await;
    let keys = usage.replace("/usage", "/keys");
    let listed = async || api.get(&keys).await.expect(200)["data"][0].clone();
    let key = listed().await;
    assert_eq!((&key["made_by"], &key["last_used"]), (&json!("operator"), &json!(null)));
    for (n, at, said) in [
        (1, "2026-02-05T15:30:59Z", "2026-02-05T15:30:00Z"),
        (2, "2026-02-05T15:33:00Z", "2026-02-05T15:33:00Z"),
        (3, "2026-02-05T15:29:00Z", "2026-02-05T15:33:00Z"),
    ] {
        api.store.recorder().usage(client.record(n, at, "mistral-7b", Outcome::Answered, 200));
        api.store.recorder().flush().await;
        assert_eq!(listed().await["last_used"], said, "{at}");
    }
    api.store.recorder().refusal(client.refusal(9, "2026-02-05T15:35:00Z"));
    api.store.recorder().flush().await;
    assert_eq!(listed().await["last_used"], "2026-02-05T15:35:00Z", "a refused request is a use");
    let org = keys.trim_start_matches("/orgs/").trim_end_matches("/keys");
    let ada = api.member(org, "ada@example.com", "developer").await;
    ada.post(&api, &keys, json!({"name": "hers"})).await.expect(201);
    let me = ada.get(&api, "/auth/session").await.expect(200);
    let all = api.get(&keys).await.expect(200);
    let hers = all["data"].as_array().unwrap().iter().find(|key| key["name"] == "hers").unwrap();
    assert_eq!(hers["made_by"], me["person"]["id"]);
}

#[tokio::test]
async fn a_disabled_key_is_refused_until_it_is_enabled() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let (key, secret) = api.key(&org, "ci").await;
    let path = format!("/orgs/{org}/keys/{key}");
    let works = || api.store.directory().caller(&ApiKeyHash::of(secret.as_bytes())).unwrap().is_valid_at(api.clock.now().wall);
    for _ in 0..2 {
        assert_eq!(api.patch(&path, json!({"state": "disabled"})).await.expect(200)["state"], "disabled");
        assert!(!works());
    }
    assert_eq!(api.post(&format!("{path}/rotate"), json!({"overlap_seconds": 0})).await.fault(409).0, "conflict");
    assert_eq!(api.patch(&path, json!({"state": "enabled"})).await.expect(200)["state"], "enabled");
    assert!(works());
    assert_eq!(api.patch(&path, json!({"state": "gone"})).await.fault(422).1.as_deref(), Some("state"));
    api.delete(&path).await.expect(204);
    assert_eq!(api.patch(&path, json!({"state": "disabled"})).await.fault(409).0, "conflict", "it was revoked");
    let log = api.get("/audit?limit=3").await.expect(200);
    let actions: Vec<_> = log["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key.revoke", "key.enable", "key.disable"]);
    assert_eq!(log["data"][2]["details"]["disabled"], json!({"before": false, "after": true}));
}

#[tokio::test]
async fn a_key_is_replaced_by_one_like_it_and_lives_on_as_long_as_was_said() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let wanted = json!({"name": "ci", "models": ["coder"], "rpm": 5, "rate_limit_body": "openai"});
    let old = api.post(&format!("/orgs/{org}/keys"), wanted).await.expect(201);
    let rotate = |id: &serde_json::Value| format!("/orgs/{org}/keys/{}/rotate", id.as_str().unwrap());
    let works = |key: &serde_json::Value| {
        let hash = ApiKeyHash::of(key["key"].as_str().unwrap().as_bytes());
        api.store.directory().caller(&hash).unwrap().is_valid_at(api.clock.now().wall)
    };
    let new = api.post(&rotate(&old["id"]), json!({"overlap_seconds": 3600})).await.expect(201);
    for member in ["name", "models", "rpm", "tpm", "rate_limit_body", "expires"] {
        assert_eq!(new[member], old[member], "{member}");
    }
    assert!(new["id"] != old["id"] && new["key"] != old["key"] && works(&old) && works(&new));
    let pools = api.get(&format!("/orgs/{org}/limits")).await.expect(200);
    let own = |key: &serde_json::Value| {
        let name = format!("key:{}", key["id"].as_str().unwrap());
        pools["data"].as_array().unwrap().iter().any(|pool| pool["pool"] == name.as_str())
    };
    assert!(own(&old) && own(&new), "each has its own limits");
    api.clock.advance_s(3_600);
    assert!(!works(&old) && works(&new));
    assert_eq!(api.post(&rotate(&old["id"]), json!({"overlap_seconds": 0})).await.fault(409).0, "conflict", "it has expired");
    let third = api.post(&rotate(&new["id"]), json!({"overlap_seconds": 0})).await.expect(201);
    assert!(!works(&new) && works(&third), "from the next request on");
    let log = api.get("/audit?limit=1").await.expect(200);
    let entry = &log["data"][0];
    assert_eq!((&entry["action"], &entry["subject"], &entry["details"]["replaced_by"]), (&json!("key.rotate"), &new["id"], &third["id"]));
    assert_eq!(entry["details"]["expires"], json!({"before": null, "after": "2026-02-05T16:30:00Z"}));

    let early = json!({"name": "short", "expires": "2026-02-05T16:40:00Z"});
    let early = api.post(&format!("/orgs/{org}/keys"), early).await.expect(201);
    let next = api.post(&rotate(&early["id"]), json!({"overlap_seconds": 2_592_000})).await.expect(201);
    assert_eq!(next["expires"], early["expires"]);
    let listed = api.get(&format!("/orgs/{org}/keys")).await.expect(200);
    let kept = listed["data"].as_array().unwrap().iter().find(|key| key["id"] == early["id"]).unwrap();
    assert_eq!(kept["expires"], early["expires"], "never longer than before");
    for (body, code) in [(json!({}), "missing_member"), (json!({"overlap_seconds": -1}), "invalid_value")] {
        assert_eq!(api.post(&rotate(&third["id"]), body).await.fault(422), (code.into(), Some("overlap_seconds".into())));
    }
    for most in [json!(2_592_001), json!(u64::MAX)] {
        let refused = api.post(&rotate(&third["id"]), json!({"overlap_seconds": most})).await;
        assert_eq!(refused.fault(422), ("invalid_value".into(), Some("overlap_seconds".into())));
    }
}
