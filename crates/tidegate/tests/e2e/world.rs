//! The application under test with its clock, its providers and its operator. It asserts nothing about the product.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use app::config::Config;
use app::{App, Running, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Answer, Call, ManualClock, Opened, Reply, SeededEntropy, Upstream, WAIT};

/// Models of the catalogue: id, category or parameters, aliases. Each has the one provider `up`.
const MODELS: &str = r#"
[[models]]
id = "mistral-7b"
parameters_b = 7.2
targets = [{ provider = "up" }]
[[models]]
id = "gemma-3-4b"
parameters_b = 4.3
targets = [{ provider = "up" }]
[[models]]
id = "qwen-3-32b"
parameters_b = 32.8
targets = [{ provider = "up" }]
[[models]]
id = "qwen-3-coder-next"
aliases = ["coder"]
category = "medium"
targets = [{ provider = "up" }]
[[models]]
id = "llama-3.3-70b"
aliases = ["Llama 3.3 70B FP8"]
parameters_b = 70.6
targets = [{ provider = "up", model = "upstream/llama" }]
[[models]]
id = "gpt-oss-120b"
parameters_b = 116.8
targets = [{ provider = "up" }]
"#;

const OPERATOR_TOKEN: &str = "operator-token-of-the-tests-0123456789";

/// One model of each category.
pub(crate) const SMALL: &str = "mistral-7b";
pub(crate) const MEDIUM: &str = "qwen-3-32b";
pub(crate) const LARGE: &str = "llama-3.3-70b";

/// Tidegate, its data folder, its clock and its provider `up`.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) upstream: Upstream,
    running: Running,
    config: String,
    folder: TempDir,
}

/// An organisation and its first key.
#[derive(Clone, Debug)]
pub(crate) struct Org {
    pub(crate) id: String,
    pub(crate) key: String,
}

/// One limit as `/v1/limits` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) limit: u64,
    pub(crate) used: u64,
    pub(crate) held: u64,
    pub(crate) remaining: u64,
}

impl World {
    /// The reference plans, six of their models, one provider, no micro-wait.
    pub(crate) async fn start() -> Self {
        Self::with("", "").await
    }

    /// The same with further lines of `[server]` and further sections. `{up}` in them is the provider's `base_url`.
    pub(crate) async fn with(server: &str, sections: &str) -> Self {
        Self::at(ManualClock::new(), server, sections).await
    }

    /// The same with further lines of `[limits]`.
    pub(crate) async fn with_limits(limits: &str, sections: &str) -> Self {
        Self::begin(ManualClock::new(), "", limits, sections).await
    }

    /// The same at a certain time.
    pub(crate) async fn at(clock: ManualClock, server: &str, sections: &str) -> Self {
        Self::begin(clock, server, "micro_wait_ms = 0\n", sections).await
    }

    async fn begin(clock: ManualClock, server: &str, limits: &str, sections: &str) -> Self {
        let upstream = Upstream::start().await;
        let provider = "[[providers]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"{up}\"\napi_key = \"upstream-secret\"\n";
        let head = format!("[server]\nlisten = \"127.0.0.1:0\"\n{server}\n[limits]\n{limits}");
        let config = format!("{head}{provider}{MODELS}{sections}").replace("{up}", &upstream.base_url());
        let (clock, folder) = (Arc::new(clock), TempDir::new().expect("a temporary folder"));
        let running = run(&config, &folder, &clock).await;
        Self { clock, upstream, running, config, folder }
    }

    /// Stops it in good order and starts it again over the same data folder.
    pub(crate) async fn restart(self) -> Self {
        let Self { clock, upstream, running, config, folder } = self;
        running.shutdown().await;
        let running = run(&config, &folder, &clock).await;
        Self { clock, upstream, running, config, folder }
    }

    /// Begins an orderly stop; what is left of the world comes back.
    pub(crate) fn into_parts(self) -> (Running, Stopped) {
        let Self { clock, upstream, running, config, folder } = self;
        (running, Stopped { clock, upstream, config, folder })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.running.addr
    }

    /// One call of the operator API, whatever becomes of it.
    pub(crate) async fn try_operator(&self, method: &str, path: &str, body: Value) -> Answer {
        let call = Call::new(method, &format!("/api/v1{path}")).key(OPERATOR_TOKEN);
        let call = if body.is_null() { call } else { call.json(&body) };
        call.send(self.addr()).await
    }

    /// One call of the operator API that succeeds.
    pub(crate) async fn operator(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.try_operator(method, path, body).await;
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// The text of `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        Call::get("/metrics").key(OPERATOR_TOKEN).send(self.addr()).await.text()
    }

    /// A new organisation on a plan.
    pub(crate) async fn org(&self, plan: &str) -> Org {
        let made = self.operator("POST", "/orgs", json!({"name": "Acme", "plan": plan})).await;
        let id = text(&made["id"]);
        let key = text(&self.operator("POST", &format!("/orgs/{id}/keys"), json!({"name": "first"})).await["key"]);
        Org { id, key }
    }

    /// A new organisation on the Enterprise plan with these custom rows.
    pub(crate) async fn custom(&self, rows: Value) -> Org {
        let org = self.org("enterprise").await;
        self.operator("PUT", &format!("/orgs/{}/limits", org.id), rows).await;
        org
    }

    /// A further key of an organisation: its id and its secret.
    pub(crate) async fn new_key(&self, org: &Org, body: Value) -> (String, String) {
        let made = self.operator("POST", &format!("/orgs/{}/keys", org.id), body).await;
        (text(&made["id"]), text(&made["key"]))
    }

    pub(crate) async fn set_plan(&self, org: &Org, plan: &str) {
        self.operator("PATCH", &format!("/orgs/{}", org.id), json!({"plan": plan})).await;
    }

    /// A chat completion, whole.
    pub(crate) async fn send(&self, key: &str, body: &Value) -> Answer {
        post_chat(body).key(key).send(self.addr()).await
    }

    /// A chat completion whose events are still to come.
    pub(crate) async fn open(&self, key: &str, body: &Value) -> Opened {
        post_chat(body).key(key).open(self.addr()).await
    }

    /// `data` of `GET /v1/limits`.
    pub(crate) async fn limits(&self, key: &str) -> Value {
        let answer = Call::get("/v1/limits").key(key).send(self.addr()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["data"].take()
    }

    /// One limit of one pool.
    pub(crate) async fn view(&self, key: &str, pool: &str, kind: &str) -> View {
        let all = self.limits(key).await;
        let found = all.as_array().expect("a list").iter().find(|view| view["pool"] == pool && view["kind"] == kind);
        let view = found.unwrap_or_else(|| panic!("no {kind} of {pool} in {all}"));
        let number = |name: &str| view[name].as_u64().unwrap_or_else(|| panic!("no {name} in {view}"));
        View { limit: number("limit"), used: number("used"), held: number("held"), remaining: number("remaining") }
    }

    /// Waits until nothing is held on any limit: every request has been settled.
    pub(crate) async fn settled(&self, key: &str) {
        until("nothing is held", || async {
            let limits = self.limits(key).await;
            limits.as_array().expect("a list").iter().all(|view| view["held"] == 0)
        })
        .await;
    }

    /// `totals` of an organisation's usage at this moment.
    pub(crate) async fn totals(&self, org: &Org) -> Value {
        self.operator("GET", &format!("/orgs/{}/usage", org.id), Value::Null).await["totals"].take()
    }

    /// The same once it counts so many requests answered, refused and failed.
    pub(crate) async fn totals_when(&self, org: &Org, requests: u64, refused: u64, failed: u64) -> Value {
        until("usage is written", || async {
            let t = self.totals(org).await;
            t["requests"] == requests && t["refused"] == refused && t["failed"] == failed
        })
        .await;
        self.totals(org).await
    }

    /// How many input tokens Tidegate itself counts in this chat request. It is learned from a refusal, which counts exactly.
    pub(crate) async fn count(&self, body: &Value) -> u64 {
        let org = self.custom(json!([{"any": true, "tpm": 1_000_000}])).await;
        let mut body = body.clone();
        body["max_tokens"] = json!(1_000);
        self.upstream.reply(Reply::of(1, 999_500));
        let filled = self.send(&org.key, &body).await;
        assert_eq!(filled.status, 200, "{}", filled.text());
        let refused = self.send(&org.key, &body).await;
        assert_eq!(refused.status, 429, "{}", refused.text());
        refused.json()["limit"]["requested"].as_u64().expect("requested") - 1_000
    }
}

/// What is left while the application stops.
pub(crate) struct Stopped {
    clock: Arc<ManualClock>,
    pub(crate) upstream: Upstream,
    config: String,
    folder: TempDir,
}

impl Stopped {
    /// Starts again over the same data folder.
    pub(crate) async fn start(self) -> World {
        let Self { clock, upstream, config, folder } = self;
        let running = run(&config, &folder, &clock).await;
        World { clock, upstream, running, config, folder }
    }
}

async fn run(config: &str, folder: &TempDir, clock: &Arc<ManualClock>) -> Running {
    let mut config = Config::from_toml(config).unwrap_or_else(|faults| panic!("{faults}"));
    config.server.data_dir = folder.path().to_path_buf();
    let mut settings = Settings::new(config);
    settings.operator_token = Some(OPERATOR_TOKEN.into());
    App::start(settings, Arc::clone(clock) as _, Arc::new(SeededEntropy::new(7))).await.expect("the application starts")
}

/// A chat request. Its input is short and always the same.
pub(crate) fn chat(model: &str, max_tokens: u64) -> Value {
    json!({"model": model, "max_tokens": max_tokens, "messages": [{"role": "user", "content": "Say hello."}]})
}

/// The same, streamed.
pub(crate) fn stream(model: &str, max_tokens: u64) -> Value {
    let mut body = chat(model, max_tokens);
    body["stream"] = json!(true);
    body
}

pub(crate) fn post_chat(body: &Value) -> Call {
    Call::post("/v1/chat/completions", body)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// Asks again and again until it is so; fails after [`WAIT`].
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let asking = async { while !is_so().await {} };
    tokio::time::timeout(WAIT, asking).await.unwrap_or_else(|_| panic!("in {WAIT:?} it did not become so that {what}"));
}
