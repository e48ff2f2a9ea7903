//! Bad input: each with the contract's status and a helpful message, none costing a request or a token, none reaching a provider.

use serde_json::{Value, json};
use testkit::{Answer, Call, Connection};

use crate::world::{LARGE, Org, SMALL, World, chat, post_chat};

/// Short deadlines, so that slow clients are seen off within a test.
const QUICK: &str = "header_timeout_seconds = 0.3\nbody_timeout_seconds = 0.3\nmax_body_bytes = 1048576\n";

struct Case {
    world: World,
    org: Org,
    before: Value,
}

impl Case {
    async fn start() -> Self {
        let world = World::with(QUICK, "").await;
        let org = world.org("starter").await;
        assert_eq!(world.send(&org.key, &chat(SMALL, 1)).await.status, 200, "so that there is something to compare");
        world.settled(&org.key).await;
        let before = world.limits(&org.key).await;
        Self { world, org, before }
    }

    /// Checks the answer's status, code and words, and that nothing was spent.
    async fn check(&self, name: &str, answer: &Answer, status: u16, code: &str, words: &[&str]) {
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        let error = answer.json()["error"].take();
        assert_eq!(error["code"], code, "{name}: {error}");
        let message = error["message"].as_str().unwrap_or_else(|| panic!("{name}: no message: {error}"));
        assert!(message.len() > 15, "{name}: helpful: {message}");
        for word in words {
            assert!(error.to_string().to_lowercase().contains(word), "{name}: {word} in {error}");
        }
        assert!(!answer.text().contains("rate limited"), "{name}: {message}");
        assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "{name}: x-request-id");
        self.costs_nothing(name).await;
    }

    async fn costs_nothing(&self, name: &str) {
        assert_eq!(self.world.limits(&self.org.key).await, self.before, "{name}: costs nothing");
        assert_eq!(self.world.upstream.count(), 1, "{name}: reaches no provider");
    }

    async fn post(&self, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
        let call = Call::new("POST", path).header("content-type", "application/json").key(&self.org.key).body(body);
        call.send(self.world.addr()).await
    }

    async fn raw(&self, bytes: &[u8]) -> std::io::Result<Answer> {
        let mut connection = Connection::open(self.world.addr()).await?;
        connection.write(bytes).await?;
        connection.answer().await
    }
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn bodies_that_are_not_json() {
    let case = Case::start().await;
    let whole = chat(SMALL, 1).to_string();
    let bodies: [(&str, Vec<u8>); 7] = [
        ("nothing", Vec::new()),
        ("text", b"hello".to_vec()),
        ("truncated", whole.as_bytes()[..whole.len() - 5].to_vec()),
        ("trailing", format!("{whole} x").into_bytes()),
        (
            "bad UTF-8",
            [b"{\"model\":\"mistral-7b\",\"messages\":[{\"role\":\"user\",\"content\":\"".as_slice(), b"\xff\xfe", b"\"}]}"].concat(),
        ),
        ("NUL", b"{\"model\":\"mistral-7b\",\0}".to_vec()),
        ("an array", b"[1,2]".to_vec()),
    ];
    for (name, body) in bodies {
        let answer = case.post(CHAT, body).await;
        let error = answer.json()["error"].take();
        case.check(name, &answer, 400, error["code"].as_str().unwrap_or_default(), &["invalid_request_error"]).await;
    }
    let answer = case.post(CHAT, "{\"model\": \"mistral-7b\",\n  \"messages\": [}").await;
    assert!(answer.text().contains("line 2"), "says where: {}", answer.text());
}

#[tokio::test]
async fn deep_nesting() {
    let case = Case::start().await;
    for depth in [200, 100_000] {
        let deep =
            format!(r#"{{"model":"mistral-7b","messages":[{{"role":"user","content":{}{}}}]}}"#, "[".repeat(depth), "]".repeat(depth));
        let answer = case.post(CHAT, deep).await;
        assert_eq!(answer.status, 400, "{depth}: {}", answer.text());
        assert!(answer.json()["error"]["message"].to_string().contains("nest") || answer.text().contains("deep"), "{}", answer.text());
        case.costs_nothing("deep nesting").await;
    }
}

#[tokio::test]
async fn wrong_types_name_their_parameter() {
    let case = Case::start().await;
    let bodies = [
        (CHAT, "model", json!({"model": 5, "messages": [{"role": "user", "content": "x"}]})),
        (CHAT, "model", json!({"model": "", "messages": [{"role": "user", "content": "x"}]})),
        (CHAT, "model", json!({"messages": [{"role": "user", "content": "x"}]})),
        (CHAT, "model", json!({"model": null, "messages": [{"role": "user", "content": "x"}]})),
        (CHAT, "messages", json!({"model": SMALL})),
        (CHAT, "messages", json!({"model": SMALL, "messages": []})),
        (CHAT, "messages", json!({"model": SMALL, "messages": "hello"})),
        (CHAT, "messages", json!({"model": SMALL, "messages": null})),
        (CHAT, "stream", json!({"model": SMALL, "messages": [{"role": "user", "content": "x"}], "stream": "yes"})),
        (CHAT, "max_tokens", json!({"model": SMALL, "messages": [{"role": "user", "content": "x"}], "max_tokens": "many"})),
        (CHAT, "max_tokens", json!({"model": SMALL, "messages": [{"role": "user", "content": "x"}], "max_tokens": -1})),
        (
            CHAT,
            "max_completion_tokens",
            json!({"model": SMALL, "messages": [{"role": "user", "content": "x"}], "max_completion_tokens": 1.5}),
        ),
        (CHAT, "n", json!({"model": SMALL, "messages": [{"role": "user", "content": "x"}], "n": "two"})),
        (
            CHAT,
            "stream_options",
            json!({"model": SMALL, "messages": [{"role": "user", "content": "x"}], "stream": true, "stream_options": 1}),
        ),
        ("/v1/completions", "prompt", json!({"model": SMALL})),
        ("/v1/completions", "prompt", json!({"model": SMALL, "prompt": []})),
        ("/v1/embeddings", "input", json!({"model": SMALL})),
        ("/v1/embeddings", "input", json!({"model": SMALL, "input": []})),
        ("/v1/embeddings", "input", json!({"model": SMALL, "input": ""})),
        ("/v1/embeddings", "input", json!({"model": SMALL, "input": {"a": 1}})),
    ];
    for (path, param, body) in bodies {
        let name = format!("{path} {body}");
        let answer = case.post(path, body.to_string()).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        let error = answer.json()["error"].take();
        assert_eq!((&error["param"], &error["type"]), (&json!(param), &json!("invalid_request_error")), "{name}: {error}");
        assert!(error["message"].as_str().unwrap().contains(param), "{name}: {error}");
        case.costs_nothing(&name).await;
    }
}

#[tokio::test]
async fn models_that_are_not_there_or_not_in_the_plan() {
    let case = Case::start().await;
    let answer = case.world.send(&case.org.key, &chat("mistral-7B-instrukt", 1)).await;
    case.check("near miss", &answer, 404, "model_not_found", &["mistral-7b"]).await;
    let answer = case.world.send(&case.org.key, &chat("zzz", 1)).await;
    case.check("unknown", &answer, 404, "model_not_found", &["zzz"]).await;
    let free = case.world.org("free").await;
    let answer = case.world.send(&free.key, &chat(LARGE, 1)).await;
    case.check("not in plan", &answer, 403, "model_not_in_plan", &["starter", "growth"]).await;
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn a_gigabyte_announced_is_refused_before_it_is_sent() {
    let case = Case::start().await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n",
        case.org.key
    );
    let answer = case.raw(head.as_bytes()).await.unwrap();
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    case.check("1 GB", &answer, 413, &code, &["1048576"]).await;
}

#[tokio::test]
async fn a_body_in_chunks_without_end_is_refused_when_it_is_too_long() {
    let case = Case::start().await;
    let head = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        case.org.key
    );
    let mut connection = Connection::open(case.world.addr()).await.unwrap();
    connection.write(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let answer = connection.flood(chunk.as_bytes(), 1 << 30).await.unwrap();
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    case.check("chunks without end", &answer, 413, &code, &["1048576"]).await;
}

#[tokio::test]
async fn slow_heads_and_slow_bodies_are_seen_off() {
    let case = Case::start().await;
    let mut slow_head = Connection::open(case.world.addr()).await.unwrap();
    slow_head.write(format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthor").as_bytes()).await.unwrap();
    let mut slow_body = Connection::open(case.world.addr()).await.unwrap();
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{", case.org.key);
    slow_body.write(head.as_bytes()).await.unwrap();
    let answer = slow_body.answer().await.unwrap();
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    case.check("slow body", &answer, 408, &code, &["0.3"]).await;
    slow_body.closed().await.unwrap();
    // A head that never ends may be answered or not, but it is not waited for.
    if let Ok(answer) = slow_head.answer().await {
        assert_eq!(answer.status, 408);
    }
    slow_head.closed().await.unwrap();
    case.costs_nothing("slow head").await;
}

#[tokio::test]
async fn floods_of_headers() {
    let case = Case::start().await;
    let start = format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", case.org.key);
    let many: String = (0..2_000).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(1 << 20));
    for (name, headers) in [("many headers", many), ("a long header", long)] {
        let mut connection = Connection::open(case.world.addr()).await.unwrap();
        let answer = connection.flood(format!("{start}{headers}\r\n").as_bytes(), 1).await.unwrap();
        assert_eq!(answer.status, 431, "{name}");
        case.costs_nothing(name).await;
    }
}

#[tokio::test]
async fn compressed_bodies_other_methods_and_other_paths() {
    let case = Case::start().await;
    let body = chat(SMALL, 1);
    for encoding in ["gzip", "br", "deflate", "zstd"] {
        let answer = post_chat(&body).key(&case.org.key).header("content-encoding", encoding).send(case.world.addr()).await;
        let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        case.check(encoding, &answer, 415, &code, &["compressed"]).await;
    }
    for (method, path) in [("GET", CHAT), ("PUT", CHAT), ("DELETE", "/v1/embeddings"), ("POST", "/v1/models"), ("POST", "/v1/limits")] {
        let answer = Call::new(method, path).key(&case.org.key).send(case.world.addr()).await;
        let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
        case.check(&format!("{method} {path}"), &answer, 405, &code, &[]).await;
        assert!(answer.header("allow").is_some(), "{method} {path}");
    }
    for path in ["/v1/nothing", "/v1", "/v1/chat", "/openai/v1/nothing"] {
        let answer = Call::post(path, &body).key(&case.org.key).send(case.world.addr()).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        case.costs_nothing(path).await;
    }
}

#[tokio::test]
async fn what_is_no_http_gets_an_answer_or_an_end() {
    let case = Case::start().await;
    for bytes in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"HELO there\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0\r\n\r\n"]
    {
        let mut connection = Connection::open(case.world.addr()).await.unwrap();
        connection.write(bytes).await.unwrap();
        connection.finish_writing().await.unwrap();
        connection.closed().await.unwrap();
    }
    let both = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        case.org.key
    );
    if let Ok(answer) = case.raw(both.as_bytes()).await {
        assert_eq!(answer.status, 400, "two lengths: {}", answer.text());
    }
    case.costs_nothing("no HTTP").await;
}
