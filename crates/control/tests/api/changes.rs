//! Every operation that changes something leaves an entry in the audit log that says what changed. Those that the document lists and this
//! does not call fail it.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, Browser, CREDENTIAL, Document, HEADER_VALUE, PASSWORD, Visitor, request, with_body};

/// What two entries tell: the session that begins with it, the organisation that changes with what was decided or paid, the membership.
const SEVERAL: [(&str, usize); 9] = [
    ("sign_up", 3),
    ("set_up", 2),
    ("change_password", 2),
    ("reset_password", 2),
    ("decide_plan_request", 2),
    ("pay_with_test_card", 2),
    ("test_provider", 0),
    ("test_oidc", 0),
    // What it leads to leaves one, when the browser has come back.
    ("link_oidc", 0),
];

/// What needs Stripe, and changes nothing but by a payment, whose entries the tests of payments look at.
const OF_STRIPE: [&str; 3] = ["hear_stripe", "open_portal", "refresh_checkout"];

struct Log {
    api: Api,
    document: Document,
    seen: usize,
    done: BTreeSet<String>,
    told: Vec<String>,
}

impl Log {
    async fn on(api: Api) -> Self {
        let seen = entries(&api).await.len();
        Self { api, document: Document::new(), seen, done: BTreeSet::new(), told: Vec::new() }
    }

    /// Calls as the operator.
    async fn call(&mut self, method: Method, path: &str, body: Value) -> Value {
        self.called(method, path, body, None).await
    }

    async fn called(&mut self, method: Method, path: &str, body: Value, browser: Option<&Browser>) -> Value {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = match browser {
            Some(browser) => browser.call(&self.api, method.clone(), path, body).await,
            None if path.starts_with("/auth/") => self.api.send(with_body(request(method.clone(), path), body)).await,
            None => self.api.call(method.clone(), path, body).await,
        };
        assert!(answer.status.is_success(), "{method} {path}: {} {:#}", answer.status, answer.body);
        self.api.afterwards().await;
        let id = self.document.operation(&method, &format!("/api/v1{path}")).unwrap()["operationId"].as_str().unwrap().to_owned();
        let mut entries = entries(&self.api).await;
        let new = entries.split_off(self.seen);
        self.seen += new.len();
        let told: Vec<_> =
            new.iter().map(|entry| format!("{id}: {} {}", entry["action"].as_str().unwrap(), masked(&entry["details"]))).collect();
        let expected = SEVERAL.iter().find(|(name, _)| *name == id).map_or(1, |(_, count)| *count);
        assert_eq!(told.len(), expected, "{method} {path} left {told:#?}");
        assert!(new.iter().all(|entry| entry["details"].as_object().is_some_and(|details| !details.is_empty())), "{told:#?}");
        self.done.insert(id);
        self.told.extend(told);
        answer.body
    }
}

/// All entries, oldest first.
async fn entries(api: &Api) -> Vec<Value> {
    let mut entries = api.get("/audit?limit=200").await.expect(200)["data"].as_array().unwrap().clone();
    assert!(entries.len() < 200);
    entries.reverse();
    entries
}

/// With the random part of ids left out.
fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.rsplit_once('_') {
            Some((kind, ulid)) if ulid.len() == 26 => json!(format!("{kind}_…")),
            Some((_, _)) | None => value.clone(),
        },
        Value::Array(entries) => entries.iter().map(masked).collect(),
        Value::Object(members) => Value::Object(members.iter().map(|(name, member)| (name.clone(), masked(member))).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap().to_owned()
}

async fn of_organisations(log: &mut Log) {
    let org = text(&log.call(Method::POST, "/orgs", json!({"name": "Acme", "plan": "starter"})).await, "id");
    let at = |rest: &str| format!("/orgs/{org}{rest}");
    log.call(Method::PATCH, &at(""), json!({"name": "Acme & Co", "plan": "free"})).await;
    log.call(Method::PUT, &at("/limits"), json!([{"any": true, "rpm": 5, "reason": "agreed"}])).await;
    let key = log.call(Method::POST, &at("/keys"), json!({"name": "ci", "rpm": 5})).await;
    log.api.is_secret(&text(&key, "key"));
    let key = at(&format!("/keys/{}", text(&key, "id")));
    log.call(Method::PATCH, &key, json!({"state": "disabled"})).await;
    log.call(Method::PATCH, &key, json!({"state": "enabled"})).await;
    log.call(Method::POST, &format!("{key}/rotate"), json!({"overlap_seconds": 60})).await;
    log.call(Method::DELETE, &key, json!(null)).await;
    let invited = json!({"email": "ada@example.com", "role": "viewer"});
    let link = log.call(Method::POST, &at("/invitations"), invited.clone()).await;
    log.call(Method::DELETE, &at(&format!("/invitations/{}", text(&link, "id"))), json!(null)).await;
    let link = log.call(Method::POST, &at("/invitations"), invited).await;
    let bob = log.api.sign_up("bob@example.com", "Elsewhere").await;
    log.seen = entries(&log.api).await.len();
    let sign_up = json!({"password": PASSWORD, "invitation": link["token"]});
    log.call(Method::POST, "/auth/signup", sign_up).await;
    let link = log.call(Method::POST, &at("/invitations"), json!({"email": "bob@example.com", "role": "viewer"})).await;
    log.called(Method::POST, "/auth/invitations", json!({"token": link["token"]}), Some(&bob)).await;
    let me = bob.get(&log.api, "/auth/session").await.expect(200);
    let member = at(&format!("/members/{}", text(&me["person"], "id")));
    log.call(Method::PATCH, &member, json!({"role": "admin"})).await;
    log.call(Method::DELETE, &member, json!(null)).await;
    of_subscriptions(log, &org).await;
    log.call(Method::DELETE, &at(""), json!(null)).await;
}

async fn of_subscriptions(log: &mut Log, org: &str) {
    let at = format!("/orgs/{org}/subscription");
    log.api.post("/plans", json!({"id": "pro", "price_month": "20"})).await.expect(201);
    log.seen += 1;
    let chosen = log.call(Method::POST, &at, json!({"plan": "pro"})).await;
    let checkout = text(&chosen["checkout"], "id");
    log.call(Method::POST, &format!("{at}/checkouts/{checkout}/test-payment"), json!({"card": "4242 4242 4242 4242"})).await;
    for decision in [None, Some("declined"), Some("granted")] {
        let wish = log.call(Method::POST, &at, json!({"plan": "enterprise", "message": "please"})).await;
        let request = format!("/plan-requests/{}", text(&wish["request"], "id"));
        match decision {
            None => drop(log.call(Method::DELETE, &format!("{at}/request"), json!(null)).await),
            // Only what is granted changes the organisation as well.
            Some("declined") => {
                log.api.patch(&request, json!({"state": "declined"})).await.expect(200);
                log.seen += 1;
            }
            Some(state) => drop(log.call(Method::PATCH, &request, json!({"state": state})).await),
        }
    }
}

async fn of_people(log: &mut Log) {
    let login = json!({"email": "bob@example.com", "password": PASSWORD});
    let browser = async |log: &mut Log| {
        log.seen += 1;
        Browser::of(&log.api.post_as_nobody("/auth/login", login.clone()).await)
    };
    log.call(Method::POST, "/auth/login", login.clone()).await;
    let (bob, other) = (browser(log).await, browser(log).await);
    let sessions = other.get(&log.api, "/auth/sessions").await.expect(200);
    let current = sessions["data"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    let other = format!("/auth/sessions/{}", text(current, "id"));
    log.called(Method::DELETE, &other, json!(null), Some(&bob)).await;
    let change = json!({"current": PASSWORD, "password": "quite another password"});
    log.called(Method::POST, "/auth/password", change, Some(&bob)).await;
    let link = log.call(Method::POST, "/people/reset-links", json!({"email": "bob@example.com"})).await;
    log.call(Method::POST, "/auth/reset", json!({"token": link["token"], "password": PASSWORD})).await;
    let bob = browser(log).await;
    log.called(Method::POST, "/auth/logout", json!(null), Some(&bob)).await;
    log.call(Method::POST, "/people/invitations", json!({"email": "eve@example.com"})).await;
    let link = log.call(Method::POST, "/people/setup-links", json!(null)).await;
    log.call(Method::POST, "/auth/setup", json!({"token": link["token"], "email": "root@example.com", "password": PASSWORD})).await;
}

async fn of_addresses(log: &mut Log) {
    let ada = log.api.sign_up("ada@example.com", "Analytical Engines").await;
    log.seen = entries(&log.api).await.len();
    log.called(Method::POST, "/auth/verification-mails", json!(null), Some(&ada)).await;
    let mail = log.api.mailbox.take().pop().unwrap();
    let token = mail.text.split_once("#token=").unwrap().1.lines().next().unwrap();
    log.call(Method::POST, "/auth/verify", json!({ "token": token })).await;
    log.call(Method::POST, "/auth/reset-requests", json!({"email": "ada@example.com"})).await;
}

async fn of_identities(log: &mut Log) {
    let ada = log.api.sign_up("ada@example.org", "Analytical").await;
    log.seen = entries(&log.api).await.len();
    let to = log.called(Method::POST, "/auth/oidc/links", json!(null), Some(&ada)).await;
    let answer = ada.call(&log.api, Method::POST, "/auth/oidc/links", None).await;
    let visitor = Visitor::of(&answer, answer.body["url"].as_str().unwrap());
    assert_ne!(to["url"], json!(visitor.url), "each has its own secrets");
    assert_eq!(visitor.logs_in(&log.api, &json!({"sub": "ada-1", "email": "ada@example.org", "email_verified": true})).await.status, 200);
    let id = text(&ada.get(&log.api, "/auth/identities").await.expect(200)["data"][0], "id");
    let linked = entries(&log.api).await.split_off(log.seen);
    log.seen += linked.len();
    log.told.extend(linked.iter().map(|entry| format!("linked: {} {}", entry["action"].as_str().unwrap(), masked(&entry["details"]))));
    log.called(Method::DELETE, &format!("/auth/identities/{id}"), json!(null), Some(&ada)).await;
    log.call(Method::POST, "/oidc/test", json!(null)).await;
}

async fn of_the_installation(log: &mut Log) {
    let provider = json!({"name": "p", "kind": "openai", "api_key": CREDENTIAL, "headers": {"x-a": HEADER_VALUE}});
    log.call(Method::POST, "/providers", provider).await;
    log.call(Method::PUT, "/providers/p", json!({"kind": "openai", "timeout_seconds": 9})).await;
    log.call(Method::PATCH, "/providers/p", json!({"state": "disabled"})).await;
    let key = log.call(Method::POST, "/providers/p/keys", json!({"api_key": "sk-another-one"})).await;
    log.call(Method::DELETE, &format!("/providers/p/keys/{}", text(&key, "id")), json!(null)).await;
    log.call(Method::POST, "/providers/p/test", json!(null)).await;
    log.call(Method::DELETE, "/providers/p/cooldown", json!(null)).await;
    log.call(Method::DELETE, "/providers/p", json!(null)).await;
    log.call(Method::POST, "/models", json!({"id": "m", "category": "small"})).await;
    log.call(Method::PUT, "/models/m", json!({"category": "large"})).await;
    log.call(Method::DELETE, "/models/m", json!(null)).await;
    log.call(Method::POST, "/plans", json!({"id": "p"})).await;
    log.call(Method::PUT, "/plans/p", json!({"limits": [{"any": true}]})).await;
    log.call(Method::DELETE, "/plans/p", json!(null)).await;
    log.call(Method::POST, "/apply", json!({"plans": [{"id": "q"}]})).await;
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_what_changed() {
    let mut log = Log::on(Api::with_test_cards().await).await;
    log.api.is_secret("quite another password");
    of_organisations(&mut log).await;
    of_people(&mut log).await;
    of_the_installation(&mut log).await;
    of_identities(&mut log).await;
    let mut with_mail = Log::on(Api::with_mail().await).await;
    of_addresses(&mut with_mail).await;
    log.done.extend(with_mail.done);
    log.told.extend(with_mail.told);
    log.done.extend(OF_STRIPE.map(String::from));
    let writes = log.document.operations().into_iter().filter(|(method, _, _)| *method != Method::GET);
    let writes: BTreeSet<_> = writes.map(|(_, _, operation)| text(operation, "operationId")).collect();
    assert_eq!(writes.difference(&log.done).collect::<Vec<_>>(), Vec::<&String>::new(), "these are not tried here");
    insta::assert_snapshot!("changes", log.told.join("\n"));
}
