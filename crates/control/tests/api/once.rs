//! `Idempotency-Key`: what is posted again under the same key is not done again.

use std::pin::pin;
use std::task::{Context, Waker};

use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::support::{Answer, Api, Browser, Document, TOKEN, request, with_body};

async fn post(api: &Api, key: &str, path: &str, body: Value) -> Answer {
    let builder = request(Method::POST, path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}")).header("idempotency-key", key);
    api.send(with_body(builder, Some(body))).await
}

async fn post_as(api: &Api, browser: &Browser, key: &str, path: &str, body: Value) -> Answer {
    api.send(with_body(browser.request(Method::POST, path).header("idempotency-key", key), Some(body))).await
}

async fn count(api: &Api, path: &str) -> usize {
    api.get(&format!("{path}?limit=200")).await.expect(200)["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_request_under_the_same_key_is_done_once_and_answered_alike() {
    let api = Api::new().await;
    let keys = format!("/orgs/{}/keys", api.org("Acme").await);
    let first = post(&api, "k 1", &keys, json!({"name": "ci"})).await;
    assert!(first.headers.get("idempotency-replayed").is_none());
    let location = first.headers[header::LOCATION].clone();
    let made = first.expect(201);
    for _ in 0..2 {
        let again = post(&api, "k 1", &keys, json!({"name": "ci"})).await;
        assert_eq!((&again.headers["idempotency-replayed"], &again.headers[header::LOCATION]), (&"true".parse().unwrap(), &location));
        assert_eq!(again.expect(201), made, "the secret as well");
    }
    assert_eq!(count(&api, &keys).await, 1);
    assert_eq!(api.get("/audit").await.expect(200)["data"].as_array().unwrap().iter().filter(|e| e["action"] == "key.create").count(), 1);
    assert_ne!(post(&api, "k 2", &keys, json!({"name": "ci"})).await.expect(201)["id"], made["id"]);
}

#[tokio::test]
async fn a_key_is_of_one_caller_one_path_and_one_body() {
    let api = Api::new().await;
    let (org, other) = (api.org("Acme").await, api.org("Other").await);
    let (keys, others) = (format!("/orgs/{org}/keys"), format!("/orgs/{other}/keys"));
    let made = post(&api, "k", &keys, json!({"name": "ci"})).await.expect(201);
    let reused = ("idempotency_key_reused".to_owned(), Some("idempotency-key".to_owned()));
    assert_eq!(post(&api, "k", &keys, json!({"name": "other"})).await.fault(422), reused);
    assert_eq!(post(&api, "k", &others, json!({"name": "ci"})).await.fault(422), reused);
    assert_eq!((count(&api, &keys).await, count(&api, &others).await), (1, 0));
    let member = api.member(&org, "ada@example.com", "developer").await;
    assert_ne!(post_as(&api, &member, "k", &keys, json!({"name": "ci"})).await.expect(201)["id"], made["id"], "another caller's key");
    api.clock.advance_s(86_399);
    assert_eq!(post(&api, "k", &keys, json!({"name": "ci"})).await.expect(201), made);
    api.clock.advance_s(1);
    assert_ne!(post(&api, "k", &keys, json!({"name": "ci"})).await.expect(201)["id"], made["id"], "a day later it is new");
}

#[tokio::test]
async fn what_was_refused_has_done_nothing_and_may_be_sent_again() {
    let api = Api::new().await;
    let plan = json!({"id": "gold"});
    api.post("/plans", plan.clone()).await.expect(201);
    assert_eq!(post(&api, "k", "/plans", plan.clone()).await.status, 409);
    api.delete("/plans/gold").await.expect(204);
    let made = post(&api, "k", "/plans", plan.clone()).await.expect(201);
    assert_eq!(post(&api, "k", "/plans", plan).await.expect(201), made);
    for bad in ["", &"x".repeat(256), "ü"] {
        assert_eq!(post(&api, bad, "/plans", json!({"id": "iron"})).await.fault(400).0, "invalid_idempotency_key", "{bad}");
    }
    let twice = request(Method::POST, "/plans").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let twice = twice.header("idempotency-key", "a").header("idempotency-key", "b");
    assert_eq!(api.send(with_body(twice, Some(json!({"id": "iron"})))).await.fault(400).0, "invalid_idempotency_key");
    assert_eq!(api.get("/plans/iron").await.status, 404);
}

#[tokio::test]
async fn two_at_once_are_one() {
    let api = Api::new().await;
    let keys = format!("/orgs/{}/keys", api.org("Acme").await);
    let (one, two) = tokio::join!(post(&api, "k", &keys, json!({"name": "ci"})), post(&api, "k", &keys, json!({"name": "ci"})));
    let (first, second) = if one.status == 201 { (one, two) } else { (two, one) };
    let made = first.expect(201);
    assert_eq!(second.headers[header::RETRY_AFTER], "1");
    assert_eq!(second.fault(409).0, "idempotency_key_under_way");
    assert_eq!(post(&api, "k", &keys, json!({"name": "ci"})).await.expect(201), made);
    assert_eq!(count(&api, &keys).await, 1);
}

#[tokio::test]
async fn a_client_that_went_away_gets_its_answer_when_it_asks_again() {
    let api = Api::new().await;
    let keys = format!("/orgs/{}/keys", api.org("Acme").await);
    {
        let mut lost = pin!(post(&api, "k", &keys, json!({"name": "ci"})));
        assert!(lost.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // What was begun goes on: either it is under way, or this is its answer.
    let made = loop {
        let answer = post(&api, "k", &keys, json!({"name": "ci"})).await;
        if answer.status != 409 {
            break answer;
        }
        assert_eq!(answer.fault(409).0, "idempotency_key_under_way");
        tokio::task::yield_now().await;
    };
    made.expect(201);
    assert_eq!(count(&api, &keys).await, 1);
}

#[tokio::test]
async fn who_may_no_longer_do_it_gets_no_answer() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let keys = format!("/orgs/{org}/keys");
    let ada = api.member(&org, "ada@example.com", "developer").await;
    post_as(&api, &ada, "k", &keys, json!({"name": "ci"})).await.expect(201);
    let me = ada.get(&api, "/auth/session").await.expect(200);
    let member = format!("/orgs/{org}/members/{}", me["person"]["id"].as_str().unwrap());
    api.patch(&member, json!({"role": "viewer"})).await.expect(200);
    assert_eq!(post_as(&api, &ada, "k", &keys, json!({"name": "ci"})).await.status, 403);
    api.delete(&member).await.expect(204);
    assert_eq!(post_as(&api, &ada, "k", &keys, json!({"name": "ci"})).await.status, 404);
    ada.call(&api, Method::POST, "/auth/logout", None).await.expect(204);
    assert_eq!(post_as(&api, &ada, "k", &keys, json!({"name": "ci"})).await.status, 401);
}

#[tokio::test]
async fn every_post_of_a_body_takes_a_key_but_those_without_a_caller() {
    for (method, path, operation) in Document::new().operations() {
        let takes = operation["parameters"].as_array().into_iter().flatten().any(|parameter| parameter["name"] == "Idempotency-Key");
        let has_body = !operation["requestBody"].is_null();
        let is_callers = !path.starts_with("/api/v1/auth/") && !path.starts_with("/api/v1/billing/");
        assert_eq!(takes, method == Method::POST && has_body && is_callers, "{method} {path}");
        assert!(!takes || operation["responses"]["409"].is_object(), "{method} {path}");
    }
}
