//! What attempts teach: circuits, alarms, cooldowns of credentials, and what is seen of them from outside.

use domain::{HealthState, ProviderRuntime as _, TargetStatus};
use serde_json::json;
use testkit::{Connection, Reply, Script, Sse, Upstream, chat_chunk};

use crate::rig::{Rig, Setup, define};

/// `small-1` is at `first`, then at `second`; the other models are at `first` alone.
async fn two() -> (Rig, Upstream) {
    let second = Upstream::start().await;
    let mut setup = Setup::default();
    setup.providers.push(json!({"name": "second", "kind": "vllm", "base_url": second.base_url()}));
    setup.models[0]["targets"] = json!([{"provider": "second", "priority": 1}, {"provider": "first"}]);
    (Rig::with(setup).await, second)
}

fn standing(rig: &Rig, model: Option<&str>) -> TargetStatus {
    let status = rig.gateway.status(&"first".into());
    status.targets.iter().find(|target| target.model.as_deref() == model).unwrap_or_else(|| panic!("{model:?} in {status:?}")).clone()
}

#[tokio::test]
async fn what_fails_five_times_is_left_alone_until_a_probe_is_answered() {
    let (rig, second) = two().await;
    for _ in 0..5 {
        rig.upstream.push(Script::error(500, "boom"));
        assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("second"));
    }
    rig.send(&rig.chat("small-1")).await;
    assert_eq!((rig.upstream.count(), second.count()), (5, 6), "open");
    let seen = standing(&rig, Some("small-1"));
    assert_eq!((seen.state, seen.failures_in_a_row, seen.success_percent), (HealthState::Open, 5, Some(0.0)));
    assert_eq!(seen.since.unwrap().to_string(), "2026-02-05T15:30:00Z");
    assert!(seen.until == seen.next_probe && seen.until > seen.since, "{seen:?}");

    rig.clock.advance_s(1);
    rig.upstream.push(Script::error(500, "still"));
    rig.send(&rig.chat("small-1")).await;
    rig.send(&rig.chat("small-1")).await;
    assert_eq!((rig.upstream.count(), second.count()), (6, 8), "one probe, and open again");
    rig.clock.advance_s(2);
    for _ in 0..2 {
        assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("first"));
    }
    let seen = standing(&rig, Some("small-1"));
    assert_eq!((seen.state, seen.failures_in_a_row), (HealthState::Healthy, 0));
    assert!(seen.p95_us.is_some());
}

#[tokio::test]
async fn one_probe_at_a_time_and_one_whose_client_left_makes_way() {
    let (rig, second) = two().await;
    for _ in 0..5 {
        rig.upstream.push(Script::error(502, "boom"));
        rig.send(&rig.chat("small-1")).await;
    }
    rig.clock.advance_s(1);
    let gate = testkit::Gate::new();
    rig.upstream.push(Script::error(500, "late").after(&gate));
    let mut probe = Connection::open(rig.addr).await.unwrap();
    probe.write(&rig.stream("small-1").bytes()).await.unwrap();
    rig.upstream.arrived(6).await;
    assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("second"));
    assert_eq!((rig.upstream.count(), second.count()), (6, 6), "another waits for what comes of it");
    probe.reset();
    rig.settled().await;
    assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("first"));
}

#[tokio::test]
async fn a_wrong_credential_is_an_alarm_for_all_that_goes_with_it_and_a_new_one_begins_anew() {
    let (rig, second) = two().await;
    rig.upstream.push(Script::error(401, "bad key"));
    assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("second"));
    let seen = standing(&rig, None);
    assert_eq!((seen.state, seen.why.as_deref()), (HealthState::Alarm, Some("it refuses the credential")));
    assert_eq!(rig.gateway.status(&"first".into()).cooldowns[0].model, None);
    rig.send(&rig.chat("small-1")).await;
    assert_eq!((rig.upstream.count(), second.count()), (1, 2));
    // A model that is nowhere else has a probe now and then; between them the client hears when.
    rig.upstream.push(Script::error(401, "bad key"));
    assert_eq!(rig.send(&rig.chat("org/small-2")).await.status, 502);
    let answer = rig.send(&rig.chat("org/small-2")).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str(), rig.upstream.count()), (503, Some("unavailable"), 2));
    assert!(answer.header("retry-after").is_some());
    let same = json!({"name": "first", "kind": "openai", "base_url": rig.upstream.base_url(), "timeout_seconds": 9});
    define(&rig.store, &[same], &[], &[]).await;
    assert_eq!(rig.send(&rig.chat("org/small-2")).await.status, 503, "the same credential");
    let other = store::CredentialChange::stored("sk-another".to_owned());
    let provider = serde_json::from_value(json!({"name": "first", "kind": "openai", "base_url": rig.upstream.base_url()})).unwrap();
    let draft = store::ProviderDraft { provider, credential: other };
    rig.store.put_provider(store::Actor::Operator, draft, store::Origin::Api, store::PutMode::Upsert).await.unwrap();
    assert_eq!(rig.send(&rig.chat("org/small-2")).await.status, 200, "another credential");
}

#[tokio::test]
async fn a_model_that_is_not_there_is_an_alarm_of_that_model_alone() {
    let (rig, second) = two().await;
    rig.upstream.push(Script::error(404, "no such model"));
    rig.send(&rig.chat("small-1")).await;
    rig.send(&rig.chat("small-1")).await;
    assert_eq!((rig.upstream.count(), second.count(), standing(&rig, Some("small-1")).state), (1, 2, HealthState::Alarm));
    assert_eq!(rig.send(&rig.chat("org/small-2")).await.status, 200);
    rig.clock.advance_s(10);
    assert_eq!(rig.send(&rig.chat("small-1")).await.header("x-tidegate-provider"), Some("first"), "probed now and then");
    assert_eq!(standing(&rig, Some("small-1")).state, HealthState::Healthy);
}

#[tokio::test]
async fn what_is_the_clients_fault_or_one_requests_says_nothing_of_the_target() {
    let (rig, second) = two().await;
    for _ in 0..12 {
        rig.upstream.push(Script::error(400, "wrong"));
        assert_eq!(rig.send(&rig.chat("small-1")).await.status, 400);
        // A firewall, or a moderator of contents: it doesn't name the credential.
        rig.upstream.push(Script::answer(403, &[("content-type", "text/html")], "<h1>Forbidden</h1>"));
        assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200);
    }
    assert_eq!((rig.upstream.count(), second.count()), (24, 12));
    for model in [Some("small-1"), None] {
        let seen = standing(&rig, model);
        assert_eq!((seen.state, seen.success_percent, seen.failures_in_a_row), (HealthState::Healthy, None, 0));
    }
}

#[tokio::test]
async fn streams_that_break_count_against_the_target() {
    let (rig, _second) = two().await;
    for _ in 0..5 {
        rig.upstream.push(Sse::new().event(&chat_chunk("small-1", "Hel")).reset());
        assert_eq!(rig.send(&rig.stream("small-1")).await.header("x-tidegate-provider"), Some("first"));
        rig.settled().await;
    }
    let seen = standing(&rig, Some("small-1"));
    assert_eq!((seen.state, seen.success_percent), (HealthState::Open, Some(50.0)));
    assert_eq!(rig.send(&rig.stream("small-1")).await.header("x-tidegate-provider"), Some("second"));
}

#[tokio::test]
async fn an_overloaded_target_without_an_alternative_is_probed_once_a_second() {
    let rig = Rig::start().await;
    for _ in 0..2 {
        rig.upstream.push(Script::answer(503, &[("retry-after", "20")], "busy"));
        assert_eq!(rig.send(&rig.chat("small-1")).await.status, 502);
    }
    for _ in 0..5 {
        let answer = rig.send(&rig.chat("small-1")).await;
        assert_eq!((answer.status, answer.header("retry-after"), rig.upstream.count()), (503, Some("20"), 2));
    }
    rig.clock.advance_s(1);
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200);
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200, "an answer ends it");
}

#[tokio::test]
async fn what_a_provider_tells_of_its_own_limits_is_seen() {
    let rig = Rig::start().await;
    assert_eq!(standing(&rig, Some("small-1")).quota, None);
    let headers = [
        ("content-type", "application/json"),
        ("x-ratelimit-limit-requests", "500"),
        ("x-ratelimit-remaining-requests", "499"),
        ("x-ratelimit-reset-requests", "120ms"),
        ("x-ratelimit-remaining-tokens", "0"),
    ];
    let body = json!({"id": "c", "object": "chat.completion", "model": "small-1", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "Hello"}}], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}});
    rig.upstream.push(Script::answer(200, &headers, body.to_string()));
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-limit-requests")), (200, Some("600")), "ours, not the provider's");
    let quota = standing(&rig, Some("small-1")).quota.unwrap();
    let (requests, tokens) = (quota.requests.unwrap(), quota.tokens.unwrap());
    assert_eq!((requests.limit, requests.remaining, tokens.remaining), (Some(500), Some(499), Some(0)));
    assert_eq!((requests.resets_at.unwrap().to_string().as_str(), tokens.resets_at), ("2026-02-05T15:30:00.12Z", None));
    rig.send(&rig.chat("small-1")).await;
    assert!(standing(&rig, Some("small-1")).quota.is_some(), "what was last told stays");
}

#[tokio::test]
async fn metrics_show_targets_and_what_was_recovered() {
    let (rig, second) = two().await;
    second.reply(Reply::of(10, 2));
    rig.upstream.push(Script::rate_limited(7));
    rig.send(&rig.chat("small-1")).await;
    rig.send(&rig.chat("small-1")).await;
    let text = rig.metrics();
    for line in [
        r#"target_state{provider="first",model="small-1"} 1"#,
        r#"target_state{provider="second",model="small-1"} 0"#,
        r#"target_success_ratio{provider="second",model="small-1"} 1"#,
        r#"target_failures_in_a_row{provider="first",model="small-1"} 0"#,
        r#"target_first_byte_p95_seconds{provider="second",model="small-1"}"#,
        "recovered_requests_total 1",
    ] {
        assert!(text.contains(line), "{line}\nis not in\n{text}");
    }
}
