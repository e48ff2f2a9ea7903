//! Streams that together are many times what a window lets through, all begun at once with holds that know nothing: none is cut, no
//! window is over, no pause is too long, no debt is left.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Call;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Around, Ask, End, Key, Seen};
use crate::load::{on_one_thread, setting};
use crate::provider::{Errand, Provider, Way};
use crate::server::{OPERATOR_TOKEN, Server, Start};
use crate::tell;
use crate::usage;
use crate::windows::{Happened, Heartbeat, peak, story};

const STREAMS: u64 = 180;
const WORDS: u64 = 2_000;
const TOKENS_A_WINDOW: u64 = 30_000;
const MAX_PAUSE: Duration = Duration::from_secs(60);

struct Obedient;

impl Around for Obedient {
    fn refused(&self) {}

    fn received(&self) {}

    fn patience(&self) -> u64 {
        u64::MAX
    }
}

#[tokio::test]
async fn a_crowd_of_streams_passes_through_a_small_pool() {
    on_one_thread(crowd(Duration::from_millis(setting("TIDEGATE_CROWD_WINDOW_MS", 1_000)))).await;
}

fn config(provider: &Provider, window: Duration) -> String {
    format!(
        "[limits]\nwindow_seconds = {}\nmax_pause_seconds = {}\n\
         [[providers]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"{}\"\n\
         [[models]]\nid = \"a\"\ncategory = \"small\"\ndefault_output_tokens = 1024\ntargets = [{{ provider = \"up\" }}]\n\
         [[plans]]\nid = \"p\"\nlimits = [{{ category = \"small\", tpm = {TOKENS_A_WINDOW} }}]\n",
        window.as_secs_f64(),
        MAX_PAUSE.as_secs(),
        provider.upstream.base_url()
    )
}

async fn crowd(window: Duration) {
    let (folder, provider) = (TempDir::new().unwrap(), Provider::start().await);
    let start = Start::new(folder.path(), &config(&provider, window));
    let server = start.server().await;
    let org = server.operator("POST", "/orgs", &json!({"name": "Acme", "plan": "p"})).await["id"].as_str().unwrap().to_owned();
    let (beat, began) = (Heartbeat::start(), Instant::now());
    let mut open = JoinSet::new();
    for id in 0..STREAMS {
        let key = new_key(&server, &org).await;
        let errand = Errand { id, input: 10, words: WORDS, stride: 8, way: Way::Answer };
        let ask = Ask { errand, model: "a", stream: true, max_tokens: None, wait: None, leave_after: None };
        let addr = server.addr;
        open.spawn_local(async move { ask.put(addr, &key, &Obedient).await });
    }
    let all: Rc<[Seen]> = open.join_all().await.into();
    let took = began.elapsed();
    server.settled(&org).await;
    for seen in all.iter() {
        assert_eq!(seen.end, End::Whole { input: 10, output: WORDS }, "after {} words and {} refusals", seen.words(), seen.refusals);
    }
    let pause = all.iter().map(|seen| seen.longest_pause).max().unwrap();
    let mut happened: Vec<_> = all.iter().flat_map(|seen| happened_to(seen, &provider, &beat)).collect();
    let most = peak(&mut happened, window).0;
    let refusals: u64 = all.iter().map(|seen| seen.refusals).sum();
    let keys: Vec<_> = all.iter().map(|seen| seen.key.as_str()).collect();
    let (counted, totals) = usage::by_key(&server, &org, &keys, refusals).await;
    tell(&format!(
        "{STREAMS} streams of {WORDS} tokens at {TOKENS_A_WINDOW} in {window:?}: all whole in {took:?}, {refusals} refusals, \
         at most {most} tokens in a window, the longest pause {pause:?}, this thread late by {:?} at most",
        beat.worst()
    ));
    assert!(most <= TOKENS_A_WINDOW, "{most} tokens in one window: {}", story(&mut happened, window));
    assert!(pause <= MAX_PAUSE, "a pause of {pause:?}");
    assert_eq!((totals.requests, totals.failed, totals.output), (STREAMS, 0, STREAMS * WORDS));
    let faults: Vec<_> = all.iter().flat_map(|seen| usage::faults(seen, counted[&seen.key], true)).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let metrics = Call::get("/metrics").key(OPERATOR_TOKEN).send(server.addr).await.text();
    for line in ["tidegate_debt_tokens_total 0", "tidegate_answers_cut_total 0"] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
}

fn happened_to(seen: &Seen, provider: &Provider, beat: &Heartbeat) -> Vec<Happened> {
    let id = seen.ask.errand.id;
    let (_, arrived) = provider.arrived(id).expect("it arrived");
    let input = Happened { id, from: seen.sent, to: arrived, amount: seen.ask.errand.input };
    let output = seen.pieces.iter().map(|(to, amount)| {
        let from = to.checked_sub(beat.late(*to)).unwrap_or(*to).max(seen.sent);
        Happened { id, from, to: *to, amount: *amount }
    });
    std::iter::once(input).chain(output).collect()
}

async fn new_key(server: &Server, org: &str) -> Key {
    let made: Value = server.operator("POST", &format!("/orgs/{org}/keys"), &json!({"name": "k"})).await;
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    Key { id: text("id"), secret: text("key") }
}
