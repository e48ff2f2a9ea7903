//! Clients that leave at every point of a stream: settled exactly once, charged what was produced, nothing left held.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use domain::{Clock as _, Endpoint, Kind, RequestId, Tokenizer};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use providers::RequestFacts;
use providers::demo::Speed;
use serde_json::{Value, json};
use store::{Actor, ApplyOptions, Desired, NewKey, NewOrg, Origin, ProviderDraft, Store, StoreConfig};
use testkit::{ManualClock, SeededEntropy};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::source::Piece;
use super::{Opened, Relay, Silence, Source, SourceBroke};
use crate::admit::{Admission, RequestPools};
use crate::authenticate::Caller;
use crate::dispatch::Asked;
use crate::estimate::estimate;
use crate::health::InFlight;
use crate::pipeline::{Received, subject};
use crate::resolve::{Resolved, resolve};
use crate::settle::{Exchange, Pass};
use crate::{Gateway, GatewayConfig, GatewayParts};

/// What a provider's connection does, read by read.
#[derive(Clone, Debug)]
pub(crate) struct Script(VecDeque<Step>);

#[derive(Clone, Debug)]
enum Step {
    Read(Bytes),
    /// Nothing is there yet.
    Wait,
    Break,
    /// A defect of ours.
    Panic,
}

impl Script {
    fn unread(&self) -> usize {
        self.0.iter().map(|step| if let Step::Read(bytes) = step { bytes.len() } else { 0 }).sum()
    }

    pub(crate) fn poll(&mut self, _: &mut Context<'_>) -> Poll<Piece> {
        match self.0.pop_front() {
            Some(Step::Read(bytes)) => Poll::Ready(Some(Ok(bytes))),
            Some(Step::Wait) => Poll::Pending,
            Some(Step::Break) => Poll::Ready(Some(Err(SourceBroke))),
            Some(Step::Panic) => panic!("a defect"),
            None => Poll::Ready(None),
        }
    }
}

/// A stream as a provider sends it.
#[derive(Clone, Debug)]
struct Stream {
    words: Vec<String>,
    usage: Option<(u64, u64)>,
    /// Sizes of the reads.
    reads: Vec<usize>,
    /// Whether it breaks instead of ending.
    breaks: bool,
}

impl Stream {
    /// The events, each with the length of what makes it an event (its blank line may still be missing) and its text.
    fn events(&self) -> Vec<(String, usize, &str)> {
        let event = |data: String| (format!("data: {data}\n\n"), data.len() + 6);
        let mut events = Vec::new();
        for word in &self.words {
            let (text, length) = event(chunk(json!([{"index": 0, "delta": {"content": word}, "finish_reason": null}]), None).to_string());
            events.push((text, length, word.as_str()));
        }
        let (text, length) = event(chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), None).to_string());
        events.push((text, length, ""));
        if let Some((input, output)) = self.usage {
            let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
            let (text, length) = event(chunk(json!([]), Some(usage)).to_string());
            events.push((text, length, ""));
        }
        if !self.breaks {
            events.push(("data: [DONE]\n\n".into(), 12, ""));
        }
        events
    }

    fn script(&self) -> Script {
        let all: String = self.events().into_iter().map(|(text, _, _)| text).collect();
        let mut steps = VecDeque::new();
        let mut rest = all.as_bytes();
        let mut sizes = self.reads.iter().cycle();
        while !rest.is_empty() {
            let (read, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            steps.extend([Step::Wait, Step::Read(Bytes::copy_from_slice(read))]);
            rest = after;
        }
        if self.breaks {
            steps.push_back(Step::Break);
        }
        Script(steps)
    }

    /// How many words came whole in the first `read` bytes, whether a further event came in part, and the usage if it came.
    fn produced(&self, read: usize) -> (usize, bool, Option<(u64, u64)>) {
        let (mut at, mut words, mut usage) = (0, 0, None);
        for (event, length, word) in self.events() {
            if at + length > read {
                return (words, read > at, usage);
            }
            words += usize::from(!word.is_empty());
            if event.contains("prompt_tokens") {
                usage = self.usage;
            }
            at += event.len();
        }
        (words, false, usage)
    }

    /// Output tokens of the first texts: never less than was charged on the way.
    fn tokens(&self, words: usize) -> u64 {
        let text: String = self.words.iter().take(words).map(String::as_str).collect();
        tokens(&text).max(self.on_the_way(words))
    }

    /// What is charged while the first texts pass: a token for each that begins a word of it, and for each at least one.
    fn on_the_way(&self, words: usize) -> u64 {
        let begun = |(n, text): (usize, &String)| {
            let mut before = if n == 0 { ' ' } else { 'x' };
            let begins = |letter: char| std::mem::replace(&mut before, letter) == ' ' && letter.is_ascii_alphanumeric();
            text.chars().map(begins).filter(|begins| *begins).count().max(1) as u64
        };
        self.words.iter().enumerate().take(words).map(begun).sum()
    }
}

fn chunk(choices: Value, usage: Option<Value>) -> Value {
    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage})
}

fn streams() -> impl Strategy<Value = Stream> {
    let word = prop_oneof![Just(" word".to_owned()), Just("\u{4f60}\u{597d}".to_owned()), "[a-z ]{1,9}"];
    let usage = prop::option::of((1_u64..50, 1_u64..300));
    (prop::collection::vec(word, 1..8), usage, prop::collection::vec(4_usize..400, 1..5), any::<bool>())
        .prop_map(|(words, usage, reads, breaks)| Stream { words, usage, reads, breaks })
}

struct Rig {
    gateway: Arc<Gateway>,
    clock: Arc<ManualClock>,
    caller: Caller,
    body: Bytes,
    next: u128,
    _folder: tempfile::TempDir,
}

const INPUT: &str = r#"{"model":"m","stream":true,"max_tokens":40,"messages":[{"role":"user","content":"Say hello."}]}"#;

impl Rig {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, entropy, tasks) = (Arc::new(ManualClock::new()), Arc::new(SeededEntropy::new(1)), TaskTracker::new());
        let store = Store::open(StoreConfig::in_folder(folder.path()), clock.clone(), entropy.clone(), &tasks).await.unwrap();
        let provider = serde_json::from_value(json!({"name": "p", "kind": "openai", "base_url": "http://127.0.0.1:9/v1"})).unwrap();
        let model = json!({"id": "m", "category": "small", "targets": [{"provider": "p"}]});
        let plan = json!({"id": "free", "limits": [{"category": "small", "rpm": 1_000_000, "tpm": 1_000_000_000, "concurrent": 10}]});
        let desired = Desired {
            providers: vec![ProviderDraft { provider, credential: store::CredentialChange::Keep }],
            models: vec![serde_json::from_value(model).unwrap()],
            plans: vec![serde_json::from_value(plan).unwrap()],
        };
        let options = ApplyOptions { origin: Origin::Api, overwrite: true, prune: false, dry_run: false };
        store.apply(Actor::Operator, desired, options).await.unwrap();
        let org = store.create_org(Actor::Operator, NewOrg { name: "o".into(), plan: "free".into(), custom: Vec::new() }).await.unwrap();
        let (key, _) = store.create_key(Actor::Operator, org.id, NewKey { name: "k".into(), ..Default::default() }).await.unwrap();
        let config = GatewayConfig { proxy_from_environment: false, demo_speed: Speed::Instant, ..Default::default() };
        let caller = Caller { key: Arc::new(store.directory().caller(&key.hash).unwrap()), rate_limit_body: None };
        let gateway = Gateway::new(GatewayParts { config, store, clock: clock.clone(), entropy, tasks, network: None });
        Self { gateway, clock, caller, body: Bytes::from_static(INPUT.as_bytes()), next: 0, _folder: folder }
    }

    /// Used and held tokens, used requests, requests in progress.
    fn pool(&self) -> (u64, u64, u64, u64) {
        let views = self.gateway.store.pools().views(self.caller.key.org(), self.clock.now());
        let of = |kind| views.iter().find(|v| v.kind == kind).map_or((0, 0), |v| (v.used, v.held));
        let ((used, held), (requests, _), (_, concurrent)) = (of(Kind::Tokens), of(Kind::Requests), of(Kind::Concurrent));
        (used, held, requests, concurrent)
    }

    fn admitted(&mut self) -> (Exchange, Resolved) {
        self.next += 1;
        let facts = self.facts();
        let headers = http::HeaderMap::new();
        let arrived = self.clock.now();
        let (id, body) = (RequestId::from_bits(self.next), self.body.clone());
        let received = Received { id, endpoint: Endpoint::ChatCompletions, arrived, caller: &self.caller, headers: &headers, body };
        let resolved = resolve(&self.caller.key, &self.gateway.routes(), "m", arrived.wall).unwrap();
        let pools = RequestPools::new(&resolved.pool, &self.caller.key, None);
        let estimate = estimate(&facts, &self.body, &resolved, self.caller.key.org());
        let patience = Duration::ZERO;
        let admission = Admission { gateway: &self.gateway, org: self.caller.key.org(), pools: &pools, estimate, patience };
        let subject = subject(&received, &facts, &resolved);
        let admitted = ready(pin!(admission.admit(&subject, arrived))).unwrap();
        let exchange = Exchange::new(&self.gateway, subject, admitted);
        (exchange, resolved)
    }

    fn facts(&self) -> RequestFacts {
        providers::read_request(Endpoint::ChatCompletions, &self.body).unwrap()
    }

    /// Admits the request, relays a stream and leaves after `polls`; gives how many bytes the provider had sent by then, and
    /// whether the first event had come.
    fn relay_script(&mut self, script: Script, polls: usize) -> (usize, bool) {
        let (mut exchange, resolved) = self.admitted();
        assert_eq!(self.pool().3, 1, "one in progress");
        exchange.attempt(0, None, 0).set();
        let total = script.unread();
        let (facts, headers) = (self.facts(), http::HeaderMap::new());
        let asked =
            Asked { gateway: &self.gateway, model: &resolved.model, facts: &facts, body: &self.body, headers: &headers, begun_us: 0 };
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut opening = Box::pin(asked.open(Source::Scripted(script), deadline));
        let mut cx = Context::from_waker(Waker::noop());
        let mut opened = None;
        let mut left = polls;
        while left > 0 && opened.is_none() {
            left -= 1;
            if let Poll::Ready(answer) = opening.as_mut().poll(&mut cx) {
                opened = Some(answer.unwrap());
            }
        }
        drop(opening);
        let Some((reader, first, source)) = opened else { return (0, false) };
        let in_flight = InFlight::begin(&resolved.model.targets[0].slot);
        let silence = Silence::new(Duration::from_secs(60), deadline);
        let opened = Opened { source, reader, first, target: 0, credential: 0, in_flight, silence, status: 200 };
        let mut relay = Relay::new(exchange, opened);
        while left > 0 && !relay.is_over() {
            left -= 1;
            let _ = relay.poll(&mut cx);
        }
        let unread = relay.source.as_ref().map_or(0, unread);
        (total - unread, true)
    }
}

fn unread(source: &Source) -> usize {
    match source {
        Source::Scripted(script) => script.unread(),
        Source::Unread(rest, inner) => rest.len() + inner.as_deref().map_or(0, unread),
        Source::Http(_) | Source::Demo(_) => 0,
    }
}

#[tokio::test]
async fn room_kept_ahead_of_a_stream_is_never_more_than_its_request_may_need() {
    let mut rig = Rig::new().await;
    rig.body = Bytes::from(INPUT.replace("40", "100"));
    for _ in 0..50 {
        rig.caller.key.org().note_output(&"m".into(), 10);
    }
    let (mut exchange, _) = rig.admitted();
    exchange.attempt(0, None, 0).set();
    let (used, held, ..) = rig.pool();
    assert_eq!(held, 64, "what such answers have needed, at least 64");
    assert!(exchange.pass(70, 0) == Pass::Go);
    exchange.rest();
    assert_eq!(rig.pool().0, used + 70);
    assert_eq!(rig.pool().1, 30);
    // More than was asked for is the provider's doing, and is charged all the same.
    assert!(exchange.pass(110, 0) == Pass::Go);
    exchange.rest();
    assert_eq!((rig.pool().0, rig.pool().1), (used + 110, 0));
}

#[tokio::test]
async fn output_counts_from_when_it_goes_to_the_client_however_long_its_room_took_to_be_written_down() {
    let mut rig = Rig::new().await;
    let (mut exchange, _) = rig.admitted();
    exchange.attempt(0, None, 0).set();
    let asked_us = rig.clock.now().mono_us;
    let input = rig.pool().0;
    assert!(exchange.pass(10, asked_us) == Pass::Go);
    assert!(exchange.pass(50, asked_us) == Pass::Go, "more than the 40 that are held");
    assert_eq!(rig.pool(), (input, 50, 1, 1), "nothing is written to the client before the stream rests");
    rig.clock.advance_us(200_000);
    exchange.rest();
    assert_eq!(rig.pool(), (input + 50, 0, 1, 1));
    rig.clock.advance_us(59_900_000);
    assert_eq!(rig.pool().0, 50, "the input is older than a window");
    rig.clock.advance_us(100_000);
    assert_eq!(rig.pool().0, 0);
}

#[tokio::test]
async fn a_defect_in_the_midst_of_a_stream_settles_it_as_well() {
    let mut rig = Rig::new().await;
    let stream = Stream { words: vec![" one".into()], usage: None, reads: vec![10_000], breaks: false };
    let mut script = stream.script();
    script.0.truncate(2);
    script.0[1] = Step::Read(Bytes::from(stream.events()[0].0.clone()));
    script.0.push_back(Step::Panic);
    let queued = rig.gateway.recorder().queued();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rig.relay_script(script, 10)));
    assert!(outcome.is_err());
    let counted_input = providers::count_input(Endpoint::ChatCompletions, INPUT.as_bytes(), Tokenizer::O200kBase);
    assert_eq!(rig.pool(), (counted_input + 1, 0, 1, 0));
    assert_eq!((rig.gateway.recorder().queued(), rig.gateway.open_requests()), (queued + 1, 0));
}

#[tokio::test]
async fn a_client_that_leaves_before_anything_was_sent_pays_nothing() {
    let mut rig = Rig::new().await;
    let queued = rig.gateway.recorder().queued();
    drop(rig.admitted());
    assert_eq!(rig.pool(), (0, 0, 0, 0));
    let (mut exchange, _) = rig.admitted();
    let mark = exchange.attempt(0, None, 0);
    assert_eq!(rig.pool().3, 1);
    drop(exchange);
    assert_eq!(rig.pool(), (0, 0, 0, 0), "the connection had not taken the body");
    drop(mark);
    assert_eq!(rig.gateway.recorder().queued(), queued + 2);
}

fn ready<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Tokens of a text, counted as a whole answer's would be.
fn tokens(text: &str) -> u64 {
    let answer = json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]});
    providers::count_output(Endpoint::ChatCompletions, answer.to_string().as_bytes(), Tokenizer::O200kBase)
}

#[tokio::test]
async fn a_client_may_leave_at_any_point_of_any_stream() {
    let mut rig = Rig::new().await;
    let counted_input = providers::count_input(Endpoint::ChatCompletions, INPUT.as_bytes(), Tokenizer::O200kBase);
    let bound = estimate_bound();
    let runner = &mut TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let rig = std::cell::RefCell::new(&mut rig);
    let outcome = runner.run(&streams(), |stream| {
        let mut rig = rig.borrow_mut();
        let polls = 2 * stream.script().0.len() + 4;
        for leave in 0..=polls {
            let (before, queued) = (rig.pool(), rig.gateway.recorder().queued());
            let (read, has_begun) = rig.relay_script(stream.script(), leave);
            let after = rig.pool();
            assert_eq!(rig.gateway.recorder().queued(), queued + 1, "one record");
            assert_eq!((after.1, after.2, after.3), (0, before.2 + 1, 0), "nothing held, one request, none in progress");
            assert_eq!((rig.gateway.open_requests(), rig.gateway.metrics.open_streams.get()), (0, 0));
            let charged = after.0 - before.0;
            let (words, is_cut, usage) = stream.produced(read);
            match (has_begun, usage) {
                // Before the first event nobody knows what was produced: what was held stands for it.
                (false, _) => assert_eq!(charged, bound + 40),
                (true, Some((input, output))) => assert_eq!(charged, input + output.max(stream.on_the_way(stream.words.len()))),
                // The text of an event that was cut off may have come whole.
                (true, None) => {
                    let output = charged - counted_input;
                    let most = stream.tokens((words + usize::from(is_cut)).min(stream.words.len()));
                    let ok = output == stream.tokens(words) || is_cut && output == most;
                    assert!(ok, "{output} after {words} words of {stream:?}, {read} bytes");
                }
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

fn estimate_bound() -> u64 {
    let facts = providers::read_request(Endpoint::ChatCompletions, INPUT.as_bytes()).unwrap();
    providers::input_bound(&facts, INPUT.len())
}
