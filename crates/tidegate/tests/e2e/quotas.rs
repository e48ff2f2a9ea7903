//! More load than targets' own limits allow: what a provider sees never passes them, by its own brute force, and the surplus goes on.

use std::sync::{Arc, Mutex};

use domain::Clock as _;
use serde_json::{Value, json};
use testkit::{Answer, Call, Gate, ManualClock, Received, Reply, Script, SeededEntropy, Upstream};
use tokio::task::{JoinHandle, yield_now};
use tokio_util::task::TaskTracker;

use crate::world::{Org, World, post_chat, until};

const MINUTE_US: u64 = 60_000_000;
/// By so much later than it arrived may the gateway count a request.
const ON_THE_WAY_US: u64 = 1_000_000;
/// Input tokens of each request, as its provider tells and as the gateway counts at most, and what they can be at most uncounted.
const INPUT: (u64, u64, u64) = (8, 20, 300);

/// What the operator has written for a target.
#[derive(Clone, Copy)]
struct Quota {
    rpm: u64,
    tpm: u64,
    concurrent: u64,
}

impl Quota {
    const ROOMY: Self = Self { rpm: 100_000, tpm: 100_000_000, concurrent: 100_000 };

    fn target(self, provider: &str, priority: u64) -> String {
        let Self { rpm, tpm, concurrent } = self;
        format!("{{ provider = \"{provider}\", priority = {priority}, rpm = {rpm}, tpm = {tpm}, concurrent = {concurrent} }}")
    }
}

/// A request as its provider sees it.
#[derive(Clone)]
struct Seen {
    marker: u64,
    provider: usize,
    at_us: u64,
    ended_us: Option<u64>,
    /// As its usage tells.
    tokens: u64,
    /// Output that was asked for at most.
    most_output: u64,
    gate: Gate,
}

/// Output tokens of an answer at most.
const MOST: u64 = 420;

/// A model with two targets, the first before the second, and all that their providers have seen.
struct Two {
    world: World,
    org: Org,
    quotas: [Quota; 2],
    seen: Arc<Mutex<Vec<Seen>>>,
    random: SeededEntropy,
    clients: TaskTracker,
    /// Whether requests say `max_tokens`.
    says_most: bool,
    _upstreams: [Upstream; 2],
}

impl Two {
    async fn with(quotas: [Quota; 2], seed: u64) -> Self {
        let upstreams = [Upstream::start().await, Upstream::start().await];
        let [one, two] = upstreams.each_ref().map(Upstream::base_url);
        let provider = |name: &str, at: &str| format!("[[providers]]\nname = \"{name}\"\nkind = \"openai\"\nbase_url = \"{at}\"\n");
        let targets = format!("{}, {}", quotas[0].target("one", 0), quotas[1].target("two", 1));
        let model = format!("[[models]]\nid = \"dual\"\ncategory = \"small\"\nmax_output_tokens = {MOST}\ntargets = [{targets}]\n");
        let world = World::with("", &[provider("one", &one), provider("two", &two), model].concat()).await;
        let org = world.custom(json!([{"any": true, "rpm": 1_000_000, "tpm": 1_000_000_000_u64}])).await;
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        for (provider, upstream) in upstreams.iter().enumerate() {
            let (seen, clock) = (Arc::clone(&seen), Arc::clone(&world.clock));
            upstream.otherwise(move |received| answer(&seen, &clock, provider, received));
        }
        Self {
            world,
            org,
            quotas,
            seen,
            random: SeededEntropy::new(seed),
            clients: TaskTracker::new(),
            says_most: true,
            _upstreams: upstreams,
        }
    }

    fn now_us(&self) -> u64 {
        self.world.clock.now().mono_us
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Sends a request, and waits until a provider has it or it was refused.
    async fn send(&self, marker: u64) -> JoinHandle<Answer> {
        let most = 20 + self.random.next_u64() % (MOST - 20);
        let messages = json!([{"role": "user", "content": format!("{marker} say hello")}]);
        let mut body = json!({"model": "dual", "stream": marker.is_multiple_of(2), "messages": messages});
        if self.says_most {
            body["max_tokens"] = json!(most);
        }
        let (call, addr): (Call, _) = (post_chat(&body).key(&self.org.key), self.world.addr());
        let sent = self.clients.spawn(async move { call.send(addr).await });
        until("a provider has it or it is refused", || async {
            yield_now().await;
            sent.is_finished() || self.seen.lock().unwrap().iter().any(|seen| seen.marker == marker)
        })
        .await;
        sent
    }

    /// Lets the request end at its provider.
    async fn end(&self, marker: u64, sent: JoinHandle<Answer>) {
        let now_us = self.now_us();
        let gate = {
            let mut seen = self.seen.lock().unwrap();
            let seen = seen.iter_mut().find(|seen| seen.marker == marker).expect("it was seen");
            seen.ended_us = Some(now_us);
            seen.gate.clone()
        };
        gate.open();
        let answer = sent.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// So many requests at random moments, each ended after a while; the refusals with the moments at which they came.
    async fn load(&self, requests: u64, mean_gap_ms: u64) -> Vec<(u64, Answer)> {
        let (mut running, mut refused): (Vec<(u64, JoinHandle<Answer>)>, Vec<_>) = (Vec::new(), Vec::new());
        for marker in 1..=requests {
            // Bursts, and pauses between them.
            let gap_us = if self.random.next_u64().is_multiple_of(3) { 0 } else { self.random.next_u64() % (3_000 * mean_gap_ms) };
            self.world.clock.advance_us(1 + gap_us);
            let mut going_on = Vec::new();
            for (marker, sent) in running {
                if self.random.next_u64().is_multiple_of(3) { self.end(marker, sent).await } else { going_on.push((marker, sent)) }
            }
            running = going_on;
            let sent = self.send(marker).await;
            if sent.is_finished() {
                refused.push((self.now_us(), sent.await.unwrap()));
            } else {
                running.push((marker, sent));
            }
        }
        self.world.clock.advance_us(1);
        for (marker, sent) in running {
            self.end(marker, sent).await;
        }
        refused
    }

    /// No window that ends with an arrival, and so none at all, holds more than the quota.
    fn no_window_holds_more(&self) {
        let seen = self.seen();
        for now in &seen {
            let quota = self.quotas[now.provider];
            let same = || seen.iter().filter(|other| other.provider == now.provider && other.at_us <= now.at_us);
            let window = || same().filter(|other| other.at_us + MINUTE_US > now.at_us);
            let tokens: u64 = window().map(|other| other.tokens).sum();
            let at_once = same().filter(|other| other.ended_us.is_none_or(|ended| ended > now.at_us)).count() as u64;
            let told = (window().count() as u64, tokens, at_once);
            let Quota { rpm, tpm, concurrent } = quota;
            assert!(told.0 <= rpm && told.1 <= tpm && told.2 <= concurrent, "provider {} saw {told:?}", now.provider);
        }
    }

    /// Whether a target had no room for a request at a moment, as strictly as it can be told from outside: output counts when it has come.
    fn was_full(&self, provider: usize, at_us: u64, most_output: u64, before: u64) -> bool {
        let Quota { rpm, tpm, concurrent } = self.quotas[provider];
        let seen: Vec<_> = self.seen().into_iter().filter(|seen| seen.provider == provider && seen.marker < before).collect();
        let runs = |seen: &&Seen| seen.ended_us.is_none_or(|ended| ended > at_us);
        let counts = |since_us: u64| since_us + MINUTE_US + ON_THE_WAY_US > at_us;
        let tokens = |seen: &Seen| match seen.ended_us {
            Some(ended_us) if ended_us <= at_us => {
                if counts(ended_us) {
                    seen.tokens
                } else {
                    0
                }
            }
            Some(_) | None => INPUT.2 + seen.most_output,
        };
        let used: u64 = seen.iter().map(tokens).sum();
        seen.iter().filter(|seen| counts(seen.at_us)).count() as u64 >= rpm
            || seen.iter().filter(runs).count() as u64 >= concurrent
            || used + INPUT.1 + most_output > tpm
    }
}

fn answer(seen: &Mutex<Vec<Seen>>, clock: &ManualClock, provider: usize, received: &Received) -> Script {
    let body = received.json();
    let marker: u64 = body["messages"][0]["content"].as_str().and_then(|text| text.split(' ').next()?.parse().ok()).expect("a marker");
    let most_output = body["max_tokens"].as_u64().unwrap_or(MOST);
    // Few need all that they asked for, so few that nobody expects it.
    let (output, gate) = (if marker.is_multiple_of(16) { most_output } else { most_output / (2 + marker % 4) }, Gate::new());
    let at_us = clock.now().mono_us;
    let tokens = INPUT.0 + output;
    seen.lock().unwrap().push(Seen { marker, provider, at_us, ended_us: None, tokens, most_output, gate: gate.clone() });
    let reply = Reply::of(INPUT.0, output);
    if body["stream"] == true { reply.gated(&gate).script(received) } else { reply.script(received).after(&gate) }
}

const SMALL: Quota = Quota { rpm: 12, tpm: 1_500, concurrent: 4 };
const BY_TOKENS: Quota = Quota { rpm: 1_000, concurrent: 100, ..SMALL };

/// Twelve a minute fit the first; twice as many come.
async fn gets_its_quota_and_the_surplus_goes_on(two: Two) {
    let refused = two.load(300, 2_500).await;
    assert!(refused.is_empty(), "there is room at the second: {}", refused[0].1.text());
    two.no_window_holds_more();
    let seen = two.seen();
    let share = seen.iter().filter(|seen| seen.provider == 0).count();
    assert!((40..240).contains(&share), "{share} of 300 went to the first");
    for surplus in seen.iter().filter(|seen| seen.provider == 1) {
        assert!(two.was_full(0, surplus.at_us, surplus.most_output, surplus.marker), "{} found room at the first", surplus.marker);
    }
}

#[tokio::test]
async fn a_target_gets_its_quota_and_never_more_and_the_surplus_goes_on() {
    for (seed, quota) in [(1, SMALL), (2, Quota { tpm: 100_000, ..SMALL }), (3, BY_TOKENS)] {
        gets_its_quota_and_the_surplus_goes_on(Two::with([quota, Quota::ROOMY], seed).await).await;
    }
}

#[tokio::test]
async fn it_is_so_where_requests_do_not_say_how_much_they_want() {
    for seed in 8..11 {
        gets_its_quota_and_the_surplus_goes_on(Two { says_most: false, ..Two::with([BY_TOKENS, Quota::ROOMY], seed).await }).await;
    }
}

#[tokio::test]
async fn only_when_all_are_full_is_a_client_refused_and_it_hears_when_to_come_back() {
    let other = Quota { rpm: 9, tpm: 2_000, concurrent: 5 };
    let two = Two::with([SMALL, other], 4).await;
    let refused = two.load(400, 1_400).await;
    two.no_window_holds_more();
    assert!((20..300).contains(&refused.len()), "{} of 400 were refused", refused.len());
    for (at_us, answer) in &refused {
        assert_eq!(answer.status, 429, "{}", answer.text());
        let wait_ms: u64 = answer.header("retry-after-ms").unwrap().parse().unwrap();
        assert!((1..=60_000).contains(&wait_ms), "{wait_ms}");
        let is_full = |provider| two.was_full(provider, *at_us, MOST, u64::MAX);
        assert!(is_full(0) && is_full(1), "refused though there was room: {}", answer.text());
    }
}

impl Two {
    /// A request from its begin to its end; who answered it.
    async fn by(&self, marker: u64) -> String {
        let sent = self.send(marker).await;
        self.end(marker, sent).await;
        let seen = self.seen();
        ["one", "two"][seen.iter().find(|seen| seen.marker == marker).unwrap().provider].to_owned()
    }

    async fn refused(&self, marker: u64) -> Answer {
        let answer = self.send(marker).await.await.unwrap();
        assert_eq!(answer.status, 429, "{}", answer.text());
        answer
    }
}

#[tokio::test]
async fn the_refusal_tells_the_earliest_reopening_to_the_microsecond() {
    let two = Two::with([Quota { rpm: 2, ..Quota::ROOMY }, Quota { rpm: 1, ..Quota::ROOMY }], 5).await;
    let clock = &two.world.clock;
    assert_eq!(two.by(1).await, "one");
    clock.advance_ms(2_500);
    assert_eq!(two.by(2).await, "one");
    clock.advance_ms(500);
    assert_eq!(two.by(3).await, "two");
    let refused = two.refused(4).await;
    assert_eq!(refused.json()["error"], "dual model is rate limited until 2026-02-05T15:31:00Z");
    assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (Some("57"), Some("57000")));
    clock.advance_us(57_000_000 - 1);
    assert_eq!(two.refused(5).await.header("retry-after-ms"), Some("1"));
    clock.advance_us(1);
    assert_eq!(two.by(6).await, "one", "the first to open");
    assert_eq!(two.refused(7).await.header("retry-after-ms"), Some("2500"), "then its second place");
    clock.advance_ms(2_500);
    assert_eq!(two.by(8).await, "one");
    assert_eq!(two.refused(9).await.header("retry-after-ms"), Some("500"), "then the other's");
    clock.advance_ms(500);
    assert_eq!(two.by(10).await, "two");
}

#[tokio::test]
async fn a_place_that_comes_free_is_taken_at_once() {
    let one_at_once = Quota { concurrent: 1, ..Quota::ROOMY };
    let two = Two::with([one_at_once, one_at_once], 6).await;
    let first = two.send(1).await;
    let second = two.send(2).await;
    let wait_ms: u64 = two.refused(3).await.header("retry-after-ms").unwrap().parse().unwrap();
    assert!((1..=60_000).contains(&wait_ms), "nobody knows when an answer ends: {wait_ms}");
    two.end(2, second).await;
    assert_eq!(two.by(4).await, "two");
    two.end(1, first).await;
    assert_eq!(two.by(5).await, "one");
}

#[tokio::test]
async fn what_fits_once_it_is_counted_is_not_passed_over() {
    let small = Quota { tpm: 600, ..Quota::ROOMY };
    let two = Two::with([small, small], 7).await;
    let send = |words: usize| {
        let content = format!("{words} {}", "hello ".repeat(words));
        let body = json!({"model": "dual", "max_tokens": 100, "messages": [{"role": "user", "content": content}]});
        let call = post_chat(&body).key(&two.org.key);
        let addr = two.world.addr();
        two.clients.spawn(async move { call.send(addr).await })
    };
    let long = send(300);
    until("a provider has it", || async {
        yield_now().await;
        !two.seen().is_empty() || long.is_finished()
    })
    .await;
    assert!(!long.is_finished(), "1,800 bytes, but 300 tokens");
    two.end(300, long).await;
    let never = send(900).await.unwrap();
    assert!([429, 503].contains(&never.status), "{}", never.text());
    assert_eq!(never.header("retry-after").is_some(), never.status == 429);
    let state: Value = two.world.operator("GET", "/providers/one/state", Value::Null).await;
    assert_eq!(state["cooldown_until"], Value::Null);
}
