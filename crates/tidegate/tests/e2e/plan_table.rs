//! Every row of the plan table: N admitted, N + 1 refused, shared within a category and by keys, independent between
//! categories and organisations.

use serde_json::{Value, json};
use testkit::{Call, Connection, Gate, Reply};

use crate::world::{LARGE, MEDIUM, Org, SMALL, View, World, chat, post_chat, stream};

/// A row: the plan, its pool, models that draw from it, a model that doesn't, requests and tokens a minute.
struct Row {
    plan: &'static str,
    pool: &'static str,
    models: [&'static str; 2],
    other: &'static str,
    rpm: u64,
    tpm: u64,
}

const fn row(plan: &'static str, pool: &'static str, models: [&'static str; 2], other: &'static str, rpm: u64, tpm: u64) -> Row {
    Row { plan, pool, models, other, rpm, tpm }
}

const SMALL_POOL: &str = "category:small";
const MEDIUM_POOL: &str = "category:medium";
const LARGE_POOL: &str = "category:large";
const SMALL_MODELS: [&str; 2] = ["mistral-7b", "gemma-3-4b"];
const MEDIUM_MODELS: [&str; 2] = ["qwen-3-32b", "qwen-3-coder-next"];
const LARGE_MODELS: [&str; 2] = ["Llama 3.3 70B FP8", "gpt-oss-120b"];

const STARTER_AND_GROWTH: [Row; 6] = [
    row("starter", SMALL_POOL, SMALL_MODELS, MEDIUM, 180, 120_000),
    row("starter", MEDIUM_POOL, MEDIUM_MODELS, LARGE, 90, 60_000),
    row("starter", LARGE_POOL, LARGE_MODELS, SMALL, 45, 30_000),
    row("growth", SMALL_POOL, SMALL_MODELS, LARGE, 600, 400_000),
    row("growth", MEDIUM_POOL, MEDIUM_MODELS, SMALL, 300, 200_000),
    row("growth", LARGE_POOL, LARGE_MODELS, MEDIUM, 150, 100_000),
];

const FREE: Row = row("free", "model:qwen-3-coder-next", ["qwen-3-coder-next", "coder"], SMALL, 50, 300_000);

#[tokio::test]
async fn requests_of_every_row() {
    let world = World::start().await;
    world.upstream.otherwise(|request| Reply::of(1, 1).script(request));
    for row in &STARTER_AND_GROWTH {
        let org = exhaust_requests(&world, row).await;
        assert_eq!(world.send(&org.key, &chat(row.other, 1)).await.status, 200, "{} {}: another category", row.plan, row.pool);
    }
}

#[tokio::test]
async fn requests_of_the_free_row() {
    let world = World::start().await;
    world.upstream.otherwise(|request| Reply::of(1, 1).script(request));
    let org = exhaust_requests(&world, &FREE).await;
    not_in_plan(&world, &org, FREE.other).await;
}

/// N requests of two keys and two models are admitted, N + 1 of either is refused; another organisation has its own.
async fn exhaust_requests(world: &World, row: &Row) -> Org {
    let at = format!("{} {}", row.plan, row.pool);
    let org = world.org(row.plan).await;
    let (_, second) = world.new_key(&org, json!({"name": "second"})).await;
    let mut connection = Connection::open(world.addr()).await.unwrap();
    for n in 0..row.rpm {
        let key = if n % 3 == 0 { &second } else { &org.key };
        let answer = connection.call(&post_chat(&chat(row.models[n as usize % 2], 1)).key(key)).await.unwrap();
        assert_eq!(answer.status, 200, "{at}: request {} of {}: {}", n + 1, row.rpm, answer.text());
    }
    for key in [&org.key, &second] {
        for model in row.models {
            let refused = connection.call(&post_chat(&chat(model, 1)).key(key)).await.unwrap();
            assert_eq!(refused.status, 429, "{at}: {model}");
            let limit = refused.json()["limit"].take();
            let expected = json!({"pool": row.pool, "kind": "requests", "limit": row.rpm, "used": row.rpm, "held": 0,
                "requested": 1, "window_seconds": 60});
            assert_eq!(limit, expected, "{at}");
        }
    }
    let expected = View { limit: row.rpm, used: row.rpm, held: 0, remaining: 0 };
    assert_eq!(world.view(&org.key, row.pool, "requests").await, expected, "{at}: refusals cost nothing");
    let neighbour = world.org(row.plan).await;
    assert_eq!(world.send(&neighbour.key, &chat(row.models[0], 1)).await.status, 200, "{at}: another organisation");
    org
}

#[tokio::test]
async fn tokens_of_every_row() {
    let world = World::start().await;
    for row in STARTER_AND_GROWTH.iter().chain([&FREE]) {
        exhaust_tokens(&world, row).await;
    }
}

/// Exactly N tokens are admitted, one more is not; while they are held and when they are used.
async fn exhaust_tokens(world: &World, row: &Row) {
    let at = format!("{} {}", row.plan, row.pool);
    let org = world.org(row.plan).await;
    let (_, second) = world.new_key(&org, json!({"name": "second"})).await;
    let [one, two] = row.models;
    let input = world.count(&chat(one, 1)).await;
    let most = row.tpm - 1_000;

    world.upstream.reply(Reply::of(input, most - input));
    assert_eq!(world.send(&org.key, &chat(one, most - input)).await.status, 200, "{at}");
    let used = |used: u64, held: u64| View { limit: row.tpm, used, held, remaining: row.tpm - used - held };
    assert_eq!(world.view(&second, row.pool, "tokens").await, used(most, 0), "{at}");

    let refused = world.send(&second, &chat(two, 1_001 - input)).await;
    assert_eq!((refused.status, &refused.json()["limit"]["requested"]), (429, &json!(1_001)), "{at}: {}", refused.text());
    assert_eq!(refused.json()["limit"]["kind"], "tokens", "{at}");

    let gate = Gate::new();
    world.upstream.reply(Reply::of(input, 1_000 - input).gated(&gate));
    let last = world.open(&second, &stream(two, 1_000 - input)).await;
    gate.reached(1).await;
    let held = world.view(&org.key, row.pool, "tokens").await;
    assert_eq!((held.used + held.held, held.remaining), (row.tpm, 0), "{at}: N is held");
    assert_eq!(world.send(&org.key, &chat(one, 1)).await.status, 429, "{at}: N + 1 while N is held");
    gate.open();
    last.rest().await.unwrap();
    world.settled(&org.key).await;
    assert_eq!(world.view(&org.key, row.pool, "tokens").await, used(row.tpm, 0), "{at}");
    for (key, model) in [(&org.key, one), (&second, two)] {
        let refused = world.send(key, &chat(model, 1)).await;
        assert_eq!((refused.status, &refused.json()["limit"]["kind"]), (429, &json!("tokens")), "{at}: N + 1 when N is used");
    }
    let neighbour = world.org(row.plan).await;
    assert_eq!(world.view(&neighbour.key, row.pool, "tokens").await.used, 0, "{at}: another organisation");
    if row.plan != "free" {
        assert_eq!(world.send(&org.key, &chat(row.other, 1)).await.status, 200, "{at}: another category");
    }
}

#[tokio::test]
async fn enterprise_admits_its_custom_rows_and_nothing_else() {
    let world = World::start().await;
    let org = world.org("enterprise").await;
    for model in [SMALL, MEDIUM, LARGE] {
        not_in_plan(&world, &org, model).await;
    }
    assert_eq!(world.limits(&org.key).await, json!([]));
    let rows = json!([{"category": "large", "rpm": 3}, {"model": "mistral-7b", "rpm": 2, "tpm": 5_000}]);
    world.operator("PUT", &format!("/orgs/{}/limits", org.id), rows).await;
    for (model, n) in [(LARGE, 3), ("mistral-7b", 2)] {
        for _ in 0..n {
            assert_eq!(world.send(&org.key, &chat(model, 1)).await.status, 200, "{model}");
        }
        assert_eq!(world.send(&org.key, &chat(model, 1)).await.status, 429, "{model}");
    }
    not_in_plan(&world, &org, MEDIUM).await;
    not_in_plan(&world, &org, "gemma-3-4b").await;
}

async fn not_in_plan(world: &World, org: &Org, model: &str) {
    let answer = world.send(&org.key, &chat(model, 1)).await;
    assert_eq!(answer.status, 403, "{model}: {}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "model_not_in_plan");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    let message = answer.json()["error"]["message"].to_string();
    assert!(message.contains("starter") && message.contains("growth"), "names the plans that have {model}: {message}");
}

#[tokio::test]
async fn the_catalogue_a_caller_sees_is_its_plan_s() {
    let world = &World::start().await;
    let ids = |answer: Value| {
        let mut ids: Vec<_> = answer["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    let list = |key: String| async move { Call::get("/v1/models").key(&key).send(world.addr()).await.json() };
    assert_eq!(ids(list(world.org("free").await.key).await), ["qwen-3-coder-next"]);
    let starter = ids(list(world.org("starter").await.key).await);
    assert!(MEDIUM_MODELS.iter().chain(&SMALL_MODELS).all(|m| starter.iter().any(|id| id == m)), "{starter:?}");
    assert!(!starter.iter().any(|id| id == "coder" || id == "Llama 3.3 70B FP8"), "aliases are not listed: {starter:?}");
}
