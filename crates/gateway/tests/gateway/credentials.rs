//! Several credentials at one provider: turns, and what becomes of a wrong one, a spent one, and of all.

use domain::{CredentialId, HealthState, Kind, ProviderRuntime as _};
use store::Actor;
use testkit::{Received, Reply, Script, Sse, chat_chunk};

use crate::rig::Rig;

const KEYS: [&str; 3] = ["sk-provider-secret", "sk-another-secret", "sk-third-secret"];

/// A rig whose one provider has so many of [`KEYS`], and their ids.
async fn with_keys(count: usize) -> (Rig, Vec<CredentialId>) {
    let rig = Rig::start().await;
    for key in &KEYS[1..count] {
        rig.store.add_credential(Actor::Operator, &"first".into(), (*key).into()).await.unwrap();
    }
    let ids = rig.store.credentials("first").unwrap().iter().map(|info| info.id).collect();
    (rig, ids)
}

fn key_of(received: &Received) -> usize {
    let sent = received.headers.get("authorization").unwrap();
    KEYS.iter().position(|key| sent == format!("Bearer {key}")).unwrap()
}

/// Which keys the provider was sent, from the `skip`th request on.
fn sent(rig: &Rig, skip: usize) -> Vec<usize> {
    rig.upstream.received().iter().skip(skip).map(key_of).collect()
}

/// From now on the provider answers each key as `script` says.
fn by_key(rig: &Rig, script: impl Fn(usize) -> Option<Script> + Send + Sync + 'static) {
    rig.upstream.otherwise(move |received| script(key_of(received)).unwrap_or_else(|| Reply::default().script(received)));
}

async fn status(rig: &Rig) -> u16 {
    let answer = rig.send(&rig.chat("small-1")).await;
    for key in KEYS {
        assert!(!answer.text().contains(key), "{}", answer.text());
    }
    answer.status
}

#[tokio::test]
async fn they_take_turns() {
    let (rig, _) = with_keys(3).await;
    for _ in 0..6 {
        assert_eq!(status(&rig).await, 200);
    }
    assert_eq!(sent(&rig, 0), [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn one_that_was_added_or_removed_is_so_for_the_next_request() {
    let (rig, ids) = with_keys(2).await;
    rig.store.remove_credential(Actor::Operator, &"first".into(), ids[0]).await.unwrap();
    status(&rig).await;
    status(&rig).await;
    rig.store.add_credential(Actor::Operator, &"first".into(), KEYS[2].into()).await.unwrap();
    status(&rig).await;
    status(&rig).await;
    assert_eq!(sent(&rig, 0), [1, 1, 1, 2]);
}

#[tokio::test]
async fn a_refused_one_leaves_the_provider_to_the_others() {
    for (refusal, name) in [
        (Script::error(401, "bad key"), "401"),
        (Script::json(403, &serde_json::json!({"error": {"code": "invalid_api_key", "message": "no"}})), "403"),
        (Script::json(402, &serde_json::json!({"error": {"code": "insufficient_quota", "message": "no"}})), "402"),
        (Script::json(429, &serde_json::json!({"error": {"code": "insufficient_quota", "message": "no"}})), "429, for good"),
        (Script::json(200, &serde_json::json!({"error": {"code": "invalid_api_key", "message": "no"}})), "in an answer"),
    ] {
        let (rig, ids) = with_keys(2).await;
        by_key(&rig, move |key| (key == 0).then(|| refusal.clone()));
        assert_eq!(status(&rig).await, 200, "{name}");
        assert_eq!(sent(&rig, 0), [0, 1], "{name}: in one request");
        rig.settled().await;
        assert_eq!(rig.pool("category:small", Kind::Requests), (1, 0), "{name}: one hold");
        rig.clock.advance_us(4_999_999);
        assert_eq!((status(&rig).await, sent(&rig, 2)), (200, vec![1]), "{name}: it is left out");
        let shown = rig.gateway.status(&"first".into()).cooldowns;
        assert_eq!((shown[0].credential, shown[0].model.as_deref(), shown.len()), (Some(ids[0]), None, 1), "{name}");
        rig.clock.advance_s(5);
        status(&rig).await;
        status(&rig).await;
        assert!(sent(&rig, 3).contains(&0), "{name}: and tried again after a while");
    }
}

#[tokio::test]
async fn what_may_be_one_request_s_fault_takes_no_other_credential() {
    let (rig, _) = with_keys(2).await;
    for (script, answered) in [
        (Script::error(403, "blocked by a firewall"), 502),
        (Script::error(500, "boom"), 502),
        (Script::error(400, "bad temperature"), 400),
        (Script::error(404, "no such model"), 502),
    ] {
        let before = rig.upstream.count();
        rig.upstream.push(script);
        assert_eq!((status(&rig).await, rig.upstream.count() - before), (answered, 1));
    }
    assert_eq!(sent(&rig, 0), [0, 1, 0, 1], "and nobody loses a turn");
}

#[tokio::test]
async fn a_rate_limited_one_is_left_out_for_its_model_until_it_opens() {
    let (rig, ids) = with_keys(2).await;
    by_key(&rig, |key| (key == 0).then(|| Script::rate_limited(7)));
    assert_eq!((status(&rig).await, sent(&rig, 0)), (200, vec![0, 1]));
    rig.clock.advance_us(6_999_999);
    assert_eq!((status(&rig).await, sent(&rig, 2)), (200, vec![1]));
    let shown = rig.gateway.status(&"first".into()).cooldowns;
    assert_eq!((shown[0].credential, shown[0].model.as_deref()), (Some(ids[0]), Some("small-1")));
    rig.send(&rig.chat("org/small-2")).await;
    rig.send(&rig.chat("org/small-2")).await;
    assert!(sent(&rig, 3).contains(&0), "another model has limits of its own");
    by_key(&rig, |_| None);
    rig.clock.advance_us(1);
    let before = rig.upstream.count();
    status(&rig).await;
    status(&rig).await;
    assert!(sent(&rig, before).contains(&0));
}

#[tokio::test]
async fn a_limit_or_refusal_in_mid_stream_leaves_out_the_one_that_it_concerns() {
    for (code, is_everywhere) in [("rate_limit_exceeded", false), ("invalid_api_key", true)] {
        let (rig, ids) = with_keys(3).await;
        by_key(&rig, move |key| {
            let error = serde_json::json!({"error": {"message": "no", "type": "requests", "code": code}});
            (key == 1).then(|| Sse::new().event(&chat_chunk("small-1", "Hel")).event(&error).end())
        });
        assert_eq!(status(&rig).await, 200);
        let broken = rig.send(&rig.stream("small-1")).await;
        assert!(broken.text().contains("provider_error"), "{}", broken.text());
        assert_eq!(sent(&rig, 0), [0, 1], "nothing is tried after the first byte");
        let shown = rig.gateway.status(&"first".into()).cooldowns;
        let model = (!is_everywhere).then_some("small-1");
        assert_eq!((shown[0].credential, shown[0].model.as_deref(), shown.len()), (Some(ids[1]), model, 1), "{code}");
        for _ in 0..4 {
            assert_eq!(status(&rig).await, 200);
        }
        assert!(!sent(&rig, 2).contains(&1), "{code}: it is left out");
    }
}

#[tokio::test]
async fn all_rate_limited_is_a_429_until_the_first_opens() {
    let (rig, _) = with_keys(3).await;
    by_key(&rig, |key| Some(Script::rate_limited([20, 7, 30][key])));
    for _ in 0..2 {
        let answer = rig.send(&rig.chat("small-1")).await;
        assert_eq!((answer.status, answer.header("retry-after-ms"), rig.upstream.count()), (429, Some("7000"), 3));
    }
    let shown = rig.gateway.status(&"first".into());
    let target = shown.targets.iter().find(|of| of.model.as_deref() == Some("small-1") && of.credential.is_none()).unwrap();
    assert_eq!((target.state, target.until.unwrap().to_string().as_str()), (HealthState::Cooling, "2026-02-05T15:30:07Z"));
    assert_eq!(target.why.as_deref(), Some("with every credential: 429 Too Many Requests"));
    assert_eq!(shown.cooldowns.len(), 3, "one a key");
    let metrics = rig.metrics();
    assert!(metrics.contains("target_state{provider=\"first\",model=\"small-1\"} 1"), "{metrics}");
    by_key(&rig, |_| None);
    rig.clock.advance_s(7);
    assert_eq!((status(&rig).await, sent(&rig, 3)), (200, vec![1]));
}

#[tokio::test]
async fn a_refused_one_beside_a_rate_limited_one_is_a_429_and_no_failure() {
    for wrong in [0, 1] {
        let (rig, _) = with_keys(2).await;
        by_key(&rig, move |key| Some(if key == wrong { Script::error(401, "bad key") } else { Script::rate_limited(90) }));
        for _ in 0..2 {
            let answer = rig.send(&rig.chat("small-1")).await;
            assert_eq!((answer.status, answer.header("retry-after"), rig.upstream.count()), (429, Some("60"), 2), "{}", answer.text());
        }
        assert_eq!(rig.pool("category:small", Kind::Tokens), (0, 0));
    }
}

#[tokio::test]
async fn where_all_are_refused_one_is_tried_at_a_time() {
    let (rig, _) = with_keys(3).await;
    by_key(&rig, |_| Some(Script::error(401, "Incorrect API key provided: sk-another-secret")));
    assert_eq!((status(&rig).await, rig.upstream.count()), (502, 3));
    assert_eq!((status(&rig).await, rig.upstream.count()), (502, 4), "somebody may have put it right");
    by_key(&rig, |_| None);
    assert_eq!(status(&rig).await, 200);
}

#[tokio::test]
async fn no_secret_of_any_is_passed_on() {
    let (rig, _) = with_keys(3).await;
    rig.upstream.push(Script::error(400, &format!("the keys {} and {} and {} are fine", KEYS[0], KEYS[1], KEYS[2])));
    assert_eq!(status(&rig).await, 400);
}

#[tokio::test]
async fn attempts_are_bounded() {
    let rig = Rig::start().await;
    for n in 0..31 {
        rig.store.add_credential(Actor::Operator, &"first".into(), format!("sk-{n}").into()).await.unwrap();
    }
    rig.upstream.otherwise(|_| Script::rate_limited(9));
    let answer = rig.send(&rig.chat("small-1")).await;
    assert_eq!((answer.status, rig.upstream.count()), (429, 8));
    rig.upstream.otherwise(|received| Reply::default().script(received));
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200, "the others are not worn out");
}
