//! What passes between client and provider: bytes untouched but for what must change, headers by an allow-list, events as they come.

use serde_json::{Value, json};
use testkit::{Call, Gate, Reply, Script, Sse, chat_chunk};

use crate::world::{LARGE, MEDIUM, SMALL, World, chat, post_chat, stream};

#[tokio::test]
async fn a_body_goes_upstream_byte_for_byte() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let odd = "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"h\\u00e9 \\n 1e400\"} ],\t\"future\":{\"a\":[1,2.50,1E+2]}, \"model\" : \"mistral-7b\" ,\"max_tokens\":3}";
    let answer = Call::new("POST", "/v1/chat/completions")
        .key(&org.key)
        .header("content-type", "application/json")
        .body(odd)
        .send(world.addr())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(world.upstream.received()[0].body, odd);
}

#[tokio::test]
async fn only_the_model_s_name_changes_and_changes_back() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let body = r#"{"model":"Llama 3.3 70B FP8","messages":[{"role":"user","content":"the model \"Llama 3.3 70B FP8\""}],"max_tokens":3}"#;
    let call = Call::new("POST", "/v1/chat/completions").key(&org.key).header("content-type", "application/json").body(body);
    let answer = call.send(world.addr()).await;
    assert_eq!(answer.json()["model"], "Llama 3.3 70B FP8", "{}", answer.text());
    let expected = body.replacen("Llama 3.3 70B FP8", "upstream/llama", 1);
    assert_eq!(world.upstream.received()[0].body, expected);
    let events = world.open(&org.key, &stream("Llama 3.3 70B FP8", 3)).await.rest().await.unwrap();
    let names: Vec<_> = events.iter().map(testkit::Event::json).filter(|e| !e.is_null()).map(|e| e["model"].clone()).collect();
    assert!(names.len() > 3 && names.iter().all(|name| name == "Llama 3.3 70B FP8"), "{names:?}");
}

#[tokio::test]
async fn usage_is_always_asked_for_and_shown_only_where_the_client_asked() {
    let world = World::start().await;
    let org = world.org("starter").await;
    for (options, shown) in [(Value::Null, false), (json!({"include_usage": false}), false), (json!({"include_usage": true}), true)] {
        let mut body = stream(SMALL, 5);
        if !options.is_null() {
            body["stream_options"] = options;
        }
        let before = world.upstream.count();
        let events = world.open(&org.key, &body).await.rest().await.unwrap();
        assert_eq!(events.iter().any(|e| e.json()["usage"].is_object()), shown, "{body}");
        assert_eq!(events.iter().any(|e| e.json()["choices"] == json!([])), shown, "{body}");
        assert_eq!(events.last().unwrap().data(), "[DONE]");
        let sent = world.upstream.received()[before].json();
        assert_eq!(sent["stream_options"]["include_usage"], true);
    }
}

#[tokio::test]
async fn headers_pass_by_allow_list_and_credentials_never() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let headers = [
        ("content-type", "application/json"),
        ("set-cookie", "a=b"),
        ("server", "leaky/1"),
        ("retry-after", "9"),
        ("x-ratelimit-remaining-requests", "1"),
        ("via", "1.1 leaky"),
    ];
    let reply = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}});
    world.upstream.push(Script::answer(200, &headers, reply.to_string()));
    let call = post_chat(&chat(SMALL, 5)).key(&org.key).header("cookie", "session=secret").header("accept-encoding", "gzip, br");
    let call = call.header("openai-beta", "assistants=v2").header("x-forwarded-for", "9.9.9.9").header("x-custom", "1");
    let call = call.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let answer = call.send(world.addr()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for name in ["set-cookie", "server", "retry-after", "via"] {
        assert_eq!(answer.header(name), None, "{name} of the provider");
    }
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), Some("179"), "ours, not the provider's");
    let received = &world.upstream.received()[0];
    assert_eq!(received.headers.get("authorization"), Some("Bearer upstream-secret"));
    assert_eq!(received.headers.get("openai-beta"), Some("assistants=v2"));
    assert!(received.headers.get("traceparent").is_some());
    for name in ["cookie", "accept-encoding", "x-forwarded-for", "x-custom", "x-api-key"] {
        assert_eq!(received.headers.get(name), None, "{name} of the client");
    }
    let whole = format!("{received:?}");
    assert!(!whole.contains(&org.key) && !whole.contains("session=secret"));
}

#[tokio::test]
async fn each_event_is_relayed_when_it_comes() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let gates: Vec<_> = (0..20).map(|_| Gate::new()).collect();
    let script = gates.iter().enumerate().fold(Sse::new(), |sse, (n, gate)| sse.gate(gate).event(&chat_chunk("m", &format!("{n};"))));
    world.upstream.push(script.done());
    // The head is answered with the first event: until then another provider could still be tried.
    gates[0].open();
    let mut open = world.open(&org.key, &stream(SMALL, 50)).await;
    for (n, gate) in gates.iter().enumerate() {
        gate.open();
        let event = open.next().await.unwrap().unwrap();
        assert_eq!(event.content(), format!("{n};"), "before the next one is let go");
    }
    assert_eq!(open.rest().await.unwrap().last().unwrap().data(), "[DONE]");
}

#[tokio::test]
async fn events_that_fall_apart_anywhere_come_out_whole() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let whole = Sse::new().text("data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\u{e9}llo\"}}]}\r\n\r\n");
    let whole = whole.text(": a comment\n\n").event(&chat_chunk("m", " wor\"ld\\")).event(&chat_chunk("m", "\n\n")).done();
    for size in [1, 2, 3, 7, 64, 1_000] {
        world.upstream.push(whole.clone().in_pieces(size));
        let events = world.open(&org.key, &stream(SMALL, 50)).await.rest().await.unwrap();
        let text: String = events.iter().map(testkit::Event::content).collect();
        assert_eq!(text, "h\u{e9}llo wor\"ld\\\n\n", "in pieces of {size}");
        assert_eq!(events.last().unwrap().data(), "[DONE]");
    }
}

#[tokio::test]
async fn completions_embeddings_and_models() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let completion = json!({"model": MEDIUM, "prompt": "Say hello.", "max_tokens": 5});
    let answer = Call::post("/v1/completions", &completion).key(&org.key).send(world.addr()).await;
    assert_eq!((answer.status, &answer.json()["object"]), (200, &json!("text_completion")), "{}", answer.text());
    let mut streamed = completion;
    streamed["stream"] = json!(true);
    let events = Call::post("/v1/completions", &streamed).key(&org.key).open(world.addr()).await.rest().await.unwrap();
    assert_eq!(events.iter().map(testkit::Event::content).collect::<String>(), Reply::default().text());
    for input in [json!("one"), json!(["one", "two"]), json!([1, 2, 3]), json!([[1, 2], [3]])] {
        let body = json!({"model": SMALL, "input": input});
        let answer = Call::post("/openai/v1/embeddings", &body).key(&org.key).send(world.addr()).await;
        assert_eq!((answer.status, &answer.json()["model"]), (200, &json!(SMALL)), "{}", answer.text());
    }
    world.settled(&org.key).await;
    assert_eq!(world.view(&org.key, "category:small", "tokens").await.used, 40, "embeddings have input alone");
    let model = Call::get("/v1/models/qwen-3-32b").key(&org.key).send(world.addr()).await;
    assert_eq!((model.status, &model.json()["id"]), (200, &json!("qwen-3-32b")));
    let none = Call::get("/v1/models/none").key(&org.key).send(world.addr()).await;
    assert_eq!((none.status, &none.json()["error"]["code"]), (404, &json!("model_not_found")));
}

#[tokio::test]
async fn output_beyond_what_was_held_is_debt_that_is_paid_before_anything_new() {
    let plan = "[[plans]]\nid = \"loose\"\non_exhausted = \"overdraft\"\nlimits = [{ category = \"large\", tpm = 1000 }]\n";
    let world = World::with("", plan).await;
    let input = world.count(&chat(LARGE, 1)).await;
    let org = world.org("loose").await;
    // The provider reports three times what the request allowed it to produce.
    world.upstream.reply(Reply::of(input, 1_500));
    assert_eq!(world.send(&org.key, &chat(LARGE, 500)).await.status, 200);
    world.settled(&org.key).await;
    let full = world.view(&org.key, "category:large", "tokens").await;
    assert_eq!((full.used, full.remaining), (1_000, 0), "the log never passes the limit");
    world.clock.advance_s(60);
    assert_eq!(world.send(&org.key, &chat(LARGE, 600)).await.status, 429, "{} are owed", input + 500);
    world.clock.advance_s(60);
    assert_eq!(world.send(&org.key, &chat(LARGE, 600)).await.status, 200, "paid");
}

#[tokio::test]
async fn health_and_metrics_name_no_organisation_and_no_key() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 1}])).await;
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 429);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(Call::get(path).send(world.addr()).await.status, 200, "{path}");
    }
    assert_eq!(Call::get("/metrics").send(world.addr()).await.status, 401);
    let metrics = world.metrics().await;
    assert!(metrics.contains("tidegate_") && metrics.contains("category:large"), "{metrics}");
    assert!(!metrics.contains("org_") && !metrics.contains("key_") && !metrics.contains(&org.key[..8]), "{metrics}");
}
