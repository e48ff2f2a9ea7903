//! What must never get out or lead elsewhere: secrets in logs, errors and the audit log; redirects; links to a host that a caller named.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::support::{Api, Browser, CREDENTIAL, Document, PASSWORD, TOKEN, request, with_body};

/// Everything that is logged, of whatever level, as one text.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<String>>);

impl Visit for Logged {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Logged {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut self.clone());
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

const CARD: &str = "4242424242424242";

#[tokio::test]
async fn no_secret_is_in_a_log_an_error_or_the_audit_log() {
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    tracing::info!(probe = "is-logged", "this test hears the log");
    let api = Api::with_test_cards().await;
    api.is_secret(CARD);
    let mut secrets: Vec<String> = [TOKEN, CREDENTIAL, PASSWORD, CARD, "argon2id"].map(String::from).to_vec();
    let org = api.org("Acme").await;
    // Each is given its secret once, and none again: what is secret from then on, every later answer is searched for.
    secrets.push(api.key(&org, "ci").await.1);
    let ada = api.sign_up("ada@example.com", "Hers").await;
    secrets.push(ada.cookie.split_once('=').unwrap().1.to_owned());
    let link = api.post("/people/reset-links", json!({"email": "ada@example.com"})).await.expect(201);
    let token = link["token"].as_str().unwrap();
    secrets.push(token.to_owned());
    secrets.iter().for_each(|secret| api.is_secret(secret));
    // In the right place, in the wrong one, with faults around it.
    api.post("/providers", json!({"name": "p", "kind": "openai", "api_key": CREDENTIAL})).await.expect(201);
    for secret in &secrets {
        for body in [
            json!({"email": "ada@example.com", "password": secret}),
            json!({"email": "nobody@example.com", "password": secret}),
            json!({"email": 3, "password": secret}),
            json!({"email": "ada@example.com", "password": [secret]}),
        ] {
            api.post_as_nobody("/auth/login", body).await;
        }
        api.post_as_nobody("/auth/reset", json!({"token": secret, "password": "short"})).await.fault(422);
        api.post_as_nobody("/auth/setup", json!({"token": secret, "email": "x", "password": secret})).await;
        api.post(&format!("/orgs/{org}/subscription/checkouts/x/test-payment"), json!({"card": secret})).await.fault(404);
        let bearer = request(Method::GET, "/orgs").header(header::AUTHORIZATION, format!("Bearer x{secret}"));
        api.send(with_body(bearer, None)).await.fault(401);
        Browser { cookie: format!("__Host-tidegate_session={secret}x") }.get(&api, "/auth/session").await.fault(401);
        api.post("/providers/p/keys", json!({"api_key": [secret]})).await.fault(422);
    }
    let audit = api.get("/audit?limit=200").await.expect(200);
    let logged = logged.0.lock().unwrap().clone();
    assert!(logged.contains("is-logged"));
    for secret in &secrets {
        assert!(!logged.contains(secret.as_str()), "{secret} is in the log: {logged}");
        assert!(!audit.to_string().contains(secret.as_str()), "{secret} is in the audit log");
    }
}

#[tokio::test]
async fn nothing_redirects_and_no_location_leads_elsewhere() {
    let api = Api::new().await;
    let evil =
        ["//evil.example.com", "https:%2f%2fevil.example.com", "%2f%2fevil.example.com", "%5cevil.example.com", "x%0d%0aLocation:%20y"];
    for (method, path, _) in Document::new().operations() {
        for value in evil {
            let path = path.strip_prefix("/api/v1").unwrap();
            let path = path.split('/').map(|segment| if segment.starts_with('{') { value } else { segment }).collect::<Vec<_>>().join("/");
            let target = format!("{path}?next={value}&redirect_uri={value}&cursor={value}");
            let Ok(asked) = request(method.clone(), &target).header(header::AUTHORIZATION, format!("Bearer {TOKEN}")).body(Body::empty())
            else {
                continue;
            };
            let (status, headers, _) = api.send_quietly(asked).await;
            assert!(!status.is_redirection(), "{method} {target}: {status}");
            let location = headers.get(header::LOCATION).map(|location| location.to_str().unwrap());
            assert!(location.is_none_or(|location| location.starts_with("/api/v1/")), "{method} {target}: {location:?}");
        }
    }
    let made = api.post("/plans", json!({"id": "//evil.example.com"})).await;
    assert_eq!(made.headers[header::LOCATION], "/api/v1/plans/%2F%2Fevil.example.com");
}

#[tokio::test]
async fn a_link_leads_to_this_server_whatever_host_the_caller_named() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    api.sign_up("ada@example.com", "Hers").await;
    let body = json!({"email": "ada@example.com"});
    let invitation = json!({"email": "bob@example.com", "role": "viewer"});
    for (path, body) in [
        ("/people/reset-links".to_owned(), body.clone()),
        ("/people/invitations".to_owned(), body),
        (format!("/orgs/{org}/invitations"), invitation),
        ("/people/setup-links".to_owned(), Value::Null),
    ] {
        let asked = Request::builder().method(Method::POST).uri(format!("/api/v1{path}")).header(header::HOST, "evil.example.com");
        let asked = asked.header("x-forwarded-host", "evil.example.com").header("forwarded", "host=evil.example.com");
        let asked = asked.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        let link = api.send(with_body(asked, Some(body))).await.expect(201);
        assert!(link["url"].as_str().unwrap().starts_with("https://gateway.example.com/"), "{path}: {link}");
    }
}
