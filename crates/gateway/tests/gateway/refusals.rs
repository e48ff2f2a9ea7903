//! Refusals by pools: exactly at the limit, before any provider, with the contract's body, headers and times.

use domain::Kind;
use serde_json::{Value, json};
use testkit::{Answer, Call, Reply, Script};

use crate::rig::{Rig, Setup, chat};

async fn starter() -> Rig {
    Rig::with(Setup { plan: "starter", ..Setup::default() }).await
}

fn with_input(model: &str, words: usize, max_tokens: u64) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "word ".repeat(words)}], "max_tokens": max_tokens})
}

fn count(body: &Value) -> u64 {
    providers::count_input(domain::Endpoint::ChatCompletions, body.to_string().as_bytes(), domain::Tokenizer::O200kBase)
}

fn whole_answer(input: u64, output: u64) -> Value {
    json!({"id": "c", "object": "chat.completion", "model": "small-1",
           "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
           "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}})
}

async fn ask(rig: &Rig, body: &Value) -> Answer {
    rig.send(&Call::post("/v1/chat/completions", body).key(&rig.key)).await
}

#[tokio::test]
async fn the_reference_pages_answer_at_the_request_after_the_last() {
    let rig = starter().await;
    for _ in 0..3 {
        assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200);
        rig.clock.advance_ms(1_500);
    }
    let answer = rig.send(&rig.chat("tiny")).await;
    assert_eq!(answer.status, 429);
    assert_eq!(
        answer.json(),
        json!({"error": "tiny model is rate limited until 2026-02-05T15:31:00Z", "code": "rate_limit_exceeded",
               "limit": {"pool": "category:small", "kind": "requests", "limit": 3, "used": 3, "held": 0, "requested": 1, "window_seconds": 60},
               "retry_after_ms": 55_500})
    );
    assert_eq!((answer.header("retry-after"), answer.header("retry-after-ms")), (Some("56"), Some("55500")));
    assert_eq!(answer.header("x-should-retry"), None);
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("0"));
    assert!(answer.header("ratelimit").unwrap().starts_with(r#""requests-60s";r=0;t=56"#), "{:?}", answer.header("ratelimit"));
    assert_eq!(rig.upstream.count(), 3);
    // Refused alike when it would be streamed.
    let streamed = rig.stream("small-1").send(rig.addr).await;
    assert_eq!((streamed.status, streamed.header("retry-after-ms")), (429, Some("55500")));
    // A millisecond early it is refused, exactly then it is admitted; the refusals have cost nothing.
    rig.clock.advance_us(55_500_000 - 1);
    let early = rig.send(&rig.chat("small-1")).await;
    assert_eq!((early.status, early.header("retry-after"), early.header("retry-after-ms")), (429, Some("1"), Some("1")));
    assert_eq!(early.json()["error"], "small-1 model is rate limited until 2026-02-05T15:31:00Z");
    rig.clock.advance_us(1);
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200);
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.refused, usage.totals.counters.failed), (4, 3, 0));
}

#[tokio::test]
async fn pools_are_shared_by_models_and_keys_and_apart_otherwise() {
    let rig = starter().await;
    let second = rig.key_with_limits(None, None).await;
    for (model, key) in [("small-1", &rig.key), ("org/small-2", &second), ("tiny", &second)] {
        let call = Call::post("/v1/chat/completions", &chat(model)).key(key);
        assert_eq!(rig.send(&call).await.status, 200);
    }
    assert_eq!(rig.send(&rig.chat("org/small-2")).await.status, 429);
    rig.move_to("growth").await;
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-remaining-requests")), (200, Some("596")));
    rig.move_to("starter").await;
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 429);
    assert_eq!(rig.send(&rig.chat("large-1")).await.status, 403);
}

#[tokio::test]
async fn a_keys_own_limits_refuse_as_well() {
    let rig = starter().await;
    let own = rig.key_with_limits(Some(1), None).await;
    let call = Call::post("/v1/chat/completions", &chat("small-1")).key(&own);
    assert_eq!(rig.send(&call).await.status, 200);
    let refused = rig.send(&call).await;
    assert_eq!(refused.status, 429);
    assert!(refused.json()["limit"]["pool"].as_str().unwrap().starts_with("key:key_"));
    assert_eq!(refused.header("x-ratelimit-limit-requests"), Some("1"));
    assert_eq!(rig.pool("category:small", Kind::Requests), (1, 0));
}

#[tokio::test]
async fn openais_object_on_request_by_key_or_by_the_operator() {
    let mut setup = Setup { plan: "starter", ..Setup::default() };
    setup.plans[0] = json!({"id": "starter", "limits": [{"category": "small", "rpm": 0}]});
    setup.plans[0]["limits"][0]["rpm"] = 1.into();
    let rig = Rig::with(setup).await;
    let openai_key = rig.openai_key().await;
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200);
    let by_header = rig.chat("small-1").header("x-error-format", "openai");
    let by_key = Call::post("/v1/chat/completions", &chat("small-1")).key(&openai_key);
    for call in [by_header, by_key] {
        let answer = rig.send(&call).await;
        let error = &answer.json()["error"];
        assert_eq!((answer.status, error["code"].as_str(), error["type"].as_str()), (429, Some("rate_limit_exceeded"), Some("requests")));
        assert_eq!(error["message"], "small-1 model is rate limited until 2026-02-05T15:31:00Z");
        assert_eq!(answer.header("retry-after"), Some("60"));
    }
}

#[tokio::test]
async fn an_input_that_can_never_pass_is_413() {
    let rig = starter().await;
    let body = with_input("small-1", 11_000, 1);
    let answer = ask(&rig, &body).await;
    assert_eq!(answer.status, 413);
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "request_exceeds_limit");
    let exact = count(&body);
    assert!(exact > 10_000 && error["message"].as_str().unwrap().contains(&exact.to_string()), "{error}");
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), (None, Some("false")));
    assert_eq!(answer.header("x-ratelimit-limit-tokens"), Some("10000"));
    assert_eq!((rig.pool("category:small", Kind::Requests), rig.pool("category:small", Kind::Tokens)), ((0, 0), (0, 0)));
}

#[tokio::test]
async fn only_the_input_decides_about_413_whatever_output_is_asked() {
    let rig = starter().await;
    let body = with_input("small-1", 9_000, 1_000_000);
    let exact = count(&body);
    assert!(exact < 10_000 && body.to_string().len() > 40_000);
    rig.upstream.reply(Reply::of(exact, 5));
    let answer = ask(&rig, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(rig.pool("category:small", Kind::Tokens), (exact + 5, 0));
}

#[tokio::test]
async fn inputs_are_counted_before_a_refusal_for_tokens() {
    let rig = starter().await;
    let gate = testkit::Gate::new();
    // About 1,500 tokens each, 7,500 bytes: two at their bound leave no room for a third, counted they do.
    let body = with_input("small-1", 900, 10);
    let bound = body.to_string().len();
    assert!(bound * 2 < 10_000 && bound * 3 > 10_000);
    for _ in 0..3 {
        rig.upstream.push(Script::json(200, &whole_answer(100, 1)).after(&gate));
    }
    let call = Call::post("/v1/chat/completions", &body).key(&rig.key);
    let (addr, mut all) = (rig.addr, tokio::task::JoinSet::new());
    let send = |call: Call| async move { call.send(addr).await };
    all.spawn(send(call.clone()));
    all.spawn(send(call.clone()));
    rig.upstream.arrived(2).await;
    assert!(rig.pool("category:small", Kind::Tokens).0 as usize >= 2 * bound);
    all.spawn(send(call));
    rig.upstream.arrived(3).await;
    assert_eq!(rig.pool("category:small", Kind::Tokens), (3 * count(&body), 30));
    gate.open();
    for answer in all.join_all().await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(rig.pool("category:small", Kind::Tokens), (303, 0));
}

#[tokio::test]
async fn a_limit_of_nothing_is_no_rate_limit() {
    let rig = starter().await;
    rig.custom(json!([{"category": "small", "rpm": 0}])).await;
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (403, Some("limit_is_zero")));
    assert_eq!((answer.header("retry-after"), answer.header("x-should-retry")), (None, Some("false")));
}

#[tokio::test]
async fn many_at_once_never_pass_the_limit() {
    let rig = Rig::with(Setup { plan: "starter", ..Setup::default() }).await;
    rig.custom(json!([{"category": "small", "rpm": 50}])).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (call, addr) = (rig.chat("small-1"), rig.addr);
        all.spawn(async move { call.send(addr).await.status });
    }
    let statuses = all.join_all().await;
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 50);
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 150);
    assert_eq!(rig.upstream.count(), 50);
}

#[tokio::test]
async fn shadow_limits_record_and_let_pass() {
    let rig = starter().await;
    rig.custom(json!([{"category": "small", "rpm": 1, "enforce": false}])).await;
    for _ in 0..3 {
        let answer = rig.send(&rig.chat("small-1")).await;
        assert_eq!((answer.status, answer.header("x-ratelimit-limit-requests")), (200, None));
    }
    assert_eq!(rig.pool("category:small", Kind::Requests).0, 3);
}
