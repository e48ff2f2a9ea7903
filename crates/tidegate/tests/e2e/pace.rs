//! Output beyond its hold: streams that pause, are cut or go on as debt, whole answers that are held back, clients that leave
//! meanwhile. In no window more than the limit reaches a client.

use serde_json::{Value, json};
use testkit::{Answer, Opened, Reply, Sse, chat_chunk, chat_usage_chunk};
use tokio::task::JoinSet;

use crate::world::{LARGE, Org, World, chat, until};

const POOL: &str = "category:large";

/// A world in which `on_exhausted` and `n` tokens a minute are the plan `p`; cold holds are 40 tokens.
async fn world(on_exhausted: &str, n: u64, limits: &str) -> (World, Org) {
    let plan = format!(
        "[[plans]]\nid = \"p\"\nhold = \"fixed\"\non_exhausted = \"{on_exhausted}\"\nlimits = [{{ category = \"large\", tpm = {n} }}]\n\
         [[models]]\nid = \"short\"\ncategory = \"large\"\ndefault_output_tokens = 40\ntargets = [{{ provider = \"up\" }}]\n"
    );
    let world = World::with_limits(&format!("micro_wait_ms = 0\n{limits}"), &plan).await;
    let org = world.org("p").await;
    (world, org)
}

/// A stream of `words` tokens, each an event, all sent at once.
fn words(words: u64) -> testkit::Script {
    words_after(Sse::new().event(&chat_chunk("m", "hello")), words)
}

/// The same, whose first has been said.
pub(crate) fn words_after(first: Sse, words: u64) -> testkit::Script {
    let sse = (1..words).fold(first, |sse, _| sse.event(&chat_chunk("m", " hello")));
    let stop = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                      "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    sse.event(&stop).event(&chat_usage_chunk("m", 10, words)).done()
}

pub(crate) fn ask() -> Value {
    json!({"model": "short", "stream": true, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// Reads words until so many have come.
async fn read(open: &mut Opened, words: u64) {
    let mut come = 0;
    while come < words {
        come += u64::from(!open.next().await.expect("an event").expect("a sound stream").content().is_empty());
    }
}

/// A newcomer is refused; the wait in milliseconds that it is told.
async fn refused(world: &World, org: &Org) -> u64 {
    let refused = world.send(&org.key, &chat(LARGE, 1)).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    refused.json()["retry_after_ms"].as_u64().expect("a wait")
}

/// Waits until the pool is full and all that is open waits for room, holding nothing.
async fn stalled(world: &World, org: &Org, n: u64) {
    until("everything open waits for room", || async {
        let view = world.view(&org.key, POOL, "tokens").await;
        assert!(view.used + view.held <= n, "{view:?}");
        (view.used, view.held) == (n, 0)
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_outgrows_its_pool_pauses_and_goes_on_as_room_frees() {
    let (world, org) = world("pace", 100, "").await;
    let input = world.count(&chat(LARGE, 1)).await;
    world.upstream.push(words(200));
    let mut open = world.open(&org.key, &ask()).await;
    stalled(&world, &org, 100).await;
    read(&mut open, 100 - input).await;
    assert!(refused(&world, &org).await <= 60_000);
    world.clock.advance_s(60);
    stalled(&world, &org, 100).await;
    read(&mut open, 100).await;
    world.clock.advance_s(60);
    let rest = open.rest().await.unwrap();
    assert_eq!(rest.iter().filter(|event| !event.content().is_empty()).count() as u64, input);
    assert_eq!(rest.last().unwrap().data(), "[DONE]");
    let totals = world.totals_when(&org, 1, 1, 0).await;
    assert_eq!((&totals["input_tokens"], &totals["output_tokens"]), (&json!(10), &json!(200)));
    let metrics = world.metrics().await;
    assert!(metrics.contains("tidegate_debt_tokens_total 0"), "{metrics}");
    assert!(!metrics.contains("tidegate_pause_seconds_count 0"), "{metrics}");
}

#[tokio::test]
async fn a_plan_may_cut_instead() {
    let (world, org) = world("cut", 100, "").await;
    world.upstream.push(words(200));
    let mut body = ask();
    body["stream_options"] = json!({"include_usage": true});
    let events = world.open(&org.key, &body).await.rest().await.unwrap();
    let words = events.iter().filter(|event| !event.content().is_empty()).count() as u64;
    let tail: Vec<_> = events.iter().rev().take(3).collect();
    assert_eq!(tail[0].data(), "[DONE]");
    let (usage, last) = (tail[1].json(), tail[2].json());
    assert_eq!((&last["choices"][0]["finish_reason"], &last["model"], &last["id"]), (&json!("length"), &json!("short"), &json!("cmpl-1")));
    assert_eq!((&usage["usage"]["completion_tokens"], &usage["choices"]), (&json!(words), &json!([])));
    let totals = world.totals_when(&org, 1, 0, 0).await;
    assert_eq!(totals["output_tokens"], words);
    assert_eq!(totals["input_tokens"].as_u64().unwrap() + words, 100, "it was cut where the pool was full");
    assert_eq!(world.view(&org.key, POOL, "tokens").await.used, 100);
    assert!(world.metrics().await.contains("tidegate_answers_cut_total 1"));
}

#[tokio::test]
async fn a_plan_may_let_it_go_on_as_debt() {
    let (world, org) = world("overdraft", 100, "").await;
    world.upstream.push(words(200));
    let events = world.open(&org.key, &ask()).await.rest().await.unwrap();
    assert_eq!(events.iter().filter(|event| !event.content().is_empty()).count(), 200);
    let totals = world.totals_when(&org, 1, 0, 0).await;
    assert_eq!(totals["output_tokens"], 200);
    for _ in 0..2 {
        assert_eq!(world.view(&org.key, POOL, "tokens").await.used, 100, "the log never passes the limit");
        refused(&world, &org).await;
        world.clock.advance_s(60);
    }
    assert_eq!(world.view(&org.key, POOL, "tokens").await.used, 10, "what is left of the debt");
}

#[tokio::test]
async fn a_pause_has_an_end() {
    let (world, org) = world("pace", 100, "max_pause_seconds = 10\n").await;
    world.upstream.push(words(400));
    let mut open = world.open(&org.key, &ask()).await;
    read(&mut open, 50).await;
    stalled(&world, &org, 100).await;
    world.clock.advance_s(10);
    let events = open.rest().await.unwrap();
    assert_eq!(events.last().unwrap().data(), "[DONE]");
    assert!(events.iter().any(|event| event.data() != "[DONE]" && event.json()["choices"][0]["finish_reason"] == "length"));
    world.settled(&org.key).await;
}

#[tokio::test]
async fn ten_whole_answers_beyond_their_holds_on_a_full_pool_are_all_delivered_and_none_over() {
    // Ten holds of 40 fill it; each answer has 60.
    let (world, org) = world("pace", 500, "").await;
    world.upstream.otherwise(|request| Reply { words: 60, ..Reply::of(10, 60) }.script(request));
    let body = json!({"model": "short", "messages": [{"role": "user", "content": "Say hello."}]});
    let mut open: JoinSet<Answer> = JoinSet::new();
    let (mut delivered, mut moments) = (Vec::new(), 0);
    while delivered.len() < 10 {
        while open.len() + delivered.len() < 10 {
            let (addr, call) = (world.addr(), crate::world::post_chat(&body).key(&org.key));
            open.spawn(async move { call.send(addr).await });
        }
        let view = world.view(&org.key, POOL, "tokens").await;
        assert!(view.used + view.held <= 500, "{view:?}");
        while let Some(answer) = open.try_join_next() {
            let answer = answer.unwrap();
            match answer.status {
                200 => delivered.push(moments),
                429 => {}
                status => panic!("{status}: {}", answer.text()),
            }
        }
        world.clock.advance_ms(500);
        moments += 1;
        assert!(moments < 20_000, "{} delivered", delivered.len());
    }
    // In 120 moments, a minute, never more answers than there is room for.
    for end in &delivered {
        let within = delivered.iter().filter(|at| **at <= *end && **at + 120 > *end).count() as u64;
        assert!(within * 60 <= 500, "{within} answers of 60 tokens in a minute");
    }
    world.settled(&org.key).await;
    assert!(world.metrics().await.contains("tidegate_debt_tokens_total 0"));
}

#[tokio::test]
async fn who_leaves_a_paused_answer_pays_for_what_was_produced() {
    let (world, org) = world("pace", 100, "").await;
    world.upstream.push(words(150));
    let mut open = world.open(&org.key, &ask()).await;
    read(&mut open, 60).await;
    stalled(&world, &org, 100).await;
    drop(open);
    world.settled(&org.key).await;
    let totals = world.totals_when(&org, 1, 0, 0).await;
    let produced = totals["output_tokens"].as_u64().unwrap();
    assert!(produced > 90, "{produced}: more than it had room for");
    assert_eq!(world.view(&org.key, POOL, "tokens").await.used, 100);
    world.clock.advance_s(60);
    let owed = totals["input_tokens"].as_u64().unwrap() + produced - 100;
    assert_eq!(world.view(&org.key, POOL, "tokens").await.used, owed, "the debt is charged before anything new");
}
