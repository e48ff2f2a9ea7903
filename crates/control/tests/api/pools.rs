//! `GET /orgs/{id}/limits`: every pool as it stands.

use domain::{ApiKeyHash, Clock, Entitlement, RequestId};
use serde_json::{Value, json};
use store::pools::{Demand, End};

use crate::support::Api;

#[tokio::test]
async fn every_limit_of_every_pool_is_told_also_where_nothing_was_used() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    api.put(&format!("/orgs/{org}/limits"), json!([{"category": "large", "rpm": 7, "concurrent": 3, "enforce": false}])).await.expect(200);
    let key = api.post(&format!("/orgs/{org}/keys"), json!({"name": "ci", "rpm": 2})).await.expect(201);
    api.is_secret(key["key"].as_str().unwrap());
    insta::assert_json_snapshot!("pools", api.get(&format!("/orgs/{org}/limits")).await.expect(200));
}

#[tokio::test]
async fn what_is_used_and_held_is_told_and_kept_over_a_plan_change() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let (_, secret) = api.key(&org, "ci").await;
    let caller = api.store.directory().caller(&ApiKeyHash::of(secret.as_bytes())).unwrap();
    let now = api.clock.now();
    let pool = {
        let catalogue = api.store.directory().catalogue();
        let model = catalogue.model(catalogue.find("mistral-7b").unwrap()).unwrap();
        match catalogue.entitlement(&"starter".into(), &[], model, now.wall) {
            Entitlement::Pool(pool) => pool,
            Entitlement::NotInPlan => panic!("starter has small models"),
        }
    };
    let demand = Demand { request: RequestId::from_bits(1), input: 100, output: 50 };
    let hold = api.store.pools().reserve(caller.org(), &[&pool], None, demand, now.mono_us).unwrap();
    let small = async || -> Vec<Value> {
        let all = api.get(&format!("/orgs/{org}/limits")).await.expect(200);
        all["data"].as_array().unwrap().iter().filter(|limit| limit["pool"] == "category:small").cloned().collect()
    };
    insta::assert_json_snapshot!("pools_in_use", small().await);
    api.put("/plans/starter", json!({"limits": [{"category": "small", "rpm": 2, "tpm": 120}]})).await.expect(200);
    let lowered = small().await;
    assert_eq!((&lowered[0]["limit"], &lowered[0]["used"], &lowered[0]["remaining"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(
        (&lowered[1]["limit"], &lowered[1]["used"], &lowered[1]["held"], &lowered[1]["remaining"]),
        (&json!(120), &json!(100), &json!(50), &json!(0))
    );
    hold.end(End::Lapsed, api.clock.now().mono_us);
    api.clock.advance_s(60);
    let later = small().await;
    assert!(later.iter().all(|limit| limit["used"] == 0 && limit["held"] == 0 && limit["resets_at"].is_null()), "{later:#?}");
}

#[tokio::test]
async fn an_organisation_without_rows_has_no_pools() {
    let api = Api::new().await;
    let org = api.post("/orgs", json!({"name": "Big", "plan": "enterprise"})).await.expect(201);
    let path = format!("/orgs/{}/limits", org["id"].as_str().unwrap());
    assert_eq!(api.get(&path).await.expect(200), json!({"data": [], "next_cursor": null}));
}
