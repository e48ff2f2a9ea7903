//! Who reaches what: every operation of the document, as everybody there may be. What the document says of each (`security`, `x-role`)
//! is held against what happens.

use axum::body::Body;
use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::support::{Answer, Api, Browser, CREDENTIAL, Document, ORIGIN, request, with_body};

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

/// An organisation with one of everything, and what there is of it.
struct Victim {
    org: String,
    key: String,
    person: String,
    session: String,
    invitation: Value,
    checkout: String,
    wish: String,
}

/// What a call needs of an organisation that another would spoil.
const ABOUT_WISHES: [&str; 2] = ["withdraw_plan_request", "decide_plan_request"];

impl Victim {
    async fn of(api: &Api, operation: &str) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // So many sign up here that they would be stopped.
        api.clock.advance_s(3_600);
        let org = api.org("Acme").await;
        let at = |rest: &str| format!("/orgs/{org}{rest}");
        let key = api.key(&org, "ci").await.0;
        api.put(&at("/limits"), json!([{"any": true, "rpm": 5}])).await.expect(200);
        let member = api.member(&org, &format!("ada+{operation}@example.com"), "developer").await;
        let me = member.get(api, "/auth/session").await.expect(200);
        let sessions = member.get(api, "/auth/sessions").await.expect(200);
        let invited = json!({"email": "bob@example.com", "role": "owner"});
        let invitation = api.post(&at("/invitations"), invited).await.expect(201);
        let plan = if ABOUT_WISHES.contains(&operation) { "enterprise" } else { "pro" };
        let chosen = api.post(&at("/subscription"), json!({ "plan": plan })).await;
        assert!(chosen.status.is_success(), "{:#}", chosen.body);
        api.put("/providers/spare", json!({"kind": "openai"})).await;
        api.put("/models/spare", json!({"category": "small"})).await;
        api.put("/plans/spare", json!({})).await;
        let (checkout, wish) = (text(&chosen.body["checkout"]["id"]), text(&chosen.body["request"]["id"]));
        let (person, session) = (text(&me["person"]["id"]), text(&sessions["data"][0]["id"]));
        Self { org, key, person, session, invitation, checkout, wish }
    }

    /// Where an operation is called.
    fn path(&self, template: &str) -> String {
        let id = match template.strip_prefix("/api/v1/").and_then(|rest| rest.split('/').next()) {
            Some("models" | "plans") => "spare",
            _ => &self.org,
        };
        let provider_key = template.contains("/providers/");
        let invitation = self.invitation["id"].as_str().unwrap();
        let segments = [
            ("{id}", id),
            ("{name}", "spare"),
            ("{key_id}", if provider_key { "x" } else { &self.key }),
            ("{person}", &self.person),
            ("{session}", &self.session),
            ("{invitation}", invitation),
            ("{checkout}", &self.checkout),
            ("{request}", &self.wish),
        ];
        let path = template.strip_prefix("/api/v1").unwrap().to_owned();
        segments.into_iter().fold(path, |path, (name, value)| path.replace(name, value))
    }

    /// Everything that others might have changed, and the audit log, which tells of what nobody looks at here.
    async fn state(&self, api: &Api) -> Value {
        let of_org = ["", "/keys", "/limits", "/members", "/invitations", "/invoices", "/subscription"];
        let mut state = Vec::new();
        for path in of_org.map(|rest| format!("/orgs/{}{rest}", self.org)) {
            state.push(api.get(&path).await.body);
        }
        for path in ["/audit?limit=200", "/providers", "/providers/spare/keys", "/models", "/plans", "/plan-requests"] {
            state.push(api.get(path).await.body);
        }
        state.into()
    }
}

/// A body with which an operation does something.
fn body(operation: &str, victim: &Victim) -> Value {
    match operation {
        "change_org" => json!({"name": "Taken", "plan": "free"}),
        "put_org_limits" => json!([{"any": true, "rpm": 1_000_000}]),
        "create_key" => json!({"name": "theirs"}),
        "change_key" => json!({"state": "disabled"}),
        "rotate_key" => json!({"overlap_seconds": 0}),
        "change_member" => json!({"role": "owner"}),
        "invite" => json!({"email": "stranger@example.com", "role": "owner"}),
        "subscribe" => json!({"plan": "free"}),
        "pay_with_test_card" => json!({"card": "4242 4242 4242 4242"}),
        "decide_plan_request" => json!({"state": "granted"}),
        "invite_person" => json!({"email": "eve@example.com"}),
        "make_reset_link" => json!({"email": "root@example.com"}),
        "create_org" => json!({"name": "Mine", "plan": "enterprise"}),
        "create_provider" => json!({"name": "evil", "kind": "openai", "api_key": CREDENTIAL}),
        "put_provider" => json!({"kind": "openai", "api_key": CREDENTIAL}),
        "change_provider" => json!({"state": "disabled"}),
        "add_provider_key" => json!({"api_key": "sk-of-the-operator-too"}),
        "create_model" => json!({"id": "evil", "category": "small"}),
        "put_model" => json!({"category": "large"}),
        "create_plan" => json!({"id": "evil"}),
        "put_plan" => json!({"limits": [{"any": true}]}),
        "apply" => json!({"plans": [{"id": "applied"}]}),
        "accept_invitation" => json!({"token": victim.invitation["token"]}),
        _ => Value::Null,
    }
}

/// What would do nothing here: it needs Stripe, no operator, a provider with a key or a cooldown, or somebody who is asked.
const IDLE: [&str; 7] =
    ["make_setup_link", "refresh_checkout", "open_portal", "remove_provider_key", "end_provider_cooldown", "test_provider", "test_oidc"];

/// What belongs to whoever calls it, and can be about nobody else.
fn is_about_oneself(path: &str) -> bool {
    path.starts_with("/api/v1/auth/") && !path.contains('{') && !path.ends_with("/invitations") || path.starts_with("/api/v1/billing/")
}

#[tokio::test]
async fn whoever_may_not_changes_nothing_with_what_changes_it_for_whoever_may() {
    let api = Api::with_test_cards().await;
    api.post("/plans", json!({"id": "pro", "price_month": "20"})).await.expect(201);
    let first = api.org("First").await;
    let outsiders: Vec<_> = callers(&api, &first).await.into_iter().filter(|caller| !caller.is_operator).collect();
    let (mut kept_out, mut done) = (0, 0);
    for (method, path, operation) in Document::new().operations() {
        if method == Method::GET || is_about_oneself(&path) {
            continue;
        }
        let id = operation["operationId"].as_str().unwrap();
        let (rule, victim) = (Rule::of(operation), Victim::of(&api, id).await);
        let (target, body) = (victim.path(&path), Some(body(id, &victim)).filter(|body| !body.is_null()));
        assert_eq!(operation["requestBody"].is_null(), body.is_none(), "{id} needs a body in the table");
        let before = victim.state(&api).await;
        // To all of them the organisation is another's.
        for caller in outsiders.iter().filter(|_| id != "create_org") {
            let builder = request(method.clone(), &target).header(header::ORIGIN, ORIGIN);
            let builder = caller.cookie.iter().fold(builder, |builder, cookie| builder.header(header::COOKIE, cookie));
            let answer = api.send(with_body(builder, body.clone())).await;
            let said = format!("{} {method} {target}: {} {}", caller.name, answer.status, answer.body);
            assert!(answer.status.is_client_error() && (caller.is_known || answer.status == 401), "{said}");
            kept_out += 1;
        }
        assert_eq!(victim.state(&api).await, before, "{method} {target} changed something for somebody");
        if rule.takes_operator && !IDLE.contains(&id) {
            let answer = api.call(method.clone(), &target, body).await;
            assert!(answer.status.is_success(), "{method} {target}: {} {:#}", answer.status, answer.body);
            assert_ne!(victim.state(&api).await, before, "{method} {target} does nothing even for the operator");
            done += 1;
        }
    }
    assert!(kept_out > 150 && done > 25, "{kept_out} {done}");
}
