//! An orderly stop and a start over the same folder: open streams finish, no record is lost, everything is found again.

use serde_json::{Value, json};
use testkit::{Call, Gate, Reply};
use tokio::task::JoinSet;

use crate::world::{LARGE, MEDIUM, SMALL, World, chat, post_chat, stream, until};

#[tokio::test]
async fn open_streams_finish_and_no_record_is_lost() {
    let world = World::start().await;
    let org = world.org("growth").await;
    let gate = Gate::new();
    let mut streams = JoinSet::new();
    for n in 0..20 {
        world.upstream.reply(Reply::of(10, 6).gated(&gate));
        let (call, addr) = (post_chat(&stream([SMALL, LARGE][n % 2], 50)).key(&org.key), world.addr());
        streams.spawn(async move { call.open(addr).await.rest().await });
    }
    gate.reached(20).await;

    let addr = world.addr();
    let (running, stopped) = world.into_parts();
    let mut stopping = JoinSet::new();
    stopping.spawn(running.shutdown());
    until("nothing new is let in", || async {
        match Call::get("/v1/limits").key(&org.key).try_send(addr).await {
            Ok(answer) => answer.status == 503,
            Err(_) => true,
        }
    })
    .await;
    assert!(stopping.try_join_next().is_none(), "it waits for the streams");
    gate.open();
    for events in streams.join_all().await {
        assert_eq!(events.unwrap().last().unwrap().data(), "[DONE]");
    }
    stopping.join_all().await;

    let world = stopped.start().await;
    let totals = world.totals(&org).await;
    assert_eq!((&totals["requests"], &totals["input_tokens"], &totals["output_tokens"]), (&json!(20), &json!(200), &json!(120)));
}

#[tokio::test]
async fn a_restart_keeps_organisations_keys_limits_and_usage() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let (revoked_id, revoked) = world.new_key(&org, json!({"name": "revoked"})).await;
    world.operator("DELETE", &format!("/orgs/{}/keys/{revoked_id}", org.id), Value::Null).await;
    let rows = json!([{"category": "large", "rpm": 7, "reason": "agreed"}]);
    world.operator("PUT", &format!("/orgs/{}/limits", org.id), rows).await;
    for _ in 0..30 {
        assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
    }
    // Stopped at once: what was answered last is still in the queue.
    let world = world.restart().await;
    let totals = world.totals(&org).await;
    assert_eq!((&totals["requests"], &totals["output_tokens"]), (&json!(30), &json!(150)));
    assert_eq!(world.send(&org.key, &chat(MEDIUM, 5)).await.status, 200);
    assert_eq!(world.send(&revoked, &chat(MEDIUM, 5)).await.status, 401);
    assert_eq!(world.view(&org.key, "category:large", "requests").await.limit, 7);
    let shown = world.operator("GET", &format!("/orgs/{}", org.id), Value::Null).await;
    assert_eq!((&shown["plan"], &shown["effective_plan"]), (&json!("starter"), &json!("starter")));
    let audit = world.operator("GET", "/audit", Value::Null).await.to_string();
    assert!(audit.contains(&org.id), "{audit}");
}
