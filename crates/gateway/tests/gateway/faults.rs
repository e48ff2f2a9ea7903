//! Requests that can't be served: each with the contract's status and words, none costing a request or a token.

use bytes::Bytes;
use domain::Kind;
use serde_json::{Value, json};
use store::{Actor, NewKey};
use testkit::{Answer, Call, Connection};

use crate::rig::{Rig, Setup, chat};

fn error(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let text = |name: &str| body["error"][name].as_str().unwrap_or_default().to_owned();
    assert!(!text("message").to_lowercase().contains("rate limited"), "{body}");
    assert!(body["error"].as_object().is_some_and(|e| e.contains_key("param") && e.contains_key("type")), "{body}");
    assert!(answer.header("x-request-id").is_some());
    (answer.status, text("code"), text("message"))
}

async fn cost_nothing(rig: &Rig) {
    rig.settled().await;
    for kind in [Kind::Requests, Kind::Tokens] {
        assert_eq!(rig.pool("category:small", kind), (0, 0));
    }
    assert_eq!(rig.upstream.count(), 0);
}

#[tokio::test]
async fn keys_that_nobody_may_use_are_401() {
    let rig = Rig::start().await;
    let expires =
        rig.new_key(NewKey { name: "e".into(), expires: Some("2026-02-05T15:30:01Z".parse().unwrap()), ..Default::default() }).await;
    let (revoked, secret) =
        rig.store.create_key(Actor::Operator, rig.org, NewKey { name: "r".into(), ..Default::default() }).await.unwrap();
    rig.store.revoke_key(Actor::Operator, rig.org, revoked.id).await.unwrap();
    rig.clock.advance_s(1);
    let call = |key: Option<&str>| {
        let call = Call::post("/v1/chat/completions", &chat("small-1"));
        key.map_or(call.clone(), |key| call.key(key))
    };
    for (key, words) in [
        (None, "No API key was sent"),
        (Some("tg_unknown"), "not known here"),
        (Some(secret.expose()), "was revoked"),
        (Some(expires.as_str()), "expired at 2026-02-05T15:30:01Z"),
    ] {
        let answer = rig.send(&call(key)).await;
        let (status, code, message) = error(&answer);
        assert_eq!((status, code.as_str()), (401, "invalid_api_key"));
        assert!(message.contains(words), "{message}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let two = call(Some(&rig.key)).header("x-api-key", "tg_other");
    assert_eq!(error(&rig.send(&two).await).0, 401);
    let other_header = call(None).header("x-api-key", "tg_unknown");
    assert_eq!(error(&rig.send(&other_header).await).0, 401);
    cost_nothing(&rig).await;
}

#[tokio::test]
async fn a_deleted_organisations_keys_are_401() {
    let rig = Rig::start().await;
    rig.store.delete_org(Actor::Operator, rig.org).await.unwrap();
    assert_eq!(error(&rig.send(&rig.chat("small-1")).await).0, 401);
}

#[tokio::test]
async fn bodies_that_are_no_request_are_400_and_say_where() {
    let rig = Rig::start().await;
    let nested =
        format!(r#"{{"model":"small-1","messages":[{{"role":"user","content":"x"}}],"x":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    let cases: [(&[u8], Value, &str); 10] = [
        (b"hello", Value::Null, "not valid JSON"),
        (b"{\"model\":\"small-1\",\n \"messages\":[{\"ro", Value::Null, "line 2"),
        (b"", Value::Null, "JSON"),
        (b"{\"model\":\"small-1\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", Value::Null, "UTF-8"),
        (nested.as_bytes(), Value::Null, "nested"),
        (br#"{"messages":[{"role":"user","content":"x"}]}"#, json!("model"), "model"),
        (br#"{"model":"","messages":[{"role":"user","content":"x"}]}"#, json!("model"), "model"),
        (br#"{"model":5,"messages":[{"role":"user","content":"x"}]}"#, json!("model"), "model"),
        (br#"{"model":"small-1","messages":[]}"#, json!("messages"), "messages"),
        (br#"{"model":"small-1","messages":[{"role":"user","content":"x"}],"stream":"yes"}"#, json!("stream"), "stream"),
    ];
    for (body, param, words) in cases {
        let call = Call::new("POST", "/v1/chat/completions").key(&rig.key).header("content-type", "application/json");
        let answer = rig.send(&call.body(Bytes::copy_from_slice(body))).await;
        let (status, _, message) = error(&answer);
        assert_eq!(status, 400, "{message}");
        assert_eq!(
            (answer.json()["error"]["type"].as_str(), &answer.json()["error"]["param"]),
            (Some("invalid_request_error"), &param),
            "{message}"
        );
        assert!(message.contains(words), "{message}");
    }
    cost_nothing(&rig).await;
}

#[tokio::test]
async fn any_content_type_is_taken_that_carries_json() {
    let rig = Rig::start().await;
    for name in ["text/plain", "application/x-www-form-urlencoded"] {
        let call = Call::new("POST", "/v1/chat/completions").key(&rig.key).header("content-type", name).body(chat("small-1").to_string());
        assert_eq!(rig.send(&call).await.status, 200);
    }
    assert!(rig.upstream.received().iter().all(|r| r.headers.get("content-type") == Some("application/json")));
}

#[tokio::test]
async fn models_that_one_may_not_use_say_who_may() {
    let rig = Rig::with(Setup { plan: "starter", ..Setup::default() }).await;
    let answer = rig.send(&rig.chat("large-1")).await;
    let (status, code, message) = error(&answer);
    assert_eq!((status, code.as_str(), answer.header("x-should-retry")), (403, "model_not_in_plan", Some("false")));
    assert!(message.contains("`growth`") && message.contains("`starter`"), "{message}");
    let (status, code, message) = error(&rig.send(&rig.chat("smal-1")).await);
    assert_eq!((status, code.as_str()), (404, "model_not_found"));
    assert!(message.contains("`small-1`") && !message.contains("large-1"), "{message}");
    let confined = rig.new_key(NewKey { name: "c".into(), models: Some(vec!["org/small-2".into()]), ..Default::default() }).await;
    let call = |model| Call::post("/v1/chat/completions", &chat(model)).key(&confined);
    let (status, code, _) = error(&rig.send(&call("small-1")).await);
    assert_eq!((status, code.as_str()), (403, "model_not_for_key"));
    cost_nothing(&rig).await;
    assert_eq!(rig.send(&call("org/small-2")).await.status, 200);
}

#[tokio::test]
async fn paths_and_methods() {
    let rig = Rig::start().await;
    let wrong = rig.send(&Call::get("/v1/chat/completions").key(&rig.key)).await;
    assert_eq!((error(&wrong).0, wrong.header("allow")), (405, Some("POST")));
    let wrong = rig.send(&Call::new("DELETE", "/v1/models").key(&rig.key)).await;
    assert_eq!((error(&wrong).0, wrong.header("allow")), (405, Some("GET")));
    let (status, code, _) = error(&rig.send(&Call::get("/v1/engines").key(&rig.key)).await);
    assert_eq!((status, code.as_str()), (404, "unknown_url"));
    let encoded = rig.chat("small-1").header("content-encoding", "gzip");
    assert_eq!(error(&rig.send(&encoded).await).0, 415);
    cost_nothing(&rig).await;
}

#[tokio::test]
async fn too_large_bodies_get_their_answer_however_they_come() {
    let mut setup = Setup::default();
    setup.config.max_body_bytes = 100_000;
    let rig = Rig::with(setup).await;
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", rig.key);
    // Declared: refused before it comes, though all of it is sent.
    let mut connection = Connection::open(rig.addr).await.unwrap();
    connection.write(format!("{head}content-length: 1000000000\r\n\r\n").as_bytes()).await.unwrap();
    let answer = connection.flood(&[b'x'; 65_536], 4_000_000).await.unwrap();
    assert_eq!((error(&answer).0, error(&answer).1.as_str(), answer.header("connection")), (413, "body_too_large", Some("close")));
    // Chunked without end.
    let mut connection = Connection::open(rig.addr).await.unwrap();
    connection.write(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let mut chunk = b"4000\r\n".to_vec();
    chunk.resize(6 + 0x4000, b' ');
    chunk.extend_from_slice(b"\r\n");
    let answer = connection.flood(&chunk, 4_000_000).await.unwrap();
    assert_eq!(error(&answer).0, 413);
    cost_nothing(&rig).await;
}

#[tokio::test]
async fn callers_without_a_key_are_told_before_their_body_is_read() {
    let rig = Rig::start().await;
    let mut connection = Connection::open(rig.addr).await.unwrap();
    connection.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n").await.unwrap();
    let answer = connection.answer().await.unwrap();
    assert_eq!((error(&answer).0, answer.header("connection")), (401, Some("close")));
}

#[tokio::test]
async fn a_slow_body_is_408() {
    let mut setup = Setup::default();
    setup.config.body_timeout = std::time::Duration::from_millis(20);
    let rig = Rig::with(setup).await;
    let mut connection = Connection::open(rig.addr).await.unwrap();
    let head = format!("POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 50\r\n\r\n{{", rig.key);
    connection.write(head.as_bytes()).await.unwrap();
    let answer = connection.answer().await.unwrap();
    assert_eq!((error(&answer).0, error(&answer).1.as_str()), (408, "body_timeout"));
    cost_nothing(&rig).await;
}

#[tokio::test]
async fn a_gateway_that_ends_says_so() {
    let rig = Rig::start().await;
    rig.gateway.begin_shutdown();
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((error(&answer).0, error(&answer).1.as_str(), answer.header("connection")), (503, "unavailable", Some("close")));
    cost_nothing(&rig).await;
}

#[tokio::test]
async fn models_are_listed_as_the_plan_and_the_key_admit_them() {
    let rig = Rig::with(Setup { plan: "starter", ..Setup::default() }).await;
    let ids = |answer: Answer| -> Vec<String> {
        assert_eq!(answer.json()["object"], "list");
        answer.json()["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(rig.send(&Call::get("/v1/models").key(&rig.key)).await), ["small-1", "org/small-2"]);
    let confined = rig.new_key(NewKey { name: "c".into(), models: Some(vec!["org/small-2".into()]), ..Default::default() }).await;
    assert_eq!(ids(rig.send(&Call::get("/openai/v1/models").key(&confined)).await), ["org/small-2"]);
    for path in ["/v1/models/org/small-2", "/v1/models/org%2Fsmall-2"] {
        let model = rig.send(&Call::get(path).key(&rig.key)).await;
        assert_eq!(model.json(), json!({"id": "org/small-2", "object": "model", "created": 0, "owned_by": "tidegate"}));
    }
    assert_eq!(rig.send(&Call::get("/v1/models/large-1").key(&rig.key)).await.status, 403);
    assert_eq!(rig.send(&Call::get("/v1/models/nothing").key(&rig.key)).await.status, 404);
    assert_eq!(rig.send(&Call::get("/v1/models")).await.status, 401);
}

#[tokio::test]
async fn limits_show_the_organisations_pools_and_the_keys_own() {
    let rig = Rig::with(Setup { plan: "starter", ..Setup::default() }).await;
    let own = rig.key_with_limits(Some(2), None).await;
    let call = Call::post("/v1/chat/completions", &chat("tiny")).key(&own);
    assert_eq!(rig.send(&call).await.status, 200);
    let limits = rig.send(&Call::get("/v1/limits").key(&own)).await.json();
    let rows = limits["data"].as_array().unwrap();
    let of = |pool: &str, kind: &str| rows.iter().find(|r| r["pool"].as_str().unwrap().starts_with(pool) && r["kind"] == kind).unwrap();
    assert_eq!((&of("category:small", "requests")["remaining"], &of("category:small", "tokens")["used"]), (&json!(2), &json!(15)));
    assert_eq!((&of("key:", "requests")["remaining"], &of("key:", "requests")["source"]), (&json!(1), &json!("key")));
    assert_eq!(rows.len(), 3);
}
