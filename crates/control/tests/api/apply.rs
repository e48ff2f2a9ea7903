//! `POST /apply`: what a file says, all or nothing.

use serde_json::{Value, json};

use crate::support::{Api, CREDENTIAL, HEADER_VALUE};

fn file() -> Value {
    json!({
        "providers": [
            {"name": "local", "kind": "vllm", "base_url": "http://127.0.0.1:9000/v1"},
            {"name": "cloud", "kind": "openai", "api_key": CREDENTIAL, "headers": {"x-a": HEADER_VALUE}}
        ],
        "models": [
            {"id": "mistral-7b", "parameters_b": 7.2, "input_price": "0.1", "targets": [{"provider": "cloud"}]},
            {"id": "meta/llama-3.3-70b", "parameters_b": 70, "targets": [{"provider": "cloud"}]},
            {"id": "new", "category": "small"}
        ],
        "plans": [{"id": "starter", "limits": [{"category": "small", "rpm": 200}, {"model": "new", "tpm": 5}]}]
    })
}

fn with(mut file: Value, member: &str, value: bool) -> Value {
    file[member] = json!(value);
    file
}

#[tokio::test]
async fn the_difference_is_told_first_and_then_made() {
    let api = Api::new().await;
    let would = api.post("/apply", with(file(), "dry_run", true)).await.expect(200);
    insta::assert_json_snapshot!("apply", would);
    assert_eq!(api.get("/providers/cloud").await.status, 404);
    let did = api.post("/apply", file()).await.expect(200);
    assert_eq!((&did["dry_run"], &did["changes"]), (&json!(false), &would["changes"]));
    assert_eq!(api.post("/apply", file()).await.expect(200)["changes"], json!([]));
    let cloud = api.get("/providers/cloud").await.expect(200);
    assert_eq!((&cloud["managed_by"], &cloud["credential"]), (&json!("file"), &json!("stored")));
    assert_eq!(api.get("/plans/free").await.expect(200)["managed_by"], "seed");
}

#[tokio::test]
async fn only_pruning_deletes() {
    let api = Api::new().await;
    api.post("/apply", file()).await.expect(200);
    let pruned = api.post("/apply", with(file(), "prune", true)).await.expect(200);
    let deleted: Vec<_> =
        pruned["changes"].as_array().unwrap().iter().map(|c| (c["action"].as_str().unwrap(), c["name"].as_str().unwrap())).collect();
    assert_eq!(deleted, [("delete", "qwen3-coder-next"), ("delete", "free"), ("delete", "enterprise")]);
    assert_eq!(api.get("/plans/free").await.status, 404);
}

#[tokio::test]
async fn nothing_is_changed_where_anything_is_wrong() {
    let api = Api::new().await;
    let before = api.get("/audit").await.expect(200);
    for (input, code, param) in [
        (json!({"plans": [{"id": "ok"}, {"limits": []}]}), "invalid_value", Some("plans[1].id")),
        (
            json!({"models": [{"id": "m", "category": "small", "targets": [{"provider": "local", "wait": 1}]}]}),
            "unknown_member",
            Some("models[0].targets[0].wait"),
        ),
        (json!({"plans": [{"id": "ok", "limits": [{"any": true}, {"rpm": 1}]}]}), "invalid_value", Some("plans[0].limits[1]")),
        (json!({"orgs": []}), "unknown_member", Some("orgs")),
    ] {
        assert_eq!(api.post("/apply", input.clone()).await.fault(422), (code.into(), param.map(Into::into)), "{input}");
    }
    let contradictory = json!({
        "models": [{"id": "m", "category": "small", "targets": [{"provider": "nowhere"}]}, {"id": "n"}],
        "plans": [{"id": "ok", "limits": [{"model": "missing"}]}]
    });
    insta::assert_json_snapshot!("apply_faults", api.post("/apply", contradictory).await.expect(422));
    let org = api.post("/orgs", json!({"name": "Acme", "plan": "starter"})).await.expect(201);
    assert_eq!(api.post("/apply", json!({"prune": true})).await.fault(409).0, "conflict");
    api.delete(&format!("/orgs/{}", org["id"].as_str().unwrap())).await.expect(204);
    let after = api.get("/audit").await.expect(200);
    assert_eq!(after["data"].as_array().unwrap().len(), before["data"].as_array().unwrap().len() + 2);
}
