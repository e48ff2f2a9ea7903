//! An application under test in a folder of its own. It asserts nothing about the product.

use std::sync::Arc;

use app::config::{Config, Sources};
use app::{App, Running, Settings, StartError};
use providers::demo::Speed;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Answer, Call, ManualClock, SeededEntropy};

/// A server with its data folder.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) folder: Arc<TempDir>,
}

/// A configuration on a free loopback port with its data in `folder`; `demo` as `--demo`.
pub(crate) fn settings(text: &str, folder: &TempDir, demo: bool) -> Settings {
    let sources = Sources {
        file: Some(("t.toml".into(), text.into())),
        listen: (!text.contains("listen =")).then(|| "127.0.0.1:0".parse().unwrap()),
        data_dir: Some(folder.path().join("data")),
        demo,
        ..Sources::default()
    };
    Settings { demo_speed: Speed::Instant, ..Settings::new(Config::read(&sources).unwrap()) }
}

pub(crate) async fn try_start(settings: Settings, seed: u64) -> Result<Running, StartError> {
    App::start(settings, Arc::new(ManualClock::new()), Arc::new(SeededEntropy::new(seed))).await
}

impl Server {
    pub(crate) async fn start(text: &str) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        Self::start_in(folder, text, 1).await
    }

    /// Over a data folder that may have been used; each start with randomness of its own.
    pub(crate) async fn start_in(folder: Arc<TempDir>, text: &str, seed: u64) -> Self {
        let running = try_start(settings(text, &folder, false), seed).await.unwrap();
        Self { running, folder }
    }

    pub(crate) fn token(&self) -> String {
        self.running.operator_token.expose_secret().to_owned()
    }

    pub(crate) async fn operator(&self, method: &str, path: &str, body: Value) -> Answer {
        let call = Call::new(method, &format!("/api/v1{path}")).key(&self.token());
        let call = if body.is_null() { call } else { call.json(&body) };
        call.send(self.running.addr).await
    }

    /// An organisation on `plan` with a key: their ids and the secret.
    pub(crate) async fn org(&self, plan: &str) -> (String, String) {
        let org = self.operator("POST", "/orgs", json!({ "name": "acme", "plan": plan })).await.json();
        let org = org["id"].as_str().unwrap().to_owned();
        let key = self.operator("POST", &format!("/orgs/{org}/keys"), json!({ "name": "k" })).await.json();
        (org, key["key"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn chat(&self, key: &str, model: &str) -> Answer {
        chat(model).key(key).send(self.running.addr).await
    }
}

pub(crate) fn chat(model: &str) -> Call {
    Call::post("/v1/chat/completions", &json!({ "model": model, "messages": [{ "role": "user", "content": "Hello!" }], "max_tokens": 8 }))
}

/// A provider `up` at `base_url` with the model `m`, which is small.
pub(crate) fn provider(base_url: &str) -> String {
    format!(
        "[[providers]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"{base_url}\"\n\
         [[models]]\nid = \"m\"\ncategory = \"small\"\ntargets = [{{ provider = \"up\" }}]\n"
    )
}
