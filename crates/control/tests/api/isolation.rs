//! Who reaches what: every operation of the document, as everybody there may be. What the document says of each (`security`, `x-role`)
//! is held against what happens.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::support::{Answer, Api, Browser, Document, ORIGIN, request};

/// Whoever calls.
struct Caller {
    name: &'static str,
    cookie: Option<String>,
    /// The place of its role in the organisation of the paths; `None`: it is no member.
    rank: Option<usize>,
    is_operator: bool,
    is_known: bool,
}

const ROLES: [&str; 4] = ["viewer", "developer", "admin", "owner"];

async fn callers(api: &Api, org: &str) -> Vec<Caller> {
    let mut callers = vec![Caller { name: "nobody", cookie: None, rank: None, is_operator: false, is_known: false }];
    for (rank, role) in ROLES.into_iter().enumerate() {
        let Browser { cookie } = api.member(org, &format!("{role}@example.com"), role).await;
        callers.push(Caller { name: role, cookie: Some(cookie), rank: Some(rank), is_operator: false, is_known: true });
    }
    let Browser { cookie } = api.sign_up("stranger@example.com", "Elsewhere").await;
    callers.push(Caller { name: "owner elsewhere", cookie: Some(cookie), rank: None, is_operator: false, is_known: true });
    let gone = api.member(org, "gone@example.com", "owner").await;
    gone.call(api, Method::POST, "/auth/logout", None).await.expect(204);
    callers.push(Caller { name: "logged out", cookie: Some(gone.cookie), rank: None, is_operator: false, is_known: false });
    let Browser { cookie } = api.operator().await;
    callers.push(Caller { name: "operator", cookie: Some(cookie), rank: None, is_operator: true, is_known: true });
    callers
}

/// What the document says of an operation.
struct Rule {
    is_public: bool,
    takes_session: bool,
    takes_operator: bool,
    least: Option<usize>,
}

impl Rule {
    fn of(operation: &Value) -> Self {
        // Where nothing is said the document's own rule holds: operators only.
        let ways = operation["security"].as_array().cloned().unwrap_or_else(|| vec![json!({"operator_token": []})]);
        let has = |name: &str| ways.iter().any(|way| way.get(name).is_some());
        let least = operation["x-role"].as_str().map(|role| ROLES.iter().position(|r| *r == role).unwrap());
        Self { is_public: ways == [json!({})], takes_session: has("session"), takes_operator: has("operator_token"), least }
    }

    /// The status that keeps this caller out; `None`: it is let in.
    fn keeps_out(&self, caller: &Caller) -> Option<u16> {
        if self.is_public || (caller.is_operator && (self.takes_operator || self.takes_session)) {
            return None;
        }
        if !caller.is_known {
            return Some(401);
        }
        match (self.takes_session, self.least, caller.rank) {
            (false, _, _) => Some(404),
            (true, None, _) => None,
            (true, Some(_), None) => Some(404),
            (true, Some(least), Some(rank)) => (rank < least).then_some(403),
        }
    }
}

/// Calls without a body: what is let in and needs one is told so, and does nothing.
async fn call(api: &Api, caller: &Caller, method: &Method, path: &str) -> Answer {
    let builder = request(method.clone(), path).header(header::ORIGIN, ORIGIN).header(header::CONTENT_TYPE, "text/plain");
    let builder = caller.cookie.iter().fold(builder, |builder, cookie| builder.header(header::COOKIE, cookie));
    api.send(builder.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_operation_lets_in_whom_the_document_says_and_nobody_else() {
    let api = Api::new().await;
    let org = api.org("Acme").await;
    let callers = callers(&api, &org).await;
    let mut tried = 0;
    for (method, path, operation) in Document::new().operations() {
        // Those would end what the others need.
        let ends = path.ends_with("/auth/logout") || (method == Method::DELETE && path.ends_with("/orgs/{id}"));
        let rule = Rule::of(operation);
        let path = path.strip_prefix("/api/v1").unwrap().replace("{id}", &org).replace(['{', '}'], "");
        for caller in &callers {
            let expected = rule.keeps_out(caller);
            if ends && expected.is_none() {
                continue;
            }
            let answer = call(&api, caller, &method, &path).await;
            let said = format!("{} {method} {path}: {} {}", caller.name, answer.status, answer.body);
            tried += 1;
            match expected {
                Some(status) => assert_eq!(answer.status, status, "{said}"),
                None => {
                    let message = answer.body["error"]["message"].as_str().unwrap_or_default();
                    assert!(![401, 403].contains(&answer.status.as_u16()), "{said}");
                    assert!(!message.starts_with("There is no path") && !message.starts_with("There is no organisation"), "{said}");
                }
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

#[tokio::test]
async fn every_operation_on_an_organisation_says_which_role_it_needs_or_is_the_operators() {
    for (method, path, operation) in Document::new().operations() {
        let rule = Rule::of(operation);
        let is_of_org = path.starts_with("/api/v1/orgs/{id}");
        assert_eq!(is_of_org && rule.takes_session, rule.least.is_some(), "{method} {path}");
        assert!(rule.is_public || rule.takes_session || rule.takes_operator, "{method} {path}");
    }
}
