//! The micro-wait: a request for which there will be room in a moment waits for it, within bounds, and is refused otherwise.

use serde_json::{Value, json};
use testkit::{Answer, Gate, Reply};
use tokio::task::JoinSet;

use crate::world::{LARGE, Org, World, chat, post_chat, stream, until};

/// Sends a chat request in a task of its own.
fn send(world: &World, org: &Org, prefer: Option<&str>) -> JoinSet<Answer> {
    let call = post_chat(&chat(LARGE, 5)).key(&org.key);
    let (addr, call) = (world.addr(), prefer.map_or(call.clone(), |prefer| call.header("Prefer", prefer)));
    let mut sending = JoinSet::new();
    sending.spawn(async move { call.send(addr).await });
    sending
}

async fn come(mut sending: JoinSet<Answer>) -> Answer {
    sending.join_next().await.expect("one was sent").expect("it came")
}

async fn waiting(world: &World, n: u64) {
    let line = format!("tidegate_waiting_requests {n}\n");
    until("so many wait", || async { world.metrics().await.contains(&line) }).await;
}

/// A world in which one request a minute is let through, and one was, 60 s less `left_ms` ago.
async fn about_to_open(left_ms: u64) -> (World, Org) {
    let world = World::with_limits("", "").await;
    let org = world.custom(json!([{"category": "large", "rpm": 1, "tpm": 1_000}])).await;
    assert_eq!(world.send(&org.key, &chat(LARGE, 5)).await.status, 200);
    world.clock.advance_ms(60_000 - left_ms);
    (world, org)
}

async fn refused(world: &World, org: &Org) -> Value {
    world.totals(org).await["refused"].take()
}

#[tokio::test]
async fn a_quarter_of_a_second_is_waited_for_and_no_more() {
    let (world, org) = about_to_open(250).await;
    let answer = send(&world, &org, None);
    waiting(&world, 1).await;
    world.clock.advance_ms(250);
    assert_eq!(come(answer).await.status, 200);
    waiting(&world, 0).await;
    assert!(world.metrics().await.contains("tidegate_wait_seconds_count 1"));
    assert_eq!(world.totals_when(&org, 2, 0, 0).await["refused"], 0);
    world.clock.advance_us(60_000_000 - 250_001);
    assert_eq!(come(send(&world, &org, None)).await.status, 429, "a microsecond more than that");
    assert_eq!(come(send(&world, &org, Some("wait=0"))).await.status, 429);
}

#[tokio::test]
async fn a_request_may_ask_for_more_or_for_none() {
    let (world, org) = about_to_open(400).await;
    assert_eq!(come(send(&world, &org, None)).await.status, 429);
    let patient = send(&world, &org, Some("wait=5"));
    waiting(&world, 1).await;
    world.clock.advance_ms(300);
    let hasty = come(send(&world, &org, Some("wait=0"))).await;
    assert_eq!((hasty.status, hasty.header("retry-after-ms")), (429, Some("100")));
    world.clock.advance_ms(100);
    assert_eq!(come(patient).await.status, 200);
    until("both refusals are written", || async { refused(&world, &org).await == 2 }).await;
}

#[tokio::test]
async fn what_others_hold_is_waited_for_too() {
    let world = World::with_limits("", "").await;
    let org = world.custom(json!([{"category": "large", "concurrent": 1}])).await;
    let gate = Gate::new();
    world.upstream.reply(Reply::default().gated(&gate));
    let open = world.open(&org.key, &stream(LARGE, 5)).await;
    let answer = send(&world, &org, Some("wait=20"));
    waiting(&world, 1).await;
    gate.open();
    open.rest().await.unwrap();
    assert_eq!(come(answer).await.status, 200);
}

#[tokio::test]
async fn who_leaves_while_waiting_costs_nothing() {
    let (world, org) = about_to_open(5_000).await;
    let sending = send(&world, &org, Some("wait=10"));
    waiting(&world, 1).await;
    drop(sending);
    waiting(&world, 0).await;
    world.clock.advance_s(5);
    assert_eq!(world.view(&org.key, "category:large", "requests").await.used, 0);
}
