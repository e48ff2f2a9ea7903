//! Usage: totals equal to what clients received to the token, refused and failed apart, grouped and in buckets.

use serde_json::{Value, json};
use testkit::{Call, Reply, Script, SeededEntropy};

use crate::world::{LARGE, MEDIUM, Org, SMALL, World, chat, stream, text};

async fn usage(world: &World, org: &Org, query: &str) -> Value {
    world.operator("GET", &format!("/orgs/{}/usage?{query}", org.id), Value::Null).await
}

/// Output and input tokens as a client's SDK would add them up.
#[derive(Default, Debug, PartialEq, Eq)]
struct Received {
    input: u64,
    output: u64,
}

impl Received {
    fn add(&mut self, usage: &Value) {
        self.input += usage["prompt_tokens"].as_u64().unwrap();
        self.output += usage["completion_tokens"].as_u64().unwrap_or(0);
    }
}

#[tokio::test]
async fn totals_equal_what_clients_received_to_the_token() {
    let world = World::start().await;
    let org = world.org("growth").await;
    let random = SeededEntropy::new(5);
    let mut received = Received::default();
    for n in 0..60 {
        let (input, output) = (1 + random.next_u64() % 20, random.next_u64() % 300);
        world.upstream.reply(Reply::of(input, output));
        let model = [SMALL, MEDIUM, LARGE][n % 3];
        if n % 2 == 0 {
            received.add(&world.send(&org.key, &chat(model, 300)).await.json()["usage"]);
        } else {
            let mut body = stream(model, 300);
            body["stream_options"] = json!({"include_usage": true});
            let events = world.open(&org.key, &body).await.rest().await.unwrap();
            received.add(&events[events.len() - 2].json()["usage"]);
        }
    }
    let totals = world.totals_when(&org, 60, 0, 0).await;
    let counted = Received { input: totals["input_tokens"].as_u64().unwrap(), output: totals["output_tokens"].as_u64().unwrap() };
    assert_eq!(counted, received);
}

#[tokio::test]
async fn usage_is_visible_within_a_second() {
    let world = World::start().await;
    let org = world.org("starter").await;
    for n in 1..=5 {
        assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
        let answered = tokio::time::Instant::now();
        world.totals_when(&org, n, 0, 0).await;
        assert!(answered.elapsed().as_millis() < 1_000, "{:?}", answered.elapsed());
    }
}

#[tokio::test]
async fn refused_failed_and_rejected_are_counted_apart() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "small", "rpm": 4}])).await;
    assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
    world.upstream.push(Script::error(400, "no such parameter"));
    assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 400);
    world.upstream.push(Script::error(500, "broken"));
    assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 502);
    world.operator("DELETE", "/providers/up/cooldown", Value::Null).await;
    for status in [200, 200, 429, 429, 429] {
        assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, status);
    }
    let totals = world.totals_when(&org, 3, 3, 2).await;
    assert_eq!((&totals["input_tokens"], &totals["output_tokens"]), (&json!(30), &json!(15)), "only what was answered");
}

#[tokio::test]
async fn a_provider_without_usage_is_counted() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let input = world.count(&chat(SMALL, 5)).await;
    for body in [chat(SMALL, 50), stream(SMALL, 50)] {
        world.upstream.reply(Reply::of(0, 7).without_usage());
        assert_eq!(world.send(&org.key, &body).await.status, 200);
    }
    let totals = world.totals_when(&org, 2, 0, 0).await;
    assert_eq!(totals["output_tokens"], 14, "seven words of one token each, twice");
    assert_eq!(totals["input_tokens"], input * 2);
    world.settled(&org.key).await;
    assert_eq!(world.view(&org.key, "category:small", "tokens").await.used, 14 + input * 2);
}

#[tokio::test]
async fn grouped_by_model_key_category_provider_and_status() {
    let world = World::start().await;
    let org = world.org("growth").await;
    let (second_id, second) = world.new_key(&org, json!({"name": "second"})).await;
    for (key, model, n) in [(&org.key, SMALL, 3), (&second, SMALL, 2), (&second, LARGE, 1)] {
        for _ in 0..n {
            assert_eq!(world.send(key, &chat(model, 5)).await.status, 200);
        }
    }
    world.upstream.push(Script::error(400, "no"));
    assert_eq!(world.send(&second, &chat(LARGE, 5)).await.status, 400);
    world.totals_when(&org, 6, 0, 1).await;
    let groups: [(&str, &[(&str, u64)]); 4] = [
        ("model", &[(SMALL, 5), (LARGE, 1)]),
        ("key", &[(&second_id, 3)]),
        ("category", &[("small", 5), ("large", 1)]),
        ("provider", &[("up", 6)]),
    ];
    for (by, expected) in groups {
        let series = usage(&world, &org, &format!("group_by={by}")).await["series"].take();
        for (name, requests) in expected {
            let entry = series.as_array().unwrap().iter().find(|entry| entry.to_string().contains(&format!("\"{name}\"")));
            let entry = entry.unwrap_or_else(|| panic!("no {name} in {series}"));
            assert_eq!(entry["requests"], *requests, "{by} {name}: {entry}");
        }
    }
    let by_status = usage(&world, &org, "group_by=status").await["series"].to_string();
    assert!(by_status.contains("200") && by_status.contains("400"), "{by_status}");
}

#[tokio::test]
async fn buckets_hold_what_happened_in_them_and_from_and_to_cut() {
    let world = World::start().await;
    let org = world.org("growth").await;
    for n in [1, 3, 2] {
        for _ in 0..n {
            assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
        }
        world.clock.advance_s(60);
    }
    world.totals_when(&org, 6, 0, 0).await;
    let by_minute = usage(&world, &org, "bucket=minute").await;
    let requests: Vec<_> =
        by_minute["series"].as_array().unwrap().iter().filter_map(|b| b["requests"].as_u64()).filter(|n| *n > 0).collect();
    assert_eq!(requests, [1, 3, 2], "{by_minute}");
    let middle = usage(&world, &org, "from=2026-02-05T15:31:00Z&to=2026-02-05T15:32:00Z").await;
    assert_eq!(middle["totals"]["requests"], 3, "from inclusive, to exclusive: {middle}");
    let by_day = usage(&world, &org, "bucket=day&tz=Europe/Berlin").await;
    assert_eq!(by_day["series"].as_array().unwrap().iter().filter_map(|b| b["requests"].as_u64()).sum::<u64>(), 6);
}

#[tokio::test]
async fn cost_follows_the_catalogue_s_prices() {
    let priced = "[[models]]\nid = \"priced\"\ncategory = \"small\"\ninput_price = \"2\"\noutput_price = \"10\"\ntargets = [{ provider = \"up\" }]\n";
    let world = World::with("", priced).await;
    let org = world.org("growth").await;
    world.upstream.reply(Reply::of(1_000, 500));
    let mut body = chat("priced", 500);
    body["messages"][0]["content"] = json!("tide ".repeat(1_000));
    assert_eq!(world.send(&org.key, &body).await.status, 200);
    let totals = world.totals_when(&org, 1, 0, 0).await;
    let cost: f64 = totals["cost"].as_str().expect("a decimal string").parse().unwrap();
    assert!((cost - 0.007).abs() < 1e-12, "1,000 at 2 and 500 at 10 a million: {cost}");
}

#[tokio::test]
async fn what_no_pool_was_asked_for_is_no_usage() {
    let world = World::start().await;
    let org = world.org("starter").await;
    assert_eq!(world.send(&org.key, &json!({"model": SMALL})).await.status, 400);
    assert_eq!(world.send(&org.key, &chat("no-such-model", 5)).await.status, 404);
    let list = Call::get("/v1/models").key(&org.key).send(world.addr()).await;
    assert_eq!(list.status, 200);
    assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
    let totals = world.totals_when(&org, 1, 0, 0).await;
    assert_eq!((&totals["refused"], &totals["failed"]), (&json!(0), &json!(0)));
}

/// Everything that can become of a request is in the series, among the requests, and explained, and nothing counts twice.
#[tokio::test]
async fn what_became_of_each_request_is_told_everywhere_alike() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "small", "rpm": 4}, {"category": "large", "tpm": 60}])).await;
    let mut statuses = Vec::new();
    for (model, script) in
        [(SMALL, None), (SMALL, Some(Script::error(400, "no such parameter"))), (SMALL, Some(Script::error(500, "broken")))]
    {
        script.into_iter().for_each(|script| world.upstream.push(script));
        statuses.push(world.send(&org.key, &chat(model, 5)).await);
    }
    world.operator("DELETE", "/providers/up/cooldown", Value::Null).await;
    for (model, max_tokens) in [(SMALL, 5), (SMALL, 5), (SMALL, 5), (LARGE, 40), (LARGE, 40)] {
        statuses.push(world.send(&org.key, &chat(model, max_tokens)).await);
    }
    let sent: Vec<_> = statuses.iter().map(|answer| answer.status).collect();
    assert_eq!(sent, [200, 400, 502, 200, 200, 429, 200, 429]);
    world.totals_when(&org, 4, 2, 2).await;
    let get = async |path: &str| world.operator("GET", &format!("/orgs/{}/{path}", org.id), Value::Null).await;
    let by_outcome = get("usage?group_by=outcome&times=true").await["series"].take();
    let count = |row: &Value| ["requests", "refused", "failed"].map(|name| row[name].as_u64().unwrap()).iter().sum::<u64>();
    let outcomes: Vec<_> = by_outcome.as_array().unwrap().iter().map(|row| (text(&row["outcome"]), count(row))).collect();
    assert_eq!(outcomes, [("answered".into(), 4), ("failed".into(), 1), ("refused".into(), 2), ("rejected".into(), 1)]);
    // The clock stands still, so that the list's order within the millisecond is that of the ids.
    let listed = get("requests").await["data"].take();
    assert_eq!(listed.as_array().unwrap().len(), 8);
    for answer in &statuses {
        let id = answer.header("x-request-id").unwrap();
        let in_list =
            listed.as_array().unwrap().iter().find(|request| request["id"] == id).unwrap_or_else(|| panic!("no {id} in {listed}"));
        let told = get(&format!("requests/{id}")).await;
        assert_eq!(*in_list, told);
        if answer.status == 429 {
            let limit = answer.json()["limit"].take();
            for member in ["pool", "kind", "limit", "used", "held", "requested"] {
                assert_eq!(told["refusals"][0][member], limit[member], "{member} as it was sent: {told}");
            }
        } else {
            assert_eq!(told["outcome"]["status"], answer.status);
        }
    }
    let why = get("usage/refusals").await;
    let limits: Vec<_> = why["limits"].as_array().unwrap().iter().map(|of| (text(&of["pool"]), text(&of["kind"]))).collect();
    assert_eq!(limits, [("category:large".into(), "tokens".into()), ("category:small".into(), "requests".into())]);
    let pools = get("usage/pools").await["pools"].take();
    let peak = |pool: &str, kind: &str| {
        let of = pools.as_array().unwrap().iter().find(|of| of["pool"] == pool && of["kind"] == kind).unwrap();
        (of["peak"]["peak"].as_u64().unwrap(), of["refused"].as_u64().unwrap(), of["limits"][0]["limit"].as_u64())
    };
    assert_eq!(peak("category:small", "requests"), (4, 1, Some(4)), "what the provider rejected has cost its request, what failed none");
    assert_eq!(peak("category:large", "tokens"), (15, 1, Some(60)));
}
