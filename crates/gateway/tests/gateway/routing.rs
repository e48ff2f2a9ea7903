//! Which targets a request may go to: what they can do, what their quotas leave, and what the dry run says of it.

use domain::{Features, ProviderRuntime as _, RouteQuestion, SkipReason};
use serde_json::{Value, json};
use testkit::{Call, Script, Upstream};

use crate::rig::{Rig, Setup, chat, define};

async fn with_targets(targets: Value) -> (Rig, Upstream) {
    let second = Upstream::start().await;
    let mut setup = Setup::default();
    setup.providers.push(json!({"name": "second", "kind": "vllm", "base_url": second.base_url()}));
    setup.models[0]["targets"] = targets;
    (Rig::with(setup).await, second)
}

/// What the dry run says: provider and reason.
fn dry(rig: &Rig, question: RouteQuestion) -> Vec<(String, Option<SkipReason>)> {
    let steps = rig.gateway.route("small-1", &question).unwrap();
    steps.into_iter().map(|step| (step.provider.to_string(), step.skipped.map(|skipped| skipped.reason))).collect()
}

fn said(provider: &str, reason: Option<SkipReason>) -> (String, Option<SkipReason>) {
    (provider.into(), reason)
}

fn needing(features: &str) -> RouteQuestion {
    let features: Features = serde_json::from_str(features).unwrap();
    RouteQuestion { features, ..Default::default() }
}

async fn by(rig: &Rig, call: &Call) -> (u16, Option<String>) {
    let answer = rig.send(call).await;
    (answer.status, answer.header("x-tidegate-provider").map(str::to_owned))
}

#[tokio::test]
async fn a_target_that_lacks_a_feature_is_passed_over() {
    let (rig, second) = with_targets(json!([
        {"provider": "first", "features": ["tools"]}, {"provider": "second", "priority": 1, "features": ["tools", "vision"]}
    ]))
    .await;
    let call = |extra: Value| {
        let mut body = chat("small-1");
        extra.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        Call::post("/v1/chat/completions", &body).key(&rig.key)
    };
    let image = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]);
    assert_eq!(by(&rig, &call(json!({"tools": []}))).await, (200, Some("first".into())));
    assert_eq!(by(&rig, &call(json!({"messages": image}))).await, (200, Some("second".into())));
    let answer = rig.send(&call(json!({"response_format": {"type": "json_schema", "json_schema": {}}}))).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (400, Some("unsupported_feature")));
    assert!(answer.text().contains("json_schema"), "{}", answer.text());
    assert_eq!((rig.upstream.count(), second.count()), (1, 1));
    assert_eq!(rig.pool("category:small", domain::Kind::Requests), (2, 0), "what nobody could do costs nothing");
    let lacks = Some(SkipReason::FeatureMissing);
    assert_eq!(dry(&rig, needing(r#"["vision"]"#)), [said("first", lacks), said("second", None)]);
    assert_eq!(dry(&rig, needing(r#"["audio"]"#)), [said("first", lacks), said("second", lacks)]);
    assert_eq!(dry(&rig, needing(r#"["tools"]"#)), [said("first", None), said("second", None)]);
}

#[tokio::test]
async fn what_is_too_long_for_one_target_goes_to_one_that_takes_more() {
    let (rig, second) =
        with_targets(json!([{"provider": "first", "context_window": 200}, {"provider": "second", "priority": 1, "context_window": 9_000}]))
            .await;
    let call = |words: usize, max_tokens: u64| {
        let messages = json!([{"role": "user", "content": "hello ".repeat(words)}]);
        Call::post("/v1/chat/completions", &json!({"model": "small-1", "messages": messages, "max_tokens": max_tokens})).key(&rig.key)
    };
    assert_eq!(by(&rig, &call(3, 10)).await.1.as_deref(), Some("first"));
    assert_eq!(by(&rig, &call(100, 10)).await.1.as_deref(), Some("first"), "600 bytes, but 100 tokens");
    assert_eq!(by(&rig, &call(100, 190)).await.1.as_deref(), Some("second"));
    assert_eq!(by(&rig, &call(300, 10)).await.1.as_deref(), Some("second"));
    assert_eq!((rig.upstream.count(), second.count()), (2, 2));
    let question = |input_tokens| RouteQuestion { input_tokens, output_tokens: 100, ..Default::default() };
    assert_eq!(dry(&rig, question(100)), [said("first", None), said("second", None)]);
    assert_eq!(dry(&rig, question(101)), [said("first", Some(SkipReason::ContextTooSmall)), said("second", None)]);
    // Where no target takes more, the provider says it to the client.
    assert_eq!(dry(&rig, question(10_000)), [said("first", Some(SkipReason::ContextTooSmall)), said("second", None)]);
}

#[tokio::test]
async fn a_targets_own_quota_sends_the_surplus_to_the_next() {
    let (rig, second) = with_targets(json!([
        {"provider": "first", "rpm": 2}, {"provider": "first", "model": "other", "priority": 1, "rpm": 1}, {"provider": "second", "priority": 2}
    ]))
    .await;
    let call = rig.chat("small-1");
    for provider in ["first", "first", "first", "second", "second"] {
        assert_eq!(by(&rig, &call).await, (200, Some(provider.into())));
    }
    assert_eq!((rig.upstream.count(), second.count()), (3, 2));
    let full = Some(SkipReason::NoRoom);
    assert_eq!(dry(&rig, RouteQuestion::default()), [said("first", full), said("first", full), said("second", None)]);
    let steps = rig.gateway.route("tiny", &RouteQuestion::default()).unwrap();
    let skipped = steps[0].skipped.as_ref().unwrap();
    assert_eq!((skipped.why.as_str(), skipped.until.unwrap().to_string().as_str()), ("its own quota has no room", "2026-02-05T15:31:00Z"));
    rig.clock.advance_s(60);
    assert_eq!(by(&rig, &call).await, (200, Some("first".into())));
    assert_eq!(rig.gateway.route("nothing", &RouteQuestion::default()), None);
}

#[tokio::test]
async fn the_dry_run_says_why_and_takes_nothing() {
    let (rig, _second) = with_targets(json!([{"provider": "first"}, {"provider": "second", "priority": 1}])).await;
    rig.upstream.push(Script::rate_limited(7));
    rig.send(&rig.chat("small-1")).await;
    let steps = rig.gateway.route("small-1", &RouteQuestion::default()).unwrap();
    let skipped = steps[0].skipped.as_ref().unwrap();
    assert_eq!((skipped.reason, skipped.why.as_str()), (SkipReason::Cooling, "429 Too Many Requests"));
    assert!(!skipped.is_last_resort);
    assert_eq!(skipped.until.unwrap().to_string(), "2026-02-05T15:30:07Z");
    for (state, reason) in [("draining", SkipReason::Draining), ("disabled", SkipReason::Disabled)] {
        let first = json!({"name": "first", "kind": "openai", "base_url": rig.upstream.base_url(), "state": state});
        define(&rig.store, &[first], &[], &[]).await;
        assert_eq!(dry(&rig, RouteQuestion::default()), [said("first", Some(reason)), said("second", None)]);
    }
}

#[tokio::test]
async fn the_dry_run_tells_what_is_tried_where_no_other_answers() {
    let (rig, second) = with_targets(json!([{"provider": "first"}, {"provider": "second", "priority": 1}])).await;
    let overloaded = || Script::answer(503, &[("retry-after", "7")], "");
    rig.upstream.push(overloaded());
    second.push(Script::rate_limited(7));
    assert_eq!(by(&rig, &rig.chat("small-1")).await.0, 502);
    let steps = rig.gateway.route("small-1", &RouteQuestion::default()).unwrap();
    let skipped: Vec<_> = steps.iter().map(|step| step.skipped.as_ref().unwrap()).map(|s| (s.reason, s.is_last_resort)).collect();
    assert_eq!(skipped, [(SkipReason::Cooling, true), (SkipReason::Cooling, false)]);
    assert_eq!(by(&rig, &rig.chat("small-1")).await, (200, Some("first".into())), "and so it is");
}

#[tokio::test]
async fn a_last_resort_has_its_input_counted_before_its_quota_refuses() {
    let (rig, _) = with_targets(json!([{"provider": "first", "tpm": 1_000}])).await;
    rig.upstream.push(Script::answer(503, &[("retry-after", "7")], ""));
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 502);
    let body = json!({"model": "small-1", "max_tokens": 50, "messages": [{"role": "user", "content": "hello ".repeat(500)}]});
    let call = Call::post("/v1/chat/completions", &body).key(&rig.key);
    assert_eq!(rig.send(&call).await.status, 200, "3,000 bytes, but 500 tokens");
}

#[tokio::test]
async fn every_target_is_tried_before_the_client_hears_a_429() {
    let mut targets: Vec<_> = (0..12).map(|i| json!({"provider": "first", "model": format!("m{i}"), "priority": i})).collect();
    targets.push(json!({"provider": "second", "priority": 99}));
    let (rig, second) = with_targets(json!(targets)).await;
    for _ in 0..12 {
        rig.upstream.push(Script::rate_limited(30));
    }
    assert_eq!(by(&rig, &rig.chat("small-1")).await, (200, Some("second".into())));
    assert_eq!(by(&rig, &rig.chat("small-1")).await, (200, Some("second".into())));
    assert_eq!((rig.upstream.count(), second.count()), (12, 2), "and those that cool down are left alone");
}
