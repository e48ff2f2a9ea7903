//! Clients that leave: at every event of a stream, before it and in the middle of an event. Settled exactly once, charged
//! what was produced, nothing left held, the provider stopped at once.

use serde_json::json;
use testkit::{Gate, Opened, Reply, Script, SeededEntropy, Sse, chat_chunk, chat_usage_chunk};

use crate::world::{LARGE, Org, World, chat, stream, until};

const EVENTS: usize = 12;
const POOL: &str = "category:large";

#[derive(Clone, Copy, Debug)]
enum Leave {
    Fin,
    Reset,
}

impl Leave {
    fn by(self, open: Opened) {
        match self {
            Self::Fin => drop(open),
            Self::Reset => open.reset(),
        }
    }
}

/// A stream of [`EVENTS`] tokens with a gate before each event, one before the usage and one before the end.
fn gated() -> (Vec<Gate>, Script) {
    let gates: Vec<_> = (0..EVENTS + 2).map(|_| Gate::new()).collect();
    let word = |n| if n == 0 { "hello" } else { " hello" };
    let events = gates.iter().take(EVENTS).enumerate();
    let sse = events.fold(Sse::new(), |sse, (n, gate)| sse.gate(gate).event(&chat_chunk("m", word(n))));
    let sse = sse.gate(&gates[EVENTS]).event(&chat_usage_chunk("m", 10, EVENTS as u64)).gate(&gates[EVENTS + 1]);
    (gates, sse.done())
}

/// Leaves after `seen` events and checks what remains.
async fn leave_after(world: &World, input: u64, seen: usize, how: Leave) {
    let at = format!("after {seen} events, {how:?}");
    let org = world.custom(json!([{"category": "large", "rpm": 100, "tpm": 10_000}])).await;
    let (gates, script) = gated();
    world.upstream.push(script);
    let abandoned = world.upstream.abandoned_count();
    gates[0].open();
    let mut open = world.open(&org.key, &stream(LARGE, 500)).await;
    for gate in gates.iter().take(seen) {
        gate.open();
        open.next().await.unwrap().unwrap();
    }
    let held = world.view(&org.key, POOL, "tokens").await;
    assert!(held.held > 0, "{at}: {held:?}");
    how.by(open);
    world.upstream.abandoned(abandoned + 1).await;
    world.settled(&org.key).await;
    // The first event is produced before the client has an answer's head.
    let produced = seen.max(1) as u64;
    settled_once(world, &org, input + produced, &at).await;
}

async fn settled_once(world: &World, org: &Org, tokens: u64, at: &str) {
    let totals = world.totals_when(org, 1, 0, 0).await;
    assert_eq!(totals["input_tokens"].as_u64().unwrap() + totals["output_tokens"].as_u64().unwrap(), tokens, "{at}: {totals}");
    let view = world.view(&org.key, POOL, "tokens").await;
    assert_eq!((view.used, view.held, view.remaining), (tokens, 0, view.limit - tokens), "{at}");
    assert_eq!(world.view(&org.key, POOL, "requests").await.used, 1, "{at}");
    world.clock.advance_s(60);
    let later = world.view(&org.key, POOL, "tokens").await;
    assert_eq!((later.used, later.held, later.remaining), (0, 0, later.limit), "{at}: no debt is left");
}

#[tokio::test]
async fn at_every_event_of_a_stream() {
    let world = World::start().await;
    let input = world.count(&stream(LARGE, 1)).await;
    for seen in 0..=EVENTS {
        for how in [Leave::Fin, Leave::Reset] {
            leave_after(&world, input, seen, how).await;
        }
    }
}

#[tokio::test]
async fn after_the_usage_was_reported_but_before_the_end() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 100, "tpm": 10_000}])).await;
    let (gates, script) = gated();
    world.upstream.push(script);
    gates.iter().take(EVENTS + 1).for_each(Gate::open);
    let mut body = stream(LARGE, 500);
    body["stream_options"] = json!({"include_usage": true});
    let mut open = world.open(&org.key, &body).await;
    for _ in 0..=EVENTS {
        open.next().await.unwrap().unwrap();
    }
    drop(open);
    world.upstream.abandoned(1).await;
    world.settled(&org.key).await;
    settled_once(&world, &org, 10 + EVENTS as u64, "after the usage").await;
}

#[tokio::test]
async fn before_any_byte_of_the_answer() {
    let world = World::start().await;
    for how in [Leave::Fin, Leave::Reset] {
        for streamed in [false, true] {
            let org = world.custom(json!([{"category": "large", "rpm": 100, "tpm": 10_000}])).await;
            world.upstream.push(Script::hang());
            let before = (world.upstream.count(), world.upstream.abandoned_count());
            let mut connection = testkit::Connection::open(world.addr()).await.unwrap();
            let body = if streamed { stream(LARGE, 500) } else { chat(LARGE, 500) };
            connection.write(&crate::world::post_chat(&body).key(&org.key).bytes()).await.unwrap();
            world.upstream.arrived(before.0 + 1).await;
            assert!(world.view(&org.key, POOL, "tokens").await.held > 0);
            match how {
                Leave::Fin => drop(connection),
                Leave::Reset => connection.reset(),
            }
            world.upstream.abandoned(before.1 + 1).await;
            world.settled(&org.key).await;
            let totals = world.totals_when(&org, 0, 0, 1).await;
            assert_eq!(totals["output_tokens"], 500, "{how:?}, streamed: {streamed}: nobody knows, so what was held is charged");
            let used = world.view(&org.key, POOL, "tokens").await.used;
            assert_eq!(used, totals["input_tokens"].as_u64().unwrap() + 500, "{how:?}, streamed: {streamed}");
        }
    }
}

#[tokio::test]
async fn many_leave_at_random_and_no_hold_is_left_behind() {
    let world = World::start().await;
    let random = SeededEntropy::new(0xD15C);
    let org = world.custom(json!([{"category": "large", "rpm": 10_000, "tpm": 10_000_000, "concurrent": 1_000}])).await;
    world.upstream.otherwise(|request| Reply::of(10, 200).script(request));
    let mut admitted = 0;
    for _ in 0..150 {
        let mut open = world.open(&org.key, &stream(LARGE, 300)).await;
        admitted += 1;
        for _ in 0..random.next_u64() % 14 {
            if open.next().await.unwrap().is_none() {
                break;
            }
        }
        let how = if random.next_u64().is_multiple_of(2) { Leave::Fin } else { Leave::Reset };
        how.by(open);
    }
    world.settled(&org.key).await;
    let totals = world.totals_when(&org, admitted, 0, 0).await;
    let tokens = totals["input_tokens"].as_u64().unwrap() + totals["output_tokens"].as_u64().unwrap();
    assert_eq!(world.view(&org.key, POOL, "tokens").await.used, tokens, "limits and records agree");
    assert_eq!(world.view(&org.key, POOL, "concurrent").await.used, 0);
    let closed = ["tidegate_open_streams 0", "tidegate_open_requests 0"];
    until("no stream is open", || async { open(&world.metrics().await) == closed }).await;
}

/// Streams and requests that are open, by the gauges.
fn open(metrics: &str) -> Vec<&str> {
    metrics.lines().filter(|line| line.starts_with("tidegate_open_")).collect()
}
