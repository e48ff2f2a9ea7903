//! `/providers`: credentials and headers go in and never come out.

use axum::http::Method;
use domain::{AllowanceStatus, Cooldown, CredentialId, HealthState, QuotaStatus, TargetStatus, UnixMicros};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::support::{Api, CREDENTIAL, HEADER_VALUE};

fn credentials(api: &Api) -> Vec<String> {
    api.store.directory().credentials("cloud").iter().map(|(_, secret)| secret.expose_secret().to_owned()).collect()
}

#[tokio::test]
async fn a_provider_is_made_shown_and_listed_without_its_secrets() {
    let api = Api::new().await;
    let wanted = json!({
        "name": "cloud", "kind": "openai", "base_url": "https://llm.example.com/v1/", "api_key": CREDENTIAL, "timeout_seconds": 30,
        "first_byte_timeout_seconds": 2.5, "headers": {"OpenAI-Organization": HEADER_VALUE}, "rpm": 100, "tpm": 1000, "state": "draining"
    });
    let made = api.post("/providers", wanted).await.expect(201);
    insta::assert_json_snapshot!("provider", made);
    assert_eq!(api.get("/providers/cloud").await.expect(200), made);
    insta::assert_json_snapshot!("providers", api.get("/providers").await.expect(200));
    assert_eq!(credentials(&api), [CREDENTIAL]);
    api.get("/audit").await.expect(200);
}

#[tokio::test]
async fn what_is_left_out_of_a_put_stays_and_null_removes_the_credential() {
    let api = Api::new().await;
    let put = async |body| api.put("/providers/cloud", body).await;
    let made =
        put(json!({"kind": "openai", "api_key": CREDENTIAL, "headers": {"x-a": HEADER_VALUE}, "state": "disabled"})).await.expect(201);
    assert_eq!((&made["base_url"], &made["credential"]), (&json!("https://api.openai.com/v1"), &json!("stored")));
    let kept = put(json!({"kind": "openai", "timeout_seconds": 5})).await.expect(200);
    assert_eq!((&kept["credential"], &kept["state"], &kept["header_names"]), (&json!("stored"), &json!("disabled"), &json!(["x-a"])));
    assert_eq!(credentials(&api), [CREDENTIAL]);
    put(json!({"kind": "openai", "api_key": "sk-another"})).await.expect(200);
    assert_eq!(credentials(&api), ["sk-another"]);
    let bare = put(json!({"kind": "openai", "api_key": null, "headers": {}, "state": "enabled"})).await.expect(200);
    assert_eq!((&bare["credential"], &bare["state"], &bare["header_names"]), (&json!(null), &json!("enabled"), &json!([])));
    assert_eq!(credentials(&api), [""; 0]);
}

#[tokio::test]
async fn addresses_may_be_private_and_never_link_local() {
    let api = Api::new().await;
    let put = async |url: &str| api.put("/providers/p", json!({"kind": "openai", "base_url": url})).await;
    for fine in ["http://127.0.0.1:1234/v1", "http://10.1.2.3", "http://[::1]:80/v1", "https://llm.internal/v1"] {
        assert!(put(fine).await.status.is_success(), "{fine}");
    }
    let before = api.get("/providers/p").await.expect(200);
    for wrong in [
        "ftp://x",
        "x",
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.1.1]/",
        "http://2852039166/",
        "http://u:p@x/",
        "http://x/?a=b",
    ] {
        assert_eq!(put(wrong).await.fault(422), ("invalid_value".into(), Some("base_url".into())), "{wrong}");
    }
    assert_eq!(api.get("/providers/p").await.expect(200), before);
    insta::assert_json_snapshot!("link_local", put("http://169.254.169.254/latest").await.expect(422));
}

#[tokio::test]
async fn faults_of_a_provider_are_named() {
    let api = Api::new().await;
    for (body, code, param) in [
        (json!({"name": "p"}), "missing_member", "kind"),
        (json!({"kind": "demo"}), "invalid_value", "name"),
        (json!({"name": "p", "kind": "anthropic"}), "invalid_value", "kind"),
        (json!({"name": "p", "kind": "llama_cpp"}), "invalid_value", "base_url"),
        (json!({"name": "p", "kind": "openai", "api_key": ""}), "invalid_value", "api_key"),
        (json!({"name": "p", "kind": "openai", "api_key": "a b"}), "invalid_value", "api_key"),
        (json!({"name": "p", "kind": "openai", "api_key": "a\r\nx: y"}), "invalid_value", "api_key"),
        (json!({"name": "p", "kind": "openai", "api_key": 5}), "invalid_value", "api_key"),
        (json!({"name": "p", "kind": "openai", "api_key_file": "/etc/passwd"}), "unknown_member", "api_key_file"),
        (json!({"name": "p", "kind": "openai", "timeout_seconds": 0}), "invalid_value", "timeout_seconds"),
        (json!({"name": "p", "kind": "openai", "headers": {"authorization": "x"}}), "invalid_value", "headers.authorization"),
        (json!({"name": "p", "kind": "openai", "headers": {"x": 1}}), "invalid_value", "headers.x"),
        (json!({"name": "p", "kind": "openai", "state": "off"}), "invalid_value", "state"),
    ] {
        assert_eq!(api.post("/providers", body.clone()).await.fault(422), (code.into(), Some(param.into())), "{body}");
    }
    assert_eq!(api.get("/providers/p").await.fault(404).0, "not_found");
}

#[tokio::test]
async fn a_fault_never_repeats_the_credential() {
    let api = Api::new().await;
    let secret = format!("{CREDENTIAL} with a space");
    for (key, param) in [
        (json!(secret), "api_key"),
        (json!([CREDENTIAL, [CREDENTIAL]]), "api_key[1]"),
        (json!([CREDENTIAL, CREDENTIAL]), "api_key[1]"),
        (json!({"key": CREDENTIAL}), "api_key"),
    ] {
        let body = json!({"name": "p", "kind": "openai", "api_key": key});
        assert_eq!(api.post("/providers", body).await.fault(422).1.as_deref(), Some(param), "{key}");
    }
    let body = json!({"name": "p", "kind": "openai", "headers": {"cookie": HEADER_VALUE}});
    assert_eq!(api.post("/providers", body).await.fault(422).1.as_deref(), Some("headers.cookie"));
}

#[tokio::test]
async fn a_provider_that_exists_or_is_needed_is_409() {
    let api = Api::new().await;
    assert_eq!(api.post("/providers", json!({"name": "local", "kind": "demo"})).await.fault(409).0, "conflict");
    insta::assert_json_snapshot!("provider_in_models", api.delete("/providers/local").await.expect(409));
    api.post("/providers", json!({"name": "spare", "kind": "demo"})).await.expect(201);
    api.delete("/providers/spare").await.expect(204);
    assert_eq!(api.delete("/providers/spare").await.fault(404).0, "not_found");
}

#[tokio::test]
async fn a_provider_is_drained_disabled_and_enabled() {
    let api = Api::new().await;
    for state in ["draining", "disabled", "enabled"] {
        assert_eq!(api.patch("/providers/local", json!({"state": state})).await.expect(200)["state"], state);
        assert_eq!(api.get("/providers/local/state").await.expect(200)["state"], state);
        let named = api.store.directory().catalogue().provider("local").unwrap().state;
        assert_eq!(serde_json::to_value(named).unwrap(), state);
    }
    assert_eq!(api.patch("/providers/local", json!({})).await.fault(422), ("missing_member".into(), Some("state".into())));
    assert_eq!(api.patch("/providers/local", json!({"state": "enabled", "kind": "demo"})).await.fault(422).1.as_deref(), Some("kind"));
    assert_eq!(api.patch("/providers/nowhere", json!({"state": "enabled"})).await.fault(404).0, "not_found");
}

#[tokio::test]
async fn cooldowns_are_told_and_ended() {
    let api = Api::new().await;
    insta::assert_json_snapshot!("provider_state", api.get("/providers/local/state").await.expect(200));
    let cooldown = |model: Option<&str>, until: &str, why: &str| Cooldown {
        model: model.map(Into::into),
        credential: None,
        until: until.parse::<UnixMicros>().unwrap(),
        why: why.into(),
    };
    let of_models = [
        cooldown(Some("a"), "2026-02-05T15:30:20Z", "429, retry after 20 s"),
        cooldown(Some("b"), "2026-02-05T15:31:00.5Z", "429, retry after 60 s"),
    ];
    *api.providers.cooldowns.lock().unwrap() = of_models.to_vec();
    assert_eq!(api.get("/providers/local/state").await.expect(200)["cooldown_until"], "2026-02-05T15:31:00.5Z");
    let of_key = Cooldown {
        credential: Some(CredentialId::of_fingerprint([0, 1, 2, 3, 4, 5])),
        ..cooldown(None, "2026-02-05T15:32:00Z", "the provider refuses this key")
    };
    api.providers.cooldowns.lock().unwrap().push(of_key);
    assert_eq!(api.get("/providers/local/state").await.expect(200)["cooldown_until"], "2026-02-05T15:31:00.5Z");
    api.providers.cooldowns.lock().unwrap().push(cooldown(None, "2026-02-05T15:30:10Z", "connection refused"));
    insta::assert_json_snapshot!("provider_state_cooling", api.get("/providers/local/state").await.expect(200));
    for _ in 0..2 {
        api.delete("/providers/local/cooldown").await.expect(204);
    }
    assert_eq!(*api.providers.cleared.lock().unwrap(), ["local", "local"]);
    assert_eq!(api.get("/providers/local/state").await.expect(200)["cooldowns"], json!([]));
    assert_eq!(api.get("/providers/nowhere/state").await.fault(404).0, "not_found");
    assert_eq!(api.delete("/providers/nowhere/cooldown").await.fault(404).0, "not_found");
}

#[tokio::test]
async fn how_targets_and_credentials_stand_is_told() {
    let api = Api::new().await;
    let at = |text: &str| Some(text.parse::<UnixMicros>().unwrap());
    let told = AllowanceStatus { limit: Some(500), remaining: Some(499), resets_at: at("2026-02-05T15:30:00.12Z") };
    let open = TargetStatus {
        model: Some("m".into()),
        credential: Some(CredentialId::of_fingerprint([1; 6])),
        state: HealthState::Open,
        why: Some("it failed too often".into()),
        since: at("2026-02-05T15:29:00Z"),
        until: at("2026-02-05T15:30:02Z"),
        next_probe: at("2026-02-05T15:30:02Z"),
        success_percent: Some(66.666_67),
        p95_us: Some(98_304),
        failures_in_a_row: 5,
        in_flight: 1,
        quota: Some(QuotaStatus { requests: Some(told), tokens: None, told_at: UnixMicros(0) }),
    };
    *api.providers.targets.lock().unwrap() = vec![TargetStatus::default(), open];
    insta::assert_json_snapshot!("provider_state_targets", api.get("/providers/local/state").await.expect(200)["targets"]);
}

#[tokio::test]
async fn a_provider_is_tested_on_demand() {
    let api = Api::new().await;
    insta::assert_json_snapshot!("provider_test", api.call(Method::POST, "/providers/local/test", None).await.expect(200));
    assert_eq!(api.call(Method::POST, "/providers/nowhere/test", None).await.fault(404).0, "not_found");
}

#[tokio::test]
async fn several_keys_are_put_patched_added_removed_and_never_shown() {
    let api = Api::new().await;
    let keys = |many: &[&str]| many.iter().map(|n| format!("{CREDENTIAL}-{n}")).collect::<Vec<_>>();
    let listed = async || api.get("/providers/cloud/keys").await.expect(200)["data"].as_array().unwrap().clone();
    let made = api.post("/providers", json!({"name": "cloud", "kind": "openai", "api_key": keys(&["a", "b"])})).await.expect(201);
    assert_eq!((credentials(&api), &made["keys"]), (keys(&["a", "b"]), &json!(listed().await)));

    let added = api.post("/providers/cloud/keys", json!({"api_key": keys(&["c"])[0]})).await;
    let id = added.body["id"].as_str().unwrap().to_owned();
    assert_eq!(added.headers["location"].to_str().unwrap(), format!("/api/v1/providers/cloud/keys/{id}"));
    insta::assert_json_snapshot!("provider_key", added.expect(201));
    assert_eq!((credentials(&api), listed().await.len()), (keys(&["a", "b", "c"]), 3));
    assert_eq!(api.post("/providers/cloud/keys", json!({"api_key": keys(&["c"])[0]})).await.fault(409).0, "conflict");
    for (body, code, param) in [
        (json!({}), "missing_member", "api_key"),
        (json!({"api_key": null}), "invalid_value", "api_key"),
        (json!({"api_key": keys(&["d"])}), "invalid_value", "api_key"),
        (json!({"api_key": "a b"}), "invalid_value", "api_key"),
    ] {
        assert_eq!(api.post("/providers/cloud/keys", body).await.fault(422), (code.into(), Some(param.into())));
    }

    api.delete(&format!("/providers/cloud/keys/{id}")).await.expect(204);
    for gone in [&id, "cred_000000000000", "nonsense"] {
        assert_eq!(api.delete(&format!("/providers/cloud/keys/{gone}")).await.fault(404).0, "not_found");
    }
    assert_eq!(credentials(&api), keys(&["a", "b"]));
    let patched = api.patch("/providers/cloud", json!({"api_key": keys(&["b", "e"]), "state": "draining"})).await.expect(200);
    assert_eq!((credentials(&api), &patched["state"]), (keys(&["b", "e"]), &json!("draining")));
    assert_eq!(patched["keys"][0]["id"], made["keys"][1]["id"]);
    let kept = api.patch("/providers/cloud", json!({"state": "enabled"})).await.expect(200);
    assert_eq!((credentials(&api), &kept["keys"]), (keys(&["b", "e"]), &patched["keys"]));
    assert_eq!(api.patch("/providers/cloud", json!({"api_key": ["x", "x"]})).await.fault(422).1.as_deref(), Some("api_key[1]"));
    let bare = api.patch("/providers/cloud", json!({"api_key": null})).await.expect(200);
    assert_eq!((&bare["credential"], &bare["keys"], credentials(&api)), (&json!(null), &json!([]), Vec::new()));
    for path in ["/providers/nowhere/keys", "/providers/nowhere/keys/cred_000000000000"] {
        let missing = if path.ends_with("keys") { api.get(path).await } else { api.delete(path).await };
        assert_eq!(missing.fault(404).0, "not_found");
    }
    assert_eq!(api.post("/providers/nowhere/keys", json!({"api_key": "x"})).await.fault(404).0, "not_found");
    api.get("/audit").await.expect(200);
}
