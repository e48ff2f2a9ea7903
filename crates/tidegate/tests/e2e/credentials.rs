//! Several API keys at one provider, from the configuration to the wire.

use serde_json::{Value, json};
use testkit::{Received, Reply, Script, Upstream};

use crate::world::{Org, World, chat, stream, text};

/// A world with a model `keyed` at a provider `keyed` that the file gives the keys `sk-file-a` and `sk-file-b`.
struct Keyed {
    world: World,
    at: Upstream,
    org: Org,
}

impl Keyed {
    async fn start() -> Self {
        let at = Upstream::start().await;
        let sections = format!(
            "[[providers]]\nname = \"keyed\"\nkind = \"openai\"\nbase_url = \"{}\"\napi_key = [\"sk-file-a\", \"sk-file-b\"]\n\
             [[models]]\nid = \"keyed\"\ncategory = \"small\"\ntargets = [{{ provider = \"keyed\" }}, {{ provider = \"up\", priority = 1 }}]\n",
            at.base_url()
        );
        let world = World::with("", &sections).await;
        let org = world.org("growth").await;
        Self { world, at, org }
    }

    /// Sends a request; the provider that answered it.
    async fn send(&self, body: &Value) -> String {
        let answer = self.world.send(&self.org.key, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("x-tidegate-provider").unwrap().to_owned()
    }

    fn sent(&self, skip: usize) -> Vec<String> {
        self.at.received().iter().skip(skip).map(key).collect()
    }

    async fn keys(&self) -> Vec<Value> {
        self.world.operator("GET", "/providers/keyed/keys", Value::Null).await["data"].as_array().unwrap().clone()
    }
}

fn key(received: &Received) -> String {
    received.headers.get("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn keys_of_the_file_take_turns_and_a_wrong_one_takes_nothing_out() {
    let keyed = Keyed::start().await;
    for body in [chat("keyed", 5), stream("keyed", 5), chat("keyed", 5)] {
        assert_eq!(keyed.send(&body).await, "keyed");
    }
    assert_eq!(keyed.sent(0), ["sk-file-a", "sk-file-b", "sk-file-a"]);
    keyed.at.otherwise(|received| {
        if key(received) == "sk-file-b" { Script::error(401, "bad key sk-file-b") } else { Reply::default().script(received) }
    });
    for _ in 0..4 {
        assert_eq!(keyed.send(&stream("keyed", 5)).await, "keyed", "not the next provider");
    }
    assert_eq!(keyed.sent(3), ["sk-file-b", "sk-file-a", "sk-file-a", "sk-file-a", "sk-file-a"]);
    let state = keyed.world.operator("GET", "/providers/keyed/state", Value::Null).await;
    assert_eq!((&state["cooldown_until"], &state["cooldowns"][0]["key"]), (&Value::Null, &keyed.keys().await[1]["id"]));
    keyed.at.otherwise(|received| Reply::default().script(received));
    keyed.world.operator("DELETE", "/providers/keyed/cooldown", Value::Null).await;
    keyed.send(&chat("keyed", 5)).await;
    keyed.send(&chat("keyed", 5)).await;
    assert!(keyed.sent(8).contains(&"sk-file-b".to_owned()));
}

#[tokio::test]
async fn only_when_every_key_is_rate_limited_is_the_next_provider_asked() {
    let keyed = Keyed::start().await;
    keyed.at.push(Script::rate_limited(30));
    assert_eq!(keyed.send(&chat("keyed", 5)).await, "keyed");
    keyed.at.push(Script::rate_limited(9));
    assert_eq!(keyed.send(&chat("keyed", 5)).await, "up");
    assert_eq!((keyed.send(&chat("keyed", 5)).await, keyed.at.count()), ("up".to_owned(), 3), "none is asked while it cools down");
    keyed.world.clock.advance_ms(9_000);
    assert_eq!((keyed.send(&chat("keyed", 5)).await, keyed.sent(3)), ("keyed".to_owned(), vec!["sk-file-b".to_owned()]));
}

#[tokio::test]
async fn a_key_that_is_added_is_kept_encrypted_and_one_that_is_removed_is_sent_no_more() {
    let keyed = Keyed::start().await;
    let name = json!({"name": "own", "kind": "openai", "base_url": keyed.at.base_url(), "api_key": ["sk-own-a", "sk-own-b"]});
    keyed.world.operator("POST", "/providers", name).await;
    let model = json!({"id": "own", "category": "small", "targets": [{"provider": "own"}]});
    keyed.world.operator("POST", "/models", model).await;
    let added = keyed.world.operator("POST", "/providers/own/keys", json!({"api_key": "sk-own-c"})).await;
    for _ in 0..3 {
        keyed.send(&chat("own", 5)).await;
    }
    assert_eq!(keyed.sent(0), ["sk-own-a", "sk-own-b", "sk-own-c"]);
    let first = keyed.world.operator("GET", "/providers/own", Value::Null).await["keys"][0]["id"].clone();
    keyed.world.operator("DELETE", &format!("/providers/own/keys/{}", text(&first)), Value::Null).await;

    let Keyed { world, at, org } = keyed;
    let world = world.restart().await;
    let keyed = Keyed { world, at, org };
    let listed = keyed.world.operator("GET", "/providers/own/keys", Value::Null).await;
    assert_eq!((listed["data"].as_array().unwrap().len(), &listed["data"][1]), (2, &added));
    assert!(!listed.to_string().contains("sk-own"), "{listed}");
    for _ in 0..2 {
        keyed.send(&chat("own", 5)).await;
    }
    assert_eq!(keyed.sent(3), ["sk-own-b", "sk-own-c"]);
}
