//! What all organisations on the sign-up plan use together after `kill -9`: what was answered and what was under way count on.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Answer, Call, Gate, Reply, Sse, Upstream, chat_chunk};

use crate::server::{Server, Start};

const SHARED: u64 = 100_000;

fn config(provider: &Upstream) -> String {
    format!(
        "[signup]\nmode = \"open\"\ntotal_tpm = {SHARED}\n\
         [[plans]]\nid = \"free\"\nhold = \"max_tokens\"\nlimits = [{{ any = true, tpm = 90_000 }}]\n\
         [[providers]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"{}\"\n\
         [[models]]\nid = \"small\"\ncategory = \"small\"\ntargets = [{{ provider = \"up\" }}]\n",
        provider.base_url()
    )
}

fn chat(max_tokens: u64, stream: bool) -> Value {
    json!({"model": "small", "max_tokens": max_tokens, "stream": stream, "messages": [{"role": "user", "content": "Say hello."}]})
}

async fn ask(server: &Server, key: &str, max_tokens: u64) -> Answer {
    Call::post("/v1/chat/completions", &chat(max_tokens, false)).key(key).send(server.addr).await
}

async fn free_key(server: &Server) -> String {
    let org = server.operator("POST", "/orgs", &json!({"name": "Acme", "plan": "free"})).await;
    let key = server.operator("POST", &format!("/orgs/{}/keys", org["id"].as_str().unwrap()), &json!({"name": "k"})).await;
    key["key"].as_str().unwrap().into()
}

async fn used(server: &Server) -> u64 {
    let shared = server.operator("GET", "/status", &Value::Null).await["shared_pool"].take();
    assert_eq!((&shared["limit"], &shared["held"]), (&json!(SHARED), &json!(0)), "{shared}");
    shared["used"].as_u64().unwrap()
}

#[tokio::test]
async fn a_killed_server_gives_nobody_a_second_helping() {
    let (folder, provider) = (TempDir::new().unwrap(), Upstream::start().await);
    let start = Start::new(folder.path(), &config(&provider));
    let server = start.server().await;
    let (first, second, third) = (free_key(&server).await, free_key(&server).await, free_key(&server).await);
    provider.reply(Reply::of(10, 29_990));
    assert_eq!(ask(&server, &first, 29_990).await.status, 200);
    assert_eq!(used(&server).await, 30_000);
    let gate = Gate::new();
    provider.push(Sse::new().event(&chat_chunk("m", "hello")).gate(&gate).done());
    let open = Call::post("/v1/chat/completions", &chat(50_000, true)).key(&second).open(server.addr).await;
    assert_eq!(open.status, 200);
    kill_process(server.pid(), Signal::KILL).unwrap();
    drop((open, server));

    let server = start.server().await;
    // What was under way is charged whole: its input, and all that was held for its output.
    let after = used(&server).await;
    assert!((80_001..81_000).contains(&after), "{after}");
    let refused = ask(&server, &third, 20_000).await;
    assert_eq!((refused.status, refused.json()["limit"]["pool"].clone()), (429, json!("signup:free")), "{}", refused.text());
    assert!(refused.json()["retry_after_ms"].as_u64().unwrap() > 40_000, "{}", refused.text());
    provider.reply(Reply::of(10, 10));
    assert_eq!(ask(&server, &third, 10_000).await.status, 200, "what fits is admitted at once");
    assert_eq!(used(&server).await, after + 20);
}
