//! Many clients on one organisation with several pools, on and on, whatever becomes of the server; and what their sum must be.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::SeededEntropy;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use crate::client::{Around, Ask, End, Key, Seen};
use crate::provider::{Errand, Provider, Way};
use crate::server::{Server, operator};
use crate::usage;
use crate::windows::{Happened, Heartbeat, peak, story};

/// A pool: its model, its limits of requests and tokens a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) model: &'static str,
    /// As a row of a plan names it.
    pub(crate) selector: &'static str,
    pub(crate) rpm: u64,
    pub(crate) tpm: u64,
}

pub(crate) const POOLS: [Pool; 4] = [
    Pool { model: "a-small", selector: "category = \"small\"", rpm: 40, tpm: 6_000 },
    Pool { model: "a-medium", selector: "category = \"medium\"", rpm: 1_000, tpm: 3_000 },
    Pool { model: "a-large", selector: "category = \"large\", concurrent = 4", rpm: 30, tpm: 2_500 },
    Pool { model: "a-fourth", selector: "model = \"a-fourth\"", rpm: 12, tpm: 2_000 },
];

/// The configuration: the provider by two names, a model a pool, the plan `p`, the plan `half` of half its tokens, and windows of that length.
pub(crate) fn config(provider: &Provider, window: Duration, limits: &str) -> String {
    let mut text = format!("[limits]\nwindow_seconds = {}\n{limits}\n", window.as_secs_f64());
    for name in ["up", "spare"] {
        let base_url = provider.upstream.base_url();
        let _ = write!(
            text,
            "[[providers]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{base_url}\"\nfirst_byte_timeout_seconds = 5\n"
        );
    }
    let (mut whole, mut half) = (String::new(), String::new());
    for Pool { model, selector, rpm, tpm } in POOLS {
        let category = model.strip_prefix("a-").filter(|name| *name != "fourth").unwrap_or("small");
        let targets = "[{ provider = \"up\" }, { provider = \"spare\", priority = 1 }]";
        let _ = write!(text, "[[models]]\nid = \"{model}\"\ncategory = \"{category}\"\ndefault_output_tokens = 120\ntargets = {targets}\n");
        let _ = write!(whole, "{{ {selector}, rpm = {rpm}, tpm = {tpm} }},");
        let _ = write!(half, "{{ {selector}, rpm = {rpm}, tpm = {} }},", tpm / 2);
    }
    let _ = write!(text, "[[plans]]\nid = \"p\"\nlimits = [{whole}]\n[[plans]]\nid = \"half\"\nlimits = [{half}]\n");
    text
}

/// A number that whoever runs the long version sets.
pub(crate) fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// The organisation that is asked about.
pub(crate) async fn new_org(server: &Server) -> String {
    let made = server.operator("POST", "/orgs", &json!({"name": "Acme", "plan": "p"})).await;
    made["id"].as_str().expect("an id").to_owned()
}

/// Everybody's clients, and where the server is for them.
pub(crate) struct Load {
    pub(crate) provider: Rc<Provider>,
    /// The server's address; `None` while there is none.
    pub(crate) address: watch::Sender<Option<SocketAddr>>,
    pub(crate) org: String,
    stop: watch::Sender<bool>,
    /// Pieces received so far.
    pub(crate) received: AtomicU64,
    seed: u64,
    next: AtomicU64,
    mood: Mood,
}

/// What clients and the provider are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Clients stay, the provider answers.
    Even,
    /// Clients leave, the provider breaks, fails, is busy or says nothing.
    Rough,
}

struct Near<'a>(&'a Load);

impl Around for Near<'_> {
    fn refused(&self) {
        self.0.provider.open_one();
    }

    fn received(&self) {
        self.0.received.fetch_add(1, Relaxed);
    }

    fn patience(&self) -> u64 {
        if *self.0.stop.borrow() { 2 } else { 8 }
    }
}

impl Load {
    pub(crate) fn new(provider: Rc<Provider>, org: String, seed: u64, mood: Mood) -> Self {
        let (address, stop) = (watch::Sender::new(None), watch::Sender::new(false));
        Self { provider, address, org, stop, received: AtomicU64::new(0), seed, next: AtomicU64::new(1), mood }
    }

    /// Clients begin, each with one request at a time.
    pub(crate) fn begin(self: &Rc<Self>, clients: u64) -> JoinSet<Vec<Seen>> {
        let mut all = JoinSet::new();
        for client in 0..clients {
            let load = Rc::clone(self);
            all.spawn_local(async move { load.client(client).await });
        }
        all
    }

    /// Clients finish what they have begun; what all saw.
    pub(crate) async fn finish(&self, mut clients: JoinSet<Vec<Seen>>) -> Vec<Seen> {
        self.stop.send_replace(true);
        let mut all = Vec::new();
        loop {
            tokio::select! {
                joined = clients.join_next() => match joined {
                    Some(seen) => all.extend(seen.expect("no client fails")),
                    None => return all,
                },
                () = tokio::time::sleep(Duration::from_millis(20)) => self.provider.open_all(),
            }
        }
    }

    async fn client(&self, client: u64) -> Vec<Seen> {
        let random = SeededEntropy::new(self.seed.wrapping_mul(1_000).wrapping_add(client));
        let mut all = Vec::new();
        while !*self.stop.borrow() {
            let addr = self.server().await;
            let Some(key) = self.new_key(addr).await else { continue };
            let ask = self.ask(&random);
            let seen = ask.put(addr, &key, &Near(self)).await;
            if seen.end == End::Cut && self.mood == Mood::Even {
                // The server has gone; the next one has another address.
                let mut address = self.address.subscribe();
                drop(tokio::time::timeout(Duration::from_secs(20), address.wait_for(|now| *now != Some(addr))).await);
            }
            all.push(seen);
        }
        all
    }

    async fn server(&self) -> SocketAddr {
        let mut address = self.address.subscribe();
        let there = address.wait_for(Option::is_some).await.expect("it is told");
        there.expect("there is one")
    }

    async fn new_key(&self, addr: SocketAddr) -> Option<Key> {
        let Ok(answer) = operator(addr, "POST", &format!("/orgs/{}/keys", self.org), &json!({"name": "k"})).await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return None;
        };
        assert_eq!(answer.status, 201, "{}", answer.text());
        let (made, text) = (answer.json(), |value: &Value| value.as_str().expect("a text").to_owned());
        Some(Key { id: text(&made["id"]), secret: text(&made["key"]) })
    }

    fn ask(&self, random: &SeededEntropy) -> Ask {
        let below = |n: u64| random.next_u64() % n;
        let words = 1 + match below(10) {
            0 => below(900),
            1..4 => below(250),
            _ => below(60),
        };
        let way = match (self.mood, below(60)) {
            (Mood::Rough, 0) => Way::Busy,
            (Mood::Rough, 1) => Way::Fails,
            (Mood::Rough, 2) => Way::Hangs,
            (Mood::Rough, 3..8) => Way::Breaks,
            (_, ..20) => Way::Gated,
            (_, _) => Way::Answer,
        };
        let errand = Errand { id: self.next.fetch_add(1, Relaxed), input: 7 + below(40), words, stride: 1 + below(4), way };
        Ask {
            errand,
            model: POOLS[usize::try_from(below(4)).expect("few pools")].model,
            stream: below(3) > 0,
            max_tokens: (below(3) > 0).then(|| words + below(100)),
            wait: (below(6) == 0).then_some(1),
            leave_after: (self.mood == Mood::Rough && below(8) == 0).then(|| 1 + below(words)),
        }
    }
}

/// What there was to tell.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) whole: usize,
    pub(crate) cut_open: usize,
    pub(crate) cut_before: usize,
    /// Clients that left, streams that broke, providers that failed, clients that gave up.
    pub(crate) others: usize,
    pub(crate) refusals: u64,
    pub(crate) tokens: u64,
    pub(crate) faults: Vec<String>,
    /// What clients had of answers that were whole, and how often they were refused; and what is written down of those.
    pub(crate) clients: usage::Counted,
    pub(crate) written: usage::Counted,
    /// By pool, the most of a window and its limit: of tokens and of requests.
    pub(crate) peaks: Vec<(&'static str, u64, u64, u64, u64)>,
}

/// Compares everything that clients saw with what the server has written down, and with the limits.
pub(crate) async fn judge(server: &Server, load: &Load, all: &[Seen], beat: &Heartbeat, window: Duration) -> Sum {
    let mut sum = Sum::default();
    server.settled(&load.org).await;
    let arrived: HashMap<u64, Instant> = all.iter().filter_map(|seen| load.provider.arrived(seen.ask.errand.id)).collect();
    let refusals = all.iter().map(|seen| seen.refusals).sum();
    let with_record = all.iter().filter(|seen| arrived.contains_key(&seen.ask.errand.id)).map(|seen| seen.key.as_str());
    let (mut counted, totals) = usage::by_key(server, &load.org, &with_record.collect::<Vec<_>>(), refusals).await;
    let mut pools: HashMap<&str, (Vec<Happened>, Vec<Happened>)> = HashMap::new();
    let mut written = usage::Counted::default();
    for seen in all {
        let id = seen.ask.errand.id;
        let arrived = arrived.get(&id).copied();
        let of_key = counted.remove(&seen.key).unwrap_or_default();
        sum.faults.extend(usage::faults(seen, of_key, arrived.is_some()));
        written.requests += of_key.requests + of_key.failed;
        written.input += of_key.input;
        written.output += of_key.output;
        sum.refusals += seen.refusals;
        sum.tokens += seen.words();
        sum.clients.refused += seen.refusals;
        sum.written.refused += of_key.refused;
        match (seen.end, seen.head) {
            (End::Whole { input, output }, _) => {
                sum.whole += 1;
                sum.clients.add(usage::Counted { requests: 1, input, output, ..Default::default() });
                sum.written.add(usage::Counted { refused: 0, ..of_key });
            }
            (End::Cut, Some(_)) => sum.cut_open += 1,
            (End::Cut, None) => sum.cut_before += 1,
            (End::Left | End::Broken | End::Failed(_) | End::GaveUp, _) => sum.others += 1,
        }
        let (tokens, requests) = pools.entry(seen.ask.model).or_default();
        // Whoever got no answer because no provider gave one has its request and input back; who left before knows nothing.
        let is_kept = matches!(seen.end, End::Cut) || seen.head.is_some() && !matches!(seen.end, End::Failed(_));
        if let Some(to) = arrived.filter(|_| is_kept) {
            requests.push(Happened { id, from: seen.sent, to, amount: 1 });
            tokens.push(Happened { id, from: seen.sent, to, amount: seen.ask.errand.input });
        }
        for (to, amount) in &seen.pieces {
            let earliest = to.checked_sub(beat.late(*to)).unwrap_or(*to);
            let from = if seen.ask.stream { earliest.max(seen.sent) } else { seen.sent };
            tokens.push(Happened { id, from, to: *to, amount: *amount });
        }
    }
    sum.faults.extend(counted.keys().map(|key| format!("{key} has usage that nobody asked for")));
    if written.requests != totals.requests + totals.failed || (written.input, written.output) != (totals.input, totals.output) {
        sum.faults.push(format!("the keys' sum {written:?} is not the total {totals:?}"));
    }
    for Pool { model, rpm, tpm, .. } in POOLS {
        let Some((tokens, requests)) = pools.get_mut(model) else { continue };
        let (most_tokens, most_requests) = (peak(tokens, window).0, peak(requests, window).0);
        if most_tokens > tpm {
            sum.faults.push(format!("{model}: {most_tokens} of {tpm} tokens in one window: {}", story(tokens, window)));
        }
        if most_requests > rpm {
            sum.faults.push(format!("{model}: {most_requests} of {rpm} requests in one window: {}", story(requests, window)));
        }
        sum.peaks.push((model, most_tokens, tpm, most_requests, rpm));
    }
    sum
}

/// Runs a test's tasks on one thread, as the heartbeat needs.
pub(crate) async fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    LocalSet::new().run_until(test).await
}
