//! What a refused client is told: the body to the letter, every header, and OpenAI's shape where it was chosen.

use serde_json::{Value, json};
use testkit::{Answer, ManualClock, Reply};

use crate::world::{LARGE, World, chat, post_chat, stream};

const ONE: &str = r#"
[[models]]
id = "gpt-4o-mini"
category = "small"
targets = [{ provider = "up" }]
"#;

#[tokio::test]
async fn the_reference_page_s_example_to_the_letter() {
    let world = World::at(ManualClock::at("2026-02-05T15:31:41Z"), "", ONE).await;
    let org = world.custom(json!([{"category": "small", "rpm": 1}])).await;
    assert_eq!(world.send(&org.key, &chat("gpt-4o-mini", 1)).await.status, 200);
    world.clock.advance_s(55);
    let refused = world.send(&org.key, &chat("gpt-4o-mini", 1)).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()["error"], "gpt-4o-mini model is rate limited until 2026-02-05T15:32:41Z");
    assert_eq!(refused.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn body_and_headers_of_a_refusal_for_requests() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 2, "tpm": 10_000}])).await;
    for _ in 0..2 {
        assert_eq!(world.send(&org.key, &chat(LARGE, 5)).await.status, 200);
    }
    world.clock.advance_us(17_500_001);
    let refused = world.send(&org.key, &chat("Llama 3.3 70B FP8", 5)).await;
    let expected = json!({
        "error": "Llama 3.3 70B FP8 model is rate limited until 2026-02-05T15:31:00Z",
        "code": "rate_limit_exceeded",
        "limit": {"pool": "category:large", "kind": "requests", "limit": 2, "used": 2, "held": 0, "requested": 1, "window_seconds": 60},
        "retry_after_ms": 42_500,
    });
    assert_eq!((refused.status, refused.json()), (429, expected));
    let request_id = refused.header("x-request-id").unwrap();
    assert!(request_id.starts_with("req_"), "{request_id}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("retry-after", "43"),
        ("retry-after-ms", "42500"),
        ("x-ratelimit-limit-requests", "2"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "42.5s"),
        ("x-ratelimit-limit-tokens", "10000"),
        // Two replies of 10 + 5.
        ("x-ratelimit-remaining-tokens", "9970"),
        ("x-ratelimit-reset-tokens", "42.5s"),
        ("ratelimit-policy", r#""requests-60s";q=2;w=60, "tokens-60s";q=10000;tidegate-unit="tokens";w=60"#),
        ("ratelimit", r#""requests-60s";r=0;t=43, "tokens-60s";r=9970;t=43"#),
    ] {
        assert_eq!(refused.header(name), Some(value), "{name}");
    }
    assert_eq!(refused.header("x-should-retry"), None, "waiting helps");
    assert_eq!(refused.header("x-tidegate-provider"), None, "no provider was tried");
    assert_eq!(world.upstream.count(), 2);
}

#[tokio::test]
async fn body_of_a_refusal_for_tokens_counts_what_is_held() {
    let world = World::start().await;
    let input = world.count(&chat(LARGE, 1)).await;
    let org = world.custom(json!([{"category": "large", "rpm": 10, "tpm": 1_000}])).await;
    world.upstream.reply(Reply::of(input, 600));
    assert_eq!(world.send(&org.key, &chat(LARGE, 600)).await.status, 200);
    let refused = world.send(&org.key, &chat(LARGE, 900)).await;
    let limit = json!({"pool": "category:large", "kind": "tokens", "limit": 1_000, "used": input + 600, "held": 0,
        "requested": input + 900, "window_seconds": 60});
    assert_eq!((refused.status, refused.json()["limit"].take()), (429, limit));
}

#[tokio::test]
async fn blocked_by_what_others_hold_is_marked_as_an_estimate() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "tpm": 1_000}])).await;
    let gate = testkit::Gate::new();
    world.upstream.reply(Reply::of(10, 5).gated(&gate));
    let open = world.open(&org.key, &stream(LARGE, 900)).await;
    gate.reached(1).await;
    let refused = world.send(&org.key, &chat(LARGE, 500)).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.json()["limit"]["estimate"].as_bool().or(refused.json()["estimate"].as_bool()), Some(true), "{}", refused.text());
    let wait = refused.json()["retry_after_ms"].as_u64().unwrap();
    assert!((1..=60_000).contains(&wait));
    gate.open();
    open.rest().await.unwrap();
    world.settled(&org.key).await;
    assert_eq!(world.send(&org.key, &chat(LARGE, 500)).await.status, 200, "what was held is given back at once");
}

fn assert_openai_shape(refused: &Answer) {
    assert_eq!(refused.status, 429);
    let error = refused.json()["error"].take();
    assert_eq!(error["code"], "rate_limit_exceeded");
    assert!(error["type"].is_string());
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&format!("{LARGE} model is rate limited until 2026-02-05T15:31:00Z")), "{message}");
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(refused.header("retry-after-ms"), Some("60000"));
}

#[tokio::test]
async fn openai_s_shape_by_request_and_by_key() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 1}])).await;
    let (_, choosy) = world.new_key(&org, json!({"name": "choosy", "rate_limit_body": "openai"})).await;
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    assert!(world.send(&org.key, &chat(LARGE, 1)).await.json()["error"].is_string());
    let asked = post_chat(&chat(LARGE, 1)).key(&org.key).header("X-Error-Format", "openai").send(world.addr()).await;
    assert_openai_shape(&asked);
    assert_openai_shape(&world.send(&choosy, &chat(LARGE, 1)).await);
    assert_openai_shape(&world.send(&choosy, &stream(LARGE, 1)).await);
}

#[tokio::test]
async fn openai_s_shape_by_the_operator_s_choice_and_a_key_that_wants_the_text() {
    let world = World::with("", "[errors]\nrate_limit_body = \"openai\"\n").await;
    let org = world.custom(json!([{"category": "large", "rpm": 1}])).await;
    let (_, plain) = world.new_key(&org, json!({"name": "plain", "rate_limit_body": "text"})).await;
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    assert_openai_shape(&world.send(&org.key, &chat(LARGE, 1)).await);
    assert!(world.send(&plain, &chat(LARGE, 1)).await.json()["error"].is_string());
}

#[tokio::test]
async fn answers_say_how_their_pool_stands() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 10, "tpm": 10_000}])).await;
    let whole = world.send(&org.key, &chat(LARGE, 5)).await;
    let streamed = world.open(&org.key, &stream(LARGE, 5)).await;
    for (headers, left) in [(&whole.headers, "9"), (&streamed.headers, "8")] {
        assert_eq!(headers.get("x-ratelimit-remaining-requests"), Some(left));
        assert_eq!(headers.get("x-ratelimit-limit-tokens"), Some("10000"));
        assert!(headers.get("ratelimit").is_some() && headers.get("ratelimit-policy").is_some());
        assert_eq!(headers.get("x-tidegate-provider"), Some("up"));
        assert_eq!(headers.get("retry-after"), None);
    }
    streamed.rest().await.unwrap();
}

#[tokio::test]
async fn an_input_that_can_never_pass_is_no_429() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "tpm": 100}])).await;
    let mut long = chat(LARGE, 1);
    long["messages"][0]["content"] = Value::from("tide ".repeat(300));
    for body in [long.clone(), {
        let mut s = long;
        s["stream"] = json!(true);
        s
    }] {
        let refused = world.send(&org.key, &body).await;
        assert_eq!(refused.status, 413, "{}", refused.text());
        assert_eq!(refused.json()["error"]["code"], "request_exceeds_limit");
        assert_eq!(refused.header("x-should-retry"), Some("false"));
        assert_eq!(refused.header("retry-after"), None);
        assert!(!refused.text().contains("rate limited"));
        let message = refused.json()["error"]["message"].to_string();
        assert!(message.contains("100"), "names the limit: {message}");
    }
    assert_eq!(world.view(&org.key, "category:large", "tokens").await.used, 0);
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test]
async fn an_output_that_is_asked_beyond_the_limit_is_held_to_what_there_is() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "tpm": 1_000}])).await;
    let admitted = world.send(&org.key, &chat(LARGE, 1_000_000)).await;
    assert_eq!(admitted.status, 200, "only an input beyond the limit can never pass: {}", admitted.text());
    world.settled(&org.key).await;
    assert_eq!(world.view(&org.key, "category:large", "tokens").await.used, 15);
}
