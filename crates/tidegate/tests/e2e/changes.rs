//! Plans and custom limits that change while they are in use: in force on the next request, with the pool's history kept.

use serde_json::json;
use testkit::Reply;

use crate::world::{LARGE, MEDIUM, SMALL, View, World, chat};

#[tokio::test]
async fn an_upgrade_and_a_downgrade_are_in_force_on_the_next_request() {
    let world = World::start().await;
    let org = world.org("starter").await;
    for _ in 0..45 {
        assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    }
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 429);
    world.clock.advance_s(20);

    world.set_plan(&org, "growth").await;
    for n in 45..150 {
        assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200, "{n} of 150, the 45 before counted");
    }
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 429);

    world.set_plan(&org, "starter").await;
    let refused = world.send(&org.key, &chat(LARGE, 1)).await;
    assert_eq!(refused.status, 429);
    assert_eq!((&refused.json()["limit"]["limit"], &refused.json()["limit"]["used"]), (&json!(45), &json!(150)));
    assert_eq!(world.view(&org.key, "category:large", "requests").await, View { limit: 45, used: 150, held: 0, remaining: 0 });
    world.clock.advance_s(40);
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 429, "105 are still within the minute");
    world.clock.advance_us(19_999_999);
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 429);
    world.clock.advance_us(1);
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
}

#[tokio::test]
async fn upgrading_from_free_moves_a_model_to_its_category_s_pool() {
    let world = World::start().await;
    let org = world.org("free").await;
    for _ in 0..50 {
        assert_eq!(world.send(&org.key, &chat("coder", 1)).await.status, 200);
    }
    assert_eq!(world.send(&org.key, &chat("coder", 1)).await.status, 429);
    world.set_plan(&org, "starter").await;
    for _ in 0..90 {
        assert_eq!(world.send(&org.key, &chat("coder", 1)).await.status, 200, "another pool, another history");
    }
    assert_eq!(world.send(&org.key, &chat(MEDIUM, 1)).await.status, 429);
    world.set_plan(&org, "free").await;
    assert_eq!(world.send(&org.key, &chat("coder", 1)).await.status, 429, "its history was kept");
}

#[tokio::test]
async fn custom_limits_hold_from_their_first_to_before_their_last_moment() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let rows =
        json!([{"category": "large", "rpm": 3, "from": "2026-02-05T15:30:10Z", "until": "2026-02-05T15:30:20Z", "reason": "a test"}]);
    world.operator("PUT", &format!("/orgs/{}/limits", org.id), rows).await;
    let limit = || async { world.view(&org.key, "category:large", "requests").await.limit };
    let send = || async { world.send(&org.key, &chat(LARGE, 1)).await.status };
    world.clock.advance_us(9_999_999);
    assert_eq!(limit().await, 45);
    for _ in 0..5 {
        assert_eq!(send().await, 200);
    }
    world.clock.advance_us(1);
    assert_eq!((limit().await, send().await), (3, 429), "from this moment on, the five before counted");
    world.clock.advance_us(9_999_999);
    assert_eq!((limit().await, send().await), (3, 429));
    world.clock.advance_us(1);
    assert_eq!((limit().await, send().await), (45, 200), "over");
    assert_eq!(world.view(&org.key, "category:large", "requests").await.used, 6);
}

#[tokio::test]
async fn custom_limits_survive_plan_changes_and_replace_only_their_own_row() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let put = |rows| world.operator("PUT", format!("/orgs/{}/limits", org.id).leak(), rows);
    put(json!([{"category": "large", "rpm": 2}])).await;
    for plan in ["starter", "growth", "enterprise", "free"] {
        world.set_plan(&org, plan).await;
        assert_eq!(world.view(&org.key, "category:large", "requests").await.limit, 2, "{plan}");
    }
    world.set_plan(&org, "growth").await;
    assert_eq!(world.view(&org.key, "category:small", "requests").await.limit, 600);
    put(json!([])).await;
    assert_eq!(world.view(&org.key, "category:large", "requests").await.limit, 150, "PUT replaces all custom rows");
}

#[tokio::test]
async fn a_custom_row_for_a_model_takes_it_out_of_its_category_s_pool() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let rows = json!([{"model": "gpt-oss-120b", "rpm": 1}]);
    world.operator("PUT", &format!("/orgs/{}/limits", org.id), rows).await;
    assert_eq!(world.send(&org.key, &chat("gpt-oss-120b", 1)).await.status, 200);
    assert_eq!(world.send(&org.key, &chat("gpt-oss-120b", 1)).await.status, 429);
    assert_eq!(world.view(&org.key, "category:large", "requests").await.used, 0);
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
}

#[tokio::test]
async fn what_is_in_flight_at_a_change_settles_where_it_was_admitted() {
    let world = World::start().await;
    let org = world.org("starter").await;
    let gate = testkit::Gate::new();
    world.upstream.reply(Reply::of(10, 5).gated(&gate));
    let open = world.open(&org.key, &crate::world::stream(LARGE, 500)).await;
    gate.reached(1).await;
    world.set_plan(&org, "growth").await;
    gate.open();
    open.rest().await.unwrap();
    world.settled(&org.key).await;
    assert_eq!(world.view(&org.key, "category:large", "tokens").await, View { limit: 100_000, used: 15, held: 0, remaining: 99_985 });
}

#[tokio::test]
async fn limits_of_other_kinds_and_windows_hold_together() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "small", "rpm": 100, "rpd": 4, "concurrent": 2}])).await;
    let gate = testkit::Gate::new();
    let mut open = Vec::new();
    for _ in 0..2 {
        world.upstream.reply(Reply::of(10, 5).gated(&gate));
        open.push(world.open(&org.key, &crate::world::stream(SMALL, 5)).await);
    }
    gate.reached(2).await;
    let refused = world.send(&org.key, &chat(SMALL, 5)).await;
    assert_eq!((refused.status, &refused.json()["limit"]["kind"]), (429, &json!("concurrent")), "{}", refused.text());
    gate.open();
    for stream in open {
        stream.rest().await.unwrap();
    }
    world.settled(&org.key).await;
    for _ in 0..2 {
        assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
    }
    let refused = world.send(&org.key, &chat(SMALL, 5)).await;
    assert_eq!((refused.status, &refused.json()["limit"]["window_seconds"]), (429, &json!(86_400)), "{}", refused.text());
    world.clock.advance_s(86_399);
    assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 429);
    world.clock.advance_s(1);
    assert_eq!(world.send(&org.key, &chat(SMALL, 5)).await.status, 200);
}

#[tokio::test]
async fn a_row_that_only_records_refuses_nothing() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "small", "rpm": 1, "enforce": false}])).await;
    for _ in 0..5 {
        assert_eq!(world.send(&org.key, &chat(SMALL, 1)).await.status, 200);
    }
}
