//! A day's spend after `kill -9`: what was answered and what was under way count, and the ceiling holds on.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Answer, Call, Gate, Reply, Sse, Upstream, chat_chunk};

use crate::server::{Server, Start};

const ANSWERED: u64 = 5;

fn config(provider: &Upstream) -> String {
    // A token costs 0.01.
    format!(
        "[spend]\nper_day = \"1000\"\n\
         [[providers]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"{}\"\nspend_per_day = \"1000\"\n\
         [[models]]\nid = \"dear\"\ncategory = \"small\"\ninput_price = \"10000\"\noutput_price = \"10000\"\ntargets = [{{ provider = \"up\" }}]\n",
        provider.base_url()
    )
}

fn chat(stream: bool) -> Value {
    json!({"model": "dear", "max_tokens": 40, "stream": stream, "messages": [{"role": "user", "content": "Say hello."}]})
}

async fn ask(server: &Server, key: &str) -> Answer {
    Call::post("/v1/chat/completions", &chat(false)).key(key).send(server.addr).await
}

/// What each ceiling says was spent.
async fn spent(server: &Server) -> Vec<f64> {
    let status = server.operator("GET", "/status", &Value::Null).await;
    let all = status["spend"].as_array().unwrap().iter();
    all.map(|standing| standing["spent"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_killed_server_forgets_nothing_of_what_was_spent() {
    let (folder, provider) = (TempDir::new().unwrap(), Upstream::start().await);
    provider.otherwise(|received| Reply::of(60, 40).script(received));
    let start = Start::new(folder.path(), &config(&provider));
    let server = start.server().await;
    let org = server.operator("POST", "/orgs", &json!({"name": "Acme", "plan": "growth"})).await;
    let key = server.operator("POST", &format!("/orgs/{}/keys", org["id"].as_str().unwrap()), &json!({"name": "k"})).await;
    let key = key["key"].as_str().unwrap();
    for _ in 0..ANSWERED {
        assert_eq!(ask(&server, key).await.status, 200);
    }
    assert_eq!(spent(&server).await, [5.0, 5.0]);
    let gate = Gate::new();
    provider.push(Sse::new().event(&chat_chunk("m", "hello")).gate(&gate).done());
    let open = Call::post("/v1/chat/completions", &chat(true)).key(key).open(server.addr).await;
    assert_eq!(open.status, 200);
    kill_process(server.pid(), Signal::KILL).unwrap();
    drop((open, server));

    let server = start.server().await;
    let after = spent(&server).await;
    // What was under way is charged whole: its output's hold, and its input at its bound.
    assert!(after[0] > 5.4 && after[0] < 8.0 && after[0] == after[1], "{after:?}");
    assert_eq!(ask(&server, key).await.status, 200);
    assert_eq!(spent(&server).await, [after[0] + 1.0, after[1] + 1.0]);
    kill_process(server.pid(), Signal::KILL).unwrap();
    drop(server);

    let lower = config(&provider).replacen("1000", "6", 1);
    let server = Start::new(folder.path(), &lower).server().await;
    assert_eq!(ask(&server, key).await.status, 503);
    assert_eq!(spent(&server).await, [after[0] + 1.0, after[1] + 1.0]);
    assert!(start.has_logged("the day's ceiling on provider spend is reached"), "{}", start.last_words());
}
