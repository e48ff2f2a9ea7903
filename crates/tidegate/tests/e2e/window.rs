//! The guarantee: in any 60 seconds never more than N, nothing refused that fits, and every announced wait exact.

use domain::{Clock, UnixMicros};
use serde_json::{Value, json};
use testkit::{Answer, ManualClock, Reply, SeededEntropy};

use crate::world::{LARGE, Org, World, chat, stream};

const WINDOW_US: u64 = 60_000_000;

/// What a refusal announces, in its three forms.
struct Announced {
    ms: u64,
    seconds: u64,
    until: UnixMicros,
}

/// Reads all three and checks that they come from one reading of the clock.
fn announced(refused: &Answer, clock: &ManualClock) -> Announced {
    assert_eq!(refused.status, 429, "{}", refused.text());
    let number = |name: &str| refused.header(name).unwrap_or_else(|| panic!("no {name}")).parse::<u64>().unwrap();
    let (ms, seconds) = (number("retry-after-ms"), number("retry-after"));
    assert_eq!(refused.json()["retry_after_ms"], json!(ms));
    assert_eq!(seconds, ms.div_ceil(1_000).max(1));
    assert!((1..=60_000).contains(&ms), "{ms} ms");
    let error = refused.json()["error"].as_str().unwrap().to_owned();
    let until: UnixMicros = error.split("rate limited until ").nth(1).unwrap().parse().unwrap();
    let wall = clock.now().wall.0;
    assert!(until.0 > wall, "until is in the future");
    assert_eq!(until.0 % 1_000_000, 0, "whole seconds");
    assert!(until.0 >= wall + (ms as i64 - 1) * 1_000 && until.0 < wall + ms as i64 * 1_000 + 1_000_000, "{error}, {ms} ms");
    Announced { ms, seconds, until }
}

#[tokio::test]
async fn a_clock_minute_s_border_gives_no_second_helping() {
    let world = World::at(ManualClock::at("2026-02-05T15:29:59.500Z"), "", "").await;
    world.upstream.otherwise(|request| Reply::of(1, 1).script(request));
    let org = world.org("starter").await;
    for _ in 0..45 {
        assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    }
    for step_us in [500_000, 1, 29_499_999, 29_999_999] {
        world.clock.advance_us(step_us);
        assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 429, "{}", world.clock.now().wall);
    }
    world.clock.advance_us(1);
    for _ in 0..45 {
        assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200, "exactly 60 s after");
    }
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 429);
}

#[tokio::test]
async fn waiting_the_announced_time_succeeds_and_a_millisecond_less_is_refused() {
    let world = World::start().await;
    let input = world.count(&chat(LARGE, 1)).await;
    world.upstream.otherwise(move |request| Reply::of(input, 100).script(request));
    let requests = world.custom(json!([{"category": "large", "rpm": 20}])).await;
    let tokens = world.custom(json!([{"category": "large", "tpm": (input + 100) * 20 + 7}])).await;
    for org in [&requests, &tokens] {
        for n in 0..20 {
            world.clock.advance_us(1_234_567 + n * 1_013);
            assert_eq!(world.send(&org.key, &chat(LARGE, 100)).await.status, 200);
        }
        for _ in 0..25 {
            let wait = announced(&world.send(&org.key, &chat(LARGE, 100)).await, &world.clock);
            world.clock.advance_ms(wait.ms - 1);
            let again = announced(&world.send(&org.key, &chat(LARGE, 100)).await, &world.clock);
            assert_eq!(again.ms, 1, "a millisecond less: refused, and says so");
            world.clock.advance_ms(1);
            let admitted = world.send(&org.key, &chat(LARGE, 100)).await;
            assert_eq!(admitted.status, 200, "the announced time: {}", admitted.text());
        }
    }
}

#[tokio::test]
async fn waiting_retry_after_or_until_succeeds() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 3}])).await;
    for n in 0..3 {
        world.clock.advance_us(7_654_321 * n);
        assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    }
    let wait = announced(&world.send(&org.key, &chat(LARGE, 1)).await, &world.clock);
    world.clock.advance_s(wait.seconds);
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    let wait = announced(&world.send(&org.key, &chat(LARGE, 1)).await, &world.clock);
    world.clock.advance_us((wait.until.0 - world.clock.now().wall.0) as u64);
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
}

#[tokio::test]
async fn wall_time_may_step_without_changing_who_is_admitted() {
    let world = World::start().await;
    let org = world.custom(json!([{"category": "large", "rpm": 1}])).await;
    assert_eq!(world.send(&org.key, &chat(LARGE, 1)).await.status, 200);
    for step in [3_600_000_000, -7_200_000_000] {
        world.clock.step_wall_us(step);
        let wait = announced(&world.send(&org.key, &chat(LARGE, 1)).await, &world.clock);
        assert_eq!(wait.ms, 60_000);
    }
}

/// All that was admitted and still counts, kept by brute force.
#[derive(Default)]
struct Oracle(Vec<(u64, u64)>);

impl Oracle {
    fn used(&self, now_us: u64) -> (u64, u64) {
        let counts = self.0.iter().filter(|(at, _)| at + WINDOW_US > now_us);
        counts.fold((0, 0), |(requests, tokens), (_, n)| (requests + 1, tokens + n))
    }
}

struct Arrivals<'a> {
    world: &'a World,
    org: Org,
    rpm: u64,
    tpm: u64,
    input: u64,
}

impl Arrivals<'_> {
    /// One request now. Admitted exactly if it fits by the oracle's count. Returns the wait if it was refused.
    async fn one(&self, oracle: &mut Oracle, max_tokens: u64, output: u64, streamed: bool) -> Option<u64> {
        let now_us = self.world.clock.now().mono_us;
        self.world.upstream.reply(Reply::of(self.input, output));
        let body = if streamed { stream(LARGE, max_tokens) } else { chat(LARGE, max_tokens) };
        let answer = self.world.send(&self.org.key, &body).await;
        let (requests, tokens) = oracle.used(now_us);
        let fits = requests < self.rpm && tokens + self.input + max_tokens <= self.tpm;
        assert_eq!(answer.status == 200, fits, "used {requests} requests, {tokens} tokens, asked {max_tokens}: {}", answer.text());
        if fits {
            self.world.settled(&self.org.key).await;
            oracle.0.push((now_us, self.input + output));
            return None;
        }
        // The reply that was queued for it.
        self.world.upstream.clear();
        Some(announced(&answer, &self.world.clock).ms)
    }
}

#[tokio::test]
async fn admits_exactly_what_fits_by_brute_force_at_any_moment() {
    let (rpm, tpm) = (9, 2_000);
    let limits = format!("[{{ category = \"large\", rpm = {rpm}, tpm = {tpm} }}]");
    let plan = format!("[[plans]]\nid = \"stated\"\nhold = \"max_tokens\"\nlimits = {limits}\n");
    let world = World::with("", &plan).await;
    let random = SeededEntropy::new(0x71DE);
    let below = |n: u64| random.next_u64() % n;
    let input = world.count(&chat(LARGE, 1)).await;
    let org = world.org("stated").await;
    let arrivals = Arrivals { world: &world, org, rpm, tpm, input };
    let mut oracle = Oracle::default();
    let (mut admitted, mut refused) = (0, 0);
    for _ in 0..500 {
        world.clock.advance_us(if below(4) == 0 { below(15_000_000) } else { below(3) });
        let max_tokens = 1 + below(if below(2) == 0 { 900 } else { 150 });
        let output = below(max_tokens + 1);
        let streamed = below(2) == 0;
        let Some(wait_ms) = arrivals.one(&mut oracle, max_tokens, output, streamed).await else {
            admitted += 1;
            continue;
        };
        refused += 1;
        world.clock.advance_ms(wait_ms - 1);
        assert!(arrivals.one(&mut oracle, max_tokens, output, streamed).await.is_some(), "1 ms less than announced");
        world.clock.advance_ms(1);
        assert_eq!(arrivals.one(&mut oracle, max_tokens, output, streamed).await, None, "after the announced wait");
    }
    assert!(admitted > 100 && refused > 100, "{admitted} admitted, {refused} refused: both happen");
    for (at, _) in &oracle.0 {
        let (requests, tokens) = oracle.used_in_window_that_ends(*at);
        assert!(requests <= rpm && tokens <= tpm, "{requests} requests, {tokens} tokens in 60 s");
    }
}

impl Oracle {
    fn used_in_window_that_ends(&self, end_us: u64) -> (u64, u64) {
        let within = self.0.iter().filter(|(at, _)| *at <= end_us && at + WINDOW_US > end_us);
        within.fold((0, 0), |(requests, tokens), (_, n)| (requests + 1, tokens + n))
    }
}

#[tokio::test]
async fn the_answer_is_the_same_streaming_or_not() {
    let world = World::start().await;
    let requests = world.custom(json!([{"category": "large", "rpm": 1, "tpm": 10_000}])).await;
    let tokens = world.custom(json!([{"category": "large", "rpm": 100, "tpm": 1_000}])).await;
    world.upstream.otherwise(|request| Reply::of(20, 900).script(request));
    for org in [&requests, &tokens] {
        assert_eq!(world.send(&org.key, &chat(LARGE, 900)).await.status, 200);
        let whole = world.send(&org.key, &chat(LARGE, 900)).await;
        let streamed = world.send(&org.key, &stream(LARGE, 900)).await;
        assert_eq!((whole.status, streamed.status), (429, 429));
        // The two bodies differ by `"stream":true`, which the model never sees.
        assert_eq!(whole.json(), streamed.json());
        assert_eq!(comparable(&whole), comparable(&streamed));
    }
}

fn comparable(answer: &Answer) -> Value {
    let own = ["x-request-id", "date"];
    let kept = answer.headers.0.iter().filter(|(name, _)| !own.contains(&name.to_lowercase().as_str()));
    kept.map(|(name, value)| (name.to_lowercase(), Value::from(value.as_str()))).collect()
}
