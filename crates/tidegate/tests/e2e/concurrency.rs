//! 200 clients at once: as many admitted as fit, not one more, whole or streamed, while answers are held back.

use serde_json::json;
use testkit::{Gate, Reply, Script};
use tokio::task::JoinSet;

use crate::world::{LARGE, World, chat, post_chat, stream};

const CLIENTS: usize = 200;

/// All clients send `each` requests on connections of their own; the statuses of all answers.
async fn all_at_once(world: &World, key: &str, each: usize, max_tokens: u64) -> Vec<u16> {
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let body = if n % 2 == 0 { chat(LARGE, max_tokens) } else { stream(LARGE, max_tokens) };
        let (call, addr) = (post_chat(&body).key(key), world.addr());
        clients.spawn(async move {
            let mut statuses = Vec::new();
            for _ in 0..each {
                statuses.push(call.send(addr).await.status);
            }
            statuses
        });
    }
    clients.join_all().await.into_iter().flatten().collect()
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|s| **s == status).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_are_never_over_admitted() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 137}])).await;
    let statuses = all_at_once(&world, &org.key, 3, 1).await;
    assert_eq!((count(&statuses, 200), count(&statuses, 429)), (137, CLIENTS * 3 - 137), "{statuses:?}");
    assert_eq!(world.upstream.count(), 137);
    assert_eq!(world.view(&org.key, "category:large", "requests").await.used, 137);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_are_never_over_admitted_while_answers_are_held_back() {
    let world = World::start().await;
    let input = world.count(&chat(LARGE, 1)).await;
    let streamed = world.count(&stream(LARGE, 1)).await;
    assert_eq!(input, streamed, "what the model sees is the same");
    let before = world.upstream.count();
    let (ask, fit) = (input + 50, 41);
    let org = world.custom(json!([{"category": "large", "tpm": ask * fit + ask - 1}])).await;
    let gate = Gate::new();
    let held_back = gate.clone();
    world.upstream.otherwise(move |request| Reply::of(input, 50).script(request).after(&held_back));
    let clients = all_at_once(&world, &org.key, 1, 50);
    let watch = async {
        gate.reached(fit).await;
        crate::world::until("all others are refused", || async {
            let open = world.view(&org.key, "category:large", "tokens").await;
            assert!(open.used + open.held <= open.limit, "{open:?}");
            world.totals(&org).await["refused"] == CLIENTS as u64 - fit
        })
        .await;
        gate.open();
    };
    let (statuses, ()) = tokio::join!(clients, watch);
    assert_eq!((count(&statuses, 200) as u64, count(&statuses, 429) as u64), (fit, CLIENTS as u64 - fit));
    assert_eq!((world.upstream.count() - before) as u64, fit);
    world.settled(&org.key).await;
    assert_eq!(world.view(&org.key, "category:large", "tokens").await.used, ask * fit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failing_requests_give_everything_back_under_load() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 10_000, "tpm": 1_000_000}])).await;
    world.upstream.otherwise(|_| Script::error(400, "no such parameter"));
    let statuses = all_at_once(&world, &org.key, 2, 50).await;
    assert_eq!(count(&statuses, 400), CLIENTS * 2);
    world.settled(&org.key).await;
    assert_eq!(world.view(&org.key, "category:large", "tokens").await.used, 0, "a client's fault keeps its requests only");
    assert_eq!(world.view(&org.key, "category:large", "requests").await.used, CLIENTS as u64 * 2);
}
