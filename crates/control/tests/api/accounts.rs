//! Accounts: signing up, logging in, sessions, passwords, links.

use axum::body::Body;
use axum::http::{Method, header};
use control::SignUpMode;
use serde_json::{Value, json};

use crate::support::{Answer, Api, Browser, ORIGIN, PASSWORD, request, with_body};

async fn log_in(api: &Api, email: &str, password: &str) -> Answer {
    api.post_as_nobody("/auth/login", json!({"email": email, "password": password})).await
}

fn owned(body: &Value) -> (&str, &str) {
    (body["organisations"][0]["name"].as_str().unwrap(), body["organisations"][0]["role"].as_str().unwrap())
}

#[tokio::test]
async fn who_signs_up_owns_an_organisation_on_the_first_plan_and_is_logged_in() {
    let api = Api::new().await;
    let ada = api.sign_up("Ada@example.com", "Analytical").await;
    let me = ada.get(&api, "/auth/session").await.expect(200);
    assert_eq!((me["person"]["email"].as_str(), me["person"]["operator"].as_bool()), (Some("Ada@example.com"), Some(false)));
    assert_eq!(owned(&me), ("Analytical", "owner"));
    let org = me["organisations"][0]["id"].as_str().unwrap();
    assert_eq!(ada.get(&api, &format!("/orgs/{org}")).await.expect(200)["plan"], "free");
    let key = ada.post(&api, &format!("/orgs/{org}/keys"), json!({"name": "ci"})).await.expect(201);
    let hash = key["key"].as_str().unwrap().parse::<domain::ApiKey>().unwrap().hash();
    assert!(api.store.directory().caller(&hash).is_some(), "it works at once");
    // Upper and lower case are the same address.
    let again = log_in(&api, "ada@EXAMPLE.com", PASSWORD).await;
    assert_ne!(Browser::of(&again).cookie, ada.cookie);
    again.expect(200);
}

#[tokio::test]
async fn nothing_tells_whether_there_is_an_account() {
    let api = Api::new().await;
    api.sign_up("ada@example.com", "Analytical").await;
    let sign_up = |email: &str| json!({"email": email, "password": "another long password", "organisation": "Other"});
    let (known, unknown) = (
        api.post_as_nobody("/auth/signup", sign_up("ada@example.com")).await,
        api.post_as_nobody("/auth/signup", sign_up("bob@example.com")).await,
    );
    let shape = |answer: &Answer| {
        let names: Vec<_> = answer.headers.iter().map(|(name, value)| (name.clone(), value.len())).collect();
        (answer.status, names, answer.body.clone())
    };
    assert_eq!(shape(&known), shape(&unknown));
    assert_eq!(log_in(&api, "ada@example.com", "another long password").await.status, 401, "nothing changed");
    let session = Browser::of(&known).get(&api, "/auth/session").await;
    assert_eq!(session.fault(401).0, "session_ended", "what it was given is nobody's session");
    let wrong = |answer: Answer| (answer.status, answer.body);
    assert_eq!(
        wrong(log_in(&api, "ada@example.com", "wrong wrong wrong").await),
        wrong(log_in(&api, "eve@example.com", "wrong wrong wrong").await)
    );
}

#[tokio::test]
async fn guessing_is_limited_by_account_and_by_address_and_ends_when_it_says() {
    let api = Api::new().await;
    api.sign_up("ada@example.com", "Analytical").await;
    for _ in 0..10 {
        assert_eq!(log_in(&api, "ada@example.com", "a wrong password").await.fault(401).0, "wrong_credentials");
    }
    let refused = log_in(&api, "ada@example.com", PASSWORD).await;
    let wait: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert_eq!((wait, refused.fault(429).0), (900, "too_many_attempts".into()), "the right password as well");
    api.clock.advance_s(wait);
    log_in(&api, "ada@example.com", PASSWORD).await.expect(200);
    for n in 0..50 {
        assert_eq!(log_in(&api, &format!("n{n}@example.com"), "a wrong password").await.status, 401);
    }
    assert_eq!(log_in(&api, "ada@example.com", PASSWORD).await.fault(429).0, "too_many_attempts");
}

#[tokio::test]
async fn sign_ups_are_limited_by_address() {
    let api = Api::new().await;
    for n in 0..10 {
        api.sign_up(&format!("n{n}@example.com"), "Many").await;
    }
    let body = json!({"email": "last@example.com", "password": PASSWORD, "organisation": "One too many"});
    assert_eq!(api.post_as_nobody("/auth/signup", body).await.fault(429).0, "too_many_attempts");
}

#[tokio::test]
async fn who_may_sign_up_is_configured() {
    let body = |token: Value| json!({"email": "ada@example.com", "password": PASSWORD, "organisation": "Analytical", "invitation": token});
    let api = Api::with_sign_up(SignUpMode::Invite).await;
    assert_eq!(api.post_as_nobody("/auth/signup", body(Value::Null)).await.fault(403).0, "invitation_needed");
    let link = api.post("/people/invitations", json!({"email": "ada@example.com"})).await.expect(201);
    assert!(link["url"].as_str().unwrap().starts_with("https://gateway.example.com/invitation#token="));
    assert_eq!(api.post_as_nobody("/auth/signup", body(json!("nonsense"))).await.fault(422).1.as_deref(), Some("invitation"));
    let other = json!({"email": "eve@example.com", "password": PASSWORD, "organisation": "X", "invitation": link["token"]});
    assert_eq!(api.post_as_nobody("/auth/signup", other).await.fault(422).1.as_deref(), Some("email"), "it is for one address");
    let answer = api.post_as_nobody("/auth/signup", body(link["token"].clone())).await;
    let me = Browser::of(&answer).get(&api, "/auth/session").await.expect(200);
    assert_eq!(owned(&me), ("Analytical", "owner"));
    let again = json!({"email": "ada@example.com", "password": PASSWORD, "organisation": "X", "invitation": link["token"]});
    assert_eq!(api.post_as_nobody("/auth/signup", again).await.fault(422).1.as_deref(), Some("invitation"), "it works once");

    let late = api.post("/people/invitations", json!({"email": "bob@example.com"})).await.expect(201);
    api.clock.advance_s(7 * 86_400);
    let body = json!({"password": PASSWORD, "organisation": "Late", "invitation": late["token"]});
    assert_eq!(api.post_as_nobody("/auth/signup", body).await.fault(422).1.as_deref(), Some("invitation"), "it has expired");

    let closed = Api::with_sign_up(SignUpMode::Closed).await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "organisation": "Analytical"});
    assert_eq!(closed.post_as_nobody("/auth/signup", body).await.fault(403).0, "signup_closed");
}

#[tokio::test]
async fn a_session_ends_when_it_is_left_ended_unused_or_old() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let other = Browser::of(&log_in(&api, "ada@example.com", PASSWORD).await);
    let sessions = ada.get(&api, "/auth/sessions").await.expect(200);
    let id = |current: bool| {
        let found = sessions["data"].as_array().unwrap().iter().find(|s| s["current"] == current).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    ada.call(&api, Method::DELETE, &format!("/auth/sessions/{}", id(false)), None).await.expect(204);
    assert_eq!(other.get(&api, "/auth/session").await.fault(401).0, "session_ended");
    assert_eq!(ada.call(&api, Method::DELETE, &format!("/auth/sessions/{}", id(false)), None).await.status, 404);

    let left = ada.call(&api, Method::POST, "/auth/logout", None).await;
    assert!(left.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    left.expect(204);
    assert_eq!(ada.get(&api, "/auth/session").await.fault(401).0, "session_ended");

    let unused = Browser::of(&log_in(&api, "ada@example.com", PASSWORD).await);
    api.clock.advance_s(7 * 86_400);
    assert_eq!(unused.get(&api, "/auth/session").await.status, 401);
    let used = Browser::of(&log_in(&api, "ada@example.com", PASSWORD).await);
    for _ in 0..5 {
        api.clock.advance_s(6 * 86_400 - 1);
        used.get(&api, "/auth/session").await.expect(200);
    }
    api.clock.advance_s(86_400);
    assert_eq!(used.get(&api, "/auth/session").await.status, 401, "30 days are the most");
}

#[tokio::test]
async fn whatever_begins_a_session_begins_one_that_nobody_could_have_prepared() {
    let api = Api::new().await;
    api.sign_up("ada@example.com", "Analytical").await;
    let mallory = api.sign_up("mallory@example.com", "Elsewhere").await;
    let made_up = Browser { cookie: format!("__Host-tidegate_session={}", "0".repeat(64)) };
    for planted in [&made_up, &mallory] {
        let setup = api.call(Method::POST, "/people/setup-links", None).await.body["token"].clone();
        let reset = api.post("/people/reset-links", json!({"email": "ada@example.com"})).await.expect(201)["token"].clone();
        let bodies = [
            ("login", json!({"email": "ada@example.com", "password": PASSWORD})),
            ("signup", json!({"email": format!("eve{}@example.com", planted.cookie.len()), "password": PASSWORD, "organisation": "Hers"})),
            ("reset", json!({"token": reset, "password": PASSWORD})),
            ("setup", json!({"token": setup, "email": "root@example.com", "password": PASSWORD})),
        ];
        for (path, body) in bodies.into_iter().filter(|(_, body)| body["token"] != Value::Null || body["email"] != "root@example.com") {
            let builder = request(Method::POST, &format!("/auth/{path}")).header(header::COOKIE, &planted.cookie);
            let answer = api.send(with_body(builder, Some(body))).await;
            assert!(answer.status.is_success(), "{path}: {:#}", answer.body);
            assert_ne!(Browser::of(&answer).cookie, planted.cookie, "{path}");
        }
    }
    assert_eq!(made_up.get(&api, "/auth/session").await.status, 401);
    let me = mallory.get(&api, "/auth/session").await.expect(200);
    assert_eq!(me["person"]["email"], "mallory@example.com", "whose session it was it is");
    let changed = mallory.post(&api, "/auth/password", json!({"current": PASSWORD, "password": "quite another password"})).await;
    assert_ne!(Browser::of(&changed).cookie, mallory.cookie);
    assert_eq!(mallory.get(&api, "/auth/session").await.status, 401, "the one before has ended");
}

#[tokio::test]
async fn another_password_ends_every_session() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let other = Browser::of(&log_in(&api, "ada@example.com", PASSWORD).await);
    let change = |current: &str| json!({"current": current, "password": "quite another password"});
    assert_eq!(ada.post(&api, "/auth/password", change("not my password")).await.fault(422).1.as_deref(), Some("current"));
    let changed = ada.post(&api, "/auth/password", change(PASSWORD)).await;
    let new = Browser::of(&changed);
    changed.expect(200);
    for old in [ada, other] {
        assert_eq!(old.get(&api, "/auth/session").await.status, 401);
    }
    new.get(&api, "/auth/session").await.expect(200);
    assert_eq!(log_in(&api, "ada@example.com", PASSWORD).await.status, 401);
    log_in(&api, "ada@example.com", "quite another password").await.expect(200);
}

#[tokio::test]
async fn an_operator_makes_a_link_to_choose_a_new_password_that_works_once() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    assert_eq!(api.post("/people/reset-links", json!({"email": "eve@example.com"})).await.status, 404);
    let first = api.post("/people/reset-links", json!({"email": "ada@example.com"})).await.expect(201);
    let link = api.post("/people/reset-links", json!({"email": "ada@example.com"})).await.expect(201);
    let reset = |token: &Value| json!({"token": token, "password": "quite another password"});
    assert_eq!(api.post_as_nobody("/auth/reset", reset(&first["token"])).await.fault(422).1.as_deref(), Some("token"), "replaced");
    let short = json!({"token": link["token"], "password": "short"});
    assert_eq!(api.post_as_nobody("/auth/reset", short).await.fault(422).1.as_deref(), Some("password"));
    let answer = api.post_as_nobody("/auth/reset", reset(&link["token"])).await;
    Browser::of(&answer).get(&api, "/auth/session").await.expect(200);
    assert_eq!(ada.get(&api, "/auth/session").await.status, 401);
    assert_eq!(api.post_as_nobody("/auth/reset", reset(&link["token"])).await.status, 422, "it works once");
    let late = api.post("/people/reset-links", json!({"email": "ada@example.com"})).await.expect(201);
    api.clock.advance_s(3_600);
    assert_eq!(api.post_as_nobody("/auth/reset", reset(&late["token"])).await.status, 422, "for an hour");
}

#[tokio::test]
async fn the_first_operator_is_set_up_once_and_reaches_everything() {
    let api = Api::new().await;
    let early = api.call(Method::POST, "/people/setup-links", None).await.expect(201);
    let root = api.operator().await;
    assert_eq!(api.call(Method::POST, "/people/setup-links", None).await.status, 409, "there is one");
    let body = json!({"token": early["token"], "email": "eve@example.com", "password": PASSWORD});
    assert_eq!(api.post_as_nobody("/auth/setup", body).await.status, 422);
    let org = root.post(&api, "/orgs", json!({"name": "Acme", "plan": "starter"})).await.expect(201);
    root.get(&api, "/orgs").await.expect(200);
    let audit = root.get(&api, "/audit").await.expect(200);
    let me = root.get(&api, "/auth/session").await.expect(200);
    assert_eq!((&audit["data"][0]["subject"], &audit["data"][0]["actor"]), (&org["id"], &me["person"]["id"]), "by name, not as the token");
}

#[tokio::test]
async fn a_write_with_a_session_needs_the_origin_of_this_server() {
    let api = Api::new().await;
    let ada = api.sign_up("ada@example.com", "Analytical").await;
    let call = async |origin: Option<&str>| {
        let builder = request(Method::POST, "/auth/logout").header(header::COOKIE, &ada.cookie);
        let builder = origin.into_iter().fold(builder, |builder, origin| builder.header(header::ORIGIN, origin));
        api.send(builder.body(Body::empty()).unwrap()).await.fault(403).0
    };
    assert_eq!(call(None).await, "origin_missing");
    for foreign in ["https://evil.example.com", "null", "https://gateway.example.com.evil.example.com"] {
        assert_eq!(call(Some(foreign)).await, "foreign_origin", "{foreign}");
    }
    assert!(ORIGIN.starts_with("https://"));
    ada.get(&api, "/auth/session").await.expect(200);
}

#[tokio::test]
async fn bad_input_is_named_and_never_repeated() {
    let api = Api::new().await;
    let long = "x".repeat(1_025);
    for (body, code, param) in [
        (json!({"email": "ada", "password": PASSWORD, "organisation": "A"}), "invalid_value", "email"),
        (json!({"email": "ada@example.com", "password": "short", "organisation": "A"}), "invalid_value", "password"),
        (json!({"email": "ada@example.com", "password": long, "organisation": "A"}), "invalid_value", "password"),
        (json!({"email": "ada@example.com", "password": 918_273_645_546_u64, "organisation": "A"}), "invalid_value", "password"),
        (json!({"email": "ada@example.com", "password": PASSWORD}), "invalid_value", "organisation"),
        (json!({"email": "ada@example.com", "password": PASSWORD, "organisation": " "}), "invalid_value", "organisation"),
        (json!({"password": PASSWORD, "organisation": "A"}), "invalid_value", "email"),
        (json!({"email": "ada@example.com", "password": PASSWORD, "organisation": "A", "plan": "growth"}), "unknown_member", "plan"),
    ] {
        let answer = api.post_as_nobody("/auth/signup", body.clone()).await;
        assert!(!answer.body.to_string().contains("918273645546"), "{}", answer.body);
        assert_eq!(answer.fault(422), (code.to_owned(), Some(param.to_owned())), "{body}");
    }
    let audit = api.get("/audit").await.expect(200);
    assert!(audit["data"].as_array().unwrap().iter().all(|entry| !entry["action"].as_str().unwrap().starts_with("person")));
}
