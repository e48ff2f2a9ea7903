//! Streams that don't go as they should: providers that break, clients that leave.

use domain::Kind;
use serde_json::json;
use testkit::{Gate, Reply, Sse, chat_chunk, chat_usage_chunk};

use crate::rig::Rig;

#[tokio::test]
async fn a_provider_that_breaks_is_told_in_the_stream() {
    for script in [
        Sse::new().event(&chat_chunk("small-1", "one")).event(&chat_chunk("small-1", " two")).reset(),
        Sse::new().event(&chat_chunk("small-1", "one")).event(&chat_chunk("small-1", " two")).close(),
        // What a proxy before a killed server makes of it: an orderly end in the midst of a text.
        Sse::new().event(&chat_chunk("small-1", "one")).event(&chat_chunk("small-1", " two")).end(),
        Sse::new().event(&chat_chunk("small-1", "one")).event(&chat_chunk("small-1", " two")).text("data: {\"id\"").end(),
        Sse::new()
            .event(&chat_chunk("small-1", "one"))
            .event(&chat_chunk("small-1", " two"))
            .event(&json!({"error": {"message": "sk-provider-secret is rate limited", "code": 500}}))
            .end(),
    ] {
        let rig = Rig::start().await;
        rig.upstream.push(script);
        let answer = rig.send(&rig.stream("small-1")).await;
        assert_eq!(answer.status, 200);
        let text = answer.text();
        let events: Vec<&str> = text.split("\n\n").filter(|e| !e.is_empty()).collect();
        let last: serde_json::Value = serde_json::from_str(events.last().unwrap().strip_prefix("data: ").unwrap()).unwrap();
        assert!(last["error"]["message"].is_string() && last["error"]["code"] == "provider_error", "{text}");
        assert!(!text.contains("[DONE]") && text.contains(" two") && !text.to_lowercase().contains("rate limited"), "{text}");
        let usage = rig.usage().await;
        assert_eq!((usage.totals.counters.requests, usage.totals.counters.failed), (1, 0));
        assert!(usage.totals.counters.output_tokens >= 2 && usage.totals.counters.input_tokens > 0);
        let charged = usage.totals.counters.output_tokens + usage.totals.counters.input_tokens;
        assert_eq!(rig.pool("category:small", Kind::Tokens), (charged, 0));
    }
}

#[tokio::test]
async fn a_missing_done_harms_nobody() {
    let rig = Rig::start().await;
    let finish = json!({"id": "c", "object": "chat.completion.chunk", "model": "small-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    rig.upstream.push(Sse::new().event(&chat_chunk("small-1", "one")).event(&finish).event(&chat_usage_chunk("small-1", 9, 1)).end());
    let answer = rig.send(&rig.stream("small-1")).await;
    assert!(!answer.text().contains("error"), "{}", answer.text());
    assert_eq!(rig.usage().await.totals.counters.input_tokens, 9);
    assert_eq!(rig.pool("category:small", Kind::Tokens), (10, 0));
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_provider_and_pays_for_what_was_produced() {
    let rig = Rig::start().await;
    let gate = Gate::new();
    let script = Sse::new().event(&chat_chunk("small-1", "one")).event(&chat_chunk("small-1", " two")).gate(&gate).done();
    rig.upstream.push(script);
    let mut opened = rig.stream("small-1").open(rig.addr).await;
    opened.next().await.unwrap();
    opened.next().await.unwrap();
    assert!(rig.pool("category:small", Kind::Tokens).1 > 0, "held while it runs");
    drop(opened);
    rig.upstream.abandoned(1).await;
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.output_tokens), (1, 2));
    assert_eq!(rig.pool("category:small", Kind::Tokens), (usage.totals.counters.input_tokens + 2, 0));
    assert_eq!(rig.pool("category:small", Kind::Requests), (1, 0));
}

#[tokio::test]
async fn a_client_that_leaves_before_an_unstreamed_answer_pays_what_was_held() {
    let rig = Rig::start().await;
    let gate = Gate::new();
    rig.upstream.reply(Reply::of(10, 5));
    rig.upstream.clear();
    rig.upstream.push(testkit::Script::hang().after(&gate));
    let (call, addr) = (rig.chat("small-1"), rig.addr);
    let mut client = tokio::task::JoinSet::new();
    client.spawn(async move { call.try_send(addr).await });
    rig.upstream.arrived(1).await;
    client.shutdown().await;
    rig.settled().await;
    rig.upstream.arrived(1).await;
    let usage = rig.usage().await;
    assert_eq!((usage.totals.counters.requests, usage.totals.counters.failed, usage.totals.counters.output_tokens), (0, 1, 100));
    assert_eq!(rig.pool("category:small", Kind::Tokens), (usage.totals.counters.input_tokens + 100, 0));
}

#[tokio::test]
async fn output_beyond_the_hold_is_debt_that_is_charged_all_the_same() {
    let rig = Rig::start().await;
    rig.upstream.reply(Reply::of(10, 300));
    assert_eq!(rig.send(&rig.chat("small-1")).await.status, 200);
    assert_eq!(rig.pool("category:small", Kind::Tokens), (310, 0));
    rig.upstream.reply(Reply::of(10, 300));
    assert_eq!(rig.send(&rig.stream("small-1")).await.status, 200);
    rig.settled().await;
    assert_eq!(rig.pool("category:small", Kind::Tokens), (620, 0));
}

#[tokio::test]
async fn streams_that_are_open_go_on_while_the_gateway_ends() {
    let rig = Rig::start().await;
    let gate = Gate::new();
    rig.upstream.push(Sse::new().event(&chat_chunk("small-1", "one")).gate(&gate).event(&chat_chunk("small-1", " two")).done());
    let mut opened = rig.stream("small-1").open(rig.addr).await;
    opened.next().await.unwrap();
    rig.gateway.begin_shutdown();
    gate.open();
    assert_eq!(opened.next().await.unwrap().unwrap().content(), " two");
    assert_eq!(opened.next().await.unwrap().unwrap().data(), "[DONE]");
    assert_eq!(opened.next().await.unwrap(), None);
    assert_eq!(rig.gateway.open_requests(), 0);
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let rig = Rig::start().await;
    let (first, second) = (Gate::new(), Gate::new());
    let script = Sse::new().event(&chat_chunk("small-1", "one")).gate(&first).event(&chat_chunk("small-1", " two")).gate(&second).done();
    rig.upstream.push(script.in_pieces(7));
    let mut opened = rig.stream("small-1").open(rig.addr).await;
    assert_eq!(opened.next().await.unwrap().unwrap().content(), "one");
    first.open();
    assert_eq!(opened.next().await.unwrap().unwrap().content(), " two");
    second.open();
    assert_eq!(opened.next().await.unwrap().unwrap().data(), "[DONE]");
}
