//! What arrives as a body: bounded, JSON, of the right members; every fault says where it is.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;

use crate::support::{Answer, Api, TOKEN, request};

async fn post(api: &Api, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
    let mut request = request(Method::POST, "/orgs").header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    api.send(request.body(body.into()).unwrap()).await
}

async fn said(api: &Api, body: &'static str) -> String {
    let answer = post(api, Some("application/json"), body).await;
    let error = &answer.body["error"];
    let text = |name: &str| error[name].as_str().unwrap_or("-").to_owned();
    format!("{} {} {} {}", answer.status.as_u16(), text("code"), text("param"), text("message"))
}

#[tokio::test]
async fn what_is_not_json_is_400_and_says_where() {
    let api = Api::new().await;
    let mut all = Vec::new();
    for body in [
        "",
        " ",
        "{",
        "{\"name\":\"a\",}",
        "{\"name\":\"a\" \"plan\":\"free\"}",
        "nonsense",
        "{}x",
        "{\"unknown\":1,\n oops}",
        "{\"name\":\"\\ud800\",\"plan\":\"free\"}",
    ] {
        all.push(said(&api, body).await);
    }
    all.push(post(&api, Some("application/json"), &b"{\"name\":\"\xff\"}"[..]).await.message(400));
    insta::assert_json_snapshot!("not_json", all);
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(post(&api, Some("application/json"), deep).await.fault(422).1.as_deref(), Some("name"));
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_422_and_names_the_member() {
    let api = Api::new().await;
    let mut all = Vec::new();
    for body in [
        "[]",
        "3",
        "null",
        "{}",
        r#"{"name":"a"}"#,
        r#"["a","free",[]]"#,
        r#"{"name":1,"plan":"free"}"#,
        r#"{"name":"a","plan":null}"#,
        r#"{"name":"a","plan":"free","plans":[]}"#,
        r#"{"name":"a","name":"b","plan":"free"}"#,
        r#"{"name":"a","plan":"free","limits":{}}"#,
        r#"{"name":"a","plan":"free","limits":[{"category":"large","rpn":1}]}"#,
        r#"{"name":"a","plan":"free","limits":[["coder"]]}"#,
        r#"{"name":"a","plan":"free","limits":[{"category":"large"},{"category":"huge"}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"category":"large","rpm":-1}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"category":"large","rpm":1.5}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"category":"large","rpm":"45"}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"category":"large","rpm":1e30}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"category":"large","from":"yesterday"}]}"#,
    ] {
        all.push(said(&api, body).await);
    }
    insta::assert_json_snapshot!("wrong_shape", all);
}

#[tokio::test]
async fn values_that_make_no_sense_are_422_and_say_what_would() {
    let api = Api::new().await;
    let mut all = Vec::new();
    for body in [
        r#"{"name":" ","plan":"free"}"#,
        r#"{"name":"a\u0000","plan":"free"}"#,
        r#"{"name":"a","plan":"gold"}"#,
        r#"{"name":"a","plan":"free","limits":[{"rpm":1}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"any":false}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"any":true,"category":"large"}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"any":true},{"model":"llama","rpm":1}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"any":true,"rpm":1000000000001}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"any":true,"window_seconds":0}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"any":true,"rpm":1},{"any":true,"rpm":2}]}"#,
        r#"{"name":"a","plan":"free","limits":[{"any":true,"from":"2026-03-01T00:00:00Z","until":"2026-03-01T00:00:00Z"}]}"#,
    ] {
        all.push(said(&api, body).await);
    }
    insta::assert_json_snapshot!("wrong_values", all);
}

#[tokio::test]
async fn only_uncompressed_json_is_taken() {
    let api = Api::new().await;
    let body = || json!({"name": "a", "plan": "free"}).to_string();
    for fine in ["application/json", "Application/JSON; charset=utf-8"] {
        post(&api, Some(fine), body()).await.expect(201);
    }
    for wrong in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/jsonp"),
    ] {
        assert_eq!(post(&api, wrong, body()).await.fault(415).0, "unsupported_media_type", "{wrong:?}");
    }
    let zipped = request(Method::POST, "/orgs")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip");
    assert!(api.send(zipped.body(Body::from("x")).unwrap()).await.message(415).contains("gzip"));
}

#[tokio::test]
async fn a_body_above_1_mib_is_413_whether_its_length_is_declared_or_not() {
    let api = Api::new().await;
    let long = format!("{{\"name\":\"{}\"}}", "a".repeat(1 << 20));
    assert_eq!(post(&api, Some("application/json"), long).await.fault(413).0, "body_too_large");
    let endless = futures_util::stream::iter((0..).map(|_| Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[b' '; 4096]))));
    assert_eq!(post(&api, Some("application/json"), Body::from_stream(endless)).await.fault(413).0, "body_too_large");
    let fits = format!("{{\"name\":\"a\",\"plan\":\"free\"{}}}", " ".repeat((1 << 20) - 26));
    assert_eq!(fits.len(), 1 << 20);
    post(&api, Some("application/json"), fits).await.expect(201);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let api = Api::new().await;
    let broken = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"{\"name\"")), Err(std::io::Error::other("reset"))]);
    assert_eq!(post(&api, Some("application/json"), Body::from_stream(broken)).await.fault(400).0, "incomplete_body");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_408() {
    let api = Api::with_body_timeout(Duration::ZERO).await;
    let slow = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    assert_eq!(post(&api, Some("application/json"), Body::from_stream(slow)).await.fault(408).0, "body_timeout");
}
