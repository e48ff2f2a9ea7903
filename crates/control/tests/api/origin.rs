//! Writes from pages of other origins are refused, whoever's token they bear.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::json;

use crate::support::{Answer, Api, Document, TOKEN, request};

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
async fn no_page_of_another_origin_writes_anything_with_a_session_it_finds() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let me = ada.get(&api, "/auth/session").await.expect(200);
    let org = me["organisations"][0]["id"].as_str().unwrap();
    let before = api.get("/audit").await.expect(200);
    let mut tried = 0;
    for (method, path, operation) in Document::new().operations() {
        let ways = operation["security"].as_array().cloned().unwrap_or_default();
        if method == Method::GET || !ways.iter().any(|way| way.get("session").is_some()) {
            continue;
        }
        let target = path.strip_prefix("/api/v1").unwrap().replace("{id}", org).replace(['{', '}'], "");
        // As a form would send it, and as a script would.
        for (content_type, origin) in
            [("text/plain", Some("https://evil.example")), ("application/json", Some("null")), ("application/json", None)]
        {
            let sent = request(method.clone(), &target).header(header::COOKIE, &ada.cookie).header(header::CONTENT_TYPE, content_type);
            let sent = origin.into_iter().fold(sent, |sent, origin| sent.header(header::ORIGIN, origin));
            let answer = api.send(sent.body(Body::from(json!({"name": "a", "plan": "free"}).to_string())).unwrap()).await;
            let code = if origin.is_some() { "foreign_origin" } else { "origin_missing" };
            assert_eq!(answer.fault(403).0, code, "{method} {target}");
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
    assert_eq!(api.get("/audit").await.expect(200), before);
    ada.get(&api, "/auth/session").await.expect(200);
}

#[tokio::test]
async fn reads_are_not_concerned_and_no_cross_origin_headers_are_sent() {
    let api = Api::new().await;
    let answer = from(&api, Method::GET, "https://evil.example").await;
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
    answer.expect(200);
    assert_eq!(from(&api, Method::OPTIONS, "https://evil.example").await.status, 405);
}
