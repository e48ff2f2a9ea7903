//! `/models`: ids hold slashes and whatever else is printable.

use axum::http::header;
use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn a_model_is_made_shown_and_listed() {
    let api = Api::new().await;
    let wanted = json!({
        "id": "openai/gpt-oss-120b", "aliases": ["gpt-oss"], "parameters_b": 117, "context_window": 131072, "max_output_tokens": 32768,
        "default_output_tokens": 512, "input_price": "0.15", "output_price": 0.6, "tokenizer": "o200k",
        "features": ["json_schema", "tools"], "hedge_after_ms": 800, "targets": [{"provider": "local"}, {"provider": "local", "model": "oss", "priority": 1,
            "weight": 3, "context_window": 8192, "features": ["vision"], "rpm": 60, "tpm": 90000, "concurrent": 4}]
    });
    let answer = api.post("/models", wanted).await;
    assert_eq!(answer.headers[header::LOCATION], "/api/v1/models/openai%2Fgpt-oss-120b");
    let made = answer.expect(201);
    insta::assert_json_snapshot!("model", made);
    assert_eq!(api.get("/models/openai%2Fgpt-oss-120b").await.expect(200), made);
    insta::assert_json_snapshot!("models", api.get("/models").await.expect(200));
    let model = api.store.directory().catalogue().find("gpt-oss");
    assert!(model.is_some());
}

#[tokio::test]
async fn ids_in_paths_are_encoded_or_have_raw_slashes() {
    let api = Api::new().await;
    for (id, encoded, raw) in [
        ("a/b/c", "a%2Fb%2fc", "a/b/c"),
        ("hf.co/x:y@z", "hf.co%2Fx%3Ay%40z", "hf.co/x:y@z"),
        ("ünï/100% #1?", "%C3%BCn%C3%AF%2F100%25%20%231%3F", "%C3%BCn%C3%AF/100%25%20%231%3F"),
        ("a//b", "a%2F%2Fb", "a//b"),
        ("/a/", "%2Fa%2F", "/a/"),
    ] {
        for path in [encoded, raw] {
            let path = format!("/models/{path}");
            assert_eq!(api.put(&path, json!({"category": "small"})).await.expect(201)["id"], id);
            assert_eq!(api.get(&path).await.expect(200)["id"], id);
            assert_eq!(api.put(&format!("{path}?"), json!({"category": "large", "id": id})).await.expect(200)["category"], "large");
            api.delete(&path).await.expect(204);
            assert_eq!(api.get(&path).await.fault(404).0, "not_found");
            assert_eq!(api.delete(&path).await.fault(404).0, "not_found");
        }
    }
}

#[tokio::test]
async fn the_category_follows_from_the_size_where_it_is_left_out() {
    let api = Api::new().await;
    for (size, category) in [(8.0, "small"), (8.1, "medium"), (35.0, "medium"), (35.1, "large")] {
        assert_eq!(api.put("/models/m", json!({"parameters_b": size})).await.body["category"], category);
    }
}

#[tokio::test]
async fn faults_of_a_model_are_named() {
    let api = Api::new().await;
    for (body, code, param) in [
        (json!({"category": "small"}), "invalid_value", Some("id")),
        (json!({"id": "", "category": "small"}), "invalid_value", None),
        (json!({"id": "m"}), "invalid_value", Some("category")),
        (json!({"id": "m", "parameters_b": 0}), "invalid_value", Some("parameters_b")),
        (json!({"id": "m", "category": "small", "hedge_after_ms": 0}), "invalid_value", Some("hedge_after_ms")),
        (json!({"id": "m", "category": "small", "input_price": "free"}), "invalid_value", Some("input_price")),
        (json!({"id": "m", "category": "small", "input_price": "-1"}), "invalid_value", Some("input_price")),
        (json!({"id": "m", "category": "small", "output_price": -1}), "invalid_value", Some("output_price")),
        (json!({"id": "m", "category": "small", "output_price": 1e-10}), "invalid_value", Some("output_price")),
        (json!({"id": "m", "category": "small", "targets": [{"provider": "nowhere"}]}), "invalid_value", Some("targets")),
        (json!({"id": "m", "category": "small", "targets": [["local"]]}), "invalid_value", Some("targets[0]")),
        (json!({"id": "m", "category": "small", "targets": [{}]}), "missing_member", Some("targets[0].provider")),
        (json!({"id": "m", "category": "small", "targets": [{"provider": "local", "url": "x"}]}), "unknown_member", Some("targets[0].url")),
        (json!({"id": "m", "category": "small", "aliases": ["coder"]}), "invalid_value", None),
        (json!({"id": "m", "category": "small", "managed_by": "api"}), "unknown_member", Some("managed_by")),
        (json!({"id": "m", "category": "small", "targets": vec![json!({"provider": "local"}); 51]}), "invalid_value", Some("targets")),
    ] {
        assert_eq!(api.post("/models", body.clone()).await.fault(422), (code.into(), param.map(Into::into)), "{body}");
    }
    assert_eq!(api.put("/models/m", json!({"id": "n", "category": "small"})).await.fault(422).1.as_deref(), Some("id"));
    assert_eq!(api.get("/models/m").await.status, 404);
}

#[tokio::test]
async fn a_name_that_is_taken_or_needed_is_409() {
    let api = Api::new().await;
    let taken = json!({"id": "mistral-7b", "category": "small"});
    insta::assert_json_snapshot!("model_exists", api.post("/models", taken).await.expect(409));
    insta::assert_json_snapshot!("model_in_plans", api.delete("/models/qwen3-coder-next").await.expect(409));
    api.delete("/models/mistral-7b").await.expect(204);
}
