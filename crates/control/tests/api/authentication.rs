//! Who may call.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;

use crate::support::{Api, TOKEN, request};

async fn with(api: &Api, authorization: &str) -> (u16, String) {
    let request = request(Method::GET, "/orgs").header(header::AUTHORIZATION, authorization).body(Body::empty()).unwrap();
    let answer = api.send(request).await;
    assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), answer.status == 401);
    (answer.status.as_u16(), answer.body["error"]["code"].as_str().unwrap_or_default().into())
}

#[tokio::test]
async fn only_the_operator_token_as_bearer_is_taken() {
    let api = Api::new().await;
    assert_eq!(with(&api, &format!("Bearer {TOKEN}")).await.0, 200);
    assert_eq!(with(&api, &format!("bearer  {TOKEN} ")).await.0, 200);
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        TOKEN,
        &format!("Basic {TOKEN}"),
        &format!("Bearer {TOKEN}x"),
        &format!("Bearer {}", &TOKEN[1..]),
    ] {
        assert_eq!(with(&api, wrong).await, (401, "invalid_operator_token".into()), "{wrong:?}");
    }
}

#[tokio::test]
async fn without_a_token_the_answer_says_where_it_is() {
    let api = Api::new().await;
    let answer = api.send(request(Method::GET, "/orgs").body(Body::empty()).unwrap()).await;
    insta::assert_json_snapshot!("missing_token", answer.expect(401));
}

#[tokio::test]
async fn cookies_and_two_headers_are_no_token() {
    let api = Api::new().await;
    let cookie = request(Method::GET, "/orgs").header(header::COOKIE, format!("token={TOKEN}; operator_token={TOKEN}"));
    assert_eq!(api.send(cookie.body(Body::empty()).unwrap()).await.fault(401).0, "missing_operator_token");
    let twice =
        request(Method::GET, "/orgs").header(header::AUTHORIZATION, format!("Bearer {TOKEN}")).header(header::AUTHORIZATION, "Bearer x");
    assert_eq!(api.send(twice.body(Body::empty()).unwrap()).await.fault(401).0, "invalid_operator_token");
    let raw = request(Method::GET, "/orgs").header("x-api-key", TOKEN).body(Body::empty()).unwrap();
    assert_eq!(api.send(raw).await.status, 401);
}

#[tokio::test]
async fn an_organisations_key_is_told_that_it_is_no_operator_token() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let (_, key) = api.key(&org, "ci").await;
    let request = request(Method::GET, "/orgs").header(header::AUTHORIZATION, format!("Bearer {key}")).body(Body::empty()).unwrap();
    let message = api.send(request).await.message(401);
    assert_eq!(message, "This is an organisation's API key; the control API takes the operator token only.");
}

#[tokio::test]
async fn the_token_is_asked_before_the_body_is_read() {
    let api = Api::new().await;
    let never = Body::new(http_body_util::StreamBody::new(Never));
    let request = request(Method::POST, "/orgs").header(header::CONTENT_TYPE, "application/json").body(never).unwrap();
    assert_eq!(api.send(request).await.fault(401).0, "missing_operator_token");
}

#[tokio::test]
async fn nothing_is_changed_without_the_token() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let before = api.get("/audit").await.expect(200);
    for (method, path, body) in [
        (Method::POST, "/orgs".to_owned(), json!({"name": "Other", "plan": "free"})),
        (Method::PATCH, format!("/orgs/{org}"), json!({"plan": "enterprise"})),
        (Method::DELETE, format!("/orgs/{org}"), json!(null)),
        (Method::DELETE, "/plans/enterprise".into(), json!(null)),
    ] {
        let request = request(method, &path).header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap();
        assert_eq!(api.send(request).await.status, 401);
    }
    assert_eq!(api.get("/audit").await.expect(200), before);
}

/// A body of which nothing ever arrives.
struct Never;

impl futures_util::Stream for Never {
    type Item = Result<http_body::Frame<bytes::Bytes>, std::convert::Infallible>;

    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}
