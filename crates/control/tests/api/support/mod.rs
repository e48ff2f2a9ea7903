//! The application under test: the router on a store in a temporary folder, with a clock and randomness of its own.
//! Every answer is checked against the document, for its headers, and for secrets that must not be in it.

mod oidc;
mod schema;
mod stripe;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Builder;
use axum::http::response::Parts;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use control::{
    Cashier, CashierParts, Charger, ControlConfig, ControlParts, Mail, Mailer, Manual, SignUpConfig, SignUpMode, TestCards,
    hash_operator_token,
};
use domain::{
    Clock, Cooldown, Entropy, ProviderName, ProviderRuntime, ProviderStatus, ProviderTest, ProviderTester, RouteQuestion, RouteStep,
    SpendRuntime, SpendStanding, TargetStatus,
};
use serde_json::{Value, json};
use store::{Actor, ApplyOptions, Desired, Origin, Store, StoreConfig};
use testkit::{FakeOidc, ManualClock, SeededEntropy};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

pub(crate) use oidc::{CLIENT_SECRET, Visitor};
pub(crate) use schema::Document;
pub(crate) use stripe::{SECRET_KEY, WEBHOOK_SECRET};

/// The operator token of all tests.
pub(crate) const TOKEN: &str = "operator-token-of-the-tests";

/// The credential that tests give providers.
pub(crate) const CREDENTIAL: &str = "sk-upstream-credential-of-the-tests";

/// The value of a provider's further header.
pub(crate) const HEADER_VALUE: &str = "header-value-of-the-tests";

/// Providers as the data plane would see them, set by tests.
#[derive(Default)]
pub(crate) struct Providers {
    pub(crate) cooldowns: Mutex<Vec<Cooldown>>,
    pub(crate) cleared: Mutex<Vec<String>>,
    pub(crate) targets: Mutex<Vec<TargetStatus>>,
    pub(crate) route: Mutex<Vec<RouteStep>>,
    pub(crate) asked: Mutex<Vec<RouteQuestion>>,
    pub(crate) spend: Mutex<Vec<SpendStanding>>,
}

impl ProviderRuntime for Providers {
    fn status(&self, _: &ProviderName) -> ProviderStatus {
        let targets = self.targets.lock().unwrap().clone();
        ProviderStatus { cooldowns: self.cooldowns.lock().unwrap().clone(), in_flight: 3, targets }
    }

    fn clear_cooldown(&self, provider: &ProviderName) {
        self.cleared.lock().unwrap().push(provider.to_string());
        self.cooldowns.lock().unwrap().clear();
    }

    fn route(&self, model: &str, question: &RouteQuestion) -> Option<Vec<RouteStep>> {
        self.asked.lock().unwrap().push(*question);
        (model != "nothing").then(|| self.route.lock().unwrap().clone())
    }
}

impl SpendRuntime for Providers {
    fn spend(&self) -> Vec<SpendStanding> {
        self.spend.lock().unwrap().clone()
    }
}

impl ProviderTester for Providers {
    fn test(&self, name: ProviderName) -> Pin<Box<dyn Future<Output = ProviderTest> + Send + '_>> {
        let message = format!("{name} answered with 2 models.");
        Box::pin(async move { ProviderTest { ok: true, models: vec!["a".into(), "b".into()], elapsed_us: 1_500, message } })
    }
}

/// What was sent by mail.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Vec<Mail>>);

impl Mailer for Mailbox {
    fn send(&self, mail: Mail) -> bool {
        self.0.lock().unwrap().push(mail);
        true
    }
}

impl Mailbox {
    /// What was sent since somebody last looked.
    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The application under test.
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) cashier: Cashier,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) providers: Arc<Providers>,
    /// Empty where nobody sends mail.
    pub(crate) mailbox: Arc<Mailbox>,
    /// Who else says who somebody is.
    pub(crate) oidc: Arc<FakeOidc>,
    afterwards: TaskTracker,
    router: axum::Router,
    document: Document,
    secrets: Mutex<Vec<String>>,
    _tasks: TaskTracker,
    _folder: tempfile::TempDir,
}

/// What there is besides.
struct Has {
    mail: bool,
    oidc: bool,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// The error's `code` and `param`.
    #[track_caller]
    pub(crate) fn fault(self, status: u16) -> (String, Option<String>) {
        let body = self.expect(status);
        let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
        (text("code").unwrap(), text("param"))
    }

    /// The error's `message` after checking its status.
    #[track_caller]
    pub(crate) fn message(self, status: u16) -> String {
        self.expect(status)["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl Api {
    /// An installation with two plans, three models and a provider.
    pub(crate) async fn new() -> Self {
        Self::with_body_timeout(Duration::from_secs(30)).await
    }

    /// The same, where these may sign up.
    pub(crate) async fn with_sign_up(mode: SignUpMode) -> Self {
        Self::with(Duration::from_secs(30), mode, Box::new(Manual)).await
    }

    /// The same, where plans are paid with test cards.
    pub(crate) async fn with_test_cards() -> Self {
        Self::with(Duration::from_secs(30), SignUpMode::Open, Box::new(TestCards::new(ORIGIN.parse().unwrap()))).await
    }

    /// The same, with another time for bodies.
    pub(crate) async fn with_body_timeout(body_timeout: Duration) -> Self {
        Self::with(body_timeout, SignUpMode::Open, Box::new(Manual)).await
    }

    /// The same, where mail is sent.
    pub(crate) async fn with_mail() -> Self {
        let clock = Arc::new(ManualClock::at("2026-02-05T15:30:00Z"));
        Self::made(clock, Duration::from_secs(30), SignUpMode::Open, Box::new(Manual), Has { mail: true, oidc: true }).await
    }

    /// The same, where people log in with passwords alone.
    pub(crate) async fn without_oidc() -> Self {
        let clock = Arc::new(ManualClock::at("2026-02-05T15:30:00Z"));
        Self::made(clock, Duration::from_secs(30), SignUpMode::Open, Box::new(Manual), Has { mail: false, oidc: false }).await
    }

    async fn with(body_timeout: Duration, mode: SignUpMode, charger: Box<dyn Charger>) -> Self {
        Self::at(Arc::new(ManualClock::at("2026-02-05T15:30:00Z")), body_timeout, mode, charger).await
    }

    async fn at(clock: Arc<ManualClock>, body_timeout: Duration, mode: SignUpMode, charger: Box<dyn Charger>) -> Self {
        Self::made(clock, body_timeout, mode, charger, Has { mail: false, oidc: true }).await
    }

    async fn made(clock: Arc<ManualClock>, body_timeout: Duration, mode: SignUpMode, charger: Box<dyn Charger>, has: Has) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SeededEntropy::new(7));
        let tasks = TaskTracker::new();
        let store = Store::open(
            StoreConfig::in_folder(folder.path()),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&entropy) as Arc<dyn Entropy>,
            &tasks,
        )
        .await
        .unwrap();
        let options = ApplyOptions { origin: Origin::Seed, overwrite: false, prune: false, dry_run: false };
        store.apply(Actor::System, catalogue(), options).await.unwrap();
        let afterwards = TaskTracker::new();
        let (providers, mailbox) = (Arc::new(Providers::default()), Arc::new(Mailbox::default()));
        let own_clock = Arc::clone(&clock) as Arc<dyn Clock>;
        let oidc = oidc::provider();
        let cashier = Cashier::new(CashierParts { store: store.clone(), charger, unpaid: "free".into(), clock: own_clock });
        let parts = ControlParts {
            config: ControlConfig {
                operator_token_hash: hash_operator_token(TOKEN),
                public_url: Some("https://gateway.example.com".parse().unwrap()),
                own_url: "https://gateway.example.com".parse().unwrap(),
                is_secure: true,
                sign_up: SignUpConfig { mode, plan: "free".into(), orgs_per_person: 2 },
                body_timeout,
            },
            store: store.clone(),
            providers: Arc::clone(&providers) as Arc<dyn ProviderRuntime>,
            spend: Arc::clone(&providers) as Arc<dyn SpendRuntime>,
            cashier: cashier.clone(),
            tester: Arc::clone(&providers) as Arc<dyn ProviderTester>,
            mailer: has.mail.then(|| Arc::clone(&mailbox) as Arc<dyn Mailer>),
            oidc: has.oidc.then(|| oidc::way_to(&oidc, &clock)),
            tasks: afterwards.clone(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::clone(&entropy) as Arc<dyn Entropy>,
        };
        let secrets = [TOKEN, CREDENTIAL, HEADER_VALUE, PASSWORD, CLIENT_SECRET, "argon2id"];
        let secrets = Mutex::new(secrets.map(String::from).to_vec());
        let router = control::router(parts);
        let document = Document::new();
        Self { store, cashier, clock, providers, mailbox, oidc, afterwards, router, document, secrets, _tasks: tasks, _folder: folder }
    }

    /// Waits for what is done after answers.
    pub(crate) async fn afterwards(&self) {
        self.afterwards.close();
        self.afterwards.wait().await;
        self.afterwards.reopen();
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let (parts, text) = self.send_for_text(request).await;
        assert_eq!(parts.headers.get(header::CONTENT_TYPE).is_some(), !text.is_empty());
        let is_page = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/html; charset=utf-8");
        if is_page {
            self.document.check_page(&method, &path, parts.status);
            return Answer { status: parts.status, headers: parts.headers, body: Value::String(text) };
        }
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        if method != Method::HEAD {
            self.document.check(&method, &path, parts.status, &body);
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// The same, where the answer is a page.
    pub(crate) async fn send_for_text(&self, request: Request<Body>) -> (Parts, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.into()).unwrap();
        self.check_secrets(&parts.headers, &text);
        assert_eq!(parts.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(parts.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        (parts, text)
    }

    /// The same without holding the answer against the document.
    pub(crate) async fn send_quietly(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn check_secrets(&self, headers: &HeaderMap, text: &str) {
        for secret in self.secrets.lock().unwrap().iter() {
            assert!(!text.contains(secret.as_str()), "a secret is in {text}");
            assert!(headers.values().all(|value| !value.to_str().unwrap_or_default().contains(secret.as_str())));
        }
    }

    /// From now on this text must be in no answer.
    pub(crate) fn is_secret(&self, text: &str) {
        self.secrets.lock().unwrap().push(text.into());
    }

    /// A request of the operator.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = request(method, path).header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
        self.send(with_body(request, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// A new organisation on the plan `starter`; its id.
    pub(crate) async fn org(&self, name: &str) -> String {
        let org = self.post("/orgs", json!({"name": name, "plan": "starter"})).await.expect(201);
        org["id"].as_str().unwrap().into()
    }

    /// A new key; its id and its secret.
    pub(crate) async fn key(&self, org: &str, name: &str) -> (String, String) {
        let key = self.post(&format!("/orgs/{org}/keys"), json!({"name": name})).await.expect(201);
        let text = |member: &str| key[member].as_str().unwrap().to_owned();
        self.is_secret(&text("key"));
        (text("id"), text("key"))
    }
}

/// Where browsers reach the application.
pub(crate) const ORIGIN: &str = "https://gateway.example.com";

/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Somebody's browser.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    /// The session's cookie, as it is sent.
    pub(crate) cookie: String,
}

impl Browser {
    /// With the cookie that an answer gave.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let given = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(given.starts_with("__Host-tidegate_session="), "{given}");
        for attribute in ["; Path=/;", "; HttpOnly;", "; SameSite=Strict;", "; Secure"] {
            assert!(given.contains(attribute), "{attribute} is not in {given}");
        }
        Self { cookie: given.split(';').next().unwrap().into() }
    }

    /// A request with its cookie and origin.
    pub(crate) fn request(&self, method: Method, path: &str) -> Builder {
        request(method, path).header(header::COOKIE, &self.cookie).header(header::ORIGIN, ORIGIN)
    }

    /// Calls.
    pub(crate) async fn call(&self, api: &Api, method: Method, path: &str, body: Option<Value>) -> Answer {
        api.send(with_body(self.request(method, path), body)).await
    }

    pub(crate) async fn get(&self, api: &Api, path: &str) -> Answer {
        self.call(api, Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, api: &Api, path: &str, body: Value) -> Answer {
        self.call(api, Method::POST, path, Some(body)).await
    }
}

/// The request with a JSON body, if any.
pub(crate) fn with_body(request: Builder, body: Option<Value>) -> Request<Body> {
    let sent = match body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    sent.unwrap()
}

impl Api {
    /// Calls as nobody.
    pub(crate) async fn post_as_nobody(&self, path: &str, body: Value) -> Answer {
        self.send(with_body(request(Method::POST, path), Some(body))).await
    }

    /// Somebody signs up with an organisation of their own.
    pub(crate) async fn sign_up(&self, email: &str, organisation: &str) -> Browser {
        let body = json!({"email": email, "password": PASSWORD, "organisation": organisation});
        let answer = self.post_as_nobody("/auth/signup", body).await;
        let browser = Browser::of(&answer);
        answer.expect(201);
        browser
    }

    /// Somebody signs up who is invited to an organisation, as this.
    pub(crate) async fn member(&self, org: &str, email: &str, role: &str) -> Browser {
        let link = self.post(&format!("/orgs/{org}/invitations"), json!({"email": email, "role": role})).await.expect(201);
        let answer = self.post_as_nobody("/auth/signup", json!({"password": PASSWORD, "invitation": link["token"]})).await;
        let browser = Browser::of(&answer);
        answer.expect(201);
        browser
    }

    /// The first operator sets up their account.
    pub(crate) async fn operator(&self) -> Browser {
        let link = self.call(Method::POST, "/people/setup-links", None).await.expect(201);
        let body = json!({"token": link["token"], "email": "root@example.com", "password": PASSWORD});
        let answer = self.post_as_nobody("/auth/setup", body).await;
        let browser = Browser::of(&answer);
        answer.expect(201);
        browser
    }
}

/// A request below `/api/v1`, without a token.
pub(crate) fn request(method: Method, path: &str) -> Builder {
    Request::builder().method(method).uri(format!("/api/v1{path}")).header(header::HOST, "127.0.0.1:8080")
}

fn catalogue() -> Desired {
    let providers = json!([{"name": "local", "kind": "vllm", "base_url": "http://127.0.0.1:8000/v1"}]);
    let models = json!([
        {"id": "qwen3-coder-next", "parameters_b": 80, "category": "medium", "aliases": ["coder"], "targets": [{"provider": "local"}]},
        {"id": "meta/llama-3.3-70b", "parameters_b": 70, "input_price": "0.60", "output_price": "0.90", "targets": [{"provider": "local"}]},
        {"id": "mistral-7b", "parameters_b": 7.2}
    ]);
    let plans = json!([
        {"id": "free", "name": "Free", "price_month": "0", "limits": [{"model": "qwen3-coder-next", "rpm": 50, "tpm": 300000}]},
        {"id": "starter", "name": "Starter", "limits": [
            {"category": "small", "rpm": 180, "tpm": 120000},
            {"category": "medium", "rpm": 90, "tpm": 60000},
            {"category": "large", "rpm": 45, "tpm": 30000}
        ]},
        {"id": "enterprise", "name": "Enterprise"}
    ]);
    let providers: Vec<domain::Provider> = serde_json::from_value(providers).unwrap();
    Desired {
        providers: providers
            .into_iter()
            .map(|provider| store::ProviderDraft { provider, credential: store::CredentialChange::Keep })
            .collect(),
        models: serde_json::from_value(models).unwrap(),
        plans: serde_json::from_value(plans).unwrap(),
    }
}
