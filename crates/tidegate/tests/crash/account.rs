//! One organisation that no limit stops, and what must be written down of its answers. It judges, and breaks nothing.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Call, WAIT};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::load::config;
use crate::provider::{Errand, Provider, Way};
use crate::server::{Server, Start};
use crate::usage::Counted;

/// A server's folder, with a plan `wide` that lets everything through, and one of so many requests in a window.
pub(crate) fn start_in(folder: &Path, provider: &Provider, window: Duration, narrow: u64) -> Start {
    let mut text = config(provider, window, "micro_wait_ms = 0\n");
    for (plan, rpm) in [("wide", 1_000_000), ("narrow", narrow)] {
        let _ = write!(text, "[[plans]]\nid = \"{plan}\"\nlimits = [{{ any = true, rpm = {rpm} }}]\n");
    }
    Start::new(folder, &text)
}

/// The organisation, its key, and what its completed answers come to.
pub(crate) struct Account {
    pub(crate) org: String,
    pub(crate) key: String,
    pub(crate) expected: Counted,
}

/// Tokens of every request and its answer.
const INPUT: u64 = 12;
const OUTPUT: u64 = 5;

/// The request that every answer here answers.
pub(crate) fn call(key: &str, errand: &Errand, stream: bool) -> Call {
    let mut body = json!({"model": "a-small", "stream": stream, "user": errand.written(), "messages": [{"role": "user", "content": "x"}]});
    if stream {
        body["stream_options"] = json!({"include_usage": true});
    }
    Call::post("/v1/chat/completions", &body).key(key)
}

impl Account {
    pub(crate) async fn open(server: &Server, plan: &str) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let org = text(&server.operator("POST", "/orgs", &json!({"name": "Acme", "plan": plan})).await["id"]);
        let key = text(&server.operator("POST", &format!("/orgs/{org}/keys"), &json!({"name": "k"})).await["key"]);
        Self { org, key, expected: Counted::default() }
    }

    /// Puts so many requests, a few at a time; how many were answered, and the first status and text of those that were not.
    pub(crate) async fn ask(&mut self, server: &Server, requests: u64) -> (u64, Option<(u16, String)>) {
        let (mut asking, mut answered, mut refused) = (JoinSet::new(), 0, None);
        let errand = Errand { id: 1, input: INPUT, words: OUTPUT, stride: 2, way: Way::Answer };
        for client in 0..8 {
            let (call, addr) = (call(&self.key, &errand, client % 2 == 0), server.addr);
            let share = requests / 8 + u64::from(client < requests % 8);
            asking.spawn(async move {
                let mut of_client = Vec::new();
                for _ in 0..share {
                    let answer = call.send(addr).await;
                    of_client.push((answer.status, answer.text()));
                }
                of_client
            });
        }
        for (status, text) in asking.join_all().await.into_iter().flatten() {
            if status == 200 {
                answered += 1;
            } else {
                self.expected.refused += u64::from(status == 429);
                refused.get_or_insert((status, text));
            }
        }
        self.add(answered, answered * INPUT, answered * OUTPUT);
        (answered, refused)
    }

    /// So many that all must be answered.
    pub(crate) async fn must_ask(&mut self, server: &Server, requests: u64) {
        let (answered, refused) = self.ask(server, requests).await;
        assert_eq!((answered, refused), (requests, None));
    }

    /// Answers that completed otherwise.
    pub(crate) fn add(&mut self, requests: u64, input: u64, output: u64) {
        self.expected.requests += requests;
        self.expected.input += input;
        self.expected.output += output;
    }

    /// What is written down, in all.
    pub(crate) async fn counted(&self, server: &Server) -> Counted {
        let usage = server.operator("GET", &format!("/orgs/{}/usage", self.org), &Value::Null).await;
        Counted::of(&usage["totals"])
    }

    /// Waits until exactly that is written down.
    pub(crate) async fn is_written_down(&self, server: &Server) {
        let end = Instant::now() + WAIT;
        loop {
            let (is, expected) = (self.counted(server).await, self.expected);
            if is == expected {
                return;
            }
            let is_too_much = is.requests > expected.requests || is.failed > expected.failed || is.output > expected.output;
            assert!(!is_too_much && Instant::now() < end, "{is:?} is written down, not {expected:?}; {}", server.readiness().await.1);
            sleep(Duration::from_millis(20)).await;
        }
    }
}
