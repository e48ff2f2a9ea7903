//! Writes from pages of other origins are refused, whoever's token they bear.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;

use crate::support::{Answer, Api, TOKEN, request};

async fn from(api: &Api, method: Method, origin: &str) -> Answer {
    let request = request(method, "/orgs")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ORIGIN, origin);
    api.send(request.body(Body::from(json!({"name": "a", "plan": "free"}).to_string())).unwrap()).await
}

#[tokio::test]
async fn the_servers_own_origin_and_its_public_one_may_write() {
    let api = Api::new().await;
    for own in ["http://127.0.0.1:8080", "https://gateway.example.com", "https://GATEWAY.example.com:443"] {
        from(&api, Method::POST, own).await.expect(201);
    }
}

#[tokio::test]
async fn other_origins_may_not_write() {
    let api = Api::new().await;
    for foreign in [
        "https://evil.example",
        "http://gateway.example.com",
        "https://gateway.example.com:8443",
        "http://127.0.0.1:8081",
        "http://127.0.0.1",
        "http://localhost:8080",
        "null",
        "",
        "file://",
        "https://gateway.example.com.evil.example",
    ] {
        assert_eq!(from(&api, Method::POST, foreign).await.fault(403).0, "foreign_origin", "{foreign}");
    }
    assert_eq!(api.get("/orgs").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn reads_are_not_concerned_and_no_cross_origin_headers_are_sent() {
    let api = Api::new().await;
    let answer = from(&api, Method::GET, "https://evil.example").await;
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    answer.expect(200);
    assert_eq!(from(&api, Method::OPTIONS, "https://evil.example").await.status, 405);
}
