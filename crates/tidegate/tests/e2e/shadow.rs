//! Limits that only record: they refuse nothing and tell what they would have refused, counted exactly.

use serde_json::json;

use crate::world::{LARGE, World, chat, until};

#[tokio::test]
async fn a_limit_that_only_records_tells_what_it_would_have_refused() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 3, "tpm": 55, "enforce": false}])).await;
    let shadows = |kind: &str, n: u64| format!("tidegate_shadow_refusals_total{{selector=\"category:large\",kind=\"{kind}\"}} {n}\n");
    // Each is 10 and 5: three fit into both, although the bound of even one input is more than 55.
    for _ in 0..3 {
        assert_eq!(world.send(&org.key, &chat(LARGE, 5)).await.status, 200);
    }
    assert!(!world.metrics().await.contains("shadow_refusals_total{"));
    for _ in 0..2 {
        assert_eq!(world.send(&org.key, &chat(LARGE, 5)).await.status, 200);
    }
    let metrics = world.metrics().await;
    assert!(metrics.contains(&shadows("requests", 2)) && metrics.contains(&shadows("tokens", 2)), "{metrics}");
    let totals = world.totals_when(&org, 5, 0, 0).await;
    assert_eq!((&totals["input_tokens"], &totals["output_tokens"]), (&json!(50), &json!(25)));
    until("they are written", || async { world.totals(&org).await["would_have_been_refused"] == 2 }).await;
    world.clock.advance_s(60);
    assert_eq!(world.send(&org.key, &chat(LARGE, 5)).await.status, 200);
    assert!(world.metrics().await.contains(&shadows("requests", 2)), "there is room again");
}
