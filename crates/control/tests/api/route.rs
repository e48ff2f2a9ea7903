//! `/route`: where a request would go.

use domain::{Feature, Features, RouteQuestion, RouteStep, SkipReason, Skipped, UnixMicros};
use serde_json::json;

use crate::support::Api;

#[tokio::test]
async fn the_way_of_a_request_is_told_with_the_reason_for_each_target() {
    let api = Api::new().await;
    api.put("/models/org/m", json!({"category": "small", "aliases": ["alias"]})).await.expect(201);
    let step = |priority, skipped| RouteStep { provider: "local".into(), model: "there".into(), priority, weight: 3, skipped };
    let until = Some("2026-02-05T15:31:00Z".parse::<UnixMicros>().unwrap());
    let full = Skipped { reason: SkipReason::NoRoom, why: "its own quota has no room".into(), until, is_last_resort: false };
    *api.providers.route.lock().unwrap() = vec![step(0, Some(full)), step(1, None)];
    let asked = api.get("/route?model=alias&input_tokens=100&output_tokens=7&features=tools,%20vision").await.expect(200);
    insta::assert_json_snapshot!("route", asked);
    assert_eq!(api.get("/route?model=org%2Fm").await.expect(200), asked);
    let features = Features::NONE.with(Feature::Tools).with(Feature::Vision);
    let questions = [RouteQuestion { input_tokens: 100, output_tokens: 7, features }, RouteQuestion::default()];
    assert_eq!(*api.providers.asked.lock().unwrap(), questions);
}

#[tokio::test]
async fn faults_of_the_question_are_named() {
    let api = Api::new().await;
    assert_eq!(api.get("/route?model=nothing").await.fault(404).0, "not_found");
    for (query, param) in [
        ("", "model"),
        ("model=m&input_tokens=-1", "input_tokens"),
        ("model=m&output_tokens=x", "output_tokens"),
        ("model=m&features=telepathy", "features"),
        ("model=m&colour=red", "colour"),
    ] {
        assert_eq!(api.get(&format!("/route?{query}")).await.fault(422).1.as_deref(), Some(param), "{query}");
    }
}
