//! Several providers for a model: what sends a request on to the next, what doesn't, and what the client hears when all fail.

use serde_json::{Value, json};
use testkit::{Answer, Call, Event, Gate, Reply, Script, Sse, Upstream, chat_chunk};

use crate::world::{LARGE, Org, World, chat, stream, text, until};

const POOL: &str = "category:small";

/// A world with two scripted providers for the model `dual`, and one model whose first provider is not there.
struct Two {
    world: World,
    one: Upstream,
    two: Upstream,
    org: Org,
}

impl Two {
    async fn start() -> Self {
        let (one, two, gone) = (Upstream::start().await, Upstream::start().await, Upstream::start().await);
        let provider = |name: &str, at: &Upstream| {
            format!(
                "[[providers]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{}\"\napi_key = \"k\"\nfirst_byte_timeout_seconds = 0.4\n",
                at.base_url()
            )
        };
        let model = |id: &str, first: &str| {
            format!(
                "[[models]]\nid = \"{id}\"\ncategory = \"small\"\ntargets = [{{ provider = \"two\", priority = 1 }}, {{ provider = \"{first}\", model = \"first\" }}]\n"
            )
        };
        let sections = [provider("one", &one), provider("two", &two), provider("gone", &gone), model("dual", "one"), model("half", "gone")];
        gone.stop().await;
        let world = World::with("", &sections.concat()).await;
        let org = world.org("growth").await;
        Self { world, one, two, org }
    }

    async fn reopen(&self) {
        for name in ["one", "two"] {
            self.world.operator("DELETE", &format!("/providers/{name}/cooldown"), Value::Null).await;
        }
    }

    async fn used(&self) -> (u64, u64) {
        self.world.settled(&self.org.key).await;
        let tokens = self.world.view(&self.org.key, POOL, "tokens").await.used;
        (self.world.view(&self.org.key, POOL, "requests").await.used, tokens)
    }

    async fn send(&self, body: &Value) -> Answer {
        self.world.send(&self.org.key, body).await
    }
}

fn failures() -> Vec<(&'static str, Script)> {
    let broken = |body: &'static str| Script::answer(200, &[("content-type", "application/json")], body);
    vec![
        ("429", Script::rate_limited(30)),
        ("500", Script::error(500, "oh no")),
        ("503", Script::error(503, "overloaded")),
        ("529", Script::error(529, "overloaded")),
        ("401, the operator's fault", Script::error(401, "bad key")),
        ("403, the operator's fault", Script::error(403, "not yours")),
        ("404, the operator's fault", Script::error(404, "no such model")),
        ("HTML with 200", Script::html()),
        ("broken JSON with 200", broken("{\"id\":")),
        ("another language with 200", broken("{\"hello\":\"world\"}")),
        ("an error with 200", broken("{\"error\":{\"message\":\"overloaded\"}}")),
        ("nothing with 200", broken("")),
        ("a reset before the answer", Script::reset()),
        ("a reset within the head", Script::html().reset_after(20)),
        ("no answer in time", Script::hang()),
    ]
}

#[tokio::test]
async fn failures_before_the_first_byte_go_to_the_next_provider() {
    let two = Two::start().await;
    let mut expected = (0, 0);
    for (name, script) in failures() {
        for body in [chat("dual", 5), stream("dual", 5)] {
            let before = (two.one.count(), two.two.count());
            two.one.push(script.clone());
            let answer = two.send(&body).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            assert_eq!(answer.header("x-tidegate-provider"), Some("two"), "{name}");
            assert!(!answer.text().contains("first") && answer.text().contains("\"dual\""), "{name}: {}", answer.text());
            assert_eq!((two.one.count() - before.0, two.two.count() - before.1), (1, 1), "{name}: one attempt each");
            expected = (expected.0 + 1, expected.1 + 15);
            assert_eq!(two.used().await, expected, "{name}: one hold covers all attempts");
            two.reopen().await;
        }
    }
    assert_eq!(two.one.received()[0].json()["model"], "first");
    assert_eq!(two.two.received()[0].json()["model"], "dual");
}

#[tokio::test]
async fn streams_that_begin_with_no_answer_go_to_the_next_provider() {
    let two = Two::start().await;
    let starts = [
        ("an error as first event", Sse::new().text("data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n").end()),
        ("an error after a comment", Sse::new().text(": waiting\n\n").text("data: {\"error\":{\"message\":\"overloaded\"}}\n\n").end()),
        ("no event at all", Sse::new().end()),
        ("a reset before the first event", Sse::new().reset()),
        ("no event in time", Sse::new().hang()),
    ];
    for (name, script) in starts {
        two.one.push(script);
        let events = two.world.open(&two.org.key, &stream("dual", 5)).await.rest().await.unwrap();
        let text: String = events.iter().map(Event::content).collect();
        assert_eq!(text, Reply::default().text(), "{name}");
        assert!(events.iter().all(|e| e.json()["error"].is_null()), "{name}");
        assert_eq!(events.last().unwrap().data(), "[DONE]", "{name}");
        two.reopen().await;
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there() {
    let two = Two::start().await;
    let answer = two.send(&chat("half", 5)).await;
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("two")), "{}", answer.text());
    assert_eq!(two.used().await, (1, 15));
}

#[tokio::test]
async fn a_provider_that_is_cooling_down_is_not_asked_until_it_reopens() {
    let two = Two::start().await;
    two.one.push(Script::rate_limited(30));
    assert_eq!(two.send(&chat("dual", 5)).await.status, 200);
    two.world.clock.advance_ms(29_999);
    assert_eq!(two.send(&chat("dual", 5)).await.header("x-tidegate-provider"), Some("two"));
    assert_eq!(two.one.count(), 1);
    two.world.clock.advance_ms(1);
    assert_eq!(two.send(&chat("dual", 5)).await.header("x-tidegate-provider"), Some("one"));
}

#[tokio::test]
async fn all_rate_limited_is_a_429_until_the_first_one_opens_and_costs_nothing() {
    let two = Two::start().await;
    two.one.push(Script::rate_limited(20));
    two.two.push(Script::rate_limited(7));
    for body in [chat("dual", 5), stream("dual", 5)] {
        let refused = two.send(&body).await;
        assert_eq!(refused.status, 429, "{}", refused.text());
        assert_eq!(refused.json()["error"], "dual model is rate limited until 2026-02-05T15:30:07Z");
        assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (Some("7"), Some("7000")));
    }
    assert_eq!((two.one.count(), two.two.count()), (1, 1), "nobody is asked while both are cooling down");
    assert_eq!(two.used().await, (0, 0));
    two.world.clock.advance_ms(6_999);
    assert_eq!(two.send(&chat("dual", 5)).await.status, 429);
    two.world.clock.advance_ms(1);
    assert_eq!(two.send(&chat("dual", 5)).await.header("x-tidegate-provider"), Some("two"));
    assert_eq!(two.used().await, (1, 15));
}

#[tokio::test]
async fn some_failing_otherwise_is_no_429_and_costs_nothing() {
    let two = Two::start().await;
    let cases = [
        (Script::rate_limited(20), Script::error(500, "oh no"), &[502, 503][..]),
        (Script::error(500, "oh no"), Script::html(), &[502]),
        (Script::error(401, "bad key sk-123"), Script::error(404, "no model"), &[502]),
        (Script::hang(), Script::hang(), &[504]),
    ];
    for (first, second, statuses) in cases {
        two.one.push(first);
        two.two.push(second);
        let answer = two.send(&chat("dual", 5)).await;
        assert!(statuses.contains(&answer.status), "{} {}", answer.status, answer.text());
        let code = answer.json()["error"]["code"].as_str().unwrap().to_owned();
        assert!(["provider_error", "unavailable", "provider_timeout"].contains(&code.as_str()), "{code}");
        assert!(!answer.text().contains("rate limited") && !answer.text().contains("sk-123"), "{}", answer.text());
        assert_eq!(two.used().await, (0, 0));
        two.reopen().await;
    }
}

#[tokio::test]
async fn a_pool_that_refuses_asks_no_provider() {
    let two = Two::start().await;
    let org = two.world.custom(json!([{"category": "small", "rpm": 1}])).await;
    assert_eq!(two.world.send(&org.key, &chat("dual", 5)).await.status, 200);
    let before = (two.one.count(), two.two.count());
    assert_eq!(two.world.send(&org.key, &chat("dual", 5)).await.status, 429);
    assert_eq!((two.one.count(), two.two.count()), before);
}

#[tokio::test]
async fn the_client_s_fault_is_passed_on_and_costs_its_request_only() {
    let two = Two::start().await;
    for (n, status) in [400, 413, 422].into_iter().enumerate() {
        for body in [chat("dual", 5), stream("dual", 5)] {
            two.one.push(Script::error(status, "temperature must be below 2"));
            let answer = two.send(&body).await;
            assert_eq!(answer.status, status);
            assert!(answer.text().contains("temperature must be below 2"), "{}", answer.text());
            assert!(!answer.text().contains("rate limited"));
        }
        assert_eq!(two.two.count(), 0, "not tried elsewhere");
        assert_eq!(two.used().await, (2 * (n as u64 + 1), 0));
    }
    two.world.totals_when(&two.org, 0, 0, 6).await;
}

#[tokio::test]
async fn a_provider_s_words_about_rate_limits_stand_in_no_other_error() {
    let two = Two::start().await;
    two.one.push(Script::error(400, "this model is rate limited to 5 images"));
    let answer = two.send(&chat("dual", 5)).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.text().contains("rate limited"), "some clients take any such text for a 429: {}", answer.text());
}

#[tokio::test]
async fn breaking_in_mid_stream_is_an_in_band_error_and_never_two_texts() {
    let two = Two::start().await;
    let begun = || Sse::new().event(&chat_chunk("m", "hello")).event(&chat_chunk("m", " hello"));
    let breaks = [
        ("reset", begun().reset()),
        ("close", begun().close()),
        ("an end without [DONE] and without a finish", begun().end()),
        ("an error event", begun().text("data: {\"error\":{\"message\":\"exploded\"}}\n\n").end()),
        ("broken JSON", begun().text("data: {\"choices\":[{\"del\n\n").end()),
    ];
    for (n, (name, script)) in breaks.into_iter().enumerate() {
        two.one.push(script);
        let events = two.world.open(&two.org.key, &stream("dual", 50)).await.rest().await.unwrap();
        let text: String = events.iter().map(Event::content).collect();
        assert_eq!(text, "hello hello", "{name}");
        assert!(events.iter().all(|e| e.data() != "[DONE]"), "{name}");
        let error = events.last().unwrap().json();
        assert!(error["error"]["message"].as_str().is_some_and(|m| m.len() > 5), "{name}: {error}");
        assert!(error.get("choices").is_none(), "{name}: a bare object: {error}");
        assert!(!error.to_string().contains("rate limited"));
        assert_eq!(two.two.count(), 0, "{name}");
        two.reopen().await;
        two.world.totals_when(&two.org, n as u64 + 1, 0, 0).await;
    }
    let (requests, tokens) = two.used().await;
    let input = two.world.count(&stream(LARGE, 50)).await;
    assert_eq!((requests, tokens), (5, 5 * (input + 2)), "charged what was relayed");
}

#[tokio::test]
async fn breaking_in_the_middle_of_a_whole_answer_goes_to_the_next_provider() {
    let two = Two::start().await;
    let whole = Script::json(200, &json!({"id": "1", "object": "chat.completion", "choices": [], "padding": "x".repeat(5_000)}));
    two.one.push(whole.reset_after(2_000));
    let answer = two.send(&chat("dual", 5)).await;
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("two")), "no byte had been sent: {}", answer.text());
}

#[tokio::test]
async fn a_drained_or_disabled_provider_is_not_asked() {
    let two = Two::start().await;
    for state in ["draining", "disabled"] {
        two.world.operator("PATCH", "/providers/one", json!({"state": state})).await;
        assert_eq!(two.send(&chat("dual", 5)).await.header("x-tidegate-provider"), Some("two"), "{state}");
    }
    two.world.operator("PATCH", "/providers/one", json!({"state": "enabled"})).await;
    assert_eq!(two.send(&chat("dual", 5)).await.header("x-tidegate-provider"), Some("one"));
    let shown = Call::get("/v1/models").key(&two.org.key).send(two.world.addr()).await.text();
    assert!(!shown.contains("\"one\""), "clients see no providers: {shown}");
}

#[tokio::test]
async fn a_stream_is_stopped_at_its_provider_when_the_next_was_taken() {
    let two = Two::start().await;
    let gate = Gate::new();
    two.one.push(Sse::new().gate(&gate).done());
    let answer = two.send(&stream("dual", 5)).await;
    assert_eq!((answer.status, answer.header("x-tidegate-provider")), (200, Some("two")));
    two.one.abandoned(1).await;
}

#[tokio::test]
async fn a_request_tells_each_attempt_where_there_was_more_than_one_that_answered() {
    let two = Two::start().await;
    let told = async |answer: &Answer| {
        let path = format!("/requests/{}", answer.header("x-request-id").unwrap());
        until("the request is told", async || two.world.try_operator("GET", &path, Value::Null).await.status == 200).await;
        two.world.operator("GET", &path, Value::Null).await
    };
    let ends = |request: &Value| {
        let attempts = request["attempts"].as_array().unwrap();
        attempts.iter().map(|attempt| [&attempt["provider"], &attempt["model"], &attempt["end"]].map(text).join(" ")).collect::<Vec<_>>()
    };
    let plain = told(&two.send(&chat("dual", 5)).await).await;
    assert_eq!((ends(&plain), &plain["outcome"]["attempts"]), (vec![], &1.into()));
    for body in [chat("dual", 5), stream("dual", 5)] {
        two.one.push(Script::error(503, "overloaded"));
        let recovered = told(&two.send(&body).await).await;
        assert_eq!(ends(&recovered), ["one first overloaded", "two dual answered"]);
        assert_eq!((&recovered["outcome"]["recovered"], &recovered["attempts"][0]["status"]), (&true.into(), &503.into()));
        two.reopen().await;
    }
    two.one.push(Script::rate_limited(9));
    two.two.push(Script::reset());
    let failed = told(&two.send(&chat("dual", 5)).await).await;
    assert_eq!(ends(&failed), ["one first rate_limited", "two dual failed"]);
    assert_eq!((&failed["outcome"]["recovered"], &failed["outcome"]["status"]), (&false.into(), &502.into()));
    two.reopen().await;
    two.one.push(Sse::new().event(&chat_chunk("m", "hello")).reset());
    let broken = told(&two.send(&stream("dual", 5)).await).await;
    assert_eq!(ends(&broken), ["one first broken"]);
    let recovered = two.world.metrics().await;
    assert!(recovered.contains("tidegate_recovered_requests_total 2"), "{recovered}");
}
