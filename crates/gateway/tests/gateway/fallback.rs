//! Providers that fail: the next is tried before the client hears anything, under one hold.

use domain::{Kind, ProviderRuntime as _};
use serde_json::{Value, json};
use testkit::{Reply, Script, Sse, Upstream};

use crate::rig::{Rig, Setup};

/// `small-1` is at `first`, then at `second`.
async fn two() -> (Rig, Upstream) {
    let second = Upstream::start().await;
    let rig = with_second(json!({"name": "second", "kind": "vllm", "base_url": second.base_url()}), json!(0)).await;
    (rig, second)
}

async fn with_second(second: Value, first_timeout: Value) -> Rig {
    let mut setup = Setup::default();
    setup.providers.push(second);
    setup.models[0]["targets"] = json!([{"provider": "second", "priority": 1}, {"provider": "first"}]);
    let rig = Rig::with(setup).await;
    if first_timeout != json!(0) {
        let first =
            json!({"name": "first", "kind": "openai", "base_url": rig.upstream.base_url(), "first_byte_timeout_seconds": first_timeout});
        crate::rig::define(&rig.store, &[first], &[], &[]).await;
    }
    rig
}

#[tokio::test]
async fn whatever_fails_before_the_first_byte_falls_back() {
    let in_band = || Sse::new().event(&json!({"error": {"message": "overloaded", "type": "server_error", "code": null}})).end();
    let cases: Vec<(&str, Script, bool)> = vec![
        ("500", Script::error(500, "boom"), false),
        ("503", Script::error(503, "busy"), true),
        ("401", Script::error(401, "bad key"), false),
        ("404", Script::error(404, "no such model"), true),
        ("429", Script::rate_limited(7), false),
        ("reset", Script::reset(), true),
        ("html", Script::html(), false),
        ("html for a stream", Script::html(), true),
        ("an error as first event", in_band(), true),
        ("broken json", Script::answer(200, &[("content-type", "application/json")], "{\"id\":"), false),
        ("an empty stream", Sse::new().end(), true),
        ("a stream that ends in its first event", Sse::new().text("data: {\"id\"").close(), true),
    ];
    for (name, script, stream) in cases {
        let (rig, second) = two().await;
        rig.upstream.push(script);
        second.reply(Reply::of(10, 2));
        let call = if stream { rig.stream("small-1") } else { rig.chat("small-1") };
        let answer = rig.send(&call).await;
        assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("second")), "{name}: {}", answer.text());
        assert_eq!((rig.upstream.count(), second.count()), (1, 1), "{name}");
        rig.settled().await;
        assert_eq!(rig.pool("category:small", Kind::Requests), (1, 0), "{name}: one request");
        assert_eq!(rig.pool("category:small", Kind::Tokens), (12, 0), "{name}: one hold");
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_too_slow_falls_back() {
    let gone = Upstream::start().await;
    let address = gone.base_url();
    gone.stop().await;
    let mut setup = Setup::default();
    setup.providers.push(json!({"name": "gone", "kind": "openai", "base_url": address}));
    setup.models[0]["targets"] = json!([{"provider": "gone"}, {"provider": "first", "priority": 1}]);
    let rig = Rig::with(setup).await;
    assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("first"));

    let second = Upstream::start().await;
    let rig = with_second(json!({"name": "second", "kind": "openai", "base_url": second.base_url()}), json!(0.02)).await;
    rig.upstream.push(Script::hang());
    assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("second"));
    rig.upstream.push(Sse::new().text(": waiting\n\n").hang());
    assert_eq!(rig.send(&rig.stream("small-1")).await.header("x-tidegate-provider"), Some("second"));
    rig.upstream.abandoned(2).await;
}

#[tokio::test]
async fn a_cooldown_is_respected_shown_and_can_be_ended() {
    let (rig, second) = two().await;
    rig.upstream.push(Script::rate_limited(7));
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200);
    let status = rig.gateway.status(&"first".into());
    assert_eq!(status.cooldowns[0].until.to_string(), "2026-02-05T15:30:07Z");
    assert_eq!((status.cooldowns[0].model.as_deref(), status.in_flight), (Some("small-1"), 0));
    rig.clock.advance_us(7_000_000 - 1);
    rig.send(&rig.chat("small-1")).await;
    assert_eq!((rig.upstream.count(), second.count()), (1, 2), "it is left alone");
    rig.clock.advance_us(1);
    rig.send(&rig.chat("small-1")).await;
    assert_eq!((rig.upstream.count(), second.count()), (2, 2), "and tried again when it said");
    rig.upstream.push(Script::rate_limited(7));
    rig.send(&rig.chat("small-1")).await;
    rig.gateway.clear_cooldown(&"first".into());
    rig.send(&rig.chat("small-1")).await;
    assert_eq!((rig.upstream.count(), second.count()), (4, 3));
    // Another model at the same provider is another target.
    assert_eq!(rig.send(&rig.chat("org/small-2")).await.status, 200);
}

#[tokio::test]
async fn all_rate_limited_is_a_429_until_the_first_opens_and_costs_nothing() {
    let (rig, second) = two().await;
    rig.upstream.push(Script::rate_limited(20));
    second.push(Script::rate_limited(7));
    for (call, tried) in [(rig.chat("small-1"), 1), (rig.stream("small-1"), 1)] {
        let answer = rig.send(&call).await;
        assert_eq!((answer.status, answer.header("retry-after"), answer.header("retry-after-ms")), (429, Some("7"), Some("7000")));
        assert_eq!(
            answer.json(),
            json!({"error": "small-1 model is rate limited until 2026-02-05T15:30:07Z", "code": "rate_limit_exceeded", "retry_after_ms": 7_000})
        );
        assert_eq!((rig.upstream.count(), second.count()), (tried, tried));
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("600"));
    }
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.failed, usage.totals.counters.refused), (0, 2, 0));
    assert_eq!(rig.pool("category:small", Kind::Tokens), (0, 0));
    rig.clock.advance_s(7);
    assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("second"));
}

#[tokio::test]
async fn a_failure_beside_rate_limits_is_no_429() {
    let (rig, second) = two().await;
    rig.upstream.push(Script::rate_limited(20));
    second.push(Script::error(500, "the host 10.0.0.7 rate limited sk-provider-secret"));
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (502, Some("provider_error")));
    let text = answer.text();
    assert!(!text.contains("sk-provider") && !text.to_lowercase().contains("rate limited") && !text.contains("10.0.0.7"), "{text}");
    assert_eq!(rig.pool("category:small", Kind::Requests), (0, 0));
}

#[tokio::test]
async fn when_all_cool_down_and_one_for_another_reason_the_first_to_open_is_tried() {
    let (rig, second) = two().await;
    let busy =
        |s: &str| Script::answer(503, &[("content-type", "application/json"), ("retry-after", s)], r#"{"error":{"message":"busy"}}"#);
    rig.upstream.push(busy("9"));
    second.push(Script::rate_limited(20));
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 502);
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("first")));
    assert_eq!((rig.upstream.count(), second.count()), (2, 1));
}

#[tokio::test]
async fn what_the_client_hears_when_nobody_answers() {
    let rig = Rig::start().await;
    rig.upstream.push(Script::error(401, "Incorrect API key provided: sk-provider-secret"));
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (502, Some("provider_error")));
    assert!(answer.text().contains("operator") && !answer.text().contains("sk-provider"));

    let first = json!({"name": "first", "kind": "openai", "base_url": rig.upstream.base_url(), "timeout_seconds": 0.02});
    crate::rig::define(&rig.store, &[first], &[], &[]).await;
    rig.upstream.push(Script::hang());
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (504, Some("provider_timeout")));

    for state in ["disabled", "draining"] {
        let first = json!({"name": "first", "kind": "openai", "base_url": rig.upstream.base_url(), "state": state});
        crate::rig::define(&rig.store, &[first], &[], &[]).await;
        let answer = rig.send(&rig.chat("small-1")).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("unavailable")));
    }
    crate::rig::define(&rig.store, &[], &[json!({"id": "small-1", "category": "small"})], &[]).await;
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (503, Some("unavailable")));
    assert!(answer.text().contains("No provider has `small-1` yet"), "{}", answer.text());
    assert_eq!(rig.pool("category:small", Kind::Requests), (0, 0));
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.failed, usage.totals.counters.input_tokens), (5, 0));
}

#[tokio::test]
async fn a_providers_quota_is_asked_after_the_pool_and_skipped_when_it_is_spent() {
    let second = Upstream::start().await;
    let mut setup = Setup::default();
    setup.providers.push(json!({"name": "second", "kind": "openai", "base_url": second.base_url(), "rpm": 1}));
    setup.models[0]["targets"] = json!([{"provider": "second"}, {"provider": "first", "priority": 1}]);
    setup.models[1]["targets"] = json!([{"provider": "second"}]);
    let rig = Rig::with(setup).await;
    let by = async |model: &str| rig.send(&rig.chat(model)).await.header("x-tidegate-provider").map(str::to_owned);
    assert_eq!(by("small-1").await.as_deref(), Some("second"));
    assert_eq!(by("small-1").await.as_deref(), Some("first"));
    let refused = rig.send(&rig.chat("org/small-2")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")));
    assert_eq!((second.count(), rig.pool("category:small", Kind::Requests)), (1, (2, 0)));
    rig.clock.advance_s(60);
    assert_eq!(by("org/small-2").await.as_deref(), Some("second"));
}
