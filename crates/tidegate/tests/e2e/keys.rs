//! Keys: what each may do, and that revoking, expiry and deletion hold from the next request on.

use serde_json::{Value, json};
use testkit::{Answer, Call};

use crate::world::{LARGE, MEDIUM, SMALL, View, World, chat, post_chat};

fn assert_unauthorised(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text());
    let error = answer.json()["error"].take();
    assert_eq!(error["code"], "invalid_api_key");
    assert!(error["message"].as_str().unwrap().len() > 20, "helpful: {error}");
    assert!(!answer.text().contains("rate limited"));
}

#[tokio::test]
async fn a_key_comes_as_bearer_or_as_x_api_key_and_under_both_paths() {
    let world = World::start().await;
    let org = world.org("starter").await;
    for path in ["/v1/chat/completions", "/openai/v1/chat/completions"] {
        for (name, value) in [("authorization", format!("Bearer {}", org.key)), ("x-api-key", org.key.clone())] {
            let answer = Call::post(path, &chat(SMALL, 1)).header(name, &value).send(world.addr()).await;
            assert_eq!(answer.status, 200, "{path} {name}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn no_key_a_wrong_one_and_one_that_is_no_key() {
    let world = World::start().await;
    assert_unauthorised(&post_chat(&chat(SMALL, 1)).send(world.addr()).await);
    for key in [&format!("tg_{}", "x".repeat(40)), "", "sk-other", "tg_\u{e9}", &"k".repeat(5_000)] {
        assert_unauthorised(&world.send(key, &chat(SMALL, 1)).await);
    }
    assert_unauthorised(&Call::get("/v1/limits").send(world.addr()).await);
    assert_unauthorised(&Call::get("/v1/models").key("tg_no").send(world.addr()).await);
    let cookie = post_chat(&chat(SMALL, 1)).header("cookie", "session=1").send(world.addr()).await;
    assert_unauthorised(&cookie);
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_next_request_on() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let (id, key) = world.new_key(&org, json!({"name": "short-lived"})).await;
    assert_eq!(world.send(&key, &chat(SMALL, 1)).await.status, 200);
    let before = world.limits(&org.key).await;
    world.operator("DELETE", &format!("/orgs/{}/keys/{id}", org.id), Value::Null).await;
    assert_unauthorised(&world.send(&key, &chat(SMALL, 1)).await);
    assert_eq!(world.limits(&org.key).await, before, "its refusals cost nothing");
    assert_eq!(world.send(&org.key, &chat(SMALL, 1)).await.status, 200, "the other key goes on");
}

#[tokio::test]
async fn a_key_expires_at_its_moment() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let (_, key) = world.new_key(&org, json!({"name": "short-lived", "expires": "2026-02-05T15:30:10Z"})).await;
    world.clock.advance_us(9_999_999);
    assert_eq!(world.send(&key, &chat(SMALL, 1)).await.status, 200);
    world.clock.advance_us(1);
    assert_unauthorised(&world.send(&key, &chat(SMALL, 1)).await);
}

#[tokio::test]
async fn a_deleted_organisation_s_keys_are_refused_and_its_usage_is_kept() {
    let world = World::start().await;
    let org = world.org("starter").await;
    assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
    world.totals_when(&org, 1, 0, 0).await;
    world.operator("DELETE", &format!("/orgs/{}", org.id), Value::Null).await;
    assert_unauthorised(&world.send(&org.key, &chat(SMALL, 1)).await);
    let usage = world.try_operator("GET", &format!("/orgs/{}/usage", org.id), Value::Null).await;
    assert_eq!(usage.status, 200, "{}", usage.text());
    assert_eq!(usage.json()["totals"]["requests"], 1);
}

#[tokio::test]
async fn a_key_s_own_limits_are_below_its_organisation_s() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let (id, low) = world.new_key(&org, json!({"name": "low", "rpm": 2, "tpm": 500})).await;
    let pool = format!("key:{id}");
    for model in [SMALL, LARGE] {
        assert_eq!(world.send(&low, &chat(model, 5)).await.status, 200);
    }
    let refused = world.send(&low, &chat(MEDIUM, 5)).await;
    assert_eq!((refused.status, &refused.json()["limit"]["pool"]), (429, &json!(pool)), "over all models");
    assert_eq!(world.view(&low, &pool, "requests").await, View { limit: 2, used: 2, held: 0, remaining: 0 });
    assert_eq!(world.send(&org.key, &chat(MEDIUM, 5)).await.status, 200, "the other key has no limit of its own");
    assert_eq!(world.view(&org.key, "category:small", "requests").await.used, 1, "both count in the organisation's pools");
    world.clock.advance_s(60);
    let refused = world.send(&low, &chat(SMALL, 600)).await;
    assert_eq!(refused.status, 200, "held to its limit: {}", refused.text());
}

#[tokio::test]
async fn a_key_for_some_models_is_refused_for_others() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let (_, key) = world.new_key(&org, json!({"name": "one model", "models": [SMALL, "coder"]})).await;
    assert_eq!(world.send(&key, &chat(SMALL, 1)).await.status, 200);
    assert_eq!(world.send(&key, &chat("qwen-3-coder-next", 1)).await.status, 200, "named by its alias");
    let refused = world.send(&key, &chat(LARGE, 1)).await;
    assert_eq!((refused.status, refused.header("x-should-retry")), (403, Some("false")), "{}", refused.text());
    assert!(!refused.text().contains("rate limited"));
}

#[tokio::test]
async fn the_operator_s_token_is_no_api_key_and_a_key_is_no_operator() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let answer = Call::get("/api/v1/orgs").key(&org.key).send(world.addr()).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let own = Call::get(&format!("/api/v1/orgs/{}/limits", org.id)).key(&org.key).send(world.addr()).await;
    assert_eq!(own.status, 401);
    assert_eq!(Call::get("/api/v1/orgs").send(world.addr()).await.status, 401);
}
